"""Decide a plan with the pointer network, one legal decision at a time; and again, where it lacks a tool that was expected.

Knows the network, a request after its encoder, and what is added for tools that training never saw; where these come from is
`pointing`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import dataclass

from tinyagent_mlx import device  # noqa: F401  (before MLX)

# isort: split
import mlx.core as mx
import numpy as np

from tinyagent_mlx.decisions import ARGUMENT, END_PLAN, KINDS, MAX_STEPS, SPAN_END, SPECIALS, TOOL, Cursor
from tinyagent_mlx.encoder import Batch
from tinyagent_mlx.plan import Step
from tinyagent_mlx.pointer import Memory, PointerModel, Schema
from tinyagent_mlx.saying import said
from tinyagent_mlx.words import Word

LATER = 0.5  # of the bonus is left once the plan calls another unseen tool, which what spoke for both may have meant
WORTH = 2.0  # nats by which a plan with an expected tool may be less likely than one without, and still be better


@dataclass(frozen=True)
class Read:
    """A request after the encoder."""

    words: list[Word]
    batch: Batch
    states: mx.array
    vector: mx.array  # [e], of the whole request
    refused: float = -1.0  # the cosine with the nearest request that is known to be refused


@dataclass(frozen=True)
class Prior:
    """What is added to the logits of tools: the `bonus` of each that training never saw [tools], which ones these are, and the
    reluctance to refuse."""

    bonus: np.ndarray
    unseen: np.ndarray
    reluctance: float


@dataclass
class At:
    """How far a plan is decided, the log-probability of what was decided, and the probability of its least probable decision."""

    cursor: Cursor
    decoding: Decoding
    likely: float = 0.0
    least: float = 1.0

    def fork(self) -> At:
        """A copy that goes on by itself."""
        return At(self.cursor.fork(), self.decoding.fork(), self.likely, self.least)


def next_step(at: At) -> At:
    """Decide one step more, or the end of the plan. Nobody asks for the same thing twice: a step that repeats an earlier one
    is taken back, and another tool or the end is decided on."""
    tried: list[int] = []
    while True:
        ahead = at.fork()
        tool, step = _decide_step(ahead, tried)
        if step is None or not any(_same(step, earlier) for earlier in at.cursor.steps):
            return ahead
        tried.append(tool)


def whole(at: At) -> list[At]:
    """Decide to the end of the plan; gives each state on the way, `at` first."""
    ahead = [at]
    while not ahead[-1].cursor.done:
        ahead.append(next_step(ahead[-1]))
    return ahead


def expecting(names: Collection[str], at: At) -> tuple[At | None, int]:
    """Decide a plan that calls one of some tools; None where such a plan is much less likely than one that doesn't.

    Where what was decided calls none of them, the likeliest of them is called at each of its steps instead, all that follows is
    decided anew, and the likeliest plan is taken. Gives the passes of the network that this took, too.
    """
    ahead = whole(at)
    passes = ahead[-1].decoding.passes
    if calls(ahead[-1], names):
        return ahead[-1], passes
    tools = [SPECIALS + n for n, tool in enumerate(at.cursor.layout.tools) if tool.name in names]
    found = []
    for place in ahead[:-1]:
        legal = place.cursor.legal()
        wanted = [tool for tool in tools if legal[tool]]
        if not wanted:
            continue
        other = place.fork()
        _decide_step(other, among=wanted)
        found.append(whole(other)[-1])
        passes += found[-1].decoding.passes - place.decoding.passes
    enough = [other for other in found if other.likely >= ahead[-1].likely - WORTH]
    return max(enough, key=lambda other: other.likely, default=None), passes


def calls(at: At, names: Collection[str]) -> bool:
    """Whether a plan calls one of some tools."""
    return any(step.tool in names for step in at.cursor.steps)


def share(plan: At, other: At, names: Collection[str]) -> float:
    """The share that a plan with one of some tools has in its own probability and that of another network's plan: whether such a
    tool is meant, where they disagree. Where the other plan calls one too, the likelier has it all, and 1 is this one's."""
    if calls(other, names):
        return float(plan.likely >= other.likely)
    return float(1 / (1 + np.exp(other.likely - plan.likely)))


def _decide_step(at: At, tried: Sequence[int] = (), among: Sequence[int] = ()) -> tuple[int, Step | None]:
    """Take decisions up to the end of a step, or of the plan; gives the first of them, which is none of `tried` and, where any
    are given, one `among` some, and the step."""
    first, step = -1, None
    while step is None and not at.cursor.done:
        legal = at.cursor.legal()
        if first < 0:
            legal[list(tried)] = False
        probabilities = at.decoding.probabilities(at.cursor, legal)
        if first < 0 and among:
            chosen = max(among, key=lambda candidate: float(probabilities[candidate]))
        else:
            chosen = int(probabilities.argmax())
        at.decoding.remember(at.cursor, chosen)
        at.likely += float(probabilities[chosen])
        at.least = min(at.least, float(np.exp(probabilities[chosen])))
        first = chosen if first < 0 else first
        step = at.cursor.choose(chosen)
    return first, step


def _same(one: Step, other: Step) -> bool:
    return (one.tool, one.arguments) == (other.tool, other.arguments)


class Decoding:
    """A network's decoder over one request: caches, and the candidates as the plan grows.

    `logits` are the retriever's [tools].
    """

    def __init__(self, model: PointerModel, schema: Schema, read: Read, logits: np.ndarray, prior: Prior):
        self.model, self.prior = model, prior
        valid = mx.array(read.batch.valid)
        self.memory: Memory = model.remember(
            read.states, valid, mx.array(read.batch.first), mx.array(read.batch.word_valid)
        )
        self.crossed = [layer.keys_values(self.memory) for layer in model.layers]
        self.step_tools = np.full((1, MAX_STEPS), -1, np.int32)
        self.step_starts = np.full((1, MAX_STEPS), -1, np.int32)
        self.caches: list | None = None
        self.previous, self.previous_kind = -1, KINDS
        self.decisions = 0
        self.fixed, self.words = model.tables(schema, self.memory)
        self.keys = model.candidate_keys(schema, self.memory)
        self.slots = model.slot_table(schema)
        self.hints = model.hints(schema, mx.array(logits)[None], read.states, valid)[:, None]
        self._renew()
        mx.eval(self.fixed, self.words, self.keys, self.slots, self.hints, self.crossed)

    def fork(self) -> Decoding:
        """A copy that goes on by itself; arrays of MLX never change, so they are shared."""
        other = copy(self)
        other.step_tools, other.step_starts = self.step_tools.copy(), self.step_starts.copy()
        return other

    def _renew(self) -> None:
        tools, starts = mx.array(self.step_tools), mx.array(self.step_starts)
        self.steps = self.model.step_vectors(self.fixed, self.words, tools, starts)

    def _vector(self, candidate: int) -> mx.array:
        """What a candidate looks like as the previous decision: [1, 1, d]."""
        first = self.fixed.shape[1]
        if candidate < first:
            return self.fixed[:, candidate : candidate + 1]
        candidate -= first
        if candidate < MAX_STEPS:
            return self.steps[:, candidate : candidate + 1]
        return self.words[:, candidate - MAX_STEPS : candidate - MAX_STEPS + 1]

    @property
    def passes(self) -> int:
        """Of the network: the encoder's one, and the decoder's."""
        return self.decisions + 1

    def probabilities(self, cursor: Cursor, legal: np.ndarray) -> np.ndarray:
        """Log-probabilities of the next decision over the candidates, -inf for what is not legal."""
        scores = np.array(self._logits(cursor), dtype=np.float64)
        if cursor.kind == TOOL and not cursor.steps:
            scores[END_PLAN] -= self.prior.reluctance + self.prior.bonus.max(initial=0.0)
        if cursor.kind == TOOL:
            scores[SPECIALS : SPECIALS + len(self.prior.bonus)] += self.due(cursor)
        return _log_softmax(np.where(legal, scores, -np.inf))

    def due(self, cursor: Cursor) -> np.ndarray:
        """The bonus of the tools that the plan has not called yet."""
        steps = {step.tool for step in cursor.steps}
        called = np.array([tool.name in steps for tool in cursor.layout.tools], bool)
        left = LATER if (called & self.prior.unseen).any() else 1.0
        return np.where(called, 0.0, self.prior.bonus * left)

    def tool_logits(self, cursor: Cursor) -> np.ndarray:
        """Logits of the end of the plan and of each tool, without any bonus."""
        logits = np.array(self._logits(cursor), dtype=np.float64)
        return np.concatenate([logits[:1], logits[SPECIALS : SPECIALS + len(cursor.layout.tools)]])

    def _logits(self, cursor: Cursor) -> mx.array:
        def one(number: int) -> mx.array:
            return mx.array([[number]])

        before = self._vector(self.previous) if self.previous >= 0 else mx.zeros_like(self.fixed[:, :1])
        x = self.model.inputs(
            self.slots, before, one(self.previous_kind), one(cursor.kind), one(cursor.slot), one(len(cursor.steps) + 1)
        )
        hidden, self.caches = self.model.decode(x, self.memory, caches=self.caches, crossed=self.crossed)
        hints = self.hints + self._said(cursor) if cursor.kind == ARGUMENT else self.hints
        return self.model.scores(hidden, one(cursor.kind), self.keys, self.steps, hints)[0, 0]

    def _said(self, cursor: Cursor) -> mx.array:
        """What the slot's constants that the request says add to the candidates before the steps: [1, 1, F]."""
        layout, slot = cursor.layout, cursor.layout.slots[cursor.slot]
        clear = np.zeros((1, 1, len(layout.constants)), np.float32)
        if slot.constants:
            first = slot.constants[0][1] - SPECIALS - len(layout.tools)
            clear[..., first : first + len(slot.constants)] = said(slot, [word.text for word in cursor.words])
        return self.model.saying(mx.array(clear), len(layout.tools))

    def remember(self, cursor: Cursor, chosen: int) -> None:
        """Take in what was decided."""
        self.previous, self.previous_kind = chosen, cursor.kind
        self.decisions += 1
        number = len(cursor.steps)
        if cursor.kind == TOOL and chosen >= SPECIALS:
            self.step_tools[0, number] = chosen - SPECIALS
            self._renew()
        elif cursor.kind != SPAN_END and chosen >= cursor.layout.words_at and self.step_starts[0, number] < 0:
            self.step_starts[0, number] = chosen - cursor.layout.words_at
            self._renew()


def _log_softmax(scores: np.ndarray) -> np.ndarray:
    shifted = scores - scores.max()
    return shifted - np.log(np.exp(shifted).sum())
