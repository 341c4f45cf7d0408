"""Rows as tokens, and tokens in batches: the same order whenever it is drawn, so that a training goes on where it was.

Knows a tokenizer, no model. What is tokenized here is what `decoding.py` tokenizes at run time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyagent_mlx.decoding import encode
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab.rows import Row

POOL = 32  # batches that are sorted by length together, so that little is padding


@dataclass(frozen=True)
class Tokens:
    """A row's tokens [L]; those from `start` on are the plan's."""

    row: np.ndarray
    start: int


def tokens_of(tokenizer: Any, row: Row, chat: bool = True) -> Tokens:
    """A row as the model reads and writes it.

    Where a tokenizer joins the prompt's end to the plan's beginning, the joint token counts as the plan's.
    """
    prompt, whole = (encode(tokenizer, row.prompt, written, chat) for written in ("", row.completion))
    same = next(
        (n for n, (a, b) in enumerate(zip(prompt, whole, strict=False)) if a != b), min(len(prompt), len(whole))
    )
    return Tokens(np.array(whole, np.int32), same)


def tokenize(tokenizer: Any, rows: Sequence[Row], longest: int, batch: int, chat: bool = True) -> list[Tokens]:
    """All rows of at most `longest` tokens. Raises `ConfigError` when they are fewer than a batch."""
    found = [tokens for row in rows if len((tokens := tokens_of(tokenizer, row, chat)).row) <= longest]
    if len(found) < batch:
        raise ConfigError(
            f"--batch {batch}: only {len(found)} of {len(rows)} rows have --longest {longest} tokens or less"
        )
    return found


@dataclass(frozen=True)
class Lesson:
    """What a step learns from: tokens [B, L]; `spots` [N] are places in the flattened tokens that tell a token of a plan,
    and `targets` [N] are those tokens."""

    tokens: np.ndarray
    spots: np.ndarray
    targets: np.ndarray


class Lessons:
    """An endless stream of batches, epoch after epoch, each in an order of its own; of `ranks` processes each gets a share."""

    def __init__(self, rows: Sequence[Tokens], size: int, seed: int, rank: int = 0, ranks: int = 1):
        if size % ranks:
            raise ConfigError(f"--batch {size}: expected a multiple of the {ranks} processes")
        self.rows, self.size, self.seed, self.rank, self.ranks = rows, size, seed, rank, ranks

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return len(self.rows) // self.size

    def epoch(self, number: int) -> list[list[int]]:
        """Row numbers of each batch."""
        rng = np.random.default_rng([self.seed, number])
        order = rng.permutation(len(self.rows))[: self.steps * self.size].tolist()
        out: list[list[int]] = []
        for start in range(0, len(order), POOL * self.size):
            pool = sorted(order[start : start + POOL * self.size], key=lambda n: len(self.rows[n].row))
            groups = [pool[at : at + self.size] for at in range(0, len(pool), self.size)]
            out.extend(groups[index] for index in rng.permutation(len(groups)))
        return out

    def from_step(self, step: int) -> Iterator[Lesson]:
        """Batches from training step `step` on."""
        number, skip = divmod(step, self.steps)
        while True:
            for group in self.epoch(number)[skip:]:
                yield collate([self.rows[n] for n in group[self.rank :: self.ranks]])
            number, skip = number + 1, 0


def collate(rows: Sequence[Tokens]) -> Lesson:
    """Pad rows at their ends; only a plan's tokens are targets."""
    width = max(len(tokens.row) for tokens in rows) - 1
    table = np.zeros((len(rows), width), np.int32)
    spots, targets = [], []
    for number, tokens in enumerate(rows):
        last = len(tokens.row) - 1
        table[number, :last] = tokens.row[:-1]
        spots.append(number * width + np.arange(tokens.start - 1, last))
        targets.append(tokens.row[tokens.start :])
    return Lesson(table, np.concatenate(spots), np.concatenate(targets))
