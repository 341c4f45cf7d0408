"""Fine-tune the default planner on a user's own tools: from the examples in their tools.yaml, on their machine.

Two of four pools of batches ask for own tools: the examples as wordings with slots, said in other ways and other words
(`ways`, `rephrase`), alone, joined with the corpus's, and passing results to shipped tools and back (`chains`). What is asked
for is seldom shown as an example at the same time: a request to come will be none either. In the third pool the own tools are at
hand and made-up ones are asked for, so that the network goes on reading what a toolbox says of its tools; in the fourth only
shipped ones are. Refusals that an own tool takes care of now are left out, of training and of measuring.

The weights before are kept beside the tuned ones, and answer wherever these expect no own tool (`PointerEngine.answering`), plan
none or are not sure enough of it against them (`PointerPlanner.rivals`): so the old tools lose little. They may call an own tool
only where the tuned ones are nearly sure of one (`PointerEngine.offered`). Before and after are measured on examples held back,
which join for the second half of the steps once they have been measured, and on held-back wordings of the shipped tools. These
decide which share of probability a plan of the tuned weights must have to count; the result is installed only if it is better and
the old tools lost no more than a point. What was learnt is kept in 16 bits: rounding to 4 takes some of it back. This module knows
nothing of screens.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import re
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import numpy as np

from tinyagent_mlx import weights
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cases import Case, same_graph
from tinyagent_mlx.deciding import LATER, At
from tinyagent_mlx.decisions import SPECIALS, TOOL, Layout
from tinyagent_mlx.desktop.base import NoDesktop
from tinyagent_mlx.encoder import WordTokenizer
from tinyagent_mlx.evaluation import Row, evaluate
from tinyagent_mlx.lab import corpus
from tinyagent_mlx.lab.batches import POOL, Batches, Targets
from tinyagent_mlx.lab.corpus import Wording
from tinyagent_mlx.lab.generate import Generator, open_dictionary, vocabulary
from tinyagent_mlx.lab.madeup import MadeUpTool, Worlds, families, read_madeup
from tinyagent_mlx.lab.ownworlds import Lesson, OwnWorlds, everything, paraphraser
from tinyagent_mlx.lab.train_planner import MIX, Recipe, Tell, fit
from tinyagent_mlx.plan import Plan, print_plan
from tinyagent_mlx.pointer import PointerModel, direction
from tinyagent_mlx.pointing import (
    BEFORE,
    MOST,
    NEARNESS,
    STEEPNESS,
    PointerEngine,
    PointerPlanner,
    PointerRetriever,
)
from tinyagent_mlx.schema import encode_asks
from tinyagent_mlx.toolbox import Toolbox

JOINING = 0.45  # of the steps are made without the held-back examples; then these have been measured, and join
MOST_LOST = 1  # point of the old tools' success, to the nearest: one of 200 requests more or less is chance
# What speaks for an own tool (`PointerEngine.evidence`): the floor, and the weight of refusals that are near; with the weights that come
# of it, whose training knows nothing of those refusals, and where it is asked whether one may serve what the corpus refuses.
TUNED = {"floor": -2.0, "refusing": 12.0}
OPEN = {"floor": -0.5, "refusing": 0.0}
# Which share of probability a tuned plan that counts must have beside the weights before, the boldest first: the old tools decide.
# None counts that is less than half as likely, more or less: 200 requests do not show every loss.
SHARES = tuple(step / 20 for step in range(6, 20))
FROZEN = 2  # layers of the encoder, from below
NOW = datetime(2026, 11, 23, 9)
REFUSALS = 300  # wordings at most that are refused beside own tools
DOUBT = 3.0  # a refusal for want of a tool is none where so much more would speak for an own one
STRANGE = 160  # made-up tools, of which those are asked for that are unlike the own ones
LURES, LURES_OF = 60, 600  # wordings that sound like the own tools, and of how many they are the nearest
Measured = Callable[[int, int], None]  # called after each request that is measured, of so many


@dataclass(frozen=True)
class Scores:
    """Dag success, from 0 to 1: `own` on held-back examples (None without any), `old` on shipped tools' requests."""

    own: float | None
    old: float


@dataclass(frozen=True)
class Outcome:
    """A fine-tuning's end. `better`: the own tools gained, and the old ones lost no more than a point.

    Where a plan of the tuned weights has at least this `share` of probability beside the weights before, it counts.
    """

    before: Scores
    after: Scores
    share: float = SHARES[0]

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


class UnseenBonus:
    """What the planner adds for tools that the shipped training never saw, as `PointerEngine.bonus` and its decoding do, so that
    training goes on from there.

    `known` are the tools that it saw; `floor` and `reluctance` are the manifest's. No gradient goes through it.
    """

    def __init__(self, known: Collection[str], floor: float, reluctance: float):
        self.known, self.floor, self.reluctance = known, floor, reluctance
        self._vectors, self._owned, self._constants = mx.zeros((0, 0)), np.zeros((0, 0), bool), 0

    def look(self, model: PointerModel, tokenizer: WordTokenizer, layout: Layout) -> None:
        """Encode how these tools are asked for: vectors [N, e], and which tool owns each [T, N]."""
        asks = encode_asks(model, tokenizer, layout, [name for name in layout.tools.names if name not in self.known])
        self._vectors = asks.vectors
        self._owned = np.arange(len(layout.tools))[:, None] == asks.owners[None]
        self._constants = layout.steps_at - SPECIALS - len(layout.tools)

    def of(self, states: mx.array, valid: mx.array, needed: mx.array) -> mx.array:
        """The bonus of each tool [B, T], 0 for the others."""
        if not self._owned.size:
            return mx.zeros_like(needed)
        mean = (states * valid[..., None]).sum(axis=1)
        near = direction(mean) @ self._vectors.T
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
        later = (called & self._owned.any(axis=1)).any(axis=-1, keepdims=True)
        left = mx.array(np.where(asked[..., None] & ~called, np.where(later, LATER, 1.0), 0.0).astype(np.float32))
        due = bonus[:, None] * left
        first = mx.array(asked & (targets.number == 1))
        end = mx.where(first, -(self.reluctance + bonus.max(axis=-1, keepdims=True)), 0.0)[..., None]
        others = mx.zeros((rows, decisions, SPECIALS - 1))
        return mx.concatenate([end, others, due, mx.zeros((rows, decisions, self._constants))], axis=-1)


def own_tool_may_serve(
    engine: PointerEngine, about: Lesson, request: str, missing: bool = False, doubt: float = 0.0
) -> bool:
    """Whether the planner, as it is, begins the plan of a request with an own tool; of what waits for a `missing` tool,
    whether anything speaks for an own one, or would with a floor lower by `doubt`."""
    tools = about.showing
    logits, evidence = engine.first_decision(request, tools)
    if missing and engine.bonus(evidence + doubt).max() > 0:
        return True
    bonus = engine.bonus(evidence)
    mine = [name in about.names for name in tools.names]
    refusing = logits[0] - bonus.max() - float(engine.manifest.get("reluctance", 0.0))
    return bool((logits[1:] + bonus)[mine].max() > max(refusing, (logits[1:] + bonus)[~np.array(mine)].max()))


def _still_refused(
    wordings: Sequence[Wording], engine: PointerEngine, about: Lesson, dictionary: list[str]
) -> list[Wording]:
    """The wordings without refusals of what an own tool may do, which would teach the network to refuse what sounds like the
    own tools; of the others no more are kept than training can need."""
    refusals = [w for w in wordings if w.plan.refused]
    some = random.Random(REFUSALS).sample(refusals, min(REFUSALS, len(refusals)))
    return [w for w in wordings if not w.plan.refused] + _refused(some, engine, about, dictionary, DOUBT)


def _refused(
    refusals: Sequence[Wording], engine: PointerEngine, about: Lesson, dictionary: list[str], doubt: float = 0.0
) -> list[Wording]:
    """Those that are refusals beside the own tools too."""
    fill = Generator(refusals, about.tools, dictionary, 0).fill
    return [w for w in refusals if not own_tool_may_serve(engine, about, fill([w]).request, w.missing, doubt)]


def lures(wordings: Sequence[Wording], engine: PointerEngine, about: Lesson, dictionary: list[str]) -> list[Wording]:
    """Of the shipped tools' wordings, those that sound most like the own tools."""
    tools = about.showing
    generator = Generator(wordings, about.tools, dictionary, 0)
    some = generator.rng.sample(generator.singles, min(LURES_OF, len(generator.singles)))

    def near(wording: Wording) -> float:
        read = engine.read(generator.fill([wording]).request)
        return float(engine.evidence(read, engine.compile(tools))[1].max())

    return sorted(some, key=near, reverse=True)[:LURES]


def unlike_own(madeup: Sequence[MadeUpTool], engine: PointerEngine, about: Lesson) -> list[MadeUpTool]:
    """Some made-up tools, whole families, for whose first request the planner, as it is, would not call an own tool."""
    every = [*families(madeup).values()]
    shuffled = random.Random(STRANGE).sample(every, len(every))
    return [
        tool
        for tool in [*itertools.chain.from_iterable(shuffled)][:STRANGE]
        if tool.name not in about.tools
        and not own_tool_may_serve(engine, about, re.sub(r"[{}]", "", tool.wordings[0].text))
    ]


def recipe(out: Path, steps: int, seed: int = 0) -> Recipe:
    """What has proved right for a few examples: see docs/lab.md."""
    return Recipe(
        out=str(out), steps=steps, batch=24, seed=seed, encoder_lr=3.3e-5, decoder_lr=4.5e-4, warmup=10, floor=0.05,
        save_every=50, quantized=0.3,
    )  # fmt: skip


def _unseen(done: int, of: int) -> None:
    """Tell nobody."""


def finetune(
    about: Lesson, start: Path, out: Path, settings: Recipe, tell: Tell, measured: Measured = _unseen
) -> Outcome | None:
    """Tune the weights that `start` was made from and write a planner folder to `out`/planner; None when `tell` stopped it.

    The held-back examples are measured after most of the steps, and are learnt from in the rest. What was stopped, by an
    error that `measured` raises too, goes on when it is called again with the same `out`.
    """
    root, parts = root_of(start), corpus.split(corpus.read_corpus())
    engine = _open_to_all(root)
    pieces = vocabulary(root)
    dictionary = open_dictionary(pieces)
    old = old_cases(parts.valid, about, engine, dictionary)
    before = _before(about, start, old, out, measured)
    model, manifest = weights.load(root)
    freeze(model)
    bonus = (
        UnseenBonus(manifest["tools"], TUNED["floor"], manifest.get("reluctance", 0.0))
        if "unseen" in manifest
        else None
    )
    drawn = _Drawn(parts.train, engine, about, pieces, dictionary, settings)
    joining = joins(about, settings.steps)
    if fit(model, settings, drawn.batches(about), tell, joining, bonus) < joining:
        return None
    held = _held(model, about, root, out, settings)
    if fit(model, settings, drawn.batches(everything(about)), tell, settings.steps, bonus) < settings.steps:
        return None
    write(model, about, root, out / "planner", settings)
    tuned = PointerEngine(out / "planner")
    outcome = _boldest(before, held, _judged(tuned, about.tools, old, measured))
    tuned.manifest["tuned"]["share"] = outcome.share
    weights.save_manifest(out / "planner", tuned.manifest)
    (out / "outcome.json").write_text(json.dumps({**asdict(outcome), "better": outcome.better}))
    return outcome


def _open_to_all(root: Path) -> PointerEngine:
    """The planner without what it knows of refusals: these are the corpus's, and to be near them says nothing of whether an own tool
    may serve what the corpus refuses."""
    engine = PointerEngine(root)
    if "unseen" in engine.manifest:
        engine.manifest["unseen"] = OPEN
    return engine


def freeze(model: PointerModel) -> None:
    """Words and the lowest layers stay what they are: a dozen examples have nothing to teach them, and a step is quicker."""
    encoder = model.encoder
    below = (encoder.word_embeddings, encoder.position_embeddings, encoder.shape_embeddings, encoder.embedding_norm)
    for part in (*below, *encoder.layers[:FROZEN]):
        part.freeze()


def joins(about: Lesson, steps: int) -> int:
    """The step from which on the held-back examples are learnt from too: a whole number of pools, `steps` where none is held."""
    return int(steps * JOINING) // POOL * POOL or steps if about.held else steps


class _Drawn:
    """What a fine-tuning draws its batches from, whatever examples are held back."""

    def __init__(
        self, wordings: Sequence[Wording], engine: PointerEngine, about: Lesson, pieces: list[str],
        dictionary: list[str], settings: Recipe,
    ):  # fmt: skip
        self._engine, self._pieces, self._dictionary, self._settings = engine, pieces, dictionary, settings
        self._wordings = _still_refused(wordings, engine, about, dictionary)
        self._lures = lures(self._wordings, engine, about, dictionary)
        strange = unlike_own(read_madeup(), engine, about)
        self._strange = Worlds(self._wordings, about.showing, strange, dictionary, settings.seed, MIX, plain=0.0)

    def batches(self, about: Lesson) -> Batches:
        other = paraphraser(self._engine.model, self._pieces, about)
        worlds = OwnWorlds(
            about, self._wordings, self._dictionary, self._settings.seed, other, self._lures, self._strange
        )
        return Batches(worlds, self._engine.tokenizer, self._settings.batch)


def _before(about: Lesson, start: Path, old: Sequence[Case], out: Path, measured: Measured) -> Scores:
    """How the planner in use does on requests for shipped tools; on the examples that are held back the weights that it was made
    from do, since it has learnt these itself where it is a fine-tuned one."""
    file = out / "before.json"
    if not file.is_file():
        in_use = PointerEngine(start)
        own = _right(in_use.before or in_use, about.showing, _held_cases(about))
        known = _right(in_use, about.tools, old, measured)
        out.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"own": _share(own), "old": _share(known)}))
    found = json.loads(file.read_text())
    return Scores(found["own"], found["old"] or 0.0)


@dataclass(frozen=True)
class Judged:
    """A plan of tuned weights with an own tool: its `share` of probability (`Rivals`), and whether it is right. Below 0 there is
    none, or nobody asked them. `otherwise` says whether what the weights before plan instead is right."""

    share: float
    right: bool
    otherwise: bool


def _judged(engine: PointerEngine, tools: Toolbox, cases: Sequence[Case], measured: Measured = _unseen) -> list[Judged]:
    """What tuned weights and those before plan right beside each other, whatever share a plan must have."""
    planner, retriever, found = PointerPlanner(engine), PointerRetriever(engine), []
    for done, case in enumerate(cases, start=1):
        rivals = planner.rivals(case.query, tools, retriever.retrieve(case.query, tools))
        own, otherwise = (_graph_is_right(at, case) for at in (rivals.own, rivals.before))
        found.append(Judged(rivals.share, own, otherwise))
        measured(done, len(cases))
    return found


def _graph_is_right(at: At | None, case: Case) -> bool:
    return at is not None and any(same_graph(Plan(tuple(at.cursor.steps)), right) for right in case.plans)


def _held(tuned: PointerModel, about: Lesson, root: Path, out: Path, settings: Recipe) -> list[Judged]:
    """The held-back examples before they join."""
    file, folder = out / "held_back.json", out / "planner"
    if not file.is_file():
        write(tuned, about, root, folder, settings)
        found = _judged(PointerEngine(folder), about.showing, _held_cases(about))
        file.write_text(json.dumps([asdict(each) for each in found]))
    found = json.loads(file.read_text())  # an older version's says less, and nothing of it counts
    return [Judged(**each) for each in found if "otherwise" in each]


def _boldest(before: Scores, held: Sequence[Judged], old: Sequence[Judged]) -> Outcome:
    """The boldest outcome that is better, or the least bold one."""
    for share in SHARES:
        outcome = Outcome(before, Scores(_success(held, share), _success(old, share) or 0.0), share)
        if outcome.better:
            break
    return outcome


def _success(judged: Sequence[Judged], share: float) -> float | None:
    """What is planned right where plans of the tuned weights count that have such a share, and those before answer elsewhere."""
    return _share([each.right if each.share >= share else each.otherwise for each in judged])


def root_of(start: Path) -> Path:
    """The weights that a planner was made from: its own, where nobody tuned it."""
    before = start / BEFORE
    return before if before.is_dir() else start


def folder_of(home: Path, about: Lesson, start: Path, steps: int, seed: int) -> Path:
    """Where a fine-tuning lies while it is under way. Another toolbox, other examples, steps, seed, weights to begin with or a planner
    in use that it is measured against are another one: its checkpoint and what it measured would say nothing of this one."""
    facts = [steps, seed, *(f"{e.request}\n{print_plan(e.plan)}" for e in (*about.shown, *about.held))]
    told = json.dumps(facts).encode() + b"".join((p / "manifest.json").read_bytes() for p in (root_of(start), start))
    return home / "finetune" / f"{about.tools.fingerprint}-{hashlib.sha256(told).hexdigest()[:8]}"


def forget(out: Path) -> None:
    """Throw away what a fine-tuning left in its folder."""
    if (out / "before.json").is_file():
        shutil.rmtree(out)


def write(tuned: PointerModel, about: Lesson, root: Path, folder: Path, settings: Recipe) -> None:
    """Write in 16 bits, with the weights before beside them, which answer where no own tool is asked for.

    The own tools are not among the manifest's `tools`: what speaks for a tool that the shipped training never saw goes on
    counting.
    """
    model, manifest = weights.load(root)
    model.load_weights(list(weights.flat(tuned.parameters()).items()))
    known = {"toolbox": about.tools.fingerprint, "own_tools": list(about.names), "examples": len(about.shown)}
    manifest |= {"toolbox": about.tools.fingerprint, "tuned": {**known, "steps": settings.steps}}
    if "unseen" in manifest:
        manifest["unseen"] = TUNED
    weights.save(folder, model, (root / "tokenizer.json").read_text(encoding="utf-8"), manifest, quantized=False)
    weights.copy(root, folder / BEFORE)


def _held_cases(about: Lesson) -> list[Case]:
    return [Case(f"held-{n}", e.request, (e.plan,), NOW, ()) for n, e in enumerate(about.held)]


def _right(engine: PointerEngine, tools: Toolbox, cases: Sequence[Case], measured: Measured = _unseen) -> list[bool]:
    """Which cases are planned right, by dag."""
    return [row.dag for row in _rows(engine, PointerPlanner(engine), tools, cases, measured)]


def _rows(
    engine: PointerEngine, planner: PointerPlanner, tools: Toolbox, cases: Sequence[Case], measured: Measured
) -> list[Row]:
    agent = Agent(tools, planner, PointerRetriever(engine), NoDesktop())
    done = itertools.count(1)
    return evaluate(agent, cases, NOW, lambda row: measured(next(done), len(cases)))


def _share(right: Sequence[bool]) -> float | None:
    return sum(right) / len(right) if right else None


def old_cases(valid: Sequence[Wording], about: Lesson, engine: PointerEngine, dictionary: list[str]) -> list[Case]:
    """Requests that need shipped tools only, from wordings of the corpus; always the same ones.

    What the corpus refuses for want of a tool and an own one may serve, as the planner `engine` sees it, is not among them.
    """
    known = [w for w in valid if w.plan.steps and all(step.tool in about.tools for step in w.plan.steps)]
    known += _refused([w for w in valid if w.plan.refused], engine, about, dictionary)
    rows = itertools.islice(Generator(known, about.tools, dictionary, 5).rows(), about.old_cases)
    kept = [row for row in rows if row.plan.steps or not own_tool_may_serve(engine, about, row.request)]
    return [Case(f"old-{n}", row.request, (row.graded(about.tools),), NOW, ()) for n, row in enumerate(kept)]
