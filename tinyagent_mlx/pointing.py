"""The shipped planner and retriever: one encoder pass over the request, then pointing, one legal decision at a time."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path

from tinyagent_mlx import device  # before MLX

# isort: split
import mlx.core as mx
import numpy as np

from tinyagent_mlx import weights
from tinyagent_mlx.decisions import ARGUMENT, END_PLAN, KINDS, MAX_STEPS, SPAN_END, SPECIALS, TOOL, Cursor, Layout
from tinyagent_mlx.encoder import Batch, WordTokenizer
from tinyagent_mlx.plan import Step
from tinyagent_mlx.planner import PlanEnd
from tinyagent_mlx.pointer import Looked, Memory, Schema
from tinyagent_mlx.saying import said
from tinyagent_mlx.schema import Asks, encode_asks, encode_schema
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.vectorcache import Vectors
from tinyagent_mlx.words import Word, split_words

THRESHOLD = 0.5
NEARNESS, STEEPNESS, MOST = 11.0, 1.0, 6.0  # a cosine in units of logits; the bonus of an unseen tool and its bound
LATER = 0.5  # of such a bonus is left once the plan calls another unseen tool, which what spoke for both may have meant
EVERY_TOOL_UP_TO = 64  # with more tools than this, only the retrieved ones are pointed at
OWN_CHANCE = 0.3  # of an own tool, from which on weights tuned on it answer, where their manifest has no other
BEFORE = "before"  # the folder, in that of fine-tuned weights, of those they were made from


@dataclass(frozen=True)
class _Compiled:
    layout: Layout
    schema: Schema
    looked: Looked
    asks: Asks  # of the tools that training never saw


@dataclass(frozen=True)
class _Read:
    """A request after the encoder."""

    words: list[Word]
    batch: Batch
    states: mx.array
    vector: mx.array  # [e], of the whole request


class PointerEngine:
    """The network with what it compiled and read last: planner and retriever share it, and one pass over a request.

    In the folder `cache`, where one is given, the vectors of tools outlive the process.
    """

    def __init__(self, folder: Path, cache: Path | None = None):
        self.model, self.manifest = weights.load(folder)
        self.folder, self._cache = folder, cache
        self._vectors = Vectors(folder / "model.safetensors", cache)
        self.tokenizer = WordTokenizer(folder / "tokenizer.json")
        self._compiled: dict[str, _Compiled] = {}
        self.read = lru_cache(4)(self._read)

    @cached_property
    def before(self) -> PointerEngine | None:
        """The weights that fine-tuned ones were made from, None where they are not kept."""
        folder = self.folder / BEFORE
        return PointerEngine(folder, self._cache) if folder.is_dir() else None

    def answering(self, text: str, tools: Toolbox) -> PointerEngine:
        """Who a request is for: fine-tuned weights where it may need a tool that they were tuned on, or else those before.

        So what was learnt for own tools costs the others nothing.
        """
        if self.before is None:
            return self
        return self if self.own_chance(text, tools) >= self.answers_from else self.before

    @property
    def answers_from(self) -> float:
        """The chance of an own tool from which on fine-tuned weights answer: what fine-tuning found the others to bear."""
        return float(self.manifest["tuned"].get("chance", OWN_CHANCE))

    def own_chance(self, text: str, tools: Toolbox) -> float:
        """The largest chance that fine-tuned weights give one of the tools that they were tuned on."""
        logits, evidence = self.evidence(self.read(text), self.compile(tools))
        tuned = [name in self.manifest["tuned"]["own_tools"] for name in tools.names]
        return float(_chances(logits + self.bonus(evidence))[tuned].max(initial=0.0))

    def compile(self, tools: Toolbox) -> _Compiled:
        """Encode a toolbox, once for each fingerprint."""
        found = self._compiled.get(tools.fingerprint)
        if found is None:
            seen = self.manifest.get("tools", tools.names)
            unseen = [name for name in tools.names if name not in seen]
            layout = Layout(tools, frozenset(unseen))
            schema = encode_schema(self.model, self.tokenizer, layout, self._vectors)
            looked = self.model.retrieval.look(schema.tools)
            mx.eval(vars(looked))
            found = self._compiled[tools.fingerprint] = _Compiled(
                layout,
                schema,
                looked,
                encode_asks(self.model, self.tokenizer, layout, unseen, self._vectors),
            )
            self._vectors.save()
        return found

    def evidence(self, read: _Read, compiled: _Compiled) -> tuple[np.ndarray, np.ndarray]:
        """The retriever's logit of each tool [tools], and how much speaks for each that training never saw [tools].

        The latter joins the logit with how near the request comes to the tool's description and examples; it is -inf for
        tools that training saw.
        """
        with device.one_thread():
            valid = mx.array(read.batch.valid)
            logits = np.array(self.model.retrieve(read.states, valid, compiled.schema, compiled.looked)[0])
            nearness = compiled.asks.nearness(read.vector, len(compiled.layout.tools))
        return logits, np.where(nearness > -1, logits + NEARNESS * nearness, -np.inf)

    def bonus(self, evidence: np.ndarray) -> np.ndarray:
        """What is added to the logits of tools that training never saw: [tools], 0 for the others.

        The network has seen requests like a new tool's refused. What speaks for the tool weighs against that, as much as
        old requests allow (`lab/calibrate.py`, in the manifest). The largest bonus is also taken off a refusal.
        """
        floor = self.manifest.get("unseen", {}).get("floor", np.inf)
        return np.clip((evidence - floor) * STEEPNESS, 0.0, MOST) if np.isfinite(floor) else np.zeros_like(evidence)

    def first_decision(self, text: str, tools: Toolbox) -> tuple[np.ndarray, np.ndarray]:
        """For calibration: logits of the end of the plan and of each tool as the first decision [1 + tools], and what
        speaks for each unseen tool [tools]."""
        read, compiled = self.read(text), self.compile(tools)
        cursor = Cursor(compiled.layout, text, read.words)
        logits = _Decoding(self, compiled, read).tool_logits(cursor)
        return logits, self.evidence(read, compiled)[1]

    def _read(self, text: str) -> _Read:
        words = split_words(text)
        batch = self.tokenizer.batch([[word.text for word in words]])
        words = words[: batch.first.shape[1]]
        with device.one_thread():
            states = self.model.encode(mx.array(batch.tokens), mx.array(batch.shapes), mx.array(batch.valid))
            vector = states[0].mean(axis=0)
            mx.eval(states, vector)
        return _Read(words, batch, states, vector)


def _chances(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


class PointerRetriever:
    """ToolRAG over the planner's own encoder: the tools whose probability is at least the threshold, never none.

    The threshold that is not given is the manifest's, chosen on validation data, or else 0.5.
    """

    name = "classifier"

    def __init__(self, engine: PointerEngine, threshold: float | None = None):
        self.engine = engine
        self.threshold = engine.manifest.get("threshold", THRESHOLD) if threshold is None else threshold

    def scores(self, text: str, tools: Toolbox) -> dict[str, float]:
        """Each tool's probability of being needed."""
        engine = self.engine.answering(text, tools)
        read, compiled = engine.read(text), engine.compile(tools)
        logits, evidence = engine.evidence(read, compiled)
        chances = _chances(logits + engine.bonus(evidence))
        return dict(zip(tools.names, chances.tolist(), strict=True))

    def retrieve(self, text: str, tools: Toolbox) -> tuple[str, ...]:
        """Names in the toolbox's order."""
        scores = self.scores(text, tools)
        best = max(scores, key=lambda name: scores[name])
        return tuple(name for name, score in scores.items() if score >= self.threshold or name == best)


class PointerPlanner:
    """Decides greedily. Its confidence is the probability of its least probable decision, put through the curve that
    validation data gave (`lab/calibrate.py`, in the manifest): how often a plan with such a decision was right.
    """

    name = "pointer"

    def __init__(self, engine: PointerEngine, calibrated: bool = True):
        self.engine = engine
        curve = engine.manifest.get("confidence") or {} if calibrated else {}
        self.ask_below = float(curve.get("ask_below", 0.0))
        self._least, self._right = (curve.get(key, [0.0, 1.0]) for key in ("least", "right"))

    def plan(self, text: str, tools: Toolbox, retrieved: tuple[str, ...], now: datetime) -> Iterator[Step | PlanEnd]:
        """A step comes out as soon as its last argument is decided."""
        engine = self.engine.answering(text, tools)
        read, compiled = engine.read(text), engine.compile(tools)
        allowed = None if len(tools) <= EVERY_TOOL_UP_TO else frozenset(retrieved)
        with device.one_thread():
            at = _At(Cursor(compiled.layout, text, read.words, allowed), _Decoding(engine, compiled, read))
        while not at.cursor.done:
            with device.one_thread():
                at, step = _next_step(at)
            if step:
                yield step
        sure = float(np.interp(at.least, self._least, self._right))
        decisions = at.decoding.decisions
        yield PlanEnd(len(read.batch.tokens[0]), decisions, decisions + 1, sure)


@dataclass
class _At:
    """How far a plan is decided, and the probability of its least probable decision."""

    cursor: Cursor
    decoding: _Decoding
    least: float = 1.0

    def fork(self) -> _At:
        return _At(self.cursor.fork(), self.decoding.fork(), self.least)


def _next_step(at: _At) -> tuple[_At, Step | None]:
    """Decide one step more, or the end of the plan (None). Nobody asks for the same thing twice: a step that repeats an
    earlier one is taken back, and another tool or the end is decided on."""
    tried: list[int] = []
    while True:
        ahead = at.fork()
        tool, step = _decide_step(ahead, tried)
        if step is None or not any(_same(step, earlier) for earlier in at.cursor.steps):
            return ahead, step
        tried.append(tool)


def _decide_step(at: _At, tried: list[int]) -> tuple[int, Step | None]:
    """Take decisions up to the end of a step; gives the first of them, and the step."""
    first, step = -1, None
    while step is None and not at.cursor.done:
        legal = at.cursor.legal()
        if first < 0:
            legal[tried] = False
        chosen, probability = at.decoding.decide(at.cursor, legal)
        at.least = min(at.least, probability)
        first = chosen if first < 0 else first
        step = at.cursor.choose(chosen)
    return first, step


def _same(one: Step, other: Step) -> bool:
    return (one.tool, one.arguments) == (other.tool, other.arguments)


class _Decoding:
    """The decoder's state over one request: caches, and the candidates as the plan grows."""

    def __init__(self, engine: PointerEngine, compiled: _Compiled, read: _Read):
        model, schema = engine.model, compiled.schema
        self.model = model
        logits, evidence = engine.evidence(read, compiled)
        self.unseen, self.bonus = np.isfinite(evidence), engine.bonus(evidence)
        self.reluctance = float(engine.manifest.get("reluctance", 0.0))  # to refuse, in units of logits
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

    def fork(self) -> _Decoding:
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

    def decide(self, cursor: Cursor, legal: np.ndarray) -> tuple[int, float]:
        """The best legal candidate and its probability."""
        scores = np.array(self._logits(cursor), dtype=np.float64)
        if cursor.kind == TOOL and not cursor.steps:
            scores[END_PLAN] -= self.reluctance + self.bonus.max()
        if cursor.kind == TOOL:
            scores[SPECIALS : SPECIALS + len(self.bonus)] += self._due(cursor)
        scores = np.where(legal, scores, -np.inf)
        chosen = int(scores.argmax())
        probability = float(1 / np.exp(scores - scores[chosen]).sum())
        self._remember(cursor, chosen)
        return chosen, probability

    def _due(self, cursor: Cursor) -> np.ndarray:
        """The bonus of the tools that the plan has not called yet."""
        steps = {step.tool for step in cursor.steps}
        called = np.array([tool.name in steps for tool in cursor.layout.tools])
        return np.where(called, 0.0, self.bonus * (LATER if (called & self.unseen).any() else 1.0))

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

    def _remember(self, cursor: Cursor, chosen: int) -> None:
        self.previous, self.previous_kind = chosen, cursor.kind
        self.decisions += 1
        number = len(cursor.steps)
        if cursor.kind == TOOL and chosen >= SPECIALS:
            self.step_tools[0, number] = chosen - SPECIALS
            self._renew()
        elif cursor.kind != SPAN_END and chosen >= cursor.layout.words_at and self.step_starts[0, number] < 0:
            self.step_starts[0, number] = chosen - cursor.layout.words_at
            self._renew()
