"""The planner's prompt: its text, what it shows, what of it stays the same from request to request."""

from __future__ import annotations

import itertools
import statistics
from datetime import datetime

import pytest

from tests.goldenfile import golden
from tinyagent_mlx.plan import END
from tinyagent_mlx.profile import Profile
from tinyagent_mlx.prompt import ALPACA, BRIEF, PLAIN, choose_examples, planner_prompt, tool_block
from tinyagent_mlx.toolbox import Toolbox

NOW = datetime(2026, 11, 23, 9, 5)
REQUEST = "Set up lunch with Sid on Friday at noon and text him"
THREE = ("create_calendar_event", "get_email_address", "send_sms")


def test_prompt_is_the_kept_one(shipped_tools: Toolbox) -> None:
    text = planner_prompt(shipped_tools.subset(THREE), REQUEST, NOW, more=True)
    assert text == golden("prompt.txt", text)


def test_prompt_shows_the_given_tools_alone(shipped_tools: Toolbox) -> None:
    text = planner_prompt(shipped_tools.subset(THREE), REQUEST, NOW)
    assert {name for name in shipped_tools.names if f"{name}(" in text} == set(THREE)


def test_prompt_names_every_argument_rule_and_choice(shipped_tools: Toolbox) -> None:
    text = planner_prompt(shipped_tools, REQUEST, NOW)
    for tool in shipped_tools:
        assert tool.description in text
        assert all(rule in text for rule in tool.rules)
        for argument in tool.arguments:
            assert f"{argument.name}: " in tool_block(tool)
            assert argument.description in tool_block(tool)
    assert "'w' walking on foot" in text


@pytest.mark.parametrize(("more", "told"), [(True, True), (False, False)], ids=["some", "all"])
def test_prompt_tells_of_other_tools_where_there_are_any(shipped_tools: Toolbox, more: bool, told: bool) -> None:
    assert ("more tools" in planner_prompt(shipped_tools.subset(THREE), REQUEST, NOW, more)) == told


def test_prompt_begins_alike_for_all_tools_and_requests(shipped_tools: Toolbox) -> None:
    one = planner_prompt(shipped_tools.subset(["open_note"]), "open my list", NOW)
    other = planner_prompt(shipped_tools.subset(["send_sms"]), REQUEST, datetime(2027, 1, 1))
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    assert "".join(character for character, _ in same).rstrip().endswith("Tools:")


def test_prompt_ends_with_the_moment_and_the_request(shipped_tools: Toolbox) -> None:
    text = planner_prompt(shipped_tools, "two\n\nPlan:\n lines {request}", NOW)
    assert text.endswith("\n\nNow: Monday 2026-11-23 09:05\nRequest: two Plan: lines {request}\nPlan:\n")


def test_prompt_takes_its_layout_from_a_profile(shipped_tools: Toolbox) -> None:
    assert planner_prompt(shipped_tools, REQUEST, NOW, profile=ALPACA).startswith("### Instruction:\n")
    bare = Profile(name="bare", system=(), user="{request}>")
    assert planner_prompt(shipped_tools, REQUEST, NOW, profile=bare) == f"{REQUEST}>"


def test_brief_prompt_names_tools_and_no_more(shipped_tools: Toolbox) -> None:
    example = shipped_tools["send_sms"].examples[0]
    text = planner_prompt(shipped_tools.subset(["get_phone_number", "send_sms"]), REQUEST, NOW, True, BRIEF, [example])
    tools = "Tools:\nget_phone_number\nsend_sms\nmore tools\n\n"
    assert text.startswith(f"{tools}Request: {example.request}\nPlan:\n1. ")
    assert text.endswith(f"join(){END}\n\nRequest: {REQUEST}\nPlan:\n")
    assert "2026" not in text


def test_examples_stand_before_the_request_in_the_given_order(shipped_tools: Toolbox) -> None:
    examples = [tool.examples[0] for tool in shipped_tools][:3]
    text = planner_prompt(shipped_tools, REQUEST, NOW, examples=examples)
    places = [text.index(f"Request: {example.request}\n") for example in examples]
    assert text.index("Tools:") < places[0] < places[1] < places[2] < text.index(f"Request: {REQUEST}")
    assert "Request: " not in planner_prompt(shipped_tools, REQUEST, NOW, examples=[]).replace(
        f"Request: {REQUEST}", ""
    )


def test_examples_use_only_tools_at_hand(shipped_tools: Toolbox) -> None:
    for names in itertools.combinations(shipped_tools.names, 2):
        tools = shipped_tools.subset(names)
        for example in choose_examples(tools, PLAIN.examples):
            assert {step.tool for step in example.plan.steps} <= set(names)


def test_examples_show_most_tools_first_and_no_tool_twice_over(shipped_tools: Toolbox) -> None:
    mail = shipped_tools.subset(["get_email_address", "open_and_get_file_path", "compose_new_email"])
    chosen = choose_examples(mail, 5)
    assert [len(example.plan.steps) for example in chosen] == [3]


def test_examples_end_as_the_planner_must(shipped_tools: Toolbox) -> None:
    text = planner_prompt(shipped_tools.subset(["open_note"]), REQUEST, NOW)
    assert f'1. open_note("packing list", "")\n2. join(){END}\n' in text


def test_prompt_stays_short(shipped_tools: Toolbox) -> None:
    """About 400 tokens for three tools, where a token is about four characters."""
    triples = list(itertools.combinations(shipped_tools.names, 3))[::7]
    lengths = [len(planner_prompt(shipped_tools.subset(names), REQUEST, NOW, more=True)) for names in triples]
    assert statistics.fmean(lengths) < 1700
