"""Turn generated rows into arrays for teacher forcing, by driving the same cursor that decodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinyagent_mlx.decisions import ARGUMENT, KINDS, MAX_STEPS, SPAN_END, SPECIALS, TOOL, Cursor, Layout
from tinyagent_mlx.encoder import Batch, WordTokenizer
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.lab.generate import Row
from tinyagent_mlx.lab.madeup import Drawing, World
from tinyagent_mlx.lab.oracle import Oracle
from tinyagent_mlx.saying import said
from tinyagent_mlx.words import split_words

POOL = 8  # batches that are drawn together and sorted by length, so that little is padding


@dataclass(frozen=True)
class Targets:
    """Decisions of B rows, D of them at most, over N candidates.

    previous, previous_kind, kind, slot, number, target [B, D] int32; weight [B, D] float32 is 0 on padding;
    legal [B, D, N] bool; step_tools, step_starts [B, R] int32, -1 where there is no step or no word;
    needed [B, T] float32 tells which tools the plan uses; said [B, D, C] float32 which of the constants that may be chosen
    the request says.
    """

    previous: np.ndarray
    previous_kind: np.ndarray
    kind: np.ndarray
    slot: np.ndarray
    number: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    legal: np.ndarray
    step_tools: np.ndarray
    step_starts: np.ndarray
    needed: np.ndarray
    said: np.ndarray


@dataclass(frozen=True)
class _Trace:
    decisions: list[int]
    kinds: list[int]
    slots: list[int]
    numbers: list[int]
    legal: list[np.ndarray]
    step_tools: list[int]
    step_starts: list[int]
    said: list[tuple[int, int, np.ndarray]]  # decision, the slot's first constant, how clearly each is said


def trace(row: Row, oracle: Oracle) -> _Trace:
    """Walk through a row's decisions. Raises `PlanError` when one of them is not legal."""
    layout = oracle.layout
    words = split_words(row.request)
    cursor = Cursor(layout, row.request, words)
    out = _Trace(oracle.decisions(row.request, row.plan, row.spans), [], [], [], [], [], [], [])
    for decision in out.decisions:
        legal = cursor.legal()
        if decision >= len(legal) or not legal[decision]:
            raise PlanError(f"decision {decision} is not legal in {row.request!r}")
        if cursor.kind == ARGUMENT and (constants := layout.slots[cursor.slot].constants):
            clear = said(layout.slots[cursor.slot], [word.text for word in words])
            out.said.append((len(out.kinds), constants[0][1] - SPECIALS - len(layout.tools), clear))
        out.kinds.append(cursor.kind)
        out.slots.append(cursor.slot)
        out.numbers.append(len(cursor.steps) + 1)
        out.legal.append(legal)
        if cursor.kind == TOOL and decision >= SPECIALS:
            out.step_tools.append(decision - SPECIALS)
            out.step_starts.append(-1)
        elif cursor.kind != SPAN_END and decision >= layout.words_at and out.step_starts[-1] < 0:
            out.step_starts[-1] = decision - layout.words_at
        cursor.choose(decision)
    return out


def collate(traces: Sequence[_Trace], layout: Layout, words: int) -> Targets:
    """Pad traces into arrays; `words` is the width of the batch in words."""
    rows, width = len(traces), max(len(t.decisions) for t in traces)
    size = layout.words_at + words

    def zeros(fill: int = 0, columns: int = width) -> np.ndarray:
        return np.full((rows, columns), fill, np.int32)

    out = Targets(
        zeros(), zeros(KINDS), zeros(), zeros(-1), zeros(), zeros(), np.zeros((rows, width), np.float32),
        np.zeros((rows, width, size), bool), zeros(-1, MAX_STEPS), zeros(-1, MAX_STEPS),
        np.zeros((rows, len(layout.tools)), np.float32), np.zeros((rows, width, len(layout.constants)), np.float32),
    )  # fmt: skip
    out.legal[:, :, 0] = True  # padding must leave something to normalise over
    for i, t in enumerate(traces):
        n = len(t.decisions)
        out.target[i, :n] = t.decisions
        out.previous[i, 1:n] = t.decisions[:-1]
        out.previous_kind[i, 1:n] = t.kinds[:-1]
        out.kind[i, :n], out.slot[i, :n], out.number[i, :n] = t.kinds, t.slots, t.numbers
        out.weight[i, :n] = 1
        for j, legal in enumerate(t.legal):
            out.legal[i, j, : min(len(legal), size)] = legal[:size]
        out.step_tools[i, : len(t.step_tools)] = t.step_tools
        out.step_starts[i, : len(t.step_starts)] = t.step_starts
        out.needed[i, t.step_tools] = 1
        for j, first, clear in t.said:
            out.said[i, j, first : first + len(clear)] = clear
    return out


@dataclass(frozen=True)
class Lesson:
    """What one training step learns from: a batch of requests, its targets, and the layout that numbers them."""

    batch: Batch
    targets: Targets
    layout: Layout


class Batches:
    """An endless, reproducible stream of lessons: pool number p is the same whenever it is drawn.

    Each pool is drawn from a world of its own, so that no toolbox can be learnt by heart.
    """

    def __init__(self, worlds: Drawing, tokenizer: WordTokenizer, size: int, rank: int = 0):
        self.worlds, self.tokenizer, self.size, self.rank = worlds, tokenizer, size, rank

    def pool(self, number: int) -> list[Lesson]:
        """The lessons of steps POOL·number … POOL·number + POOL - 1, this rank's share."""
        world = self.worlds.draw(number, self.rank)
        oracle = Oracle(Layout(world.tools))
        rows = self._rows(world, oracle, POOL * self.size)
        rows.sort(key=lambda pair: len(pair[1].decisions) + len(split_words(pair[0].request)))
        groups = [rows[i : i + self.size] for i in range(0, len(rows), self.size)]
        order = np.random.default_rng([self.worlds.seed, number]).permutation(len(groups))  # the same on every rank
        return [self._lesson(groups[i], oracle.layout) for i in order]

    @staticmethod
    def _rows(world: World, oracle: Oracle, count: int) -> list[tuple[Row, _Trace]]:
        out: list[tuple[Row, _Trace]] = []
        for row in world.generator.rows():
            try:
                steps = trace(row, oracle)
            except PlanError:
                continue
            if len(steps.decisions) <= 140:
                out.append((row, steps))
            if len(out) == count:
                return out
        raise AssertionError("rows are endless")

    def _lesson(self, rows: list[tuple[Row, _Trace]], layout: Layout) -> Lesson:
        batch = self.tokenizer.batch([[w.text for w in split_words(row.request)] for row, _ in rows])
        return Lesson(batch, collate([steps for _, steps in rows], layout, batch.first.shape[1]), layout)

    def from_step(self, step: int) -> Iterator[Lesson]:
        """Lessons from training step `step` on."""
        number, skip = divmod(step, POOL)
        while True:
            yield from self.pool(number)[skip:]
            number, skip = number + 1, 0
