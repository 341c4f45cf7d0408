"""Guesses what a text goes on with: what stood after the same few tokens the last time. Knows tokens as numbers only."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 3  # tokens that are looked up at once


class Lookup:
    """What came after every one, two and three tokens of a text, where they stood last."""

    def __init__(self, text: Sequence[int]):
        self._after: dict[tuple[int, ...], int] = {}
        for end in range(1, len(text)):
            for size in range(1, min(LONGEST, end) + 1):
                self._after[tuple(text[end - size : end])] = text[end]

    def after(self, tokens: Sequence[int]) -> int | None:
        """The token after the longest end of `tokens` that stood in the text; None where none of it did."""
        for size in range(min(LONGEST, len(tokens)), 0, -1):
            found = self._after.get(tuple(tokens[-size:]))
            if found is not None:
                return found
        return None
