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

if TYPE_CHECKING:
    from tinyagent_mlx.agent import Agent
    from tinyagent_mlx.plan import Step
    from tinyagent_mlx.planner import PlanEnd, Planner
    from tinyagent_mlx.toolbox import Toolbox

MakeAgent = Callable[[], "Agent"]


class Engine:
    """`status` is a line for the title: what loads, what runs, or why nothing does."""

    def __init__(self, make_agent: MakeAgent, changed: Callable[[str], None]):
        self._make, self._changed = make_agent, changed
        self._loaded: asyncio.Future[Agent] | None = None
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
            agent = await asyncio.to_thread(self._make)
        except TinyAgentError:
            raise
        except Exception as error:  # a broken model folder may raise anything; the screen must stay
            raise PlannerError(f"{type(error).__name__}: {error}") from error
        return agent.but(planner=OneAtATime(agent.planner))

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

    def use(self, toolbox: Toolbox) -> None:
        """Plan with these tools from the next request on; a run that is under way keeps its own."""
        self._toolbox = toolbox


class OneAtATime:
    """A planner for one request at a time: the thread of a stopped request may still be at its last step."""

    def __init__(self, planner: Planner):
        self.planner, self.name, self.ask_below = planner, planner.name, planner.ask_below
        self._lock = threading.Lock()

    def plan(self, text: str, tools: Toolbox, retrieved: tuple[str, ...], now: datetime) -> Iterator[Step | PlanEnd]:
        with self._lock:
            yield from self.planner.plan(text, tools, retrieved, now)
