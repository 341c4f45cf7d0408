"""Fine-tune the default planner on a user's own tools: from the examples in their tools.yaml, on their machine.

Half of most batches asks for own tools (the examples as wordings with slots, alone and joined with the corpus's), the rest
replays the shipped data and its refusals. What is asked for is seldom shown as an example at the same time: a request to
come will be none either. Every other pool of batches is the shipped recipe's, with made-up tools, so that the planner goes on
reading what it has not seen. Refusals that an own tool takes care of now are left out, of training and of measuring.

Before and after are measured on examples that training never sees and on held-back wordings of the shipped tools. Where the
old tools lost, weights between the old and the tuned ones are tried; the result is installed only if it is better and the old
tools lost no more than a point. This module knows nothing of screens.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import numpy as np

from tinyagent_mlx import weights
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cases import Case
from tinyagent_mlx.decisions import SPECIALS, TOOL, Layout
from tinyagent_mlx.desktop.base import NoDesktop
from tinyagent_mlx.encoder import WordTokenizer
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.evaluation import evaluate
from tinyagent_mlx.lab import corpus, own, train_planner
from tinyagent_mlx.lab.batches import Batches, Targets
from tinyagent_mlx.lab.corpus import Wording
from tinyagent_mlx.lab.generate import Generator, Mix, open_dictionary, vocabulary
from tinyagent_mlx.lab.madeup import Drawing, World, Worlds, read_madeup
from tinyagent_mlx.lab.train_planner import Recipe, Tell, fit
from tinyagent_mlx.pointer import PointerModel
from tinyagent_mlx.pointing import MOST, NEARNESS, STEEPNESS, PointerEngine, PointerPlanner, PointerRetriever
from tinyagent_mlx.schema import encode_asks
from tinyagent_mlx.toolbox import Example, Toolbox

HELD = 4  # every fourth example is held back, where there are at least twice as many
OLD_CASES = 200  # requests for shipped tools, from held-back wordings
MOST_LOST = 1  # point of the old tools' success, to the nearest: one of 200 requests more or less is chance
BLENDS = (
    1.0,
    0.7,
    0.45,
    0.25,
)  # of the way from the old weights to the tuned ones (Wortsman et al. 2022, arXiv:2109.01903)
NOW = datetime(2026, 11, 23, 9)
Measured = Callable[[int, int], None]  # called after each request that is measured, of so many
HIDDEN, BARE = 0.5, 0.15  # how likely an example is hidden from its tool in a world; worlds that show none
ALSO_SHOWN = 0.25  # how likely an example that is shown is asked for too
REFUSALS = 300  # wordings at most that are refused beside own tools
REPLAY = train_planner.MIX
MIX = Mix(refusals=0.15, singles=0.35, multiples=0.15, composed=0.35, asked=0.6)


@dataclass(frozen=True)
class Scores:
    """Dag success, from 0 to 1: `own` on held-back examples (None without any), `old` on shipped tools' requests."""

    own: float | None
    old: float


@dataclass(frozen=True)
class Outcome:
    """A fine-tuning's end. `better`: the own tools gained, and the old ones lost no more than a point.

    `share` is how far the weights went from the old ones to the tuned ones, from 0 to 1.
    """

    before: Scores
    after: Scores
    share: float = 1.0

    @property
    def gained(self) -> bool:
        """The own tools are planned no worse; without held-back examples nobody can tell, and it counts as so."""
        return self.before.own is None or self.after.own is None or self.after.own >= self.before.own

    @property
    def kept(self) -> bool:
        """The shipped tools lost no more than a point."""
        return round(100 * (self.before.old - self.after.old)) <= MOST_LOST

    @property
    def better(self) -> bool:
        return self.gained and self.kept


@dataclass(frozen=True)
class Lesson:
    """What a fine-tuning is about: all tools, the names of the own ones, and examples that are shown or held back."""

    tools: Toolbox
    names: tuple[str, ...]
    shown: tuple[Example, ...]
    held: tuple[Example, ...]
    old_cases: int = OLD_CASES


def lesson(tools: Toolbox, shipped: Toolbox, more: Sequence[Example] = ()) -> Lesson:
    """Find the own tools and split their examples; `more` are requests with plans beside those of tools.yaml.

    Raises `ConfigError` when there is no own tool or none has an example.
    """
    names = tuple(name for name in tools.names if name not in shipped)
    if not names:
        raise ConfigError("there is no tool of your own to fine-tune on: `tinyagent tools new` makes one")
    unique = {e.request: e for e in (*(e for name in names for e in tools[name].examples), *more)}
    examples = tuple(unique.values())
    if not examples:
        raise ConfigError(f"none of your tools ({', '.join(names)}) has an example to learn from; a dozen do well")
    held = examples[HELD - 1 :: HELD] if len(examples) >= 2 * HELD else ()
    return Lesson(tools, names, tuple(e for e in examples if e not in held), held)


class OwnWorlds:
    """Worlds of one toolbox, as `Batches` draws them: the user's requests mixed with the shipped corpus.

    `others` draws the worlds in between, with made-up tools; without it there are none.
    """

    def __init__(
        self,
        about: Lesson,
        wordings: Sequence[Wording],
        dictionary: list[str],
        seed: int,
        others: Drawing | None = None,
    ):
        self.about, self.dictionary, self.seed, self.others = about, dictionary, seed, others
        self.wordings = [w for w in wordings if all(step.tool in about.tools for step in w.plan.steps)]

    @cached_property
    def _asked(self) -> dict[Example, list[Wording]]:
        """Each example as wordings, filled with what all of them say."""
        about = self.about
        values = own.values(about.shown, about.tools)
        return {e: [replace(w, values=values) for w in own.wordings([e], about.tools)] for e in about.shown}

    def draw(self, number: int, rank: int = 0) -> World:
        if self.others and number % 2:
            return self.others.draw(number, rank)
        rng = random.Random(f"{self.seed}/own/{number}")
        hide = 1.0 if rng.random() < BARE else HIDDEN
        hidden = {example for example in self._asked if rng.random() < hide}
        asked = [w for e, ws in self._asked.items() if e in hidden or rng.random() < ALSO_SHOWN for w in ws]
        asked = asked or [w for ws in self._asked.values() for w in ws]
        tools = _without(self.about.tools, hidden.union(self.about.held))
        generator = Generator(self.wordings, tools, self.dictionary, self.seed, MIX, asked=asked)
        generator.rng.seed(f"{self.seed}/own/{number}/{rank}")
        return World(tools, generator)


def _showing(about: Lesson) -> Toolbox:
    """The toolbox without the examples that are held back."""
    return _without(about.tools, set(about.held))


def _without(tools: Toolbox, hidden: Collection[Example]) -> Toolbox:
    fewer = (replace(tool, examples=tuple(e for e in tool.examples if e not in hidden)) for tool in tools)
    return Toolbox(tuple(fewer), tools.rules)


class OwnBonus:
    """What the planner adds for own tools, as `PointerEngine.bonus` and its decoding do, so that training goes on from there.

    `names` are the own tools; `floor` and `reluctance` are the manifest's. No gradient goes through it.
    """

    def __init__(self, names: Collection[str], floor: float, reluctance: float):
        self.names, self.floor, self.reluctance = names, floor, reluctance
        self._vectors, self._owned, self._constants = mx.zeros((0, 0)), np.zeros((0, 0), bool), 0

    def look(self, model: PointerModel, tokenizer: WordTokenizer, layout: Layout) -> None:
        """Encode how the own tools are asked for: vectors [N, e], and which tool owns each [T, N]."""
        asks = encode_asks(model, tokenizer, layout, [name for name in layout.tools.names if name in self.names])
        self._vectors = asks.vectors
        self._owned = np.arange(len(layout.tools))[:, None] == asks.owners[None]
        self._constants = layout.steps_at - SPECIALS - len(layout.tools)

    def of(self, states: mx.array, valid: mx.array, needed: mx.array) -> mx.array:
        """The bonus of each tool [B, T], 0 for the others."""
        if not self._owned.size:
            return mx.zeros_like(needed)
        mean = (states * valid[..., None]).sum(axis=1)
        near = mean / mx.linalg.norm(mean, axis=-1, keepdims=True) @ self._vectors.T
        nearness = mx.where(mx.array(self._owned), near[:, None], -1.0).max(axis=-1)
        bonus = mx.clip((needed + NEARNESS * nearness - self.floor) * STEEPNESS, 0.0, MOST)
        return mx.stop_gradient(bonus * mx.array(self._owned.any(axis=1).tolist()))

    def __call__(self, states: mx.array, valid: mx.array, needed: mx.array, targets: Targets) -> mx.array:
        bonus, tools = self.of(states, valid, needed), np.arange(needed.shape[1])
        rows, decisions = targets.kind.shape
        called = np.zeros((rows, decisions, len(tools)), bool)
        for step in range(int(targets.number.max()) - 1):
            done = (targets.number > step + 1)[..., None]
            called |= done & (targets.step_tools[:, step, None, None] == tools)
        asked = targets.kind == TOOL
        due = mx.where(mx.array(asked[..., None] & ~called), bonus[:, None], 0.0)
        first = mx.array(asked & (targets.number == 1))
        end = mx.where(first, -(self.reluctance + bonus.max(axis=-1, keepdims=True)), 0.0)[..., None]
        others = mx.zeros((rows, decisions, SPECIALS - 1))
        return mx.concatenate([end, others, due, mx.zeros((rows, decisions, self._constants))], axis=-1)


def taken_now(engine: PointerEngine, about: Lesson, request: str) -> bool:
    """Whether the planner, as it is, begins the plan of a request with an own tool."""
    tools = _showing(about)
    logits, evidence = engine.first_decision(request, tools)
    bonus = engine.bonus(evidence)
    mine = [name in about.names for name in tools.names]
    refusing = logits[0] - bonus.max() - float(engine.manifest.get("reluctance", 0.0))
    return bool((logits[1:] + bonus)[mine].max() > max(refusing, (logits[1:] + bonus)[~np.array(mine)].max()))


def _still_refused(
    wordings: Sequence[Wording], engine: PointerEngine, about: Lesson, dictionary: list[str]
) -> list[Wording]:
    """The wordings without refusals of what an own tool does; of these no more are kept than training can need."""
    refusals = [w for w in wordings if w.plan.refused]
    some = random.Random(REFUSALS).sample(refusals, min(REFUSALS, len(refusals)))
    generator = Generator(wordings, about.tools, dictionary, 0)
    kept = [w for w in some if not taken_now(engine, about, generator.fill([w]).request)]
    return [w for w in wordings if not w.plan.refused] + kept


def recipe(out: Path, steps: int, seed: int = 0) -> Recipe:
    """What has proved right for a few examples: see docs/lab.md."""
    return Recipe(
        out=str(out), steps=steps, batch=24, seed=seed, encoder_lr=1.5e-5, decoder_lr=2e-4, warmup=10, floor=0.05,
        save_every=50, quantized=0.3,
    )  # fmt: skip


def _unseen(done: int, of: int) -> None:
    """Tell nobody."""


def finetune(
    about: Lesson, start: Path, out: Path, settings: Recipe, tell: Tell, measured: Measured = _unseen
) -> Outcome | None:
    """Train from the planner folder `start` and write a planner folder to `out`/planner; None when `tell` stopped it.

    What was stopped, by an error that `measured` raises too, goes on when it is called again with the same `out`.
    """
    before_file, engine = out / "before.json", PointerEngine(start)
    old_tools = old_cases(about, engine)
    if before_file.is_file():
        before = Scores(**json.loads(before_file.read_text()))
    else:
        before = score(engine, about, old_tools, measured)
        out.mkdir(parents=True, exist_ok=True)
        before_file.write_text(json.dumps(asdict(before)))
    model, _ = weights.load(start)
    for table in (model.encoder.word_embeddings, model.encoder.position_embeddings):
        table.freeze()
    words = open_dictionary(vocabulary(start))
    wordings = corpus.split(corpus.read_corpus()).train
    old = about.tools.subset([name for name in about.tools.names if name not in about.names])
    served = [w for w in wordings if all(step.tool in old for step in w.plan.steps)]
    others = Worlds(served, old, read_madeup(), words, settings.seed, REPLAY)
    worlds = OwnWorlds(about, _still_refused(wordings, engine, about, words), words, settings.seed, others)
    batches = Batches(worlds, WordTokenizer(start / "tokenizer.json"), settings.batch)
    unseen = engine.manifest.get("unseen", {})
    bonus = OwnBonus(about.names, unseen["floor"], engine.manifest.get("reluctance", 0.0)) if unseen else None
    if fit(model, settings, batches, tell, settings.steps, bonus) < settings.steps:
        return None
    outcome = _best_blend(model, about, start, out / "planner", settings, before, old_tools, measured)
    (out / "outcome.json").write_text(json.dumps({**asdict(outcome), "better": outcome.better}))
    return outcome


def _best_blend(
    tuned: PointerModel, about: Lesson, start: Path, folder: Path, settings: Recipe, before: Scores,
    old_tools: Sequence[Case], measured: Measured,
) -> Outcome:  # fmt: skip
    """Write the tuned weights; where the old tools lost too much, lie nearer to the old weights, as near as it takes."""
    arrays = weights.flat(tuned.parameters())
    for share in BLENDS:
        model, manifest = weights.load(start)
        old = weights.flat(model.parameters())
        model.load_weights([(name, old[name] + share * (array - old[name])) for name, array in arrays.items()])
        write(model, manifest, about, start, folder, settings, share)
        outcome = Outcome(before, score(PointerEngine(folder), about, old_tools, measured), share)
        if outcome.better:
            break
    return outcome


def forget(out: Path) -> None:
    """Throw away what a fine-tuning left in its folder."""
    if (out / "before.json").is_file():
        shutil.rmtree(out)


def write(
    model: PointerModel, manifest: dict, about: Lesson, start: Path, folder: Path, settings: Recipe, share: float = 1.0
) -> None:
    """Quantize and write; the manifest keeps what it said and adds what the weights were tuned on.

    The own tools are not among its `tools`: what speaks for a tool that the shipped training never saw goes on counting.
    """
    weights.quantize(model)
    tuned = {"toolbox": about.tools.fingerprint, "own_tools": list(about.names), "examples": len(about.shown)}
    tuned |= {"steps": settings.steps, "from": start.name, "share": share}
    tokenizer = (start / "tokenizer.json").read_text(encoding="utf-8")
    known = {"toolbox": about.tools.fingerprint, "tuned": tuned}
    weights.save(folder, model, tokenizer, {**manifest, **known}, quantized=True)
    mx.eval(model.parameters())


def score(engine: PointerEngine, about: Lesson, old: Sequence[Case], measured: Measured = _unseen) -> Scores:
    """Success on the held-back examples and on `old` cases of the shipped tools, with the whole toolbox."""
    tools = _showing(about)
    agent = Agent(tools, PointerPlanner(engine), PointerRetriever(engine), NoDesktop())
    held = [Case(f"held-{n}", e.request, (e.plan,), NOW, ()) for n, e in enumerate(about.held)]
    done = itertools.count(1)
    rows = evaluate(agent, [*held, *old], NOW, lambda row: measured(next(done), len(held) + len(old)))
    right = [row.dag for row in rows]
    return Scores(sum(right[: len(held)]) / len(held) if held else None, sum(right[len(held) :]) / len(old))


def old_cases(about: Lesson, engine: PointerEngine) -> list[Case]:
    """Requests that need shipped tools only, from the validation part of the corpus; always the same ones.

    What the planner `engine` carries out with an own tool, and the corpus refuses for want of one, is not among them.
    """
    wordings = corpus.split(corpus.read_corpus()).valid
    known = [w for w in wordings if all(step.tool in about.tools for step in w.plan.steps)]
    generator = Generator(known, about.tools, ["amber", "basil", "cedar", "delta", "ember", "fjord", "grove"], 5)
    rows = itertools.islice(generator.rows(), about.old_cases)
    kept = [row for row in rows if row.plan.steps or not taken_now(engine, about, row.request)]
    return [Case(f"old-{n}", row.request, (row.graded(about.tools),), NOW, ()) for n, row in enumerate(kept)]
