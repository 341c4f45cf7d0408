"""The table of argument types: a row here for every row there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from tinyagent_mlx.argtypes import RETURNS, TYPES
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.plan import print_value
from tinyagent_mlx.values import Mixed, Ref, Value

EVERY = set(RETURNS)


@dataclass(frozen=True)
class Row:
    """`refs` are the return types that "$k" may have; `words` what words become, None for a refusal; `script` the
    command-line arguments of a value."""

    empty: Value
    good: tuple[Value, ...]
    bad: tuple[Value, ...]
    schema: dict[str, Any]
    script: dict[Any, list[str]]
    words: dict[str, Value | None]
    refs: frozenset[str] | set[str] = frozenset()
    mixes: bool = False


STRING = {"type": "string"}
ROWS = {
    "text": Row(
        empty="", good=("Budget review", 'say "hi"', "a\nb", "costs $15"), bad=(5, True, ()), schema=STRING,
        script={"": [""], "a b; 'c'": ["a b; 'c'"], "a\nb": ["a\nb"]}, words={"the floor plan": "the floor plan"},
        refs=EVERY, mixes=True,
    ),
    "person": Row(
        empty="", good=("Sid", "Dr. Ana-Maria O'Neil", "my sister"), bad=(5, ("Sid",)), schema=STRING,
        script={"Sid": ["Sid"]}, words={"Sid": "Sid"},
    ),
    "email": Row(
        empty="", good=("sid@example.com", "s.i-d+x@a.example.org"), bad=("Sid", "a@b@c", "a b@c.com", "<a@b.com>", "a@b.com, c@d.com", "@", 5),
        schema={"type": "string", "format": "email"}, script={"a@b.com": ["a@b.com"]}, words={"a@b.com": "a@b.com"}, refs={"email"},
    ),
    "phone": Row(
        empty="", good=("555-0199", "+49 30 123456", "(555) 010 0199"), bad=("Sid", "call 555", "5", "555x", 5550199), schema=STRING,
        script={"+1 555": ["+1 555"]}, words={"555-0199": "555-0199"}, refs={"phone"},
    ),
    "datetime": Row(
        empty="", good=("2026-11-27 15:00:00", "2026-11-27"), bad=(20261127, True, ("2026-11-27",)), schema=STRING,
        script={"": ["0"], "2026-11-27": ["3", "2026", "11", "27"], "2026-01-02 03:04:05": ["6", "2026", "1", "2", "3", "4", "5"]},
        words={"next Friday at 3pm": "next Friday at 3pm"},
    ),
    "file_path": Row(
        empty="", good=(), bad=(5, ("a.pdf",)), schema=STRING, script={"/a b/c.pdf": ["/a b/c.pdf"]}, words={"a.pdf": "a.pdf"},
        refs={"file_path"},
    ),
    "url": Row(
        empty="", good=("https://example.com/a?b=c", "example.com"), bad=(5, "Safari"), schema={"type": "string", "format": "uri"},
        script={"https://a.b": ["https://a.b"]}, words={"https://a.b": "https://a.b", "a dot com": "a.com", "Safari": None},
        refs={"url"},
    ),
    "integer": Row(
        empty=0, good=(0, 30, -1), bad=("30", True, "", (30,)), schema={"type": "integer"}, script={30: ["30"]},
        words={"30": 30, "thirty": 30, "an hour": 60, "soon": None, "": None},
    ),
    "boolean": Row(
        empty=False, good=(True, False), bad=(1, "True", ""), schema={"type": "boolean"}, script={True: ["true"], False: ["false"]},
        words={"yes": None, "True": None},
    ),
    "choice": Row(
        empty="", good=("d", "walking"), bad=(1, True, ("d",)), schema=STRING, script={"d": ["d"]}, words={"d": "d"},
    ),
}  # fmt: skip


def listed(name: str) -> Row:
    """The row of a list, from the row of its items."""
    one = ROWS[name]
    value, arguments = next(iter(one.script.items()))
    return Row(
        empty=(),
        good=((), one.good, one.good[:1]),
        bad=(*one.good[:1], "", *((item,) for item in one.bad if not isinstance(item, tuple))),
        schema={"type": "array", "items": one.schema},
        script={(): ["0"], (value, value): ["2", *arguments, *arguments]},
        words={},
        refs=one.refs,
        mixes=one.mixes,
    )


ROWS |= {f"list[{name}]": listed(name) for name in list(ROWS)}
each_type = pytest.mark.parametrize("name", TYPES)
each_scalar = pytest.mark.parametrize("name", [name for name in TYPES if not name.startswith("list[")])


def test_every_type_has_a_row():
    assert list(ROWS) == list(TYPES)


@each_type
def test_a_type_knows_its_name_and_its_empty_value(name):
    kind = TYPES[name]
    assert (kind.name, kind.empty, type(kind.empty)) == (name, ROWS[name].empty, type(ROWS[name].empty))
    assert kind.check(kind.empty) is None


@each_type
def test_good_literals_pass(name):
    assert [(value, TYPES[name].check(value)) for value in ROWS[name].good if TYPES[name].check(value)] == []


@each_type
def test_bad_literals_are_refused_with_a_word_why(name):
    problems = {repr(value): TYPES[name].check(value) for value in ROWS[name].bad}
    assert problems
    assert [value for value, problem in problems.items() if not problem] == []
    assert all("\n" not in problem for problem in problems.values())


@each_type
def test_only_references_to_the_right_results_are_taken(name):
    kind, row = TYPES[name].item, ROWS[name]
    assert {returns for returns in RETURNS if kind.takes_reference_to(returns)} == set(row.refs)
    value = (Ref(1),) if TYPES[name].is_list else Ref(1)
    assert (TYPES[name].check(value) is None) == bool(row.refs)


@each_type
def test_only_text_mixes_with_references(name):
    mixed = Mixed(("see ", Ref(1)))
    value = (mixed,) if TYPES[name].is_list else mixed
    assert (TYPES[name].check(value) is None) == ROWS[name].mixes


@each_scalar
def test_words_of_a_request_become_a_value_or_are_refused(name):
    for words, value in ROWS[name].words.items():
        if value is None:
            with pytest.raises(PlanError, match=f"is no {name}"):
                TYPES[name].from_words(words)
        else:
            assert TYPES[name].from_words(words) == value


@each_type
def test_a_script_gets_a_value_as_plain_arguments(name):
    assert {value: TYPES[name].script_arguments(value) for value in ROWS[name].script} == ROWS[name].script


@each_type
def test_the_json_schema_is_that_of_a_literal(name):
    schema = TYPES[name].json_schema()
    assert schema == ROWS[name].schema
    schema["title"] = "changed"
    assert TYPES[name].json_schema() == ROWS[name].schema


@each_scalar
def test_the_grammar_spells_every_good_literal(name):
    printed = [print_value(value, 1) for value in ROWS[name].good]
    bare = [text[1:-1] if text[0] == '"' else text for text in printed]
    assert [text for text in bare if not re.fullmatch(TYPES[name].pattern, text)] == []


@each_scalar
@pytest.mark.parametrize("text", ['"', "\\", 'a", "b', "a\nb", "\x00", "\\u0000"], ids=repr)
def test_the_grammar_spells_nothing_that_would_end_a_literal(name, text):
    assert not re.fullmatch(TYPES[name].pattern, text)


@pytest.mark.parametrize("name", ["person", "email", "phone", "url", "datetime", "choice", "integer", "boolean"])
def test_the_grammar_spells_no_dollar_where_references_are_rules_of_their_own(name):
    assert not re.fullmatch(TYPES[name].pattern, "$1")


def test_a_type_that_takes_a_reference_names_real_returns():
    assert [kind.name for kind in TYPES.values() if not kind.accepts <= EVERY | {"*"}] == []


def test_lists_know_their_items():
    assert TYPES["list[email]"].is_list
    assert TYPES["list[email]"].item is TYPES["email"]
    assert not TYPES["email"].is_list
    assert TYPES["email"].item is TYPES["email"]


def test_open_types_are_those_that_any_words_can_fill():
    assert {name for name, kind in TYPES.items() if kind.is_open} == {
        "text",
        "person",
        "datetime",
        "file_path",
        "choice",
    }
