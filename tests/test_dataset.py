"""Which rows are fit to train on, and how they are written."""

from __future__ import annotations

import json
import random

import pytest

from tinyagent_mlx.cases import read_cases
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab.dataset import MOST_IRRELEVANT, CaseFile, Sieve, at_hand, fault, make_case
from tinyagent_mlx.plan import Plan, parse_plan

ABSENT = "argument not in the request"
FAULTS = [
    ("refusal", "why is the sky blue", "", None),
    ("empty", "  ", "", "empty request"),
    ("unknown tool", "lamp on", '1. switch_light("lamp")', "unknown tool"),
    ("arity", "open Seeds", '1. open_note("Seeds")', "wrong number of arguments"),
    ("type", "text Ada hi", '1. send_sms("555-0100", "hi")', "wrong type or reference"),
    ("reference", "mail Ada", '1. get_phone_number("Ada")\n2. forward_email(["$1"], [], "", [])', "wrong type or reference"),
    ("person", "call Ada", '1. get_phone_number("Ada")', None),
    ("possessive", "what's Ada's number", '1. get_phone_number("Ada")', None),
    ("case and marks", "number of ADA, please", '1. get_phone_number("Ada")', None),
    ("another person", "call Ada", '1. get_phone_number("Bo")', ABSENT),
    ("part of a word", "call Adamu", '1. get_phone_number("Ada")', ABSENT),
    ("composed text", "text 555-0100 I am late", '1. send_sms(["555-0100"], "I will be late")', None),
    ("another number", "text 555-0100 hi", '1. send_sms(["555-0101"], "hi")', ABSENT),
    ("date in two places", "on friday put dentist in at 3pm", '1. create_calendar_event("dentist", "friday at 3pm", "", "", [], "", "")', None),
    ("iso date", "dentist friday at 3pm", '1. create_calendar_event("dentist", "2026-11-27 15:00:00", "", "", [], "", "")', None),
    ("another date", "dentist friday", '1. create_calendar_event("dentist", "monday", "", "", [], "", "")', ABSENT),
    ("length in words", "zoom link for chess friday, half an hour", '1. get_zoom_meeting_link("chess", "friday", 30, [])', None),
    ("default length", "zoom link for chess friday", '1. get_zoom_meeting_link("chess", "friday", 60, [])', None),
    ("another length", "zoom link for chess friday", '1. get_zoom_meeting_link("chess", "friday", 45, [])', ABSENT),
    ("choice", "walk me to the quay", '1. maps_show_directions("", "the quay", "w")', None),
]  # fmt: skip


@pytest.mark.parametrize(("query", "plan", "reason"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_row_is_fit_or_has_a_reason(shipped_tools, query, plan, reason):
    assert fault(query, parse_plan(plan), shipped_tools) == reason


def test_a_sieve_keeps_a_request_once_and_counts_the_rest(shipped_tools):
    sieve = Sieve(shipped_tools)
    plan = parse_plan('1. get_phone_number("Ada")')
    assert [sieve.admit(query, plan) for query in ("call Ada", "Call  ada", "call Bo")] == [True, False, False]
    assert sieve.admit("sing", Plan())
    assert sieve.report() == {"kept": 2, "refusals": 1, "dropped": {"asked before": 1, ABSENT: 1}, "mended": {}}


def test_tools_at_hand_are_the_needed_ones_and_some_others(shipped_tools):
    plan = parse_plan('1. get_phone_number("Ada")\n2. send_sms(["$1"], "hi")')
    drawn = [at_hand(plan, shipped_tools, random.Random(seed)) for seed in range(50)]
    assert all({"get_phone_number", "send_sms"} <= set(names) for names in drawn)
    assert {len(names) for names in drawn} == set(range(2, 3 + MOST_IRRELEVANT))
    assert all(names == [name for name in shipped_tools.names if name in names] for names in drawn)
    assert all(at_hand(Plan(), shipped_tools, random.Random(seed)) for seed in range(50))


def test_rows_are_cases(shipped_tools, tmp_path):
    plan = parse_plan('1. get_phone_number("Zoë")')
    with CaseFile(tmp_path / "deep" / "rows.jsonl", "train") as file:
        file.write(make_case("call Zoë", plan, shipped_tools, random.Random(0), ["terse"], "2026-01-02 09:00:00"))
        file.write(make_case("sing", Plan(), shipped_tools, random.Random(0), []))
    cases = read_cases(tmp_path / "deep" / "rows.jsonl")
    assert [(case.id, case.query, case.plans, case.tags) for case in cases] == [
        ("train-000000", "call Zoë", (plan,), ("terse", "steps 1")),
        ("train-000001", "sing", (Plan(),), ("refusal",)),
    ]
    rows = [json.loads(line) for line in (tmp_path / "deep" / "rows.jsonl").read_text().splitlines()]
    assert "get_phone_number" in rows[0]["tools"]


def test_what_was_cut_off_does_not_get_the_file_s_name(tmp_path):
    def cut_off() -> None:
        with CaseFile(tmp_path / "rows.jsonl", "train") as file:
            file.write({"query": "sing"})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl.part"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file/rows"), CaseFile(tmp_path / "file" / "rows.jsonl", "train"):
        pass
