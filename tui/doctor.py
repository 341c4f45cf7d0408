"""The Doctor screen, and the first thing a new user sees: a greeting, what works here, three requests to try."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.table import Table
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.footer import Footer
from tui.keymap import bind
from tui.title import TitleBar

if TYPE_CHECKING:
    from tinyagent_mlx.cli.doctor import Check

GREETING = (
    "Hello. Say in your own words what should be done; tinyagent makes a plan of it, shows it in full, and does nothing "
    "that writes or sends before you approve. All of it stays on this machine."
)
_MARKS = {"ok": ("✓", "green"), "slow": ("~", "yellow"), "missing": ("✗", "red")}


class DoctorScreen(Screen[None]):
    BINDINGS: ClassVar = [
        bind("doctor.check", "check", "Check again"),
        Binding("escape", "app.go('ask')", "Ask"),
        Binding("pageup", "scroll_page(-1)", show=False, priority=True),
        Binding("pagedown", "scroll_page(1)", show=False, priority=True),
    ]
    HELP = "doctor"

    class Tried(Message):
        """A request to be put into the prompt."""

        def __init__(self, request: str):
            self.request = request
            super().__init__()

    class Typed(Message):
        """Somebody writes a request: the character belongs into the prompt; a line's end, "\\n", submits it."""

        def __init__(self, character: str):
            self.character = character
            super().__init__()

    def __init__(self, checks: Callable[[], Iterable[Check]], examples: tuple[str, ...], home: Path | None = None):
        super().__init__()
        self.checks, self.examples, self.home = checks, examples, home
        self._typed = False  # since the screen came up

    def compose(self) -> ComposeResult:
        yield TitleBar("Doctor")
        with VerticalScroll(id="doctor", can_focus=False):
            yield Static(GREETING, id="greeting", markup=False)
            yield Static("Try one of these: Enter puts it into the prompt.", classes="heading", markup=False)
            yield OptionList(*(Option(request) for request in self.examples), id="requests", compact=True, markup=False)
            yield Static("What works on this machine", classes="heading", markup=False)
            yield Static("looking…", id="checks", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        requests = self.query_one("#requests", OptionList)
        requests.highlighted = 0
        requests.focus()
        self.action_check()
        if self.home:
            self.home.mkdir(parents=True, exist_ok=True)
            (self.home / "greeted").touch()

    def action_check(self) -> None:
        self.query_one("#checks", Static).update(Text("looking…", "dim"))
        self.run_worker(self._check(), exclusive=True)

    async def _check(self) -> None:
        found = await asyncio.to_thread(lambda: list(self.checks()))
        table = Table.grid(padding=(0, 1))  # a long line goes on under its own beginning
        for check in found:
            mark, style = _MARKS[check.state]
            text = Text(check.finding if check.state == "ok" else f"{check.state}: {check.finding}")
            if check.remedy:
                text.append(f"\n→ {check.remedy}", "dim")
            table.add_row(Text(mark, f"bold {style}"), Text(check.subject, "bold"), text)
        self.query_one("#checks", Static).update(table)

    def on_key(self, event: events.Key) -> None:
        if event.character and event.is_printable:
            event.stop()
            self._typed = True
            self.post_message(self.Typed(event.character))

    def on_screen_resume(self) -> None:
        self._typed = False

    def action_scroll_page(self, pages: int) -> None:
        view = self.query_one("#doctor")
        view.scroll_relative(y=pages * max(1, view.size.height - 2), animate=False)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        """An Enter that comes right after letters, before the prompt is there, is theirs."""
        example = self.examples[event.option_index]
        self.post_message(self.Typed("\n") if self._typed else self.Tried(example))
