"""The history behind the screens: every run is written down, and what was done is undone, off the event loop.

One thread writes, in the order in which things happen; another reads, so that no search keeps a step waiting. A step is
carried out only once its start is on disk. Knows nothing of widgets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from tinyagent_mlx.errors import HistoryError, StepError

if TYPE_CHECKING:
    from tinyagent_mlx.agent import Agent
    from tinyagent_mlx.desktop.base import Desktop, Result
    from tinyagent_mlx.events import Event
    from tinyagent_mlx.history import History
    from tinyagent_mlx.plan import Plan
    from tinyagent_mlx.records import RunRecord
    from tinyagent_mlx.toolbox import Tool, Toolbox

T = TypeVar("T")


@dataclass(frozen=True)
class Undone:
    """What became of undoing a step; `text` says what was undone, or why it was not."""

    step: int
    tool: str
    ok: bool
    text: str


class Connection:
    """A history of its own for one thread, opened when it is first used."""

    def __init__(self, open_history: Callable[[], History], name: str):
        self._open = open_history
        self._pool = ThreadPoolExecutor(1, name)
        self._history: History | None = None

    def submit(self, call: Callable[[History], T]) -> Future[T]:
        return self._pool.submit(lambda: call(self._there()))

    def _there(self) -> History:
        if self._history is None:
            self._history = self._open()
        return self._history

    def close(self) -> None:
        """Let the file go when all that was submitted is done."""

        def close() -> None:
            if self._history:
                self._history.close()

        self._pool.submit(close)
        self._pool.shutdown()


class Trail:
    """`open_history` makes a connection, `place` names the desktop in use, `desktop_at` finds a desktop by such a name."""

    def __init__(
        self, open_history: Callable[[], History], place: str = "", desktop_at: Callable[[str], Desktop] | None = None
    ):
        self._open, self.place, self._desktop_at = open_history, place, desktop_at
        self.writer = Connection(open_history, "history-writer")
        self._reader = Connection(open_history, "history-reader")

    async def begin(self, query: str, now: datetime, tools: Toolbox) -> Record:
        """Write down a request before it is planned. One that is stopped meanwhile has an end all the same."""
        began = self.writer.submit(lambda history: history.begin(query, now, tools, self.place))
        try:
            return Record(self.writer, await _result(began))
        except asyncio.CancelledError:
            self.writer.submit(lambda history: history.end(began.result(), "stopped before it was planned"))
            raise

    async def read(self, call: Callable[[History], T]) -> T:
        return await _result(self._reader.submit(call))

    async def undoable(self, run: int, tools: Toolbox) -> list[int]:
        """The steps of a run that can be undone now."""
        from tinyagent_mlx.undo import obstacle

        record = await self.read(lambda history: history.run(run))
        return [number for number, step in record.last.items() if not obstacle(step, tools)]

    async def undo(self, run: int, tools: Toolbox, step: int | None = None) -> list[Undone]:
        """Undo one step, or all that a run did, last first. Raises `TinyAgentError` when nothing could be tried.

        An undo that fails leaves what was done before that step as it is. A second connection writes it down, so that
        no other run waits for the desktop.
        """
        return await asyncio.shield(asyncio.to_thread(lambda: asyncio.run(self._undo(run, tools, step))))

    async def _undo(self, run: int, tools: Toolbox, step: int | None) -> list[Undone]:
        from tinyagent_mlx import undo

        if self._desktop_at is None:
            raise HistoryError("there is no desktop to undo anything on")
        told = []
        with self._open() as history:
            record = history.run(run)
            desktop = self._desktop_at(record.place)
            for number in [step] if step is not None else _in_turn(record, tools):
                tool = record.last[number].tool
                try:
                    told.append(Undone(number, tool, True, await undo.undo(history, desktop, tools, run, number)))
                except StepError as error:
                    told.append(Undone(number, tool, False, f"{error}. {error.advice}" if error.advice else str(error)))
                    break
                except HistoryError as error:
                    told.append(Undone(number, tool, False, str(error)))
            return [*told, *(_left(record, tools, told) if step is None else ())]

    def close(self) -> None:
        """Wait for what is still to be written, and let the file go."""
        self.writer.close()
        self._reader.close()


def _in_turn(record: RunRecord, tools: Toolbox) -> list[int]:
    from tinyagent_mlx.undo import obstacle

    steps = sorted(record.last.values(), key=lambda step: (step.ended, step.number), reverse=True)
    return [step.number for step in steps if not obstacle(step, tools)]


def _left(record: RunRecord, tools: Toolbox, told: list[Undone]) -> list[Undone]:
    """What acted, or may have, and was not undone, with the reason."""
    from tinyagent_mlx.undo import obstacle

    tried = {undone.step for undone in told}
    acted = [s for s in record.last.values() if s.effect != "read" and s.state in ("done", "unknown") and not s.undone]
    return [
        Undone(s.number, s.tool, False, obstacle(s, tools) or "left as it is, because the undo before it failed")
        for s in acted
        if s.number not in tried
    ]


class Record:
    """One run, as it is written down."""

    def __init__(self, writer: Connection, run: int):
        self.run, self._writer = run, writer
        self._trouble: Exception | None = None
        self._last: Future[None] | None = None

    def _write(self, call: Callable[[History], None], always: bool = False) -> None:
        def work(history: History) -> None:
            if self._trouble and not always:
                return  # what follows a gap would tell a wrong story
            try:
                call(history)
            except Exception as error:  # whatever it is: it must not end unseen in a thread
                self._trouble = self._trouble or error

        self._last = self._writer.submit(work)

    def tell(self, event: Event) -> None:
        """Write down what happened; it is on disk when `written` returns."""
        self._write(lambda history: history.record(self.run, event))

    def approval(self, answer: str, plan: Plan | None = None) -> None:
        self._write(lambda history: history.approval(self.run, answer, plan))

    def confirmation(self, step: int, yes: bool) -> None:
        """Write down the answer for a send that was asked about once more."""
        self._write(lambda history: history.confirmation(self.run, step, yes))

    async def written(self) -> None:
        """Wait until all that was told is on disk. Raises `HistoryError` when some of it can't be written."""
        if self._last:
            await _result(self._last)
        if self._trouble:
            raise self._trouble

    async def end(self, fault: str = "") -> None:
        """Write down that this program is through with the run; a trouble is told where there is no fault to tell."""
        why = fault or (str(self._trouble) if self._trouble else "")
        self._write(lambda history: history.end(self.run, why), always=True)
        try:
            await self.written()
        except HistoryError:
            if not fault:
                raise

    def guard(self, agent: Agent) -> Agent:
        """The agent, on a desktop that is called only once the start of the step is on disk."""
        return agent.but(desktop=_Guarded(agent.desktop, self))


class _Guarded:
    def __init__(self, desktop: Desktop, record: Record):
        self.desktop, self.record, self.name = desktop, record, desktop.name

    def preview(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        return self.desktop.preview(tool, arguments)

    async def call(self, tool: Tool, arguments: Mapping[str, Any], now: datetime) -> Result:
        await self.record.written()
        return await self.desktop.call(tool, arguments, now)

    async def undo(self, tool: Tool, handle: str) -> str:
        return await self.desktop.undo(tool, handle)


async def _result(future: Future[T]) -> T:
    """Wait for a thread. Who stops waiting does not stop what is written."""
    waiting = asyncio.wrap_future(future)
    waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(waiting)
