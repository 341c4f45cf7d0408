"""Carry out a plan while it is still being made.

A step starts when its inputs are there. Reads start at once; writes and sends wait for one approval of the whole plan.
Steps of one app run one after another, apps run side by side. What fails stops only what depends on it. A send that would
carry text that others may have written is asked about once more, with its arguments as they would go out. A text that a
writer may write is written when the step's inputs are in, and used once it was accepted. This module knows the graph and
the clock; how a step is carried out is the desktop's affair.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tinyagent_mlx.desktop.base import Desktop, Result
from tinyagent_mlx.errors import Ambiguous, HistoryError, OutcomeUnknown, StepError
from tinyagent_mlx.events import (
    Ending,
    Event,
    PlanReady,
    StepCancelled,
    StepDone,
    StepFailed,
    StepPlanned,
    StepRefused,
    StepSkipped,
    StepStarted,
    StepUnknown,
    StepWriting,
    StepWritten,
)
from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.taint import foreign_steps, lets_out
from tinyagent_mlx.toolbox import Tool, Toolbox
from tinyagent_mlx.values import map_references
from tinyagent_mlx.when import parse_iso
from tinyagent_mlx.writing import Desk

Approve = Callable[[Plan], Awaitable[Plan | None]]
Confirm = Callable[[Step, Mapping[str, Any]], Awaitable[bool]]
Emit = Callable[[Event], None]

HELD_BACK = "it would send text that others may have written, and that was not allowed"
UNWANTED = "the text that was written for it was not wanted"
_CHECK = "Look whether it happened before you run it again."


@dataclass
class Outcome:
    """How a run ended: `endings` by step number; `cancelled` when it was stopped from outside. `written` are the texts by
    step and argument that steps were carried out with in the place of the plan's words.
    """

    plan: Plan
    endings: dict[int, Ending] = field(default_factory=dict)
    cancelled: bool = False
    written: dict[int, dict[str, str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Every step was done, and there was one."""
        done = all(isinstance(ending, StepDone) for ending in self.endings.values())
        return bool(self.plan.steps) and done and len(self.endings) == len(self.plan.steps) and not self.cancelled

    def results(self) -> dict[int, Result]:
        """The results of the steps that were done."""
        return {k: ending.result for k, ending in self.endings.items() if isinstance(ending, StepDone)}

    def foreign(self, tools: Toolbox) -> tuple[str, ...]:
        """The results that others may have written."""
        values = {k: result.value for k, result in self.results().items()}
        steps = {step.id: step for step in self.plan.steps}
        return tuple(values[k] for k in sorted(foreign_steps(steps, values, tools)))


async def execute(
    steps: AsyncIterator[Step], tools: Toolbox, desktop: Desktop, approve: Approve, emit: Emit, now: datetime,
    doubted: Callable[[], bool] | None = None, confirm: Confirm | None = None, foreign: Collection[str] = (),
    desk: Desk | None = None,
) -> Outcome:  # fmt: skip
    """Run a plan as it streams in and account for every step.

    `approve` is asked once, after the last step, and only if something is to be written or sent. It gives the plan to
    carry out: the same, or with steps left out or changed but under their old numbers, or None for a no. Cancelling the
    task that awaits this stops the run; the outcome still comes back, with `cancelled` set.

    `doubted` says after the last step whether the planner is unsure of its plan; then reads wait for the approval too.
    Where it is given nothing starts before that is known.

    `confirm` is asked right before a send that would carry foreign text (see `taint.py`), with the arguments as they
    would go out; without it such a send is refused. `foreign` are texts in the plan itself that were results of an
    earlier run. `desk` is who writes, from when the plan is whole: None leaves texts as the plan has them.
    """
    run = _Run(tools, desktop, emit, now, doubted is not None, confirm, foreign, desk)
    try:
        async for step in steps:
            run.add(step)
        doubtful = bool(run.steps) and doubted is not None and doubted()
        emit(PlanReady(run.plan, doubtful))
        run.planned.set()
        if not doubtful:
            run.release()
        if doubtful or any(tools[step.tool].effect != "read" and k not in run.endings for k, step in run.steps.items()):
            run.approved(await approve(run.plan))
        await run.finish()
    except asyncio.CancelledError:
        await run.stop()
        task = asyncio.current_task()
        if task:
            task.uncancel()
    except BaseException:
        await run.stop()
        raise
    return run.outcome()


class _Run:
    def __init__(
        self, tools: Toolbox, desktop: Desktop, emit: Emit, now: datetime, holding: bool,
        confirm: Confirm | None, foreign: Collection[str], desk: Desk | None,
    ):  # fmt: skip
        self.tools, self.desktop, self.emit, self.now = tools, desktop, emit, now
        self.holding, self.confirm, self.foreign, self.desk = holding, confirm, foreign, desk
        self.planned = asyncio.Event()  # two models at once would only keep one another waiting
        self.written: dict[int, dict[str, str]] = {}
        self.asking = asyncio.Lock()  # one question at a time
        self.steps: dict[int, Step] = {}
        self.endings: dict[int, Ending] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.ended: dict[int, asyncio.Event] = {}
        self.replaced: set[asyncio.Task[None]] = set()  # reads that are run again: these say no more
        self.locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.stopped = False

    @property
    def plan(self) -> Plan:
        return Plan(tuple(self.steps.values()))

    def outcome(self) -> Outcome:
        return Outcome(self.plan, dict(sorted(self.endings.items())), self.stopped, self.written)

    def add(self, step: Step) -> None:
        self.steps[step.id] = step
        self.ended[step.id] = asyncio.Event()
        self.emit(StepPlanned(step))
        if self._unclear(step, self.tools[step.tool].bind(step.arguments)):
            return
        if self.tools[step.tool].effect == "read" and not self.holding:
            self._start(step)

    def _unclear(self, step: Step, arguments: Mapping[str, Any]) -> bool:
        """End a step whose moment nobody can read: as it is planned, before anything is asked about and done."""
        words = _unclear_moment(self.tools[step.tool], arguments)
        if words:
            self._end(
                StepFailed(step, f"{words!r} is no moment that can be read", "Say the day and the time again.", 0.0)
            )
        return bool(words)

    def release(self) -> None:
        """Start the reads that waited for the end of the plan."""
        for step in self.steps.values():
            if self.tools[step.tool].effect == "read" and step.id not in self.tasks and step.id not in self.endings:
                self._start(step)

    def approved(self, plan: Plan | None) -> None:
        """Start what waited, or refuse it; a read that was changed is run again, and so are reads of its result."""
        wanted = {step.id: step for step in plan.steps} if plan else {}
        again: list[Step] = []
        mended: set[int] = set()
        for number, step in list(self.steps.items()):
            started, unclear = number in self.tasks, number in self.endings and number not in self.tasks
            if number not in wanted:
                if not started and not (unclear and plan is None):
                    self._end(StepRefused(step))
                continue
            self.steps[number] = wanted[number]
            if unclear and wanted[number] == step:
                continue
            if unclear:
                mended.add(number)
                del self.endings[number]
                self.ended[number] = asyncio.Event()
            if not started:
                self._start(wanted[number])
            elif wanted[number] != step or not {*mended, *(other.id for other in again)}.isdisjoint(step.depends_on()):
                again.append(wanted[number])
        for step in again:
            self._forget(step)
        for step in again:
            self._start(step)

    def _start(self, step: Step) -> None:
        self.tasks[step.id] = asyncio.create_task(self._run(step))

    def _forget(self, step: Step) -> None:
        old = self.tasks[step.id]
        old.cancel()
        self.replaced.add(old)
        self.endings.pop(step.id, None)
        self.ended[step.id] = asyncio.Event()

    def _end(self, ending: Ending) -> None:
        if asyncio.current_task() in self.replaced:
            return
        step = ending.step
        self.endings[step.id] = ending
        self.ended[step.id].set()
        self.emit(ending)

    async def finish(self) -> None:
        await asyncio.gather(*self.tasks.values())
        await asyncio.gather(*self.replaced, return_exceptions=True)

    async def stop(self) -> None:
        """Cut off what runs and say of every step how it stands."""
        self.stopped = True
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), *self.replaced, return_exceptions=True)
        for number, step in self.steps.items():
            if number not in self.endings:
                self._end(StepCancelled(step))

    async def _run(self, step: Step) -> None:
        for k in step.depends_on():
            await self.ended[k].wait()
            if not isinstance(self.endings[k], StepDone):
                self._end(StepSkipped(step, k))
                return
        tool = self.tools[step.tool]
        arguments = self._arguments(step, tool)
        lets_out = self._lets_out(step, tool, arguments)  # told by the words that were there before a writer's
        if self.desk and not await self._write(self.desk, step, tool, arguments):
            self._end(StepRefused(step, UNWANTED))
            return
        if (lets_out or self._lets_out(step, tool, arguments)) and not await self._confirmed(step, arguments):
            self._end(StepRefused(step, HELD_BACK))
            return
        async with self.locks[tool.app]:
            await self._call(step, tool, arguments)

    def _results(self) -> dict[int, str]:
        return {k: end.result.value for k, end in self.endings.items() if isinstance(end, StepDone)}

    def _lets_out(self, step: Step, tool: Tool, arguments: dict[str, Any]) -> bool:
        if tool.effect != "send":
            return False
        return lets_out(step, tool, arguments, foreign_steps(self.steps, self._results(), self.tools), self.foreign)

    async def _write(self, desk: Desk, step: Step, tool: Tool, arguments: dict[str, Any]) -> bool:
        """Put what was written and accepted in the place of the arguments' words; False when it is not to be done."""
        for draft in desk.drafts(step, tool, arguments, self._results()):
            assert draft.task
            async with self.asking:
                text = await desk.accept(draft)
            if text is None:
                return False
            name = draft.task.argument.name
            text, note = draft.judged(text)
            arguments[name] = text
            self.written.setdefault(step.id, {})[name] = text
            self.emit(StepWritten(step, name, text, note))
        return True

    async def _confirmed(self, step: Step, arguments: dict[str, Any]) -> bool:
        if self.confirm is None:
            return False
        async with self.asking:
            return await self.confirm(step, arguments)

    async def _call(self, step: Step, tool: Tool, arguments: dict[str, Any]) -> None:
        if self._unclear(step, arguments):
            return
        self.emit(StepStarted(step))
        began = time.monotonic()
        try:
            result = await asyncio.wait_for(self.desktop.call(tool, arguments, self.now), tool.timeout)
            if self.desk and tool.written and result.text:
                await self.planned.wait()
                result = await self.desk.summarized(result, lambda piece: self.emit(StepWriting(step, piece)))
        except TimeoutError:
            self._cut_off(step, tool, f"no answer within {tool.timeout:g} seconds", began)
        except asyncio.CancelledError:
            self._cut_off(step, tool, "stopped while it ran", began)
            raise
        except OutcomeUnknown as error:
            self._end(StepUnknown(step, str(error), error.advice or _CHECK))
        except StepError as error:
            choices = error.choices if isinstance(error, Ambiguous) else ()
            self._end(StepFailed(step, str(error), error.advice, time.monotonic() - began, choices))
        except HistoryError:
            raise  # nothing is done that can't be written down
        except Exception as error:  # a fault of the desktop's must not take the other steps with it
            self._cut_off(step, tool, f"{tool.name} has a fault: {type(error).__name__}: {error}", began)
        else:
            self._end(StepDone(step, result, time.monotonic() - began))

    def _cut_off(self, step: Step, tool: Tool, why: str, began: float) -> None:
        if tool.effect == "read":
            self._end(StepFailed(step, why, "", time.monotonic() - began))
        else:
            self._end(StepUnknown(step, why, _CHECK))

    def _arguments(self, step: Step, tool: Tool) -> dict[str, Any]:
        """Put results in the place of references, once: a result is never read for references."""

        def result(k: int) -> str:
            ending = self.endings[k]
            assert isinstance(ending, StepDone)
            return ending.result.value

        return tool.bind(map_references(value, result) for value in step.arguments)


def _unclear_moment(tool: Tool, arguments: Mapping[str, Any]) -> str:
    """The words of a datetime that was never resolved, or "": a step must not run as if nothing had been said."""
    for argument in tool.arguments:
        words = arguments[argument.name]
        if argument.type.name == "datetime" and isinstance(words, str) and words and parse_iso(words) is None:
            return words
    return ""
