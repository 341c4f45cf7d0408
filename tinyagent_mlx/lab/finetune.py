"""Fine-tune the default planner on a user's own tools: from the examples in their tools.yaml, on their machine.

Half of each batch asks for own tools (the examples as wordings with slots, alone and joined with the corpus's), the rest
replays the shipped data and its refusals. Before and after are measured on examples that training never sees and on
held-back wordings of the shipped tools. Where the old tools lost, weights between the old and the tuned ones are tried; the
result is installed only if it is better and the old tools lost no more than a point. This module knows nothing of screens.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx

from tinyagent_mlx import weights
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cases import Case
from tinyagent_mlx.desktop.base import NoDesktop
from tinyagent_mlx.encoder import WordTokenizer
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.evaluation import evaluate
from tinyagent_mlx.lab import corpus, own
from tinyagent_mlx.lab.batches import Batches
from tinyagent_mlx.lab.corpus import Wording
from tinyagent_mlx.lab.generate import Generator, Mix, open_dictionary, vocabulary
from tinyagent_mlx.lab.madeup import World
from tinyagent_mlx.lab.train_planner import Recipe, Tell, fit
from tinyagent_mlx.pointer import PointerModel
from tinyagent_mlx.pointing import PointerEngine, PointerPlanner, PointerRetriever
from tinyagent_mlx.toolbox import Example, Toolbox

HELD = 4  # every fourth example is held back, where there are at least twice as many
OLD_CASES = 120  # requests for shipped tools, from held-back wordings
MOST_LOST = 0.01  # of the old tools' success
BLENDS = (
    1.0,
    0.7,
    0.45,
    0.25,
)  # of the way from the old weights to the tuned ones (Wortsman et al. 2022, arXiv:2109.01903)
NOW = datetime(2026, 11, 23, 9)
Measured = Callable[[int, int], None]  # called after each request that is measured, of so many
MIX = Mix(refusals=0.15, singles=0.35, multiples=0.15, composed=0.35, asked=0.7)


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
        return self.before.old - self.after.old <= MOST_LOST + 1e-9

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
    """Worlds of one toolbox, as `Batches` draws them: the user's requests mixed with the shipped corpus."""

    def __init__(self, about: Lesson, wordings: Sequence[Wording], dictionary: list[str], seed: int):
        self.about, self.wordings, self.dictionary, self.seed = about, wordings, dictionary, seed

    @cached_property
    def _world(self) -> World:
        about = self.about
        asked = list(own.wordings(about.shown, about.tools))
        served = [w for w in self.wordings if all(step.tool in about.tools for step in w.plan.steps)]
        generator = Generator(served, about.tools, self.dictionary, self.seed, MIX, asked=asked)
        return World(_showing(about), generator)

    def draw(self, number: int, rank: int = 0) -> World:
        world = self._world
        world.generator.rng.seed(f"{self.seed}/own/{number}/{rank}")
        return world


def _showing(about: Lesson) -> Toolbox:
    """The toolbox without the examples that are held back."""
    hidden = set(about.held)
    tools = (replace(tool, examples=tuple(e for e in tool.examples if e not in hidden)) for tool in about.tools)
    return Toolbox(tuple(tools), about.tools.rules)


def recipe(out: Path, steps: int, seed: int = 0) -> Recipe:
    """What has proved right for a few examples: see docs/lab.md."""
    return Recipe(
        out=str(out), steps=steps, batch=24, seed=seed, encoder_lr=3e-5, decoder_lr=3e-4, warmup=10, floor=0.05,
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
    before_file = out / "before.json"
    if before_file.is_file():
        before = Scores(**json.loads(before_file.read_text()))
    else:
        before = score(PointerEngine(start), about, measured)
        out.mkdir(parents=True, exist_ok=True)
        before_file.write_text(json.dumps(asdict(before)))
    model, _ = weights.load(start)
    for table in (model.encoder.word_embeddings, model.encoder.position_embeddings):
        table.freeze()
    worlds = OwnWorlds(
        about, corpus.split(corpus.read_corpus()).train, open_dictionary(vocabulary(start)), settings.seed
    )
    batches = Batches(worlds, WordTokenizer(start / "tokenizer.json"), settings.batch)
    if fit(model, settings, batches, tell, settings.steps) < settings.steps:
        return None
    outcome = _best_blend(model, about, start, out / "planner", settings, before, measured)
    (out / "outcome.json").write_text(json.dumps({**asdict(outcome), "better": outcome.better}))
    return outcome


def _best_blend(
    tuned: PointerModel, about: Lesson, start: Path, folder: Path, settings: Recipe, before: Scores, measured: Measured
) -> Outcome:
    """Write the tuned weights; where the old tools lost too much, lie nearer to the old weights, as near as it takes."""
    arrays = weights.flat(tuned.parameters())
    for share in BLENDS:
        model, manifest = weights.load(start)
        old = weights.flat(model.parameters())
        model.load_weights([(name, old[name] + share * (array - old[name])) for name, array in arrays.items()])
        write(model, manifest, about, start, folder, settings, share)
        outcome = Outcome(before, score(PointerEngine(folder), about, measured), share)
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
    """Quantize and write; the manifest keeps what it said and adds what the weights were tuned on."""
    weights.quantize(model)
    tuned = {"toolbox": about.tools.fingerprint, "own_tools": list(about.names), "examples": len(about.shown)}
    tuned |= {"steps": settings.steps, "from": start.name, "share": share}
    tokenizer = (start / "tokenizer.json").read_text(encoding="utf-8")
    known = {"toolbox": about.tools.fingerprint, "tools": list(about.tools.names), "tuned": tuned}
    weights.save(folder, model, tokenizer, {**manifest, **known}, quantized=True)
    mx.eval(model.parameters())


def score(engine: PointerEngine, about: Lesson, measured: Measured = _unseen) -> Scores:
    """Success on the held-back examples and on held-back wordings of the shipped tools, with the whole toolbox."""
    tools = _showing(about)
    agent = Agent(tools, PointerPlanner(engine), PointerRetriever(engine), NoDesktop())
    held = [Case(f"held-{n}", e.request, (e.plan,), NOW, ()) for n, e in enumerate(about.held)]
    old = old_cases(about)
    done = itertools.count(1)
    rows = evaluate(agent, [*held, *old], NOW, lambda row: measured(next(done), len(held) + len(old)))
    right = [row.dag for row in rows]
    return Scores(sum(right[: len(held)]) / len(held) if held else None, sum(right[len(held) :]) / len(old))


def old_cases(about: Lesson) -> list[Case]:
    """Requests that need shipped tools only, from the validation part of the corpus; always the same ones."""
    wordings = corpus.split(corpus.read_corpus()).valid
    known = [w for w in wordings if all(step.tool in about.tools for step in w.plan.steps)]
    generator = Generator(known, about.tools, ["amber", "basil", "cedar", "delta", "ember", "fjord", "grove"], 5)
    rows = itertools.islice(generator.rows(), about.old_cases)
    return [Case(f"old-{n}", row.request, (row.graded(about.tools),), NOW, ()) for n, row in enumerate(rows)]
