"""The seed's two tables and their plots, measured: how retrieval counts, and what four bits cost.

    tinyagent report --out docs/report

Every figure comes from the rows of one run on the case files that are named. The paper's figures stand beside ours: Erdogan
et al. 2024, TinyAgent (arXiv:2409.00608), on its own test set with its own models, so they compare directions only.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tinyagent_mlx import weights
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cases import Case
from tinyagent_mlx.desktop.base import NoDesktop
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.evaluation import Row, evaluate, summarize
from tinyagent_mlx.planner import Planner
from tinyagent_mlx.pointing import PointerEngine, PointerPlanner, PointerRetriever
from tinyagent_mlx.retriever import Retriever
from tinyagent_mlx.toolbox import Toolbox

NOW = datetime(2026, 11, 23, 9)
THRESHOLDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9)
TIMED = 40  # requests of three steps or fewer that both precisions plan in turn

# retrieval: tool recall, tools a query, prompt tokens, success of the 1.1B (all from the paper's tables)
PAPER_RETRIEVAL = {
    "no retrieval": (1.0, 16.0, 2762, 0.7889),
    "embedding": (0.949, 3.0, 1674, 0.7488),
    "classifier": (0.998, 3.97, 1397, 0.8006),
}
PAPER_BITS = {"16 bits": ("2.2 GB", "3.9 s", 0.8006), "4 bits": ("0.68 GB", "2.9 s", 0.8035)}  # the 1.1B on an M3 Max


@dataclass(frozen=True)
class Measured:
    """One configuration on one case file."""

    title: str
    rows: list[Row]

    @property
    def figures(self) -> dict[str, Any]:
        return summarize(self.rows)


def by_retrieval(
    planner: Planner,
    retrievers: dict[str, Retriever],
    cases: Sequence[Case],
    tools: Toolbox,
    tell: Callable[[str], None],
) -> list[Measured]:
    """Plan every case under each way of choosing tools."""
    out = []
    for title, retriever in retrievers.items():
        tell(f"{planner.name}, {title}: {len(cases)} cases")
        out.append(Measured(title, evaluate(Agent(tools, planner, retriever, NoDesktop()), cases, NOW)))
    return out


def side_by_side(planners: dict[str, Agent], cases: Sequence[Case]) -> dict[str, float]:
    """The median seconds a plan takes, each request planned by all in turn, so that a noisy machine is fair."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for case in cases:
        for title, agent in planners.items():
            began = time.perf_counter()
            agent.plan(case.query, case.now or NOW)
            seconds[title].append(time.perf_counter() - began)
    return {title: statistics.median(found) for title, found in seconds.items()}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; floats below 10 with three digits."""

    def cell(value: object) -> str:
        if isinstance(value, float):
            return f"{value:.3f}" if abs(value) < 10 else f"{value:.0f}"
        return "–" if value is None else str(value)

    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(map(cell, row)) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def retrieval_table(measured: Sequence[Measured]) -> str:
    """Table 1: retrieval."""
    keys = ("tool_recall", "tools_per_query", "prompt_tokens_mean", "dag_success", "exact_success")
    rows = []
    for m in measured:
        rows.append([m.title, *(m.figures[key] for key in keys)])
        paper = PAPER_RETRIEVAL.get(m.title.split(" (")[0])
        if paper:
            rows.append([f"the paper's, {m.title.split(' (')[0]}", *paper, None])
    return table(("retrieval", "tool recall", "tools a query", "prompt tokens", "dag success", "exact success"), rows)


# Plots


def success_by_steps(rows: Sequence[Row], cases: Sequence[Case]) -> list[tuple[str, float, int]]:
    """Dag success and count for each number of steps in the first accepted plan."""
    groups: dict[int, list[bool]] = defaultdict(list)
    for row, case in zip(rows, cases, strict=True):
        groups[len(case.plans[0].steps)].append(row.dag)
    return [(str(steps), statistics.fmean(found), len(found)) for steps, found in sorted(groups.items())]


def success_by_tool(rows: Sequence[Row], cases: Sequence[Case]) -> list[tuple[str, float, int]]:
    """Dag success and count of the cases that need each tool."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for row, case in zip(rows, cases, strict=True):
        for tool in {step.tool for step in case.plans[0].steps}:
            groups[tool].append(row.dag)
    return [(tool, statistics.fmean(found), len(found)) for tool, found in sorted(groups.items())]


def recall_by_threshold(
    retriever: PointerRetriever, cases: Sequence[Case], tools: Toolbox
) -> list[tuple[float, float, float]]:
    """For each threshold: the share of cases whose tools are all found, and the mean number of tools."""
    scored = [(retriever.scores(c.query, tools), {s.tool for s in c.plans[0].steps}) for c in cases if not c.refusal]
    out = []
    for threshold in THRESHOLDS:
        chosen = [({n for n, s in found.items() if s >= threshold} or {max(found, key=lambda n: found[n])}, needed)
                  for found, needed in scored]  # fmt: skip
        recall = statistics.fmean(needed <= names for names, needed in chosen)
        out.append((threshold, recall, statistics.fmean(len(names) for names, _ in chosen)))
    return out


def risk_coverage(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """Plans from the most confident down: the share that is taken, and the share of those that is not wholly right.

    Geifman and El-Yaniv 2017 (arXiv:1705.08500).
    """
    ordered = sorted((row for row in rows if row.confidence is not None), key=lambda row: -(row.confidence or 0.0))
    wrong, out = 0, []
    for count, row in enumerate(ordered, 1):
        wrong += not row.exact
        out.append((count / len(ordered), wrong / count))
    return out


def calibration_error(rows: Sequence[Row], bins: int = 10) -> float:
    """The mean gap between confidence and the share of wholly right plans, over equal bins of confidence."""
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        if row.confidence is not None:
            groups[min(bins - 1, int(row.confidence * bins))].append(row)
    gaps = [
        len(g) * abs(statistics.fmean(r.confidence or 0.0 for r in g) - statistics.fmean(r.exact for r in g))
        for g in groups.values()
    ]
    return sum(gaps) / max(1, sum(map(len, groups.values())))


def draw(file: Path, title: str, paint: Callable[[Any], None]) -> None:
    """Write one plot as SVG, without a date, so that the same figures give the same file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "tinyagent"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.4))
    paint(axes)
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def bars(groups: Sequence[tuple[str, float, int]], label: str) -> Callable[[Any], None]:
    """Horizontal bars of success with the number of cases behind each."""

    def paint(axes: Any) -> None:
        names = [f"{name} ({count})" for name, _, count in groups]
        axes.barh(names, [share for _, share, _ in groups], color="#4477aa")
        axes.set_xlim(0, 1)
        axes.invert_yaxis()
        axes.set_xlabel(label)
        axes.tick_params(labelsize=7)

    return paint


def two_lines(found: Sequence[tuple[float, float, float]]) -> Callable[[Any], None]:
    """Recall and tools a query against the threshold."""

    def paint(axes: Any) -> None:
        thresholds = [t for t, _, _ in found]
        axes.semilogx(thresholds, [r for _, r, _ in found], color="#4477aa", marker="o", markersize=3)
        axes.set_xlabel("threshold")
        axes.set_ylabel("all needed tools found", color="#4477aa")
        other = axes.twinx()
        other.semilogx(thresholds, [n for _, _, n in found], color="#cc6677", marker="s", markersize=3)
        other.set_ylabel("tools a query", color="#cc6677")

    return paint


def curve(found: Sequence[tuple[float, float]]) -> Callable[[Any], None]:
    """Risk against coverage."""

    def paint(axes: Any) -> None:
        axes.plot([c for c, _ in found], [r for _, r in found], color="#4477aa")
        axes.set_xlabel("coverage: share of plans, the most confident first")
        axes.set_ylabel("risk: share not wholly right")
        axes.set_ylim(bottom=0)

    return paint


def demand(cases: Sequence[Case], file: Path) -> None:
    """Raise `ConfigError` where a figure would have nothing to divide by."""
    if all(case.refusal for case in cases):
        raise ConfigError(
            f"{file}: a report needs a request that takes a tool, and there are {len(cases)} cases without"
        )


def pointer_agent(engine: PointerEngine, tools: Toolbox) -> Agent:
    """The shipped configuration."""
    return Agent(tools, PointerPlanner(engine), PointerRetriever(engine), NoDesktop())


def bits_table(agents: dict[str, Agent], bytes_of: dict[str, int], cases: Sequence[Case]) -> str:
    """Table 2: what four bits cost. The agents are those of the same weights in "16 bits" and in "4 bits"."""
    seconds = side_by_side(agents, [case for case in cases if len(case.plans[0].steps) <= 3][:TIMED])
    rows: list[list[object]] = []
    for title, agent in agents.items():
        figures = Measured(title, evaluate(agent, cases, NOW)).figures
        taken = f"{seconds[title] * 1000:.0f} ms"
        rows.append([title, f"{bytes_of[title] / 1e6:.1f} MB", taken, figures["dag_success"], figures["exact_success"]])
        rows.append([f"the paper's 1.1B, {title}", *PAPER_BITS[title], None])
    return table(("weights", "size", "plan, median", "dag success", "exact success"), rows)


def pointer_bits(folder: Path, half: PointerEngine, cases: Sequence[Case], tools: Toolbox) -> str:
    """Table 2 of a planner's folder in 4 bits; `half` holds the same weights before quantization, in 16."""
    agents = {"16 bits": pointer_agent(half, tools), "4 bits": pointer_agent(PointerEngine(folder), tools)}
    sizes = {"16 bits": stored_size(half), "4 bits": (folder / "model.safetensors").stat().st_size}
    return bits_table(agents, sizes, cases)


def stored_size(engine: PointerEngine) -> int:
    """Bytes of a model whose every number takes two."""
    return 2 * sum(value.size for value in weights.flat(engine.model.parameters()).values())


def plots(
    folder: Path, measured: Measured, retriever: PointerRetriever, cases: Sequence[Case], tools: Toolbox
) -> list[str]:
    """Draw the four plots into `folder`; gives Markdown that shows them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = measured.rows
    painted = {
        "steps": ("Success by number of steps (cases)", bars(success_by_steps(rows, cases), "dag success")),
        "tools": ("Success of requests that need a tool (cases)", bars(success_by_tool(rows, cases), "dag success")),
        "threshold": ("Retrieval", two_lines(recall_by_threshold(retriever, cases, tools))),
        "confidence": ("Confidence", curve(risk_coverage(rows))),
    }
    for name, (title, paint) in painted.items():
        draw(folder / f"{name}.svg", title, paint)
    return [f"![{title}]({folder.name}/{name}.svg)" for name, (title, _) in painted.items()]
