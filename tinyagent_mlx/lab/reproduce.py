"""The whole recipe in one command: base encoder, held-out cases, training, 4 bits, calibration, tables.

    make reproduce SCALE=tiny     # minutes: a small encoder from nothing, five tools; what CI runs
    make reproduce SCALE=small    # about an hour of four cores
    make reproduce SCALE=full     # what the shipped weights took, and better on a GPU

Each stage leaves its files in runs/SCALE and is not done again when they are there; training goes on from its checkpoint.
The run fails when the model does not reach the scale's floor on its own test split.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyagent_mlx import paths
from tinyagent_mlx.cases import read_cases
from tinyagent_mlx.errors import TinyAgentError
from tinyagent_mlx.evaluation import evaluate, summarize
from tinyagent_mlx.lab import base, calibrate, export, report, testset, train_planner
from tinyagent_mlx.lab.generate import open_dictionary, vocabulary
from tinyagent_mlx.lab.train_planner import Recipe
from tinyagent_mlx.pointing import PointerEngine
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import load_toolbox


@dataclass(frozen=True)
class Scale:
    """How large a run is. `floor` is the dag success that its test split must reach; `recipe` is what differs."""

    pretrained: bool
    recipe: dict[str, Any]
    cases: int
    floor: float


SCALES = {
    "tiny": Scale(
        False,
        {
            "steps": 600, "batch": 16, "layers": 2, "encoder_lr": 1e-3, "decoder_lr": 1e-3, "warmup": 50, "save_every": 300,
            "only": "send_sms,get_phone_number,maps_open_location,open_and_get_file_path,create_reminder", "madeup": False,
        },
        100,
        0.30,
    ),
    "small": Scale(True, {"steps": 1500}, 400, 0.65),
    "full": Scale(True, {"steps": 5400}, 1000, 0.80),
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One reproduction: its scale, its folder under runs/, the tools, and where its words go."""

    scale: Scale
    folder: Path
    tools: Toolbox
    base: Path
    recipe: Recipe
    say: Callable[[str], None]

    def stage(self, title: str, made: Path, make: Callable[[], object]) -> None:
        """Do a stage unless what it makes is there."""
        if made.exists():
            self.say(f"{title}: {made} is there")
            return
        self.say(title)
        make()

    def cases(self, part: str) -> Path:
        return self.folder / f"{part}.jsonl"

    def write_cases(self, part: str, seed: int) -> None:
        words = open_dictionary(vocabulary(self.base))
        wordings = train_planner.wordings(self.recipe, part)
        testset.write_cases(self.cases(part), self.tools, words, wordings, part, self.scale.cases, seed)

    def export(self, name: str, bits: int) -> None:
        export.export(
            self.recipe, Path(self.recipe.out), self.folder / name, bits, {"trained_with": "lab/reproduce.py"}
        )


def reproduce(run: Run) -> float:
    """Go through all stages; gives the dag success of the 4-bit planner on its own test split."""
    planner, half = run.folder / "planner", run.folder / "planner-16bit"
    run.stage("validation cases, from held-out wordings", run.cases("valid"), lambda: run.write_cases("valid", 2))
    run.stage("test cases, from others", run.cases("test"), lambda: run.write_cases("test", 1))
    if train_planner.reached(run.recipe) < run.recipe.steps:
        run.say(f"training: {run.recipe.steps} steps of {run.recipe.batch}")
        train_planner.train(run.recipe, run.tools, run.say)
    run.stage("4 bits", planner / "model.safetensors", lambda: run.export("planner", 4))
    run.stage("16 bits, to compare", half / "model.safetensors", lambda: run.export("planner-16bit", 16))
    run.say("calibration")
    calibrate.calibrate(planner, run.cases("valid"), run.tools)
    cases = read_cases(run.cases("test"))
    rows = evaluate(report.pointer_agent(PointerEngine(planner), run.tools), cases, report.NOW)
    scores = {key: value for key, value in summarize(rows).items() if key != "by_tag"}
    (run.folder / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    run.say(report.table(("figure", "value"), scores.items()))
    run.say(report.pointer_bits(planner, PointerEngine(half), cases, run.tools))
    return float(scores["dag_success"])


def plan_run(
    name: str, out: Path, tools_file: Path, base_folder: Path | None, seed: int, say: Callable[[str], None]
) -> Run:
    """Find or make the base encoder, and put a run together."""
    scale, folder = SCALES[name], out / name
    if base_folder is None:
        say("base encoder")
        base_folder = (
            base.fetch(folder / "base") if scale.pretrained else base.random_encoder(folder / "base", seed=seed)
        )
    settings: dict[str, Any] = {
        "base": str(base_folder), "out": str(folder / "checkpoint"), "tools": str(tools_file), "seed": seed,
    }  # fmt: skip
    recipe = Recipe(**settings | scale.recipe)
    tools = load_toolbox(tools_file)
    return Run(scale, folder, train_planner.tools_of(recipe, tools), base_folder, recipe, say)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=SCALES, default="tiny")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="where the run's folder goes (default: runs)")
    parser.add_argument("--base", type=Path, help="a Hugging Face BERT folder to start from")
    parser.add_argument("--tools", type=Path, default=paths.shipped("tools.yaml"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    def say(text: str) -> None:
        print(text, flush=True)

    try:
        run = plan_run(options.scale, options.out, options.tools, options.base, options.seed, say)
        reached = reproduce(run)
    except TinyAgentError as error:
        print(f"reproduce: {error}", file=sys.stderr)
        return error.exit_status
    if reached < run.scale.floor:
        print(f"reproduce: dag success {reached} is below the floor of {run.scale.floor}", file=sys.stderr)
        return 1
    say(f"dag success {reached}, floor {run.scale.floor}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
