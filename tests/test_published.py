"""The published dataset's layout, on sentences of our own: what is kept, mended and dropped. Names are the fixture's keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab.dataset import Sieve
from tinyagent_mlx.lab.published import import_cases, read_entries

FIXTURE = Path(__file__).parent / "fixtures" / "published.json"
ENTRIES = json.loads(FIXTURE.read_text(encoding="utf-8"))

KEPT = {
    "plain": ('1. get_phone_number("Odalys Brandt")\n2. send_sms(["$1"], "The boiler is fixed")', {}),
    "thought": ('1. get_email_address("Yusuf")\n2. compose_new_email(["$1"], [], "Choir rehearsal", "It moves to Thursday", [])', {}),
    "gap": ('1. open_and_get_file_path("tides.pdf")\n2. summarize_pdf("$1")\n3. send_sms(["555-0147"], "$2")', {"numbering": 1}),
    "dollarless": (
        '1. get_email_address("Petra")\n2. open_and_get_file_path("vat_return.pdf")\n3. compose_new_email(["$1"], [], "VAT return", "", ["$2"])',
        {"reference without $": 2, "no list": 1},
    ),
    "bare": ('1. open_and_get_file_path("harbour plan.pdf")\n2. summarize_pdf("$1")', {}),
    "shapes": (
        '1. create_reminder("soak the chickpeas", "tonight", "", "", 0, False)\n2. send_sms(["555-0181"], "I will cook")',
        {"number as text": 1, "truth value as text": 1, "no list": 1},
    ),
    "parsed": ('1. get_email_address("Bartholomew")', {}),
    "price": ('1. send_sms(["555-0133"], "The lamp costs $15")', {}),
    "abstain": ("", {}),
}  # fmt: skip
DROPPED = {
    "unknown": "unknown tool",
    "arity": "wrong number of arguments",
    "computed": "call cut off or not of literals",
    "named": "call cut off or not of literals",
    "cut": "call cut off or not of literals",
    "order": "numbers out of order",
    "dangling": "reference to a step that is not there",
    "mixed up": "wrong type or reference",
    "invented": "argument not in the request",
    "replanned": "planned again",
    "joined only": "no plan",
    "no output": "no plan",
    "no input": "no request",
    "no entry": "no request",
}


def imported(tools, folder: Path, *names: str):
    file = folder / "published.json"
    file.write_text(json.dumps({name: ENTRIES[name] for name in names}))
    sieve = Sieve(tools)
    return list(import_cases(file, tools, sieve)), sieve


@pytest.mark.parametrize("name", KEPT)
def test_what_is_right_or_can_be_mended_is_kept(shipped_tools, tmp_path, name):
    plan, mended = KEPT[name]
    (case,), sieve = imported(shipped_tools, tmp_path, name)
    assert (case["query"], case["plans"]) == (ENTRIES[name]["input"], [plan])
    assert sieve.mended == mended


@pytest.mark.parametrize("name", DROPPED)
def test_what_is_wrong_is_dropped_with_its_reason(shipped_tools, tmp_path, name):
    cases, sieve = imported(shipped_tools, tmp_path, name)
    assert cases == []
    assert sieve.dropped == {DROPPED[name]: 1}


def test_a_request_that_comes_again_is_dropped(shipped_tools, tmp_path):
    cases, sieve = imported(shipped_tools, tmp_path, "plain", "again")
    assert len(cases) == 1
    assert sieve.dropped == {"asked before": 1}


def test_the_table_names_the_whole_fixture():
    assert {*KEPT, *DROPPED, "again"} == set(ENTRIES)


@pytest.mark.parametrize("chunk", [1, 7, 1000, 1 << 20])
def test_entries_are_read_whatever_the_pieces(tmp_path, chunk):
    values = [{"input": 'a\u2028 }"{', "n": [1, -2.5]}, 1234, None, "é", {}]
    file = tmp_path / "small.json"
    file.write_text(
        " " + json.dumps({f"k{i}": value for i, value in enumerate(values)}, indent=2) + "\n", encoding="utf-8"
    )
    assert list(read_entries(file, chunk)) == values


@pytest.mark.parametrize(
    "text", ["", "[]", '{"a": 1', '{"a": 1 "b": 2}', '{"a" 1}', '{"a": 1,}', '{"a": {"b": }}', "{" + '"a": ' + "[" * 100_000],
    ids=["empty", "list", "cut", "comma", "colon", "trailing", "hole", "deep"],
)  # fmt: skip
def test_what_is_no_dataset_is_told_with_its_name(tmp_path, text):
    file = tmp_path / "broken.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"broken\.json"):
        list(read_entries(file))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        list(read_entries(tmp_path / "nowhere.json"))


def test_an_empty_object_has_no_entries(tmp_path):
    (tmp_path / "empty.json").write_text("{ }")
    assert list(read_entries(tmp_path / "empty.json")) == []
