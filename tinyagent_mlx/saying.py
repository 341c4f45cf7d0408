"""Which of an argument's declared choices a request says: in the choice's own words, or in those of its meaning.

Of a tool that the network never saw it may know little more than the words. This module compares words; it knows nothing
of models.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

import numpy as np

from tinyagent_mlx.decisions import Slot

NAMED, MEANT = 1.0, 0.5  # for a choice's own words, and for a word of its meaning that no other choice has
_STEM, _ENDING = 4, 3  # letters that forms of a word share at least, and that they differ in at most
_SMALL = frozenset([
    "a", "an", "and", "any", "are", "as", "at", "be", "by", "for", "from", "in", "is", "it", "its", "of", "one", "or", "other",
    "so", "some", "than", "that", "the", "this", "to", "what", "with", "you", "your",
])  # fmt: skip


def said(slot: Slot, words: Sequence[str]) -> np.ndarray:
    """How clearly the words of a request say each constant of a slot, in order: float32 [constants], 0 where they don't."""
    heard = tuple(word.lower() for word in words)
    meanings = {str(value): str(slot.argument.choices.get(value, "")) for value, _ in slot.constants}  # type: ignore[arg-type]
    if slot.argument.type.item.name == "boolean":
        return np.zeros(len(meanings), np.float32)
    own = _distinct(tuple(meanings.items()))
    return np.array([_clarity(value, own[value], heard) for value in meanings], np.float32)


def _clarity(value: str, own: Collection[str], heard: Sequence[str]) -> float:
    name = _words(value)
    if len(value) > 1 and any(tuple(heard[at : at + len(name)]) == name for at in range(len(heard))):
        return NAMED
    return MEANT if any(_alike(word, other) for word in own for other in heard) else 0.0


@lru_cache(1024)
def _distinct(meanings: tuple[tuple[str, str], ...]) -> Mapping[str, list[str]]:
    """The words of each choice and its meaning that are like none of another choice's."""
    all_words = {
        value: [w for w in _words(f"{value} {text}") if len(w) > 1 and w not in _SMALL] for value, text in meanings
    }

    def distinct(word: str, value: str) -> bool:
        return not any(_alike(word, w) for other, words in all_words.items() if other != value for w in words)

    return {value: [word for word in words if distinct(word, value)] for value, words in all_words.items()}


@lru_cache(4096)
def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.replace("_", " ").lower()))


def _alike(one: str, other: str) -> bool:
    """Whether two words are the same, or forms of one: "picture" and "pictures"."""
    short, long = sorted((one, other), key=len)
    return one == other or (len(short) >= _STEM and long.startswith(short) and len(long) - len(short) <= _ENDING)
