"""The shipped planner and retriever: one encoder pass over the request, then pointing, one legal decision at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path

from tinyagent_mlx import device  # before MLX

# isort: split
import mlx.core as mx
import numpy as np

from tinyagent_mlx import weights
from tinyagent_mlx.deciding import At, Decoding, Prior, Read, expecting, next_step, share, whole
from tinyagent_mlx.decisions import Cursor, Layout
from tinyagent_mlx.encoder import WordTokenizer
from tinyagent_mlx.marks import with_marks
from tinyagent_mlx.plan import Step
from tinyagent_mlx.planner import PlanEnd
from tinyagent_mlx.pointer import Looked, Schema, direction
from tinyagent_mlx.schema import Asks, encode_asks, encode_schema
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.vectorcache import Vectors
from tinyagent_mlx.words import split_words

THRESHOLD = 0.5
NEARNESS, STEEPNESS, MOST = 11.0, 1.0, 6.0  # a cosine in units of logits; the bonus of an unseen tool and its bound
# What is taken off where a request is nearer to one that is known to be refused than to the tool, in the same units; and the cosine
# from which on that says anything, since requests that tools serve come as near. A manifest may name another weight.
REFUSING, REFUSED_FROM = 24.0, 0.55
EVERY_TOOL_UP_TO = 64  # with more tools than this, only the retrieved ones are pointed at
OWN_CHANCE = 0.3  # of an own tool, from which on weights tuned on it are asked; those of older versions name another
AT_HAND = 0.97  # of an own tool, from which on the weights before may call one beside fine-tuned ones
UNLIKELY = 0.25  # the most that a plan counts for where the request says not to do something, and no more
# "don't text Ines, it's late", not "don't forget to", nor "don't call, just text her".
_NEGATED = re.compile(
    r"(?:(?:please|hey|oh|ok|so|no|actually|just|never mind)[, ]+)*"
    r"(?:don['’]?t|do not|never|no need to|stop(?= \w+ing\b))\s"
    r"(?!\s*(?:you |let \w+(?: \w+)? )?(?:forget|worry|mind|hesitate|wait|stop)\b)(?!.*\b(?:but|just|instead|rather|simply|only)\b)"
    r"(?:(?![,.;:!?]\s).)*"
    r"(?:[,.;]\s+(?:please|thanks?|ok(?:ay)?|(?:it|she|he|they|that|i|we)\b[^,.;]*))*",
    re.IGNORECASE,
)
BEFORE = "before"  # the folder, in that of fine-tuned weights, of those they were made from


@dataclass(frozen=True)
class _Compiled:
    layout: Layout
    schema: Schema
    looked: Looked
    asks: Asks  # of the tools that training never saw


class PointerEngine:
    """The network with what it compiled and read last: planner and retriever share it, and one pass over a request.

    In the folder `cache`, where one is given, the vectors of tools outlive the process.
    """

    def __init__(self, folder: Path, cache: Path | None = None):
        self.model, self.manifest = weights.load(folder)
        self.refusals = weights.load_refusals(folder)
        self.folder, self._cache = folder, cache
        self._vectors = Vectors(folder / "model.safetensors", cache)
        self.tokenizer = WordTokenizer(folder / "tokenizer.json")
        self._compiled: dict[str, _Compiled] = {}
        self.read = lru_cache(4)(self._read)
        self._weighed: tuple[Read, _Compiled, tuple[np.ndarray, np.ndarray]] | None = None

    @cached_property
    def before(self) -> PointerEngine | None:
        """The weights that fine-tuned ones were made from, None where they are not kept."""
        folder = self.folder / BEFORE
        return PointerEngine(folder, self._cache) if folder.is_dir() else None

    def answering(self, text: str, tools: Toolbox) -> PointerEngine:
        """Who a request is for: fine-tuned weights where it may need a tool that they were tuned on, or else those before.

        So what was learnt for own tools costs the others little.
        """
        if self.before is None:
            return self
        return self if self.own_chance(text, tools) >= self.answers_from else self.before

    @property
    def answers_from(self) -> float:
        """The chance of an own tool from which on fine-tuned weights may answer."""
        return float(self.manifest["tuned"].get("chance", OWN_CHANCE))

    @property
    def share_from(self) -> float:
        """The share of probability (`Rivals`) from which on a plan of fine-tuned weights counts; of those of older versions the
        likelier plan does."""
        return float(self.manifest["tuned"].get("share", 0.5))

    def own_chance(self, text: str, tools: Toolbox) -> float:
        """The largest chance that fine-tuned weights give one of the tools that they were tuned on."""
        logits, evidence = self.evidence(self.read(text), self.compile(tools))
        tuned = [name in self.manifest["tuned"]["own_tools"] for name in tools.names]
        return float(_chances(logits + self.bonus(evidence))[tuned].max(initial=0.0))

    def offered(self, text: str, tools: Toolbox) -> Toolbox:
        """What the weights before may call: the tools that fine-tuned ones were tuned on only where these are nearly sure of one.

        Examples of own tools make them call one for much that they would refuse; the fine-tuned weights have learnt better.
        """
        if self.own_chance(text, tools) >= AT_HAND:
            return tools
        own = self.manifest["tuned"]["own_tools"]
        return tools.subset(name for name in tools.names if name not in own)

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

    def evidence(self, read: Read, compiled: _Compiled) -> tuple[np.ndarray, np.ndarray]:
        """The retriever's logit of each tool [tools], and how much speaks for each that training never saw [tools].

        The latter joins the logit with how near the request comes to the tool's description and examples, and with how much nearer it
        comes to what is known to be refused; it is -inf for tools that training saw. Retriever and planner, and who of two planners
        answers, ask for the same: it is kept till the next.
        """
        if self._weighed and self._weighed[0] is read and self._weighed[1] is compiled:
            return self._weighed[2]
        with device.one_thread():
            valid = mx.array(read.batch.valid)
            logits = np.array(self.model.retrieve(read.states, valid, compiled.schema, compiled.looked)[0])
            nearness = compiled.asks.nearness(read.vector, len(compiled.layout.tools))
        refused = np.maximum(read.refused - np.maximum(nearness, REFUSED_FROM), 0.0)
        refusing = self.manifest.get("unseen", {}).get("refusing", REFUSING)
        found = logits, np.where(nearness > -1, logits + NEARNESS * nearness - refusing * refused, -np.inf)
        self._weighed = read, compiled, found
        return found

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
        start = self.start(text, tools)
        logits = start.decoding.tool_logits(start.cursor)
        return logits, self.evidence(self.read(text), self.compile(tools))[1]

    def start(self, text: str, tools: Toolbox, allowed: frozenset[str] | None = None) -> At:
        """The beginning of a request's plan, of all tools or of those that are `allowed`."""
        cursor = Cursor(self.compile(tools).layout, text, self.read(text).words, allowed)
        return At(cursor, self.decoding(text, tools))

    def decoding(self, text: str, tools: Toolbox) -> Decoding:
        """The decoder at the beginning of a request's plan."""
        read, compiled = self.read(text), self.compile(tools)
        logits, evidence = self.evidence(read, compiled)
        reluctance = float(self.manifest.get("reluctance", 0.0))
        prior = Prior(self.bonus(evidence), np.isfinite(evidence), reluctance)
        return Decoding(self.model, compiled.schema, read, logits, prior)

    def unread(self, text: str) -> str:
        """What to say of a request whose end is not read, "" where all of it is."""
        words = self.read(text).words
        if not text[words[-1].end :].strip():
            return ""
        return (
            f"the request is too long: of {len(split_words(text, len(text)))} words, marks among them, the planner reads "
            f"{len(words)}, up to {words[-1].text!r}; say it in parts, or let a language model plan"
        )

    def _read(self, text: str) -> Read:
        words = split_words(text)
        batch = self.tokenizer.batch([[word.text for word in words]])
        words = words[: batch.first.shape[1]]
        with device.one_thread():
            states = self.model.encode(mx.array(batch.tokens), mx.array(batch.shapes), mx.array(batch.valid))
            vector = states[0].mean(axis=0)
            mx.eval(states, vector)
            refused = self.before.read(text).refused if self.before else self._refused(vector)
        return Read(words, batch, states, vector, refused)

    def _refused(self, vector: mx.array) -> float:
        """The largest cosine of a request's vector [e] with those that are known to be refused, -1 where none is known."""
        if self.refusals is None:
            return -1.0
        return float((self.refusals @ direction(vector)).max())


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


@dataclass(frozen=True)
class Rivals:
    """Two plans for a request: the fine-tuned weights' with a tool that they were tuned on, None where they have none, and that of the
    weights before, of the tools that these are `offered`. `share` is that of the former's probability in both (`deciding.share`),
    below 0 where there is none; `passes` are those of both networks."""

    own: At | None
    before: At
    share: float
    passes: int


def _allowed(tools: Toolbox, retrieved: tuple[str, ...]) -> frozenset[str] | None:
    return None if len(tools) <= EVERY_TOOL_UP_TO else frozenset(retrieved)


class PointerPlanner:
    """Decides greedily. Its confidence is the probability of its least probable decision, put through the curve that
    validation data gave (`lab/calibrate.py`, in the manifest): how often a plan with such a decision was right. A plan of a request
    that only says what not to do counts for little: the network does the thing as often as not.
    """

    name = "pointer"

    def __init__(self, engine: PointerEngine, calibrated: bool = True):
        self.engine = engine
        curve = engine.manifest.get("confidence") or {} if calibrated else {}
        self.ask_below = float(curve.get("ask_below", 0.0))
        self._least, self._right = (curve.get(key, [0.0, 1.0]) for key in ("least", "right"))

    def plan(self, text: str, tools: Toolbox, retrieved: tuple[str, ...], now: datetime) -> Iterator[Step | PlanEnd]:
        """A step comes out as soon as its last argument is decided.

        Where fine-tuned weights may answer, both they and those before plan, and what counts comes out once it is whole.
        """
        for item in self._decided(text, tools, retrieved):
            yield with_marks(item, tools[item.tool], text) if isinstance(item, Step) else item

    def _decided(self, text: str, tools: Toolbox, retrieved: tuple[str, ...]) -> Iterator[Step | PlanEnd]:
        """The plan in the request's words, without the marks that end it."""
        engine = self.engine.answering(text, tools)
        if engine.before:
            rivals = self.rivals(text, tools, retrieved)
            own = rivals.own if rivals.share >= engine.share_from else None
            yield from (own or rivals.before).cursor.steps
            yield self._end(engine, text, own or rivals.before, rivals.passes)
            return
        offered = self.engine.offered(text, tools) if self.engine.before else tools
        with device.one_thread():
            at = engine.start(text, offered, _allowed(tools, retrieved))
        while not at.cursor.done:
            told = len(at.cursor.steps)
            with device.one_thread():
                at = next_step(at)
            yield from at.cursor.steps[told:]
        yield self._end(engine, text, at, at.decoding.passes)

    def rivals(self, text: str, tools: Toolbox, retrieved: tuple[str, ...]) -> Rivals:
        """A request as fine-tuned weights and those before plan it; the former only what they may answer."""
        tuned, allowed = self.engine, _allowed(tools, retrieved)
        assert tuned.before is not None
        names = tuned.manifest["tuned"]["own_tools"]
        with device.one_thread():
            own, passes = None, 0
            if tuned.answering(text, tools) is tuned:
                own, passes = expecting(names, tuned.start(text, tools, allowed))
            before = whole(tuned.before.start(text, tuned.offered(text, tools), allowed))[-1]
        return Rivals(own, before, share(own, before, names) if own else -1.0, passes + before.decoding.passes)

    def unread(self, text: str) -> str:
        """What to say of a request whose end is not read, "" where all of it is."""
        return self.engine.unread(text)

    def _end(self, engine: PointerEngine, text: str, at: At, passes: int) -> PlanEnd:
        sure = float(np.interp(at.least, self._least, self._right))
        unread = engine.unread(text)
        if at.cursor.steps and _NEGATED.fullmatch(text.strip().rstrip(".!?")):
            sure = min(sure, UNLIKELY)
        return PlanEnd(
            len(engine.read(text).batch.tokens[0]), at.decoding.decisions, passes, 0.0 if unread else sure, unread
        )
