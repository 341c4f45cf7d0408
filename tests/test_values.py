"""References in text: which dollar signs are references, how they are written, and that results are put in only once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyagent_mlx.values import Mixed, Ref, join, map_references, parse_text, print_text, references, scalars

quick = settings(max_examples=150, deadline=None)

# What a text says as an argument of step 12.
READ = {
    "plain": ("hello", "hello"),
    "empty": ("", ""),
    "alone": ("$3", Ref(3)),
    "in braces": ("${3}", Ref(3)),
    "two digits": ("$11", Ref(11)),
    "with a leading zero": ("$03", Ref(3)),
    "before text": ("$3 is it", Mixed((Ref(3), " is it"))),
    "after text": ("see $3", Mixed(("see ", Ref(3)))),
    "inside text": ("see $3.", Mixed(("see ", Ref(3), "."))),
    "in braces before a digit": ("${3}0", Mixed((Ref(3), "0"))),
    "side by side": ("$3$4", Mixed((Ref(3), Ref(4)))),
    "the same twice": ("$3, $3", Mixed((Ref(3), ", ", Ref(3)))),
    "inside a word": ("a$3b", Mixed(("a", Ref(3), "b"))),
    "money": ("$15", "$15"),
    "money with cents": ("$2.50", Mixed((Ref(2), ".50"))),
    "thousands": ("$15,000", "$15,000"),
    "this step": ("$12", "$12"),
    "a later step": ("$13", "$13"),
    "step zero": ("$0", "$0"),
    "a huge number": ("$1234567890123", "$1234567890123"),
    "no number": ("$ 3, $x, ${x}, ${}, $-3", "$ 3, $x, ${x}, ${}, $-3"),
    "digits of another script": ("$٣", "$٣"),
    "two dollars": ("$$3", Mixed(("$", Ref(3)))),
    "half a brace": ("${3", "${3"),
    "escaped": (r"\$3", "$3"),
    "escaped in braces": (r"\${3}", "${3}"),
    "escaped inside text": (r"a \$3 b $4", Mixed(("a $3 b ", Ref(4)))),
    "escaped backslash": (r"\\$3", Mixed(("\\", Ref(3)))),
    "escaped both": (r"\\\$3", r"\$3"),
    "backslash before money": (r"\$15", r"\$15"),
    "backslash elsewhere": (r"C:\new", r"C:\new"),
}


@pytest.mark.parametrize(("text", "value"), READ.values(), ids=READ)
def test_only_numbers_of_earlier_steps_are_references(text, value):
    assert parse_text(text, 12) == value


def test_no_text_of_the_first_step_holds_a_reference():
    assert parse_text("$1 ${1} $0", 1) == "$1 ${1} $0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Ref(3), "$3"),
        ("$3", r"\$3"),
        ("$15", "$15"),
        ("\\$3", r"\\\$3"),
        (Mixed((Ref(3), "0")), "${3}0"),
        (Mixed((Ref(3), " 0")), "$3 0"),
        (Mixed(("\\", Ref(3))), r"\\$3"),
        (Mixed(("$3 is ", Ref(3))), r"\$3 is $3"),
        (Mixed((Ref(3), "٣")), "${3}٣"),
    ],
    ids=str,
)
def test_a_text_is_written_so_that_it_reads_back(value, text):
    assert print_text(value, 12) == text
    assert parse_text(text, 12) == value


PIECES = st.text("$\\{}0123456789a ", max_size=8) | st.text(max_size=4)


@quick
@given(PIECES, st.integers(1, 30))
def test_any_text_survives_and_stays_text(text, step):
    assert parse_text(print_text(text, step), step) == text


@quick
@given(st.lists(PIECES | st.integers(1, 11).map(Ref), max_size=6))
def test_any_mix_of_text_and_references_survives(parts):
    value = join(parts)
    assert parse_text(print_text(value, 12), 12) == value


@quick
@given(PIECES, st.integers(1, 30))
def test_reading_any_text_gives_references_to_earlier_steps_alone(text, step):
    assert all(0 < k < step for k in references(parse_text(text, step)))


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        ([], ""),
        (["", ""], ""),
        (["a", "", "b"], "ab"),
        ([Ref(1)], Ref(1)),
        (["", Ref(1), ""], Ref(1)),
        (["a", "b", Ref(1), "c", "d"], Mixed(("ab", Ref(1), "cd"))),
        ([Ref(1), Ref(2)], Mixed((Ref(1), Ref(2)))),
    ],
    ids=str,
)
def test_parts_are_joined_into_the_simplest_value(parts, value):
    assert join(parts) == value


@pytest.mark.parametrize(
    ("value", "steps"),
    [
        ("$1", []),
        (7, []),
        (Ref(2), [2]),
        (Mixed((Ref(2), " and ", Ref(1), Ref(2))), [2, 1, 2]),
        ((), []),
        (("a", Ref(3), Mixed(("b", Ref(1)))), [3, 1]),
    ],
    ids=str,
)
def test_the_steps_that_a_value_refers_to_come_in_order(value, steps):
    assert list(references(value)) == steps


def test_a_list_is_its_items_and_any_other_value_itself():
    assert list(scalars(("a", 1))) == ["a", 1]
    assert list(scalars("ab")) == ["ab"]
    assert list(scalars(())) == []


RESULTS = {1: "one", 2: "costs $1 or ${1}", 3: ""}


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        (Ref(1), "one"),
        (Ref(2), "costs $1 or ${1}"),
        (Mixed(("a ", Ref(1), "$", Ref(2))), "a one$costs $1 or ${1}"),
        (Mixed(("$", Ref(3), "1")), "$1"),
        ((Ref(1), "b", Mixed((Ref(1), "!"))), ("one", "b", "one!")),
        ("$1", "$1"),
        (True, True),
        (5, 5),
        ((), ()),
    ],
    ids=str,
)
def test_results_are_put_in_once_and_never_read_for_references(value, resolved):
    assert map_references(value, RESULTS.__getitem__) == resolved


def test_references_can_be_renumbered():
    value = (Ref(1), Mixed(("a", Ref(2))), "$1")
    assert map_references(value, lambda k: Ref(k + 10)) == (Ref(11), Mixed(("a", Ref(12))), "$1")
