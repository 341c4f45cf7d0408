"""What a text goes on with is what stood there last, after as much of it as stood there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tinyagent_mlx.lookup import Lookup

TEXT = [1, 2, 3, 9, 2, 3, 4, 7, 3, 5]


@pytest.mark.parametrize(
    ("tokens", "found"),
    [([3], 5), ([2, 3], 4), ([1, 2, 3], 9), ([8, 8, 2, 3], 4), ([5], None), ([6], None), ([], None)],
    ids=["last place", "two", "three", "longest that stood", "nothing follows", "never stood", "nothing"],
)
def test_longest_end_decides_then_the_last_place(tokens: Sequence[int], found: int | None) -> None:
    assert Lookup(TEXT).after(tokens) == found


def test_an_empty_text_says_nothing() -> None:
    assert Lookup([]).after([1]) is None
