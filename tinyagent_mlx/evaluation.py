"""Measure a planner and a retriever on case files: the figures of the contract, a row a case."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tinyagent_mlx.agent import Agent, Planned
from tinyagent_mlx.cases import Case, same_graph, same_plan
from tinyagent_mlx.check import check_plan
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.plan import print_plan
from tinyagent_mlx.toolbox import Toolbox


@dataclass(frozen=True)
class Row:
    """One case judged. `recalled`: all needed tools were retrieved; None for a case that needs none."""

    id: str
    plan: str
    dag: bool
    exact: bool
    valid: bool
    refused: bool
    should_refuse: bool
    recalled: bool | None
    retrieved: int
    prompt_tokens: int
    generated_tokens: int
    forward_passes: int
    confidence: float | None
    seconds: float
    tags: tuple[str, ...]


def judge(case: Case, planned: Planned, tools: Toolbox, now: datetime) -> Row:
    """Compare a plan with a case's accepted plans."""
    plan = planned.plan
    try:
        check_plan(plan, tools)
        valid = True
    except PlanError:
        valid = False
    needed = [{step.tool for step in accepted.steps} for accepted in case.plans]
    recalled = any(names <= set(planned.tools) for names in needed) if all(needed) else None
    return Row(
        id=case.id,
        plan=print_plan(plan),
        dag=any(same_graph(plan, accepted) for accepted in case.plans),
        exact=any(same_plan(plan, accepted, tools, now) for accepted in case.plans),
        valid=valid,
        refused=plan.refused,
        should_refuse=case.refusal,
        recalled=recalled,
        retrieved=len(planned.tools),
        prompt_tokens=planned.end.prompt_tokens,
        generated_tokens=planned.end.generated_tokens,
        forward_passes=planned.end.forward_passes,
        confidence=planned.end.confidence,
        seconds=planned.seconds,
        tags=case.tags,
    )


def evaluate(
    agent: Agent, cases: Iterable[Case], now: datetime, tell: Callable[[Row], None] = lambda row: None
) -> list[Row]:
    """Plan every case, in order; `now` stands in where a case names no moment."""
    rows = []
    for case in cases:
        moment = case.now or now
        rows.append(judge(case, agent.plan(case.query, moment), agent.toolbox, moment))
        tell(rows[-1])
    return rows


def summarize(rows: Sequence[Row]) -> dict[str, Any]:
    """The figures of a run; rates from 0 to 1, None where there is nothing to divide by."""
    by_tag: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for tag in row.tags:
            by_tag[tag].append(row)
    refused = [row for row in rows if row.refused]
    refusals = [row for row in rows if row.should_refuse]
    seconds = sorted(row.seconds for row in rows)
    return {
        "cases": len(rows),
        "dag_success": _share(row.dag for row in rows),
        "exact_success": _share(row.exact for row in rows),
        "valid_plans": _share(row.valid for row in rows),
        "tool_recall": _share(row.recalled for row in rows if row.recalled is not None),
        "tools_per_query": _mean(row.retrieved for row in rows),
        "prompt_tokens_mean": _mean(row.prompt_tokens for row in rows),
        "generated_tokens_mean": _mean(row.generated_tokens for row in rows),
        "forward_passes_mean": _mean(row.forward_passes for row in rows),
        "refusal_precision": _share(row.should_refuse for row in refused),
        "refusal_recall": _share(row.refused for row in refusals),
        "seconds_p50": _quantile(seconds, 0.5),
        "seconds_p95": _quantile(seconds, 0.95),
        "by_tag": {tag: _of_tag(members) for tag, members in sorted(by_tag.items())},
    }


def _of_tag(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "cases": len(rows),
        "dag_success": _share(row.dag for row in rows),
        "exact_success": _share(row.exact for row in rows),
    }


def row_dict(row: Row) -> dict[str, Any]:
    """A row as `eval --rows` writes it."""
    return asdict(row)


def _share(values: Iterable[bool | None]) -> float | None:
    return _mean(float(bool(value)) for value in values)


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(statistics.fmean(found), 4) if found else None


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 4) if ordered else None
