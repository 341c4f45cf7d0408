"""Split a request into words, each with its character span and its outer form. Knows nothing of vectors or plans."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_WORDS = 160

# An address or a file name is one word; hyphens split, a possessive 's is a word of its own.
_WORD = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|['’]s\b"
    r"|\w+(?:[.:/]\d+|\.[A-Za-z]\w*|['’](?!s\b)\w+)*"
    r"|[^\w\s]"
)


@dataclass(frozen=True)
class Word:
    """A word of a text with its character span."""

    text: str
    start: int
    end: int


SHAPES = ("lower", "capital", "upper", "mixed", "number", "mark", "address")


def split_words(text: str, limit: int = MAX_WORDS) -> list[Word]:
    """Split a text into at most `limit` words, never an empty list."""
    words = []
    for match in _WORD.finditer(text):
        words.append(Word(match[0], match.start(), match.end()))
        if len(words) == limit:
            break
    return words or [Word("", 0, 0)]


def shape(word: str) -> int:
    """The index in `SHAPES` of a word's outer form, which an uncased vocabulary does not keep."""
    if "@" in word or "_" in word or re.search(r"\w\.[A-Za-z]{2,4}$", word):
        return 6
    if any(character.isdigit() for character in word):
        return 4
    if not any(character.isalpha() for character in word):
        return 5
    if word.islower():
        return 0
    if word.isupper() and len(word) > 1:
        return 2
    return 1 if word[0].isupper() and not any(character.isupper() for character in word[1:]) else 3
