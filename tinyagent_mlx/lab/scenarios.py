"""Measure tools that the weights never saw: scenarios of somebody's own tools, without examples in YAML and with them.

    python -m tinyagent_mlx.lab.scenarios --folder tests/scenarios
    python -m tinyagent_mlx.lab.scenarios --finetune runs/scenarios --only music,timers

With `--finetune` each is fine-tuned on its examples as `tinyagent finetune` does it, and measured before and after. What is in
that folder already is not made again. A scenario is a folder with tools.yaml (its own tools), teach.jsonl and test.jsonl, whose cases are tagged "new" where they
need an own tool and "shipped" where they don't.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tinyagent_mlx import paths
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cases import Case, read_cases
from tinyagent_mlx.desktop.base import NoDesktop
from tinyagent_mlx.evaluation import Row, evaluate
from tinyagent_mlx.lab import finetune, ownworlds
from tinyagent_mlx.lab.recipes import FINETUNE_STEPS
from tinyagent_mlx.lab.train_planner import Progress
from tinyagent_mlx.pointing import PointerEngine, PointerPlanner, PointerRetriever
from tinyagent_mlx.toolbox import Example, Toolbox
from tinyagent_mlx.toolfile import load_toolbox

EXAMPLES = 12
NOW = datetime(2026, 11, 23, 9)


@dataclass(frozen=True)
class Scenario:
    name: str
    own: Toolbox
    teach: list[Case]
    test: list[Case]

    def tools(self, shipped: Toolbox, examples: int) -> Toolbox:
        """The shipped tools and its own, these with the first `examples` teaching requests under them."""
        shown = self.teach[:examples]
        own = tuple(
            replace(
                tool,
                examples=tuple(
                    Example(case.query, case.plans[0])
                    for case in shown
                    if any(step.tool == tool.name for step in case.plans[0].steps)
                ),
            )
            for tool in self.own
        )
        return Toolbox((*shipped.tools, *own), shipped.rules)


def read_scenarios(folder: Path) -> list[Scenario]:
    """Every scenario below a folder, by name."""
    return [
        Scenario(
            place.name, load_toolbox(place / "tools.yaml"), read_cases(place / "teach.jsonl"), read_cases(place / "test.jsonl")
        )
        for place in sorted(folder.iterdir())
        if (place / "tools.yaml").is_file()
    ]  # fmt: skip


def measure(engine: PointerEngine, scenario: Scenario, shipped: Toolbox, examples: int) -> list[Row]:
    """Plan a scenario's tests."""
    agent = Agent(scenario.tools(shipped, examples), PointerPlanner(engine), PointerRetriever(engine), NoDesktop())
    return evaluate(agent, scenario.test, NOW)


def share(rows: Iterable[Row], tag: str, figure: str = "dag") -> float:
    """Dag or exact success of the rows of a tag; a row counts as recalled when all its tools were retrieved."""
    return statistics.fmean(float(bool(getattr(row, figure))) for row in rows if tag in row.tags)


def _line(title: str, cells: Sequence[float]) -> str:
    return f"{title:<12}" + "".join(f"{cell:>10.3f}" for cell in cells)


def _head(titles: Iterable[str]) -> str:
    return f"{'scenario':<12}" + "".join(f"{title:>10}" for title in titles)


def tune(scenario: Scenario, start: Path, shipped: Toolbox, out: Path, steps: int) -> dict[str, Any]:
    """Fine-tune on a scenario's examples and measure its tests; goes on from what lies in `out`.

    Gives shares of right plans as pairs (before, after), the share of probability that plans of the tuned weights must have, whether they would be
    installed, and seconds.
    """
    began, file = time.monotonic(), out / "scenario.json"
    if file.is_file():
        return dict(json.loads(file.read_text()))
    about = ownworlds.lesson(scenario.tools(shipped, EXAMPLES), shipped)

    def tell(progress: Progress) -> None:
        if progress.step % 20 == 0:
            print(f"{scenario.name:<12}{progress}", flush=True)

    outcome = finetune.finetune(about, start, out, finetune.recipe(out, steps), tell)
    assert outcome is not None  # nobody stops it
    seconds = time.monotonic() - began
    both = [measure(PointerEngine(folder), scenario, shipped, EXAMPLES) for folder in (start, out / "planner")]
    found = {
        "new": [share(rows, "new") for rows in both], "exact": [share(rows, "new", "exact") for rows in both],
        "shipped": [share(rows, "shipped") for rows in both], "held": [outcome.before.own, outcome.after.own],
        "old": [outcome.before.old, outcome.after.old], "share": outcome.share, "installed": outcome.better,
        "seconds": seconds, "rows": [asdict(row) for row in both[1]],
    }  # fmt: skip
    file.write_text(json.dumps(found, default=str))
    return found


def _tuning(scenarios: Iterable[Scenario], start: Path, shipped: Toolbox, out: Path, steps: int) -> None:
    titles = ("new", "exact", "shipped", "old")
    heads = [*(f"{head} {when}" for head in titles for when in ("-", "+")), "share", "seconds"]
    table = []
    for scenario in scenarios:
        found = tune(scenario, start, shipped, out / scenario.name, steps)
        table.append([*(value for title in titles for value in found[title]), found["share"], found["seconds"]])
        note = "" if found["installed"] else "  (not installed)"
        print("\n".join([_head(heads), _line(scenario.name, table[-1]) + note]), flush=True)
    print(_line("mean", [statistics.fmean(column) for column in zip(*table, strict=True)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("tests/scenarios"))
    parser.add_argument("--model", type=Path, default=paths.shipped("weights") / "planner")
    parser.add_argument("--only", default="", help="names of scenarios, with commas")
    parser.add_argument("--rows", type=Path, help="write a line a case")
    parser.add_argument("--finetune", type=Path, metavar="FOLDER", help="fine-tune each in this folder")
    parser.add_argument("--steps", type=int, default=FINETUNE_STEPS, help="of fine-tuning")
    options = parser.parse_args()
    shipped, engine = load_toolbox(paths.shipped("tools.yaml")), PointerEngine(options.model)
    wanted = options.only.split(",")
    scenarios = [s for s in read_scenarios(options.folder) if not options.only or s.name in wanted]
    if options.finetune:
        _tuning(scenarios, options.model, shipped, options.finetune, options.steps)
        return
    print(_head(("new 0", "new 12", "exact 12", "rec 12", "shipped")))
    table, lines = [], []
    for scenario in scenarios:
        none, some = (measure(engine, scenario, shipped, examples) for examples in (0, EXAMPLES))
        table.append([
            share(none, "new"), share(some, "new"), share(some, "new", "exact"), share(some, "new", "recalled"),
            share(some, "shipped"),
        ])  # fmt: skip
        print(_line(scenario.name, table[-1]), flush=True)
        for examples, rows in ((0, none), (EXAMPLES, some)):
            lines += [
                {"scenario": scenario.name, "examples": examples, "id": r.id, "plan": r.plan, "dag": r.dag}
                for r in rows
            ]
    print(_line("mean", [statistics.fmean(column) for column in zip(*table, strict=True)]))
    if options.rows:
        options.rows.write_text(
            "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
