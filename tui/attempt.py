"""Try a tool on a request: its plan and how sure the planner is of it. Nothing is carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from tinyagent_mlx.errors import TinyAgentError
from tinyagent_mlx.toolbox import Tool
from tui.engine import Engine
from tui.footer import Footer

EMPTY = "Say a request; Enter alone tries the tool's examples."


class AttemptScreen(ModalScreen[None]):
    BINDINGS: ClassVar = [Binding("escape", "dismiss", "Close")]
    HELP = "tools"

    def __init__(self, tool: Tool, engine: Engine, now: Callable[[], datetime]):
        super().__init__()
        self.tool, self.engine, self.now = tool, engine, now

    def compose(self) -> ComposeResult:
        with Vertical(id="reader"):
            yield Label(f"Try {self.tool.name}", classes="heading", markup=False)
            yield Input(placeholder=EMPTY, id="attempt-request", compact=True)
            with VerticalScroll():
                yield Static("", id="attempts", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.run_worker(self._try(event.value.strip()), exclusive=True, exit_on_error=False)

    def _say(self, text: str) -> None:
        self.query_one("#attempts", Static).update(Text(text))

    async def _try(self, request: str) -> None:
        from tinyagent_mlx.cli.trying import lines
        from tinyagent_mlx.trial import Trial, trial

        asked = [(request, None)] if request else [(e.request, e.plan) for e in self.tool.examples]
        if not asked:
            self._say(f"{self.tool.name} has no examples: say a request.")
            return
        self._say("planning…" if self.engine.ready else "waits for the planner to load…")
        done: list[Trial] = []
        try:
            agent = await self.engine.agent()
            if self.tool.name not in agent.toolbox:
                self._say(f"{self.tool.name} is switched off, so no plan calls it.")
                return
            for text, wanted in asked:
                done.append(await asyncio.to_thread(trial, agent, self.tool, text, wanted, self.now()))
                self._say("\n".join(line for one in done for line in lines(one)))
        except TinyAgentError as error:
            self._say(f"{error}. F4 shows what is missing.")
