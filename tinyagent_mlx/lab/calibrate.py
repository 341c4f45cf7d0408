"""Calibrate on the validation part of the split: threshold, confidence, refusals and unseen tools, in the manifest; and put what the
training part refuses beside the weights, so that they know what is near it.

    python -m tinyagent_mlx.lab.calibrate --model weights/planner --cases runs/valid.jsonl

The threshold is a quarter of the highest at which all needed tools of `--recall` of the cases are found. The confidence curve says how
often a plan was wholly right whose least probable decision had a given probability: isotonic regression (pool adjacent
violators: Ayer et al. 1955), so that more probable decisions never mean less confidence.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import numpy as np

from tinyagent_mlx import weights
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cases import Case, read_cases
from tinyagent_mlx.desktop.base import NoDesktop
from tinyagent_mlx.evaluation import evaluate
from tinyagent_mlx.lab import corpus
from tinyagent_mlx.lab.generate import Generator
from tinyagent_mlx.lab.madeup import HELD_BACK, read_madeup
from tinyagent_mlx.pointer import direction
from tinyagent_mlx.pointing import PointerEngine, PointerPlanner, PointerRetriever
from tinyagent_mlx.retriever import EveryTool
from tinyagent_mlx.toolbox import Example, Toolbox
from tinyagent_mlx.toolfile import load_toolbox

_LOWEST, _HIGHEST = 0.0005, 0.5
MARGIN = 4  # others word their requests otherwise than the validation cases
TOOLBOXES, REQUESTS_EACH = 60, 30  # with one to three strangers each, and old requests that are tried on each
OLD_REQUESTS = 600
RELUCTANCES = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
EXAMPLES = 8  # that each stranger has at most
# Of requests for shipped tools, and of refusals, may go to a new tool at most. A plan too many is shown and rejected; a tool of
# one's own that is never found is none.
FLIPPED, TEMPTED = 0.01, 0.15
FLOORS = tuple(half / 2 for half in range(-12, 33))  # in units of logits
ASK_BELOW = 0.5  # a plan that is more likely wrong than right is asked about, reads and all
NOW = datetime(2026, 11, 23, 9)
WORDS = ["amber", "basil", "cedar", "delta", "ember", "fjord", "grove"]


def weakest_needed(retriever: PointerRetriever, cases: list[Case], tools: Toolbox) -> list[float]:
    """For each case that needs tools, the score of the needed tool that is scored lowest, ascending."""
    out = []
    for case in cases:
        if not case.refusal:
            scores = retriever.scores(case.query, tools)
            out.append(min(scores[step.tool] for step in case.plans[0].steps))
    return sorted(out)


def threshold_for(weakest: list[float], recall: float) -> float:
    """The highest threshold, within bounds, that keeps the weakest needed tool of `recall` of the cases, with a margin."""
    missed = int(len(weakest) * (1 - recall))
    return round(min(_HIGHEST, max(_LOWEST, weakest[missed] / MARGIN)), 5)


def isotonic(scores: Sequence[float], right: Sequence[bool]) -> tuple[list[float], list[float]]:
    """The rising step function that fits best, as corners to draw lines between: scores, and the share that was right."""
    blocks: list[list[float]] = []  # sum of scores, sum of right ones, count
    for score, good in sorted(zip(scores, right, strict=True)):
        blocks.append([score, float(good), 1])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][2] >= blocks[-1][1] * blocks[-2][2]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    return [round(b[0] / b[2], 4) for b in blocks], [round(b[1] / b[2], 4) for b in blocks]


def confidence_curve(engine: PointerEngine, tools: Toolbox, cases: list[Case]) -> dict[str, Any]:
    """What the manifest holds under "confidence"."""
    agent = Agent(tools, PointerPlanner(engine, calibrated=False), EveryTool(), NoDesktop())
    rows = evaluate(agent, cases, NOW)
    least, right = isotonic([row.confidence or 0.0 for row in rows], [row.exact for row in rows])
    return {"least": least, "right": right, "ask_below": ASK_BELOW}


def refusal_vectors(engine: PointerEngine, tools: Toolbox, seed: int = 0) -> mx.array:
    """Unit vectors [N, e] of what the training part of the corpus refuses, each wording once."""
    refused = [w for w in corpus.split(corpus.read_corpus()).train if w.plan.refused]
    fill = Generator(refused, tools, WORDS, seed).fill
    return direction(mx.stack([engine.read(fill([wording]).request).vector for wording in refused]))


def unseen_floor(engine: PointerEngine, tools: Toolbox, seed: int = 0) -> dict[str, float]:
    """How much must speak for a tool that training never saw before it counts: what the manifest holds under "unseen".

    One to three made-up tools that no training saw stand among the shipped ones, in toolbox after toolbox; the floor is the
    lowest at which hardly an old request goes to one of them: `FLIPPED` of those that are served, `TEMPTED` of refusals.
    What a missing tool would be asked is left out: a stranger may well serve it.
    """
    rng = random.Random(seed)
    engine.manifest["tools"] = list(tools.names)
    valid = corpus.split(corpus.read_corpus()).valid
    wordings = [w for w in valid if not w.missing and all(step.tool in tools for step in w.plan.steps)]
    requests = [row.request for row in itertools.islice(Generator(wordings, tools, WORDS, seed).rows(), OLD_REQUESTS)]
    firsts: list[tuple[np.ndarray, np.ndarray]] = []
    for _ in range(TOOLBOXES):
        strange = with_strangers(tools, rng)
        firsts += [engine.first_decision(request, strange) for request in rng.sample(requests, REQUESTS_EACH)]
    return {"floor": floor_for(firsts, engine, len(tools))}


def with_strangers(tools: Toolbox, rng: random.Random) -> Toolbox:
    """The toolbox with one to three held-back made-up tools, each with up to `EXAMPLES` examples."""
    shown = []
    for made in rng.sample(read_madeup(HELD_BACK), rng.randint(1, 3)):
        full = Toolbox((*tools, made.declare(rng, made.name)), tools.rules)
        alone = [w for w in made.wordings if len(w.plan.steps) == 1]
        generator = Generator(alone, full, WORDS, rng.randrange(1 << 30))
        rows = [generator.fill([w]) for w in rng.sample(alone, min(rng.randint(0, EXAMPLES), len(alone)))]
        shown.append(replace(full[made.name], examples=tuple(Example(r.request, r.graded(full)) for r in rows)))
    return Toolbox((*tools, *shown), tools.rules)


def reluctance(engine: PointerEngine, tools: Toolbox, cases: list[Case]) -> float:
    """What is taken off a refusal's logit: the middle of what tells most cases rightly from refusals."""
    firsts = [(engine.first_decision(case.query, tools)[0], case.refusal) for case in cases]
    return middle_of_best(firsts)


def middle_of_best(firsts: Sequence[tuple[np.ndarray, bool]]) -> float:
    """The middle of the reluctances at which most first decisions (end first, then tools) refuse what is to be refused."""

    def right(off: float) -> int:
        return sum((logits[0] - off > logits[1:].max()) == refusal for logits, refusal in firsts)

    counts = {off: right(off) for off in RELUCTANCES}
    return float(np.mean([off for off, count in counts.items() if count == max(counts.values())]))


def floor_for(old: Sequence[tuple[np.ndarray, np.ndarray]], engine: PointerEngine, shipped: int) -> float:
    """The lowest floor at which few first decisions flip from one of the `shipped` tools, or a refusal, to a new tool."""
    refusals = [first for first in old if first[0].argmax() == 0]
    served = [first for first in old if 0 < first[0].argmax() <= shipped]
    for floor in FLOORS:
        engine.manifest["unseen"] = {"floor": floor}
        if _flipped(served, engine, shipped) <= FLIPPED and _flipped(refusals, engine, shipped) <= TEMPTED:
            return floor
    return FLOORS[-1]


def _flipped(firsts: Sequence[tuple[np.ndarray, np.ndarray]], engine: PointerEngine, shipped: int) -> float:
    """The share of first decisions, of the end and then each tool, that go to a tool after the shipped ones."""

    def flips(logits: np.ndarray, bonus: np.ndarray) -> bool:
        return int((logits + np.concatenate([[-bonus.max()], bonus])).argmax()) > shipped

    return float(np.mean([flips(logits, engine.bonus(evidence)) for logits, evidence in firsts])) if firsts else 0.0


def calibrate(folder: Path, file: Path, tools: Toolbox, recall: float = 0.998) -> dict[str, Any]:
    """Measure on the cases of `file` and write threshold and confidence curve into the planner's manifest."""
    weights.save_refusals(folder, refusal_vectors(PointerEngine(folder), tools))
    engine, cases = PointerEngine(folder), read_cases(file)
    found = {
        "threshold": threshold_for(weakest_needed(PointerRetriever(engine), cases, tools), recall),
        "confidence": confidence_curve(engine, tools, cases),
        "reluctance": reluctance(engine, tools, cases),
        "unseen": unseen_floor(engine, tools),
    }
    manifest = json.loads((folder / "manifest.json").read_text())
    weights.save_manifest(folder, {**manifest, **found})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--tools", type=Path, default=Path("tools.yaml"))
    parser.add_argument("--recall", type=float, default=0.998)
    options = parser.parse_args()
    print(json.dumps(calibrate(options.model, options.cases, load_toolbox(options.tools), options.recall)))


if __name__ == "__main__":
    main()
