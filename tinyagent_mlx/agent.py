"""The only place where the parts meet: a request goes in, a plan or an outcome comes out."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tinyagent_mlx.background import in_thread
from tinyagent_mlx.desktop.base import Desktop
from tinyagent_mlx.errors import PlannerError
from tinyagent_mlx.events import Event
from tinyagent_mlx.executor import Approve, Confirm, Outcome, execute
from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.planner import Limited, PlanEnd, Planner
from tinyagent_mlx.retriever import Retriever
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.when import resolve_plan
from tinyagent_mlx.writing import Accept, Desk, Writer


@dataclass(frozen=True)
class Planned:
    """A request and its plan, dates resolved. `tools` are the names that the retriever chose."""

    query: str
    plan: Plan
    tools: tuple[str, ...]
    end: PlanEnd
    seconds: float


class Agent:
    """`writer` writes what the tools let it, and `accept` is shown it before it is used; without either the request's own
    words are."""

    def __init__(
        self, toolbox: Toolbox, planner: Planner, retriever: Retriever, desktop: Desktop, writer: Writer | None = None,
        accept: Accept | None = None,
    ):  # fmt: skip
        self.toolbox, self.planner, self.retriever, self.desktop = toolbox, planner, retriever, desktop
        self.writer, self.accept = writer, accept

    def but(self, **parts: Any) -> Agent:
        """The same with other parts."""
        names = ("toolbox", "planner", "retriever", "desktop", "writer", "accept")
        return Agent(**{name: parts.get(name, getattr(self, name)) for name in names})

    def plan(self, text: str, now: datetime) -> Planned:
        """Plan a request; nothing is carried out."""
        began = time.perf_counter()
        stream = _Stream(self, text, now)
        steps = tuple(stream)
        assert stream.end is not None
        return Planned(text, Plan(steps), stream.retrieved, stream.end, time.perf_counter() - began)

    async def run(
        self,
        text: str,
        now: datetime,
        approve: Approve,
        emit: Callable[[Event], None],
        confirm: Confirm | None = None,
        foreign: Collection[str] = (),
    ) -> Outcome:
        """Plan a request and carry it out while it is planned; planning has a thread of its own.

        Raises `PlannerError` where the planner could not read all of the request: half of it is not what was asked.
        `foreign` are texts that others may have written and that may stand in the request.
        """
        stream = _Stream(self, text, now, whole=True)
        doubted = stream.doubted if self.planner.ask_below > 0 else None
        desk = self._desk(text)
        return await execute(
            in_thread(stream), self.toolbox, self.desktop, approve, emit, now, doubted, confirm, foreign, desk
        )

    async def carry_out(
        self,
        plan: Plan,
        now: datetime,
        approve: Approve,
        emit: Callable[[Event], None],
        confirm: Confirm | None = None,
        foreign: Collection[str] = (),
        request: str = "",
        whole: bool = False,
    ) -> Outcome:
        """Carry out a plan that was made before, of `request`; `foreign` are texts in it that others may have written.

        With `whole` all of it is asked about, reads too.
        """

        async def steps() -> AsyncIterator[Step]:
            for step in plan.steps:
                yield step

        desk = self._desk(request)
        doubted = (lambda: True) if whole else None
        return await execute(steps(), self.toolbox, self.desktop, approve, emit, now, doubted, confirm, foreign, desk)

    def _desk(self, request: str) -> Desk | None:
        return Desk(self.writer, self.accept, request) if self.writer and self.accept else None


class _Stream:
    """The steps of a request with their dates resolved; after the last one, `end` and `retrieved` are known.

    Where `whole`, a request that was not read to its end is an error.
    """

    def __init__(self, agent: Agent, text: str, now: datetime, whole: bool = False):
        self.agent, self.text, self.now, self.whole = agent, text, now, whole
        self.retrieved: tuple[str, ...] = ()
        self.end: PlanEnd | None = None

    def doubted(self) -> bool:
        """The planner is less sure of this plan than what it may do unasked demands."""
        sure = self.end.confidence if self.end else None
        return sure is not None and sure < self.agent.planner.ask_below

    def __iter__(self) -> Iterator[Step]:
        agent = self.agent
        if self.whole and isinstance(agent.planner, Limited) and (unread := agent.planner.unread(self.text)):
            raise PlannerError(unread)
        self.retrieved = agent.retriever.retrieve(self.text, agent.toolbox)
        for item in agent.planner.plan(self.text, agent.toolbox, self.retrieved, self.now):
            if isinstance(item, PlanEnd):
                self.end = item
            else:
                yield resolve_plan(Plan((item,)), agent.toolbox, self.now).steps[0]
