"""Plan a request again after some of it was tried, and carry out what is new; `earlier.py` says what that means.

A planner that reads results goes on from them. The shipped one can't: it plans the request and the user's note from the
start, and what was done already is not done twice. Whether to plan again is asked of the user, whatever a model thinks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from tinyagent_mlx import events
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.earlier import CarriedOn, Earlier, Tried
from tinyagent_mlx.events import Ending
from tinyagent_mlx.executor import Approve, Confirm, Outcome
from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.planner import Continuing
from tinyagent_mlx.taint import foreign_steps
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.when import resolve_plan


def first_try(outcome: Outcome, tools: Toolbox) -> Earlier:
    """What a plan came to that nothing went before."""
    return Earlier(tuple(_tried(outcome, tools)[step.id] for step in outcome.plan.steps))


def next_try(earlier: Earlier, steps: Sequence[Step], carried: CarriedOn, outcome: Outcome, tools: Toolbox) -> Earlier:
    """What was tried so far, with what became of the steps that went on from it."""
    return earlier.then(steps, _tried(outcome, tools), carried)


def _tried(outcome: Outcome, tools: Toolbox) -> dict[int, Tried]:
    results = {k: result.value for k, result in outcome.results().items()}
    foreign = foreign_steps({step.id: step for step in outcome.plan.steps}, results, tools)
    return {k: _became(ending, k in foreign) for k, ending in outcome.endings.items()}


def _became(ending: Ending, foreign: bool) -> Tried:
    match ending:
        case events.StepDone(step, result):
            return Tried(step, result.value, foreign=foreign)
        case events.StepFailed(step, message):
            return Tried(step, why=message)
        case events.StepUnknown(step, message):
            return Tried(step, why=f"it may or may not have happened: {message}", unclear=True)
        case events.StepSkipped(step):
            return Tried(step, why="a step that it needs was not done")
        case events.StepRefused(step, message):
            return Tried(step, why=message or "the user did not want it")
    return Tried(ending.step, why="stopped before its turn")


def wants_more(agent: Agent, text: str, now: datetime, earlier: Earlier, judge: bool = False) -> bool:
    """Whether to offer another plan: when something was not done, or with `judge` when the model thinks so."""
    if judge and earlier.tried and isinstance(agent.planner, Continuing):
        return agent.planner.wants_more(text, now, earlier)
    return earlier.failed


def plan_again(agent: Agent, text: str, now: datetime, earlier: Earlier) -> tuple[Step, ...]:
    """Plan what is left, dates resolved; steps are numbered after the earlier ones."""
    note = " ".join(earlier.note.split())
    asked = f"{text.rstrip(' .')}. {note}" if note else text
    if not isinstance(agent.planner, Continuing):
        return earlier.after(agent.plan(asked, now).plan.steps)
    tools = agent.toolbox
    wanted = {*agent.retriever.retrieve(asked, tools), *(one.step.tool for one in earlier.tried)}
    retrieved = tuple(name for name in tools.names if name in wanted)
    items = agent.planner.go_on(text, tools, retrieved, now, earlier)
    return resolve_plan(Plan(tuple(item for item in items if isinstance(item, Step))), tools, now).steps


async def carry_out(
    agent: Agent, text: str, carried: CarriedOn, earlier: Earlier, now: datetime, approve: Approve,
    emit: Callable[[events.Event], None], confirm: Confirm | None = None,
) -> Outcome:  # fmt: skip
    """Carry out a plan that goes on; all of it is asked about, reads too. Results in it that others may have written are
    sent only on a second yes."""
    return await agent.carry_out(
        carried.plan, now, approve, emit, confirm, foreign=earlier.foreign, request=text, whole=True
    )
