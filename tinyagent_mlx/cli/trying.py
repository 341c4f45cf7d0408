"""`tinyagent tools try`: a tool's examples and requests of one's own, with their plans, misses and confidence."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from tinyagent_mlx.cli import setup
from tinyagent_mlx.plan import Plan, print_plan
from tinyagent_mlx.toolbox import Tool
from tinyagent_mlx.trial import Trial, trials


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("requests", nargs="*", metavar="REQUEST", help="requests of your own, each in quotes")
    setup.add_planning_options(parser)


def call(options: argparse.Namespace, tool: Tool) -> int:
    """Try it; 1 when an example is missed."""
    agent = setup.agent(options)
    found = trials(agent, tool, options.requests, setup.now(options.now))
    if not tool.examples and not options.requests:
        print(f"{tool.name} has no examples to try; name a request of your own", file=sys.stderr)
    return show(tool, found, options.json)


def show(tool: Tool, found: Iterable[Trial], as_json: bool = False) -> int:
    """Print trials as they come; 1 when an example was missed."""
    seen = []
    for trial in found:
        seen.append(trial)
        if not as_json:
            print("\n".join(lines(trial)), flush=True)
    examples = [trial for trial in seen if trial.wanted is not None]
    missed = sum(not trial.right for trial in examples)
    if as_json:
        print(
            json.dumps({"tool": tool.name, "trials": [as_dict(t) for t in seen], "missed": missed}, ensure_ascii=False)
        )
    elif examples:
        print(f"{len(examples) - missed} of {len(examples)} examples of {tool.name} are planned as they say")
    return 1 if missed else 0


def lines(trial: Trial) -> Iterator[str]:
    """A trial as people read it: a mark, the request, the confidence, the plan, and how it differs from what is wanted."""
    mark = "✓" if trial.right else "✗" if trial.wanted is not None else "·"
    yield f"{mark} {trial.request}{confidence_text(trial)}"
    if trial.wanted is None or trial.right:
        yield from (f"    {line}" for line in _plan(trial.plan))
        if trial.wanted is None and not trial.right:
            yield "    (this tool is not called)"
        return
    yield "    same tools, other arguments:" if trial.graph else "    other tools:"
    for line in difflib.ndiff(_plan(trial.wanted), _plan(trial.plan)):
        if not line.startswith("?"):
            yield f"    {line}"
    yield "    (- wanted, + planned)"


def confidence_text(trial: Trial) -> str:
    if trial.confidence is None:
        return ""
    return f"  (confidence {trial.confidence:.0%}{', asks about the whole plan' if trial.doubtful else ''})"


def _plan(plan: Plan) -> list[str]:
    return print_plan(plan).splitlines() or ["(refused)"]


def as_dict(trial: Trial) -> dict[str, Any]:
    wanted = None if trial.wanted is None else print_plan(trial.wanted)
    sure = None if trial.confidence is None else round(trial.confidence, 4)
    return {
        "query": trial.request, "plan": print_plan(trial.plan), "wanted": wanted, "right": trial.right,
        "same_graph": trial.graph, "confidence": sure, "doubtful": trial.doubtful, "seconds": round(trial.seconds, 4),
    }  # fmt: skip
