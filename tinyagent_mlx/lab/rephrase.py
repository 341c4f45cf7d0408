"""Say a request in other words: near words of the encoder's own table, words left out, other frames. Knows no models.

A dozen examples name a thing in one way ("photo"); whoever asks later says "pic" or "snapshot". The word vectors that the
encoder brought along know these as neighbours, and a swap of a few words makes requests that mean the same closely enough
to learn from (Wei and Zou 2019, arXiv:1901.11196; Jiao et al. 2020, arXiv:1909.10351).
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Sequence

import numpy as np

NEAR, NEIGHBOURS = 0.38, 6  # the least cosine of a neighbour, and how many a word has at most
SWAPPED, DROPPED = 0.15, 0.12  # how likely a word is swapped or left out, in a request where words are
COMMON = 2190  # words before this place in the vocabulary, the most frequent ones, hold a sentence together
_WORD = re.compile(r"\{\w+\}|[A-Za-z]+(?:'[a-z]+)?")
_TURNS = frozenset(
    ["on", "off", "up", "down", "in", "out", "no", "not", "without", "to", "from", "than", "before", "after"]
)


class Rephraser:
    """Other words for wordings. `kept` are words that stay, since they tell plans apart, and `taken` what nothing becomes.

    `vectors` [V, e] are the encoder's word vectors, `pieces` the V pieces of its vocabulary, the most frequent first.
    """

    def __init__(
        self, vectors: np.ndarray, pieces: Sequence[str], kept: Collection[str] = (), taken: Collection[str] = ()
    ):
        self.kept = frozenset(word.lower() for word in kept) | _TURNS
        self.taken = frozenset(word.lower() for word in taken) | self.kept
        self._places = {
            piece: place for place, piece in enumerate(pieces) if piece.isalpha() and piece.isascii() and len(piece) > 2
        }
        places = np.array(list(self._places.values()))
        table = vectors[places].astype(np.float32)
        table -= table.mean(axis=0)
        self._words = list(self._places)
        self._rows = {word: row for row, word in enumerate(self._words)}
        self._table = table / np.linalg.norm(table, axis=1, keepdims=True)
        self._found: dict[str, list[str]] = {}

    def neighbours(self, word: str) -> list[str]:
        """Words near this one, the nearest first; none of a word that is kept, frequent or unknown."""
        word = word.lower()
        if word not in self._found:
            self._found[word] = self._near(word)
        return self._found[word]

    def _near(self, word: str) -> list[str]:
        if word in self.kept or self._places.get(word, 0) < COMMON:
            return []
        near = self._table @ self._table[self._rows[word]]
        best = [self._words[row] for row in near.argsort()[::-1] if near[row] >= NEAR][1:]
        return [found for found in best if found not in self.taken and not _one_stem(word, found)][:NEIGHBOURS]

    def text(self, text: str, rng: random.Random) -> str:
        """A wording with some of its words swapped and some left out; slots stay, and at least one word does."""
        left = len([word for word in _WORD.findall(text) if not word.startswith("{")])

        def other(match: re.Match[str]) -> str:
            nonlocal left
            word = match[0]
            if word.startswith("{"):
                return word
            common = self._places.get(word.lower(), COMMON if len(word) > 2 else 0) < COMMON
            if common and word.lower() not in self.kept and left > 1 and rng.random() < DROPPED:
                left -= 1
                return ""
            near = self.neighbours(word)
            if near and rng.random() < SWAPPED:
                found = rng.choice(near)
                return found.capitalize() if word[0].isupper() else found
            return word

        changed = re.sub(r"\s+", " ", _WORD.sub(other, text)).strip(" ,;:")
        return re.sub(r"\s+([,.;:!?])", r"\1", changed)


def _one_stem(word: str, other: str) -> bool:
    """Whether two words are likely forms of one: what the encoder's pieces share anyhow, and grammar would suffer from."""
    shorter = min(len(word), len(other), 4)
    return word[:shorter] == other[:shorter]
