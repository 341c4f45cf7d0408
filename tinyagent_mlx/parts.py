"""A long text cut into parts that a model can read at once. Knows nothing of models: what is counted is given to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_ENDS = (r"\n\s*\n", r"\n", r"[.!?…][\"'”’)]*\s+", r"\s+")  # of a paragraph, a line, a sentence, a word


def parts(text: str, room: int, count: Callable[[str], int]) -> list[str]:
    """Cut a text into as few parts as `room` allows, each at the end of a paragraph, else of a line, a sentence, a word.

    Together they are the text. `count` gives the tokens of a text; what is joined is counted as one token more.
    """
    found: list[str] = []
    filled = 0
    for piece in _pieces(text, room, count, 0):
        size = count(piece) + 1
        if found and filled + size <= room:
            found[-1] += piece
            filled += size
        else:
            found.append(piece)
            filled = size
    return found


def _pieces(text: str, room: int, count: Callable[[str], int], level: int) -> Iterator[str]:
    """Pieces that fit, as coarse as they may be."""
    if count(text) < room or len(text) < 2:
        yield text
        return
    if level == len(_ENDS):
        cuts = [len(text) // 2]
    else:
        cuts = [end.end() for end in re.finditer(_ENDS[level], text) if end.end() < len(text)]
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        yield from _pieces(text[start:end], room, count, min(level + 1, len(_ENDS)))
