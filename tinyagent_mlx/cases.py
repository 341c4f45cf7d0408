"""Case files and the two judgements of a plan: the graph alone, and the graph with its arguments.

A case file is JSON Lines: {"id", "query", "plans": [plan text, ...], "now"?, "tags"?}; "" is the empty plan.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import networkx as nx

from tinyagent_mlx.errors import ConfigError, PlanError
from tinyagent_mlx.plan import Plan, Step, parse_written
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.values import Mixed, Ref, Scalar, Value
from tinyagent_mlx.when import resolve_plan

_TRIM = " \t\r\n.,;:!?\"'“”‘’`()[]"


@dataclass(frozen=True)
class Case:
    """A request with every accepted plan."""

    id: str
    query: str
    plans: tuple[Plan, ...]
    now: datetime | None
    tags: tuple[str, ...]

    @property
    def refusal(self) -> bool:
        return all(plan.refused for plan in self.plans)


def read_cases(file: Path) -> list[Case]:
    """Read a case file. Raises `ConfigError` with file, line and key."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")  # JSON text may hold the other line ends
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    return [_case(line, f"{file}:{number}") for number, line in enumerate(lines, 1) if line.strip()]


def _case(line: str, where: str) -> Case:
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise ConfigError(f"{where}: expected an object, got {line[:60]!r}")
    row = {"now": "", "tags": []} | {key: value for key, value in row.items() if value is not None}
    for key, kind in (("id", str), ("query", str), ("plans", list), ("now", str), ("tags", list)):
        if not isinstance(row.get(key), kind):
            raise ConfigError(f"{where}: key {key!r}: is {row.get(key)!r:.80}, expected a {kind.__name__}")
    if not row["plans"] or not all(isinstance(plan, str) for plan in row["plans"]):
        raise ConfigError(f"{where}: key 'plans': is {row['plans']!r:.80}, expected the texts of plans")
    try:
        plans = tuple(parse_written(plan) for plan in row["plans"])
        now = datetime.fromisoformat(row["now"]) if row["now"] else None
    except (PlanError, ValueError) as error:
        raise ConfigError(f"{where}: case {row['id']!r}: {error}") from error
    return Case(row["id"], row["query"], plans, now, tuple(map(str, row["tags"])))


def same_graph(plan: Plan, other: Plan) -> bool:
    """The graphs are isomorphic under equal tools: "dag success", the seed's success rate."""
    if len(plan.steps) != len(other.steps):
        return False
    return nx.is_isomorphic(plan.graph(), other.graph(), node_match=lambda a, b: a["tool"] == b["tool"])


def same_plan(plan: Plan, other: Plan, tools: Toolbox, now: datetime) -> bool:
    """An isomorphism exists under which the arguments are equal too: "exact success"."""
    if not same_graph(plan, other):
        return False
    plan, other = resolve_plan(plan, tools, now), resolve_plan(other, tools, now)
    return any(
        all(_same_step(step, other.steps[ids[step.id] - 1], ids) for step in plan.steps)
        for ids in _isomorphisms(plan, other)
    )


def _isomorphisms(plan: Plan, other: Plan) -> Iterator[dict[int, int]]:
    matcher = nx.algorithms.isomorphism.DiGraphMatcher(
        plan.graph(), other.graph(), node_match=lambda a, b: a["tool"] == b["tool"] and _near(a["step"], b["step"])
    )
    yield from matcher.isomorphisms_iter()


def _near(step: Step, other: Step) -> bool:
    """Equal but for references: prunes the search for an isomorphism."""
    return len(step.arguments) == len(other.arguments) and all(
        _normal(a, None) == _normal(b, None) for a, b in zip(step.arguments, other.arguments, strict=True)
    )


def _same_step(step: Step, other: Step, ids: dict[int, int]) -> bool:
    here = [_normal(value, ids) for value in step.arguments]
    same = {k: k for k in ids.values()}
    return here == [_normal(value, same) for value in other.arguments]


def _normal(value: Value, ids: dict[int, int] | None) -> Any:
    """A value in a form that compares: text folded and trimmed, lists as multisets, references renumbered by `ids`."""
    if isinstance(value, tuple):
        return sorted((_scalar(item, ids) for item in value), key=repr)
    return _scalar(value, ids)


def _scalar(value: Scalar, ids: dict[int, int] | None) -> Any:
    if isinstance(value, Ref):
        return ("ref", ids[value.step] if ids else 0)
    if isinstance(value, Mixed):
        parts = tuple(part for part in (_scalar(part, ids) for part in value.parts) if part != "")
        return parts[0] if len(parts) == 1 else parts
    if isinstance(value, str):
        return " ".join(value.casefold().split()).strip(_TRIM)
    return value
