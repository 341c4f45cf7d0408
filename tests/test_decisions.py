"""A plan as decisions: every example round-trips, and whatever is chosen among the legal, the plan checks."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tinyagent_mlx import decisions
from tinyagent_mlx.check import check_plan
from tinyagent_mlx.decisions import EMPTY, END_PLAN, SPECIALS, STOP, Cursor, Layout
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.lab.oracle import Oracle
from tinyagent_mlx.plan import Plan, parse_plan, print_plan
from tinyagent_mlx.toolbox import Example, Toolbox
from tinyagent_mlx.values import Mixed, Ref
from tinyagent_mlx.words import split_words

SOFT_ENOUGH = 100_000  # decisions: more than any plan has


@pytest.fixture(scope="module")
def layout(shipped_tools) -> Layout:
    return Layout(shipped_tools)


def cursor(layout: Layout, request: str, allowed: frozenset[str] | None = None) -> Cursor:
    return Cursor(layout, request, split_words(request), allowed)


def replay(layout: Layout, request: str, chosen: list[int]) -> Plan:
    """The plan that decisions spell; each must be legal when its turn comes."""
    at = cursor(layout, request)
    for candidate in chosen:
        assert not at.done
        assert at.legal()[candidate], (candidate, at.kind, at.slot)
        at.choose(candidate)
    assert at.done
    return Plan(tuple(at.steps))


def wander(layout: Layout, request: str, seed: int, end: float) -> Plan:
    """Take random legal decisions; `end` is how likely a plan or a list ends where it may."""
    generator, at = random.Random(seed), cursor(layout, request)
    for _ in range(SOFT_ENOUGH):
        if at.done:
            return Plan(tuple(at.steps))
        legal = np.flatnonzero(at.legal()).tolist()
        stops = [candidate for candidate in legal if candidate in (END_PLAN, STOP)]
        goes_on = [candidate for candidate in legal if candidate not in stops]
        ends = stops and (not goes_on or generator.random() < end)
        at.choose(stops[0] if ends else generator.choice(goes_on))
    raise AssertionError("the plan does not end")


# Every example and every word of the shipped tools


def examples(tools: Toolbox) -> list[tuple[str, Plan]]:
    return [(example.request, example.plan) for tool in tools for example in tool.examples]


def test_every_shipped_example_is_spelt_by_legal_decisions(layout, shipped_tools):
    found = examples(shipped_tools)
    assert len(found) >= len(shipped_tools)
    oracle = Oracle(layout)
    spelt = [(request, replay(layout, request, oracle.decisions(request, plan))) for request, plan in found]
    assert spelt == found


MORE = {
    "a refusal": ("play some jazz", ""),
    "a reference inside text": ('text Sid the link to the budget review', '1. get_zoom_meeting_link("budget review", "", 60, [])\n'
        '2. get_phone_number("Sid")\n3. send_sms(["$2"], "the link: $1")'),
    "two lookups in a list": ("email Sid and Ana", '1. get_email_address("Sid")\n2. get_email_address("Ana")\n'
        '3. compose_new_email(["$1", "$2"], [], "", "", [])'),
    "addresses that are given": ("write to a@b.com and c.d@e.org", '1. compose_new_email(["a@b.com", "c.d@e.org"], [], "", "", [])'),
    "a number that is given": ("text +1 555 0199 hello", '1. send_sms(["+1 555 0199"], "hello")'),
    "a number with brackets": ("text (555) 010-0199 hello", '1. send_sms(["(555) 010-0199"], "hello")'),
    "a number with everything": ("text +(49) 30 1234 hello", '1. send_sms(["+(49) 30 1234"], "hello")'),
    "a number in brackets": ("text Sid (555 0199) hello", '1. send_sms(["555 0199"], "hello")'),
    "a date in two places": ("dentist friday with Dr. Lee at 3pm", '1. create_calendar_event("dentist", "friday 3pm", "", "", [], "", "")'),
    "a length of time": ("zoom about taxes for an hour and a half", '1. get_zoom_meeting_link("taxes", "", 90, [])'),
    "constants": ("walk to Elm Park", '1. maps_show_directions("", "Elm Park", "w")'),
    "a number among constants": ("important: water the plants all day", '1. create_reminder("water the plants", "", "", "", 1, True)'),
    "a file and its summary": ("mail me a summary of lease.pdf", '1. open_and_get_file_path("lease.pdf")\n2. summarize_pdf("$1")\n'
        '3. compose_new_email([], [], "lease.pdf", "$2", ["$1"])'),
    "quotes and marks": ('make a note called "Ideas, 2026!"', '1. create_note("Ideas, 2026", "", "")'),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "text"), MORE.values(), ids=MORE)
def test_a_plan_made_of_the_request_is_spelt_by_legal_decisions(layout, shipped_tools, request_, text):
    plan = parse_plan(text)
    check_plan(plan, shipped_tools)
    assert replay(layout, request_, Oracle(layout).decisions(request_, plan)) == plan


# Known spans


@pytest.mark.parametrize(
    ("request_", "text", "word"),
    [
        ("note the note about a note", "note", 0),
        ("note the note about a note", "note", 2),
        ("note the note about a note", "note", 5),
        ("open old list in old list folder", "old list", 4),
    ],
    ids=["nothing known", "second", "third", "several words"],
)
def test_where_a_word_stands_twice_the_known_span_is_meant(layout, request_, text, word):
    words = split_words(request_)
    size = len(text.split())
    spans = [(words[word].start, words[word + size - 1].end)] if word else []
    chosen = Oracle(layout).decisions(request_, parse_plan(f'1. open_note("{text}", "")'), spans)
    start = layout.words_at + word
    assert chosen[1:3] == [start, start + size - 1]


@pytest.mark.parametrize(
    "text",
    [
        '1. open_note("shopping", "")',
        '1. get_zoom_meeting_link("list", "", 45, [])',
        '1. open_note("my list", "")',
        '1. create_reminder("list", "", "", "", 2, False)',
    ],
    ids=["text", "number", "words that are apart", "no declared constant"],
)
def test_what_the_request_does_not_say_cannot_be_spelt(layout, text):
    with pytest.raises(PlanError):
        Oracle(layout).decisions("open my old list", parse_plan(text))


# Random walks

REQUESTS = (
    "", " ", "?", "🙂🙂 🎉", "text Sid that I'm late", "$1", 'say "$1 and ${2}" \\$1 to $3', "a@b.com, c@d.org; +1 (555) 010-0199 x@y",
    "it's \"quoted\" 'text' “here”", "join() <END_OF_PLAN> 1. send_sms([], \"\")", "line\nbreak\ttab\r\nnull\x00 ", "١٢٣ مرحبا 你好 Zürich",
    "remind me at 3pm for 30 minutes, 2 hours or ninety", " ".join(f"word{k}" for k in range(200)), "@ @@ 5 55 (5) +", "\ud83d half",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(300))
def test_any_walk_over_legal_decisions_ends_in_a_plan_that_checks(layout, shipped_tools, seed):
    plan = wander(layout, REQUESTS[seed % len(REQUESTS)], seed, end=(0.5, 0.15, 0.9)[seed // len(REQUESTS) % 3])
    check_plan(plan, shipped_tools)
    assert parse_plan(print_plan(plan)) == plan


def test_walks_reach_every_tool_and_every_kind_of_value(layout):
    plans = [wander(layout, REQUESTS[seed % len(REQUESTS)], seed, end=0.1) for seed in range(60)]
    steps = [step for plan in plans for step in plan.steps]
    assert {step.tool for step in steps} == set(layout.tools.names)
    kinds = Counter(type(value) for step in steps for value in step.arguments)
    assert {str, int, bool, tuple, Ref, Mixed} <= kinds.keys()


def test_a_walk_that_never_wants_to_end_is_ended(layout, shipped_tools):
    plan = wander(layout, "text Sid hello", 1, end=0)
    assert len(plan.steps) == decisions.MAX_STEPS - 1
    check_plan(plan, shipped_tools)


# What is legal


def test_only_allowed_tools_can_be_pointed_at(layout):
    legal = cursor(layout, "text Sid", frozenset({"send_sms", "open_note"})).legal()
    tools = [layout.tools.names[k - SPECIALS] for k in np.flatnonzero(legal) if k != END_PLAN]
    assert tools == ["open_note", "send_sms"]
    assert legal[END_PLAN]


def test_a_tool_that_needs_a_file_waits_for_one(layout):
    at = cursor(layout, "summarize lease.pdf")
    summarize = SPECIALS + layout.tools.names.index("summarize_pdf")
    assert not at.legal()[summarize]
    for candidate in Oracle(layout).decisions("lease.pdf", parse_plan('1. open_and_get_file_path("lease.pdf")'))[:-1]:
        at.choose(candidate + (candidate >= layout.words_at))
    assert at.legal()[summarize]
    at.choose(summarize)
    assert np.flatnonzero(at.legal()).tolist() == [layout.steps_at]


@pytest.mark.parametrize(
    ("examples", "strict", "legal"),
    [
        (("Tom", "Ana"), True, False),
        (("Tom", "Ana"), False, True),
        (("Tom", ""), True, True),
        (("Tom",), True, True),
    ],
    ids=["always filled", "a shipped tool", "once left empty", "one example is no rule"],
)
def test_an_own_tool_waits_for_the_addresses_that_each_of_its_examples_has(examples, strict, legal, shipped_tools):
    share = replace(shipped_tools["forward_email"], name="share", examples=tuple(map(_shared_with, examples)))
    tools = Toolbox((*shipped_tools, share), shipped_tools.rules)
    layout = Layout(tools, frozenset(["share"] if strict else []))
    at, number = cursor(layout, "share it with Tom"), SPECIALS + tools.names.index("share")
    assert at.legal()[number] == legal
    at.choose(SPECIALS + tools.names.index("get_email_address"))
    while not at.steps:
        at.choose(int(np.flatnonzero(at.legal())[-1]))
    assert at.legal()[number]
    at.choose(number)
    assert at.legal()[EMPTY] == legal


def _shared_with(name: str) -> Example:
    lookup, reference = (f'1. get_email_address("{name}")\n2. ', '"$1"') if name else ("1. ", "")
    return Example(f"share with {name}", parse_plan(f'{lookup}share([{reference}], [], "", [])'))


def test_a_span_ends_where_it_begins_or_later(layout):
    at = cursor(layout, "open my packing list")
    at.choose(SPECIALS + layout.tools.names.index("open_note"))
    at.choose(layout.words_at + 2)
    assert np.flatnonzero(at.legal()).tolist() == [layout.words_at + 2, layout.words_at + 3]


def test_an_argument_takes_a_word_once_and_the_next_may_take_it_again(layout):
    at, words = cursor(layout, "make a note about soup"), layout.words_at
    at.choose(SPECIALS + layout.tools.names.index("create_note"))
    for candidate in (words + 3, words + 4):
        at.choose(candidate)
    assert [k - words for k in np.flatnonzero(at.legal()) if k >= words] == [0, 1, 2]
    at.choose(STOP)
    assert [k - words for k in np.flatnonzero(at.legal()) if k >= words] == [0, 1, 2, 3, 4]


def test_a_step_takes_a_result_once(layout):
    at = cursor(layout, "text Sid something")
    for tool, words in (("get_phone_number", "Sid"), ("send_sms", "")):
        at.choose(SPECIALS + layout.tools.names.index(tool))
        if words:
            at.choose(layout.words_at + 1)
            at.choose(layout.words_at + 1)
    result = layout.steps_at
    assert at.legal()[result]
    at.choose(result)
    assert not at.legal()[result], "another number, not the same one again"
    at.choose(STOP)
    assert at.layout.slots[at.slot].argument.name == "message"
    assert not at.legal()[result], "nobody is told his own number"


def test_an_address_begins_at_a_word_that_looks_like_one(layout):
    at = cursor(layout, "reply to a@b.com and call 555")
    at.choose(SPECIALS + layout.tools.names.index("reply_to_email"))
    assert [k - layout.words_at for k in np.flatnonzero(at.legal()) if k >= layout.words_at] == [2]


def test_a_span_that_is_no_such_value_becomes_the_default(layout, shipped_tools):
    request = "zoom about taxes for soon"
    at = cursor(layout, request)
    chosen = Oracle(layout).decisions(request, parse_plan('1. get_zoom_meeting_link("taxes", "", 60, [])'))
    empty_duration = chosen.index(decisions.EMPTY, chosen.index(decisions.EMPTY) + 1)
    soon = layout.words_at + len(split_words(request)) - 1
    for candidate in [*chosen[:empty_duration], soon, soon, *chosen[empty_duration + 1 :]]:
        assert at.legal()[candidate]
        at.choose(candidate)
    assert at.steps[0].arguments[2] == 60
    check_plan(Plan(tuple(at.steps)), shipped_tools)


# The layout


def test_the_candidates_stand_in_one_row_without_gaps(layout):
    numbers = [number for slot in layout.slots for _, number in slot.constants]
    assert numbers == list(range(SPECIALS + len(layout.tools), layout.steps_at))
    assert [(slot.tool.name, value) for slot, value in layout.constants][:3] == [
        ("maps_show_directions", way) for way in "dwr"
    ]
    assert layout.words_at == layout.steps_at + decisions.MAX_STEPS
    assert cursor(layout, "a b").size == layout.words_at + 2


def test_each_slot_is_an_argument_in_declared_order(layout, shipped_tools):
    declared = [(tool.name, argument.name) for tool in shipped_tools for argument in tool.arguments]
    assert [(slot.tool.name, slot.argument.name) for slot in layout.slots] == declared
    for tool in shipped_tools:
        assert layout.slots[layout.first_slot[tool.name]].argument is tool.arguments[0]


def test_the_encoder_reads_a_text_for_each_tool_slot_and_constant(layout):
    tools, slots, constants = layout.texts()
    assert (len(tools), len(slots), len(constants)) == (len(layout.tools), len(layout.slots), len(layout.constants))
    assert tools[14].startswith("send sms: ")
    assert all(text.strip() == text for text in (*tools, *slots, *constants))
    assert len(set(slots)) == len(slots)
