"""What the user always wants: which tools a sentence concerns, and what it adds to plans."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.tui_fakes import NOW, FakePlanner
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cli import setup
from tinyagent_mlx.cli.main import screen_options
from tinyagent_mlx.desktop.base import NoDesktop
from tinyagent_mlx.errors import PlannerError
from tinyagent_mlx.instructions import Instructed, WithLookups, added, by_tool, concerned, told
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.plan import Plan, parse_plan, print_plan
from tinyagent_mlx.planner import PlanEnd
from tinyagent_mlx.prompt import ALPACA, PROFILES, planner_prompt
from tinyagent_mlx.retriever import EveryTool

MAILS = {"compose_new_email", "reply_to_email", "forward_email"}
CONCERNS = {
    "always cc Nick": MAILS,
    "sign every mail with Best, Piet": MAILS,
    "put reminders on the list Home": {"create_reminder"},
    "invite Nick to every meeting": {"create_calendar_event", "get_zoom_meeting_link"},
    "Mail: be short": MAILS,
    "send_sms: be short": {"send_sms"},
    "be short": set(),
    "I prefer metric units": set(),
}


@pytest.mark.parametrize(("said", "tools"), CONCERNS.items(), ids=CONCERNS.keys())
def test_a_sentence_concerns_the_tools_whose_words_it_shares_or_that_it_names(shipped_tools, said, tools):
    assert concerned(said, shipped_tools)[1] == tools


def test_a_writer_is_told_what_has_no_scope_and_what_is_in_its_own(shipped_tools):
    found = by_tool(("always cc Nick", "Notes: short lines", "write in Dutch"), shipped_tools)
    assert found["create_note"] == ("always cc Nick", "short lines", "write in Dutch")
    assert found["compose_new_email"] == ("always cc Nick", "write in Dutch")


BEFORE = '1. get_email_address("Sid")\n2. compose_new_email(["$1"], [], "rent", "", [])'
CC = '1. get_email_address("Sid")\n2. get_email_address("Nick")\n3. compose_new_email(["$1"], ["$2"], "rent", "", [])'
NOT_ADDED = {
    "nothing": BEFORE,
    "another subject": CC.replace("rent", "Nick"),
    "a step less": '1. compose_new_email(["sid@x.org"], [], "rent", "", [])',
    "a step that writes": f'{CC}\n4. create_note("Nick", "", "")',
    "words that were not said": CC.replace("Nick", "Bob"),
    "in another argument that was not empty": BEFORE.replace('"rent"', '"cc Nick"'),
}


@pytest.mark.parametrize("after", NOT_ADDED.values(), ids=NOT_ADDED.keys())
def test_what_is_no_mere_addition_is_not_taken(shipped_tools, after):
    tool = shipped_tools["compose_new_email"]
    before = parse_plan(BEFORE).steps
    assert added(before, parse_plan(after).steps, tool, shipped_tools, "always cc Nick") is None


def test_a_look_up_and_a_value_are_an_addition(shipped_tools):
    tool = shipped_tools["compose_new_email"]
    found = added(parse_plan(BEFORE).steps, parse_plan(CC).steps, tool, shipped_tools, "always cc Nick")
    assert print_plan(Plan(found.lookups)) == '1. get_email_address("Nick")'
    assert list(found.values) == ["cc"]


EXAMPLE = "email Ines the floor plan"  # the first one of compose_new_email in tools.yaml
LEARNED = {
    EXAMPLE: """\
1. get_email_address("Ines")
2. open_and_get_file_path("floor plan")
3. compose_new_email(["$1"], [], "", "", ["$2"])""",
    f"{EXAMPLE} and always cc Nick": """\
1. get_email_address("Ines")
2. get_email_address("Nick")
3. open_and_get_file_path("floor plan")
4. compose_new_email(["$1"], ["$2"], "", "", ["$3"])""",
}


PLANS = {
    "mail Sid": (
        BEFORE,
        '1. get_email_address("Sid")\n2. get_email_address("Nick")\n3. compose_new_email(["$1"], ["$2"], "rent", "", [])',
    ),
    "mail two": (
        '1. compose_new_email(["a@b.c"], ["x@y.z"], "", "", [])\n2. open_note("Rent", "")\n3. compose_new_email(["a@b.c"], [], "", "$2", [])',
        '1. get_email_address("Nick")\n2. compose_new_email(["a@b.c"], ["x@y.z", "$1"], "", "", [])\n3. open_note("Rent", "")\n'
        '4. compose_new_email(["a@b.c"], ["$1"], "", "$3", [])',
    ),
    "mail Nick himself": (
        '1. get_email_address("Nick")\n2. compose_new_email(["$1"], [], "", "", [])',
        '1. get_email_address("Nick")\n2. compose_new_email(["$1"], [], "", "", [])',
    ),
    "a note": ('1. create_note("Nick", "", "")', '1. create_note("Nick", "", "")'),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("before", "after"), PLANS.values(), ids=PLANS.keys())
def test_every_plan_that_calls_the_tool_gets_the_addition_and_no_other_changes(shipped_tools, before, after):
    planner = Instructed(FakePlanner({**LEARNED, "the request": before}), ("always cc Nick",))
    *steps, end = planner.plan("the request", shipped_tools, shipped_tools.names, NOW)
    assert print_plan(Plan(tuple(steps))) == after
    assert end == PlanEnd(1, 1, 1)


def test_a_request_that_is_too_long_is_not_carried_out_with_instructions_either(shipped_tools):
    planner, retriever = setup.planner_and_retriever(screen_options([]), shipped_tools, ("always cc Nick",))
    agent = Agent(shipped_tools, planner, retriever, NoDesktop())
    with pytest.raises(PlannerError, match="too long"):
        asyncio.run(agent.run(f"email Sid that {'very ' * 160}soon", NOW, lambda plan: None, lambda event: None))


def test_the_shipped_planner_copies_somebody_on_every_mail_and_leaves_other_plans_alone(shipped_tools):
    options = screen_options([])
    planner, _ = setup.planner_and_retriever(options, shipped_tools, ("always cc Nick",))

    def plan(text):
        steps = planner.plan(text, shipped_tools, shipped_tools.names, NOW)
        return print_plan(Plan(tuple(step for step in steps if not isinstance(step, PlanEnd))))

    assert plan("email sid@example.com that lunch is at noon").splitlines() == [
        '1. get_email_address("Nick")',
        '2. compose_new_email(["sid@example.com"], ["$1"], "", "lunch is at noon", [])',
    ]
    assert "Nick" not in plan("text 555-0199 that the package arrived")


@pytest.mark.parametrize(
    "profile", [*PROFILES.values(), replace(ALPACA, name="learnt", blocks={"create_note": "words"})]
)
def test_every_layout_tells_a_language_model(shipped_tools, profile):
    prompt = planner_prompt(shipped_tools, "hello", NOW, profile=told(profile, ("always  cc Nick",)))
    assert prompt.index("The user always wants") < prompt.index("- always cc Nick\n") < prompt.rindex("hello")
    assert told(profile, ()) is profile


def test_look_ups_are_at_hand_where_an_instruction_needs_them(shipped_tools):
    class Found(EveryTool):
        def retrieve(self, text, tools):
            return (text,)

    retriever = WithLookups(Found(), ("always cc Nick",))
    assert retriever.retrieve("reply_to_email", shipped_tools) == (
        "get_phone_number",
        "get_email_address",
        "reply_to_email",
    )
    assert retriever.retrieve("create_note", shipped_tools) == ("create_note",)


def test_a_language_model_may_use_an_instructions_words(shipped_tools, llama_folder):
    options = screen_options(["--model", str(llama_folder)])
    planner, _ = setup.planner_and_retriever(options, shipped_tools, ("always cc Nick",))
    assert "- always cc Nick" in planner.head(shipped_tools) or "always cc Nick" in planner.profile.system[-1].text
    assert planner.said == "always cc Nick"


def test_evaluation_knows_no_instructions(home):
    (home / "settings.yaml").write_text("instructions: [always cc Nick]\n")
    options = screen_options(["--tools", str(shipped("tools.yaml"))])
    assert not isinstance(setup.agent(options).planner, Instructed)
    assert isinstance(setup.agent(options, instructed=True).planner, Instructed)
