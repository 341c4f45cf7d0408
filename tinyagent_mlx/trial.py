"""Try a tool: what the planner makes of its examples and of requests of one's own. Nothing is carried out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cases import same_graph, same_plan
from tinyagent_mlx.plan import Plan
from tinyagent_mlx.toolbox import Tool
from tinyagent_mlx.when import resolve_plan


@dataclass(frozen=True)
class Trial:
    """A request with the plan made for it. `wanted` is the example's plan, dates resolved, None for one's own request.

    `right` says that the plan is the wanted one, `graph` that its tools and references at least are; for one's own
    request both say whether the tool is called. `doubtful`: the planner would ask about the whole plan.
    """

    request: str
    plan: Plan
    wanted: Plan | None
    right: bool
    graph: bool
    confidence: float | None
    doubtful: bool
    seconds: float


def trials(agent: Agent, tool: Tool, requests: Sequence[str], now: datetime) -> Iterator[Trial]:
    """Plan each of the tool's examples, then each request."""
    for example in tool.examples:
        yield trial(agent, tool, example.request, example.plan, now)
    for request in requests:
        yield trial(agent, tool, request, None, now)


def trial(agent: Agent, tool: Tool, request: str, wanted: Plan | None, now: datetime) -> Trial:
    """Plan one request; `wanted` is the plan that it should have, None for a request of one's own."""
    planned = agent.plan(request, now)
    if wanted is None:
        right = graph = any(step.tool == tool.name for step in planned.plan.steps)
    else:
        right = same_plan(planned.plan, wanted, agent.toolbox, now)
        graph = right or same_graph(planned.plan, wanted)
        wanted = resolve_plan(wanted, agent.toolbox, now)
    sure = planned.end.confidence
    doubtful = sure is not None and sure < agent.planner.ask_below
    return Trial(request, planned.plan, wanted, right, graph, sure, doubtful, planned.seconds)
