"""A long text is cut where it may be cut, into parts that fit, and nothing of it is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyagent_mlx.parts import parts


def words(text: str) -> int:
    return len(text.split())


CUT = {
    "at paragraphs": ("one two three.\n\nfour five six.", 5, ["one two three.\n\n", "four five six."]),
    "at lines": ("one two three\nfour five six", 5, ["one two three\n", "four five six"]),
    "at sentences": ("One two three. Four five six.", 5, ["One two three. ", "Four five six."]),
    "at words": ("one two three four five", 3, ["one ", "two ", "three ", "four ", "five"]),
    "not at all": ("one two. three", 9, ["one two. three"]),
}


@pytest.mark.parametrize(("text", "room", "expected"), CUT.values(), ids=CUT.keys())
def test_it_is_cut_at_the_coarsest_end_that_will_do(text, room, expected):
    assert parts(text, room, words) == expected


@given(st.text(alphabet="ab .!\n", max_size=300), st.integers(2, 40))
def test_the_parts_are_the_text_and_each_fits(text, room):
    found = parts(text, room, len)
    assert "".join(found) == text
    assert all(len(part) <= room for part in found)
