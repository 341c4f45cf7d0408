"""Measure tools that the weights never saw: scenarios of somebody's own tools, without examples in YAML and with them.

    python -m tinyagent_mlx.lab.scenarios --folder tests/scenarios

A scenario is a folder with tools.yaml (its own tools), teach.jsonl and test.jsonl, whose cases are tagged "new" where they
need an own tool and "shipped" where they don't.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tinyagent_mlx import paths
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cases import Case, read_cases
from tinyagent_mlx.desktop.base import NoDesktop
from tinyagent_mlx.evaluation import Row, evaluate
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
    return f"{title:<12}" + "".join(f"{cell:>9.3f}" for cell in cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("tests/scenarios"))
    parser.add_argument("--model", type=Path, default=paths.shipped("weights") / "planner")
    parser.add_argument("--rows", type=Path, help="write a line a case")
    options = parser.parse_args()
    shipped, engine = load_toolbox(paths.shipped("tools.yaml")), PointerEngine(options.model)
    print(f"{'scenario':<12}" + "".join(f"{head:>9}" for head in ("new 0", "new 12", "exact 12", "rec 12", "shipped")))
    table, lines = [], []
    for scenario in read_scenarios(options.folder):
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
