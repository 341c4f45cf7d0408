"""The agent behind the screens: loaded in a thread while the user types, with the toolbox that is newest on disk.

Knows nothing of screens or widgets.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from tinyagent_mlx.errors import PlannerError, TinyAgentError
from tinyagent_mlx.planner import Continuing, PlanEnd
from tui.thread import OneThread

if TYPE_CHECKING:
    from tinyagent_mlx.agent import Agent
    from tinyagent_mlx.earlier import Earlier
    from tinyagent_mlx.plan import Step
    from tinyagent_mlx.planner import Planner
    from tinyagent_mlx.retriever import Retriever
    from tinyagent_mlx.toolbox import Toolbox
    from tinyagent_mlx.writing import Task, Writer

MakeAgent = Callable[[], "Agent"]
Items = Iterator["Step | PlanEnd"]


class Engine:
    """`status` is a line for the title: what loads, what runs, or why nothing does."""

    def __init__(self, make_agent: MakeAgent, changed: Callable[[str], None]):
        self._make, self._changed = make_agent, changed
        self._loaded: asyncio.Future[Agent] | None = None
        self._thread = OneThread("planner")
        self._toolbox: Toolbox | None = None
        self.status = "loading the planner…"

    async def load(self) -> None:
        """Make the agent in a thread. A failure is kept for whoever asks for the agent."""
        loaded = self._future()
        self._say("loading the planner…")
        try:
            agent = await self._agent()
        except TinyAgentError as error:
            self._fail(error)
        else:
            loaded.set_result(agent)
            self._say(f"{agent.planner.name} · {agent.desktop.name}")

    async def renew(self) -> None:
        """Make the agent anew, for a planner that was installed meanwhile. Until it is there, and where it can't be made,
        the one from before plans. Raises the `TinyAgentError` that stopped it.
        """
        agent = await self._agent()
        self._loaded = None
        self._future().set_result(agent)
        self._say(f"{agent.planner.name} · {agent.desktop.name}")

    async def _agent(self) -> Agent:
        """Load it in a thread."""
        try:
            agent = await asyncio.wrap_future(self._thread.submit(self._make))
        except TinyAgentError:
            raise
        except Exception as error:  # a broken model folder may raise anything; the screen must stay
            raise PlannerError(f"{type(error).__name__}: {error}") from error
        one = ContinuingOne if isinstance(agent.planner, Continuing) else OneAtATime
        planner = one(agent.planner, self._thread)  # type: ignore[arg-type]
        writer = WriterInThread(agent.writer, self._thread) if agent.writer else None
        return agent.but(planner=planner, retriever=InThread(agent.retriever, self._thread), writer=writer)

    def _future(self) -> asyncio.Future[Agent]:
        """What the agent will be; a request may be asked before the loading has begun."""
        if self._loaded is None:
            self._loaded = asyncio.get_running_loop().create_future()
        return self._loaded

    def _fail(self, error: TinyAgentError) -> None:
        loaded = self._future()
        loaded.set_exception(error)
        loaded.exception()  # asked for later, or never
        self._say(f"no planner: {error}")

    def _say(self, status: str) -> None:
        self.status = status
        self._changed(status)

    @property
    def ready(self) -> bool:
        return bool(self._loaded and self._loaded.done())

    async def agent(self) -> Agent:
        """The agent, when it is loaded. Raises the `TinyAgentError` that stopped it."""
        agent = await asyncio.shield(self._future())
        if self._toolbox is None or self._toolbox is agent.toolbox:
            return agent
        return agent.but(toolbox=self._toolbox)

    async def close(self) -> None:
        """Wait for what is planned or loaded just now: the program must not end in the midst of it."""
        await asyncio.to_thread(self._thread.drain)

    def use(self, toolbox: Toolbox) -> None:
        """Plan with these tools from the next request on; a run that is under way keeps its own."""
        self._toolbox = toolbox


class OneAtATime:
    """A planner for one request at a time, in one thread: the thread of a stopped request may still be at its last step,
    and each thread that a network computes in keeps memory for itself.
    """

    def __init__(self, planner: Planner, thread: OneThread):
        self.planner, self.name, self.ask_below = planner, planner.name, planner.ask_below
        self._lock, self._thread = threading.Lock(), thread

    def plan(self, text: str, tools: Toolbox, retrieved: tuple[str, ...], now: datetime) -> Items:
        return self._draw(lambda: self.planner.plan(text, tools, retrieved, now))

    def _draw(self, make: Callable[[], Items]) -> Items:
        with self._lock:
            items = self._thread.submit(make).result()
            try:
                while (item := self._thread.submit(next, items, None).result()) is not None:
                    yield item
            finally:
                self._thread.submit(getattr(items, "close", lambda: None))


class ContinuingOne(OneAtATime):
    """The same for a planner that goes on from what became of earlier steps."""

    def __init__(self, planner: Continuing, thread: OneThread):
        super().__init__(planner, thread)
        self._continuing = planner

    def go_on(self, text: str, tools: Toolbox, retrieved: tuple[str, ...], now: datetime, earlier: Earlier) -> Items:
        return self._draw(lambda: self._continuing.go_on(text, tools, retrieved, now, earlier))

    def wants_more(self, text: str, now: datetime, earlier: Earlier) -> bool:
        with self._lock:
            return self._thread.submit(self._continuing.wants_more, text, now, earlier).result()


class InThread:
    """A retriever that looks in the thread of the planner."""

    def __init__(self, retriever: Retriever, thread: OneThread):
        self.retriever, self.name, self._thread = retriever, retriever.name, thread

    def retrieve(self, text: str, tools: Toolbox) -> tuple[str, ...]:
        return self._thread.submit(self.retriever.retrieve, text, tools).result()


class WriterInThread:
    """A writer that writes in the thread of the planner."""

    def __init__(self, writer: Writer, thread: OneThread):
        self.writer, self.name, self._thread = writer, writer.name, thread

    def write(self, task: Task) -> Iterator[str]:
        return self._draw(lambda: self.writer.write(task))

    def summarize(self, text: str) -> Iterator[str]:
        return self._draw(lambda: self.writer.summarize(text))

    def _draw(self, make: Callable[[], Iterator[str]]) -> Iterator[str]:
        pieces = self._thread.submit(make).result()
        try:
            while (piece := self._thread.submit(next, pieces, None).result()) is not None:
                yield piece
        finally:
            self._thread.submit(getattr(pieces, "close", lambda: None))
