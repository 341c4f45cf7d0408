"""Own tools joined with shipped ones: the result goes on, or comes from a step before."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.test_scenarios import FOLDER as SCENARIOS
from tinyagent_mlx.check import check_plan
from tinyagent_mlx.lab import chains, own
from tinyagent_mlx.lab.corpus import fill_plan, read_corpus
from tinyagent_mlx.plan import parse_plan, print_plan
from tinyagent_mlx.toolbox import Example, Toolbox
from tinyagent_mlx.toolfile import load_toolbox

NAMES = ("translate", "take_screenshot", "copy_text")
COPY = Example("copy hello to the clipboard", parse_plan('1. copy_text("hello")'))
SHOT = Example("take a screenshot", parse_plan('1. take_screenshot("screen")'))


@pytest.fixture(scope="module")
def tools(shipped_tools) -> Toolbox:
    return Toolbox((*shipped_tools, *load_toolbox(SCENARIOS / "language" / "tools.yaml")), shipped_tools.rules)


def test_a_file_is_mailed_and_attached_and_nothing_else(tools):
    shot = own.wording(SHOT, tools, "test", {})
    found = list(chains.passed_on([shot], tools, NAMES))
    assert {w.plan.steps[-1].tool for w in found} == {"compose_new_email", "reply_to_email"}
    mailed = next(w for w in found if w.text == "take a screenshot and email it to {person9}")
    assert print_plan(fill_plan(mailed.plan, {"person9": "Ana"})).splitlines()[:3] == [
        '1. get_email_address("Ana")',
        '2. take_screenshot("screen")',
        '3. compose_new_email(["$1"], [], "", "", ["$2"])',
    ]


def test_what_gives_nothing_is_not_passed_on(tools):
    assert not list(chains.passed_on([own.wording(COPY, tools, "test", {})], tools, NAMES))


def test_a_text_may_come_from_the_step_before(tools):
    givers = [w for w in read_corpus() if w.plan.steps and w.plan.steps[-1].tool == "summarize_pdf"][:3]
    others = [w for w in read_corpus() if w.plan.steps and w.plan.steps[-1].tool == "create_reminder"][:3]
    (taker, fitting), *more = chains.taking([own.wording(COPY, tools, "test", {})], [*givers, *others], tools, NAMES)
    assert not more
    assert fitting == givers
    found = chains.after(givers[0], taker, random.Random(0))
    texts = {chains.after(givers[0], taker, random.Random(seed)).text for seed in range(40)}
    assert {text.partition("copy ")[2] for text in texts} >= {"it to the clipboard", "the summary to the clipboard"}
    plan = fill_plan(found.plan, dict.fromkeys(found.slots, "lease.pdf"))
    assert print_plan(plan).splitlines()[len(plan.steps) - 1].endswith(f'copy_text("${len(plan.steps) - 1}")')
    check_plan(plan, tools)


def test_words_that_come_from_the_request_take_a_result_only_where_an_example_does(shipped_tools):
    browser = load_toolbox(SCENARIOS / "browser" / "tools.yaml")
    searched = Example("search for bread", parse_plan('1. search_web("bread", "web")'))
    chained = Example("open my Links note and search for it", parse_plan('1. open_note("Links", "")\n2. search_web("$1", "web")'))  # fmt: skip
    givers = [w for w in read_corpus() if [s.tool for s in w.plan.steps] == ["open_note"]][:2]
    for examples, count in (((searched,), 0), ((searched, chained), 1)):
        own_tools = (replace(t, examples=examples) if t.name == "search_web" else t for t in browser)
        tools = Toolbox((*shipped_tools, *own_tools), shipped_tools.rules)
        wording = own.wording(searched, tools, "test", {})
        assert len(list(chains.taking([wording], givers, tools, ("search_web", "open_url")))) == count


def test_a_thing_that_is_asked_for_is_the_object_of_a_shipped_tool(tools, shipped_tools):
    photos = load_toolbox(SCENARIOS / "photos" / "tools.yaml")
    both = Toolbox((*shipped_tools, *photos), shipped_tools.rules)
    found = own.wording(
        Example("find the lighthouse photo", parse_plan('1. find_photo("lighthouse", "")')), both, "test", {}
    )
    told = {w.plan.steps[-1].tool: w for w in chains.told([found], both, ["find_photo"], random.Random(0))}
    assert set(told) == {"compose_new_email", "reply_to_email"}
    assert all("the {text_find_photo_subject} photo" in w.text and "find" not in w.text.split() for w in told.values())
    (shot,) = (own.wording(SHOT, tools, "test", {}),)
    assert "a screenshot" in next(chains.told([shot], tools, NAMES, random.Random(0))).text


@pytest.mark.parametrize(
    "request_", ["copy hello to the clipboard", "lock the door"], ids=["gives nothing", "no thing"]
)
def test_what_asks_for_no_thing_is_nobodys_object(request_, tools):
    wording = own.wording(Example(request_, COPY.plan), tools, "test", {})
    assert not list(chains.told([wording], tools, NAMES, random.Random(0)))


def test_a_question_is_told_as_it_is(tools):
    asked = Example("What's French for hello?", parse_plan('1. translate("hello", "French")'))
    told = list(chains.told([own.wording(asked, tools, "test", {})], tools, NAMES, random.Random(0)))
    assert {w.plan.steps[-1].tool for w in told} == {
        "send_sms", "compose_new_email", "append_note_content", "create_note",
    }  # fmt: skip
    assert all("what's French for {text_translate_words}" in w.text for w in told)


def test_what_shipped_tools_give_stands_by_its_name(tools):
    named = list(chains.named([own.wording(COPY, tools, "test", {})], tools, NAMES, random.Random(0)))
    assert {w.plan.steps[-2].tool for w in named} >= {
        "open_note",
        "summarize_pdf",
        "get_zoom_meeting_link",
        "get_phone_number",
    }
    for wording in named:
        assert wording.text.startswith("copy ")
        assert "it to" not in wording.text
        plan = fill_plan(wording.plan, dict.fromkeys(wording.slots, "lease.pdf"))
        assert print_plan(plan).splitlines()[len(plan.steps) - 1].endswith(f'copy_text("${len(plan.steps) - 1}")')
