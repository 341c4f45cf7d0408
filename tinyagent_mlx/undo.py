"""Undo a step that was done: once, written down before and after, and honest about what can't be undone.

How a step is undone is the desktop's affair; which steps have a way back is declared in tools.yaml.
"""

from __future__ import annotations

import asyncio

from tinyagent_mlx.desktop.base import Desktop
from tinyagent_mlx.errors import HistoryError, OutcomeUnknown, StepError
from tinyagent_mlx.history import History
from tinyagent_mlx.records import RunRecord, StepRecord
from tinyagent_mlx.toolbox import Toolbox


def obstacle(step: StepRecord, tools: Toolbox) -> str:
    """Why a step can't be undone, "" when it can."""
    if step.undone:
        return f"was undone before, at {step.undone[:19].replace('T', ' ')}"
    if step.undo_started:
        return f"an undo of it began at {step.undo_started[:19].replace('T', ' ')} and was cut off: look whether it happened"
    if step.state == "unknown":
        return "nobody knows whether it happened: look, and undo it by hand"
    if step.state != "done":
        return f"is {step.state}, so there is nothing to undo"
    if step.tool not in tools.whole:  # it may have been switched off since
        return f"tools.yaml has no tool {step.tool!r} any more"
    tool = tools.whole[step.tool]
    if tool.effect == "read":
        return "only read, so there is nothing to undo"
    if tool.inverse is None:
        return "tools.yaml declares no way back" + (
            ": what was sent can't be taken back" if tool.effect == "send" else ""
        )
    return "" if step.handle else f"left nothing to find it by: undo it in {tool.app}"


def last_undoable(run: RunRecord, tools: Toolbox) -> StepRecord:
    """The step of a run that was done last and can be undone. Raises `HistoryError` with what stands against each."""
    steps = sorted(run.last.values(), key=lambda step: (step.ended, step.number), reverse=True)
    for step in steps:
        if not obstacle(step, tools):
            return step
    reasons = [f"step {step.number}, {step.tool}, {obstacle(step, tools)}" for step in sorted(steps, key=_number)]
    raise HistoryError(f"request {run.id} has nothing to undo" + (": " + "; ".join(reasons) if reasons else ""))


def _number(step: StepRecord) -> int:
    return step.number


def undoable(run: RunRecord, number: int, tools: Toolbox) -> StepRecord:
    """The step of that number. Raises `HistoryError` when there is none, or when it can't be undone."""
    step = run.last.get(number)
    if step is None:
        raise HistoryError(f"request {run.id} has no step {number}")
    if reason := obstacle(step, tools):
        raise HistoryError(f"request {run.id}, step {number}, {step.tool}: {reason}")
    return step


async def undo(history: History, desktop: Desktop, tools: Toolbox, run: int, number: int) -> str:
    """Undo a step and say what was undone. Raises `HistoryError` before the desktop is called, `StepError` after."""
    step = undoable(history.run(run), number, tools)
    tool = tools.whole[step.tool]
    history.start_undo(run, number)
    try:
        text = await asyncio.wait_for(desktop.undo(tool, step.handle), tool.timeout)
    except TimeoutError as error:
        why = f"{tool.name}: no answer within {tool.timeout:g} seconds"
        history.undo_failed(run, number, why, again=False)
        raise OutcomeUnknown(why, f"look in {tool.app} whether it is undone") from error
    except StepError as error:
        history.undo_failed(run, number, str(error), again=not isinstance(error, OutcomeUnknown))
        raise
    except asyncio.CancelledError:
        history.undo_failed(run, number, "stopped while it ran", again=False)
        raise
    except Exception as error:  # a fault of the desktop's
        why = f"undoing {tool.name} has a fault: {type(error).__name__}: {error}"
        history.undo_failed(run, number, why, again=False)
        raise OutcomeUnknown(why, f"look in {tool.app} whether it is undone") from error
    history.mark_undone(run, number, text)
    return text
