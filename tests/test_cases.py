"""When two plans are the same: by their graphs alone, and with their arguments; and how case files are read."""

from __future__ import annotations

import json
import random
from datetime import datetime

import pytest

from tinyagent_mlx.cases import read_cases, same_graph, same_plan
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.plan import Plan, parse_plan

NOW = datetime(2026, 11, 23, 9)  # a Monday

EVENT = 'create_calendar_event("Sync", "{}", "", "", [], "", "")'
TWO = '1. get_email_address("Sid")\n2. get_email_address("Ana")\n'
MAIL = 'compose_new_email(["$1"], ["$2"], "", "", [])'
SENT = '1. get_phone_number("Sid")\n2. send_sms(["$1"], "{}")'

# (one plan, another, same graph, same plan)
PAIRS = {
    "the same": (SENT.format("hi"), SENT.format("hi"), True, True),
    "both refuse": ("", "", True, True),
    "one refuses": ("", '1. open_note("a", "")', False, False),
    "another tool": ('1. open_note("a", "")', '1. create_note("a", "", "")', False, False),
    "one step more": ('1. open_note("a", "")', '1. open_note("a", "")\n2. open_note("b", "")', False, False),
    "another argument": ('1. open_note("a", "")', '1. open_note("b", "")', True, False),
    "an argument more": ('1. open_note("a", "")', '1. open_note("a", "b")', True, False),
    "no reference": (SENT.format("hi"), '1. get_phone_number("Sid")\n2. send_sms(["555-0199"], "hi")', False, False),
    # order
    "independent steps in another order": (
        '1. open_note("a", "")\n2. maps_open_location("b")', '1. maps_open_location("b")\n2. open_note("a", "")', True, True),
    "lookups in another order": (TWO + "3. " + MAIL, '1. get_email_address("Ana")\n2. get_email_address("Sid")\n'
        '3. compose_new_email(["$2"], ["$1"], "", "", [])', True, True),
    "a chain in another place": (
        '1. open_note("a", "")\n2. get_phone_number("Sid")\n3. send_sms(["$2"], "$1")',
        '1. get_phone_number("Sid")\n2. open_note("a", "")\n3. send_sms(["$1"], "$2")', True, True),
    "the same tool twice, swapped": ('1. open_note("a", "")\n2. open_note("b", "")', '1. open_note("b", "")\n2. open_note("a", "")', True, True),
    # references
    "swapped references": (TWO + "3. " + MAIL, TWO + '3. compose_new_email(["$2"], ["$1"], "", "", [])', True, False),
    "references crossed between two steps": (
        '1. get_phone_number("Sid")\n2. get_phone_number("Ana")\n3. send_sms(["$1"], "hi")\n4. send_sms(["$2"], "bye")',
        '1. get_phone_number("Sid")\n2. get_phone_number("Ana")\n3. send_sms(["$2"], "hi")\n4. send_sms(["$1"], "bye")', True, False),
    "a reference from another argument": (
        '1. open_note("a", "")\n2. create_note("$1", "b", "")', '1. open_note("a", "")\n2. create_note("b", "$1", "")', True, False),
    "a reference named twice": (
        '1. open_note("a", "")\n2. create_note("b", "$1", "")', '1. open_note("a", "")\n2. create_note("b", "$1 $1", "")', True, False),
    "braces around a reference": (SENT.format("it is $1"), SENT.format("it is ${1}"), True, True),
    "text around a reference": (SENT.format("it is $1"), SENT.format("is it $1"), True, False),
    "letters and marks around a reference": (SENT.format("It is: $1."), SENT.format("it is $1"), True, True),
    "marks alone around a reference": (SENT.format("($1)"), SENT.format("$1"), True, True),
    "money is no reference": (SENT.format("costs $15"), SENT.format("costs $16"), True, False),
    # lists
    "list in another order": (TWO + '3. reply_to_email(["$1", "$2"], "", [])', TWO + '3. reply_to_email(["$2", "$1"], "", [])', True, True),
    "an item twice": ('1. reply_to_email(["a@b.com"], "", [])', '1. reply_to_email(["a@b.com", "a@b.com"], "", [])', True, False),
    "other multiplicity": (
        '1. reply_to_email(["a@b.com", "a@b.com", "c@d.com"], "", [])', '1. reply_to_email(["a@b.com", "c@d.com", "c@d.com"], "", [])', True, False),
    "mixed list in another order": (
        '1. get_email_address("Sid")\n2. reply_to_email(["$1", "a@b.com"], "", [])',
        '1. get_email_address("Sid")\n2. reply_to_email(["A@b.com", "$1"], "", [])', True, True),
    # text
    "case": ('1. open_note("Packing List", "")', '1. open_note("packing LIST", "")', True, True),
    "case of another alphabet": ('1. open_note("STRASSE", "")', '1. open_note("straße", "")', True, True),
    "white space": ('1. open_note("  packing   list ", "")', '1. open_note("packing list", "")', True, True),
    "outer punctuation": ('1. open_note("\\"packing list.\\"", "")', '1. open_note("packing list", "")', True, True),
    "inner punctuation": ('1. open_note("packing, list", "")', '1. open_note("packing list", "")', True, False),
    "an article": ('1. open_note("the list", "")', '1. open_note("list", "")', True, False),
    # moments, numbers, constants
    "words and the moment they mean": ("1. " + EVENT.format("friday at 3pm"), "1. " + EVENT.format("2026-11-27 15:00:00"), True, True),
    "two wordings of a moment": ("1. " + EVENT.format("tomorrow at 10"), "1. " + EVENT.format("Tuesday 10:00"), True, True),
    "another moment": ("1. " + EVENT.format("friday at 3pm"), "1. " + EVENT.format("friday at 4pm"), True, False),
    "a whole day and its midnight": ("1. " + EVENT.format("2026-11-27"), "1. " + EVENT.format("2026-11-27 00:00:00"), True, False),
    "unclear words": ("1. " + EVENT.format("some day"), "1. " + EVENT.format("Some day."), True, True),
    "another number": ('1. get_zoom_meeting_link("a", "", 30, [])', '1. get_zoom_meeting_link("a", "", 60, [])', True, False),
    "another constant": ('1. maps_show_directions("", "a", "w")', '1. maps_show_directions("", "a", "d")', True, False),
    "none and nothing": ('1. open_note("a", None)', '1. open_note("a", "")', True, True),
}  # fmt: skip


@pytest.mark.parametrize(("one", "other", "graph", "exact"), PAIRS.values(), ids=PAIRS)
def test_two_plans_are_the_same_or_not_in_either_order(shipped_tools, one, other, graph, exact):
    one, other = parse_plan(one), parse_plan(other)
    assert [same_graph(one, other), same_graph(other, one)] == [graph] * 2
    assert [same_plan(one, other, shipped_tools, NOW), same_plan(other, one, shipped_tools, NOW)] == [exact] * 2


def test_a_plan_with_an_unknown_tool_is_only_not_the_same(shipped_tools):
    wrong, right = parse_plan('1. send_fax("a")'), parse_plan('1. open_note("a", "")')
    assert not same_plan(wrong, right, shipped_tools, NOW)
    assert same_plan(wrong, wrong, shipped_tools, NOW)


def shuffled(plan: Plan, seed: int) -> Plan:
    """The same plan with its steps in another order that the references allow."""
    generator, left, order = random.Random(seed), list(plan.steps), []
    while left:
        ready = [step for step in left if not {other.id for other in left} & set(step.depends_on())]
        order.append(generator.choice(ready))
        left.remove(order[-1])
    ids = {step.id: number for number, step in enumerate(order, 1)}
    return Plan(tuple(step.renumbered(ids) for step in order))


@pytest.mark.parametrize("seed", range(10))
def test_any_order_that_the_references_allow_is_the_same_plan(shipped_tools, seed):
    people = [f'{k}. get_email_address("p{k}")' for k in range(1, 7)]
    mails = [f'{k}. compose_new_email(["${k - 6}"], ["$1"], "s{k}", "", [])' for k in range(7, 13)]
    plan = parse_plan("\n".join(people + mails))
    other = shuffled(plan, seed)
    assert other != plan
    assert same_graph(plan, other)
    assert same_plan(plan, other, shipped_tools, NOW)


# Case files


def case(**changes: object) -> str:
    row = {
        "id": "a",
        "query": "text Sid",
        "plans": [SENT.format("hi"), ""],
        "now": "2026-11-23 09:00:00",
        "tags": ["sms"],
    }
    return json.dumps({key: value for key, value in (row | changes).items() if value is not ...}, ensure_ascii=False)


BROKEN = {
    "no JSON": ("{'id': 1}", ["is not JSON"]),
    "half a line": ('{"id": "a", ', ["is not JSON"]),
    "endless nesting": ("[" * 100_000, ["is not JSON"]),
    "a list": ("[1, 2]", ["expected an object", "[1, 2]"]),
    "id missing": (case(id=...), ["'id'", "None"]),
    "id is a number": (case(id=7), ["'id'", "7"]),
    "query missing": (case(query=...), ["'query'"]),
    "plans missing": (case(plans=...), ["'plans'"]),
    "plans are a text": (case(plans="1. f()"), ["'plans'", "1. f()"]),
    "no plan": (case(plans=[]), ["'plans'", "[]"]),
    "a plan is a list": (case(plans=[["1. f()"]]), ["'plans'"]),
    "a plan is not closed": (case(plans=["1. f("]), ["case 'a'", "not closed"]),
    "a plan with a gap": (case(plans=["", "2. f()"]), ["case 'a'", "expected step 1"]),
    "now in words": (case(now="monday"), ["case 'a'", "monday"]),
    "now is a number": (case(now=5), ["'now'", "5"]),
    "tags are a text": (case(tags="sms"), ["'tags'", "sms"]),
    "tags are a number": (case(tags=5), ["'tags'", "5"]),
}


@pytest.mark.parametrize(("line", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_case_is_one_line_with_file_and_line(tmp_path, line, says):
    file = tmp_path / "cases.jsonl"
    file.write_text(f"{case()}\n\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        read_cases(file)
    message = str(error.value)
    assert message.startswith(f"{file}:3: ")
    assert [words for words in says if words not in message] == []
    assert "\n" not in message
    assert len(message) < 300 + len(str(file))


def test_a_missing_case_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read") as error:
        read_cases(tmp_path / "none.jsonl")
    assert "none.jsonl" in str(error.value)


def test_a_case_is_read_in_full(tmp_path):
    file = tmp_path / "cases.jsonl"
    file.write_text(f"{case()}\r\n", encoding="utf-8")
    (found,) = read_cases(file)
    assert (found.id, found.query, found.now, found.tags) == ("a", "text Sid", NOW, ("sms",))
    assert found.plans == (parse_plan(SENT.format("hi")), Plan())


@pytest.mark.parametrize("changes", [{"now": ..., "tags": ...}, {"now": None, "tags": None}], ids=["missing", "null"])
def test_now_and_tags_may_be_left_out(tmp_path, changes):
    file = tmp_path / "cases.jsonl"
    file.write_text(case(**changes))
    (found,) = read_cases(file)
    assert (found.now, found.tags) == (None, ())


def test_line_ends_inside_a_query_do_not_end_the_case(tmp_path):
    file = tmp_path / "cases.jsonl"
    file.write_text(case(query="a\u2028b\x85c") + "\n" + case(id="b"), encoding="utf-8")
    assert [found.query for found in read_cases(file)] == ["a\u2028b\x85c", "text Sid"]


@pytest.mark.parametrize(
    ("plans", "refusal"), [([""], True), (["", '1. open_note("a", "")'], False), (['1. open_note("a", "")'], False)]
)
def test_a_refusal_accepts_nothing_but_the_empty_plan(tmp_path, plans, refusal):
    file = tmp_path / "cases.jsonl"
    file.write_text(case(plans=plans))
    assert read_cases(file)[0].refusal == refusal
