"""Save a request of the past as an evaluation case, or all of them to a file: the forms that ask where to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static, TextArea

from tinyagent_mlx.check import check_plan
from tinyagent_mlx.errors import HistoryError, TinyAgentError
from tinyagent_mlx.plan import parse_written, print_plan
from tinyagent_mlx.records import RunRecord
from tui.footer import Footer
from tui.keymap import bind
from tui.shelf import Shelf
from tui.trail import Trail

Keep = Callable[[Path, str], Awaitable[str]]
"""Writes to a file, with the plan that the form holds; says what was written. Raises `TinyAgentError`."""


class SaveScreen(ModalScreen[str]):
    """Asks for a file and, with `plan`, for the right plan; gives what was written, "" when nothing was."""

    BINDINGS: ClassVar = [
        bind("save.keep", "keep", "Save", priority=True),
        Binding("escape", "dismiss('')", "Leave"),
    ]
    HELP = "history"

    def __init__(self, title: str, file: Path, keep: Keep, plan: str | None = None):
        super().__init__()
        self.heading, self.file, self.keep, self.plan = title, file, keep, plan

    def compose(self) -> ComposeResult:
        with Vertical(id="save"):
            yield Label(self.heading, classes="heading", markup=False)
            yield Label("File", classes="name")
            yield Input(str(self.file), id="save-file", compact=True, select_on_focus=False)
            if self.plan is not None:
                yield Label("The right plan; empty when no tool serves the request", classes="name")
                yield TextArea(self.plan, id="save-plan", compact=True)
            yield Static("", id="save-trouble", markup=False)
        yield Footer()

    @on(Input.Submitted)
    async def action_keep(self) -> None:
        plan = self.query_one("#save-plan", TextArea).text if self.plan is not None else ""
        file = Path(self.query_one("#save-file", Input).value.strip()).expanduser()
        try:
            said = await self.keep(file, plan)
        except TinyAgentError as error:
            self.query_one("#save-trouble", Static).update(Text(str(error), "red"))
        else:
            self.dismiss(said)


def save_case(app: App[None], trail: Trail, shelf: Shelf, cases: Path, number: int) -> None:
    """Let the user look at a request's plan and file, then append it to the file as a case."""

    async def keep(file: Path, text: str) -> str:
        plan = parse_written(text)
        if shelf.toolbox:
            check_plan(plan, shelf.toolbox)
        name = await trail.read(lambda history: history.save_case(number, file, plan))
        return f"saved as {name} in {file}"

    async def ask() -> None:
        try:
            run = await trail.read(lambda history: history.run(number))
        except TinyAgentError as error:
            app.notify(str(error), severity="error", markup=False)
            return
        title = f"Save request {number} as an evaluation case"
        _push(app, SaveScreen(title, cases, keep, _right_plan(run)))

    app.run_worker(ask(), exit_on_error=False)


def _right_plan(run: RunRecord) -> str:
    """The plan that was approved, else the one that was planned: the user sees and mends it before it is kept."""
    try:
        return print_plan(run.accepted())
    except HistoryError:
        return run.plan


def export(app: App[None], trail: Trail, folder: Path) -> None:
    """Let the user say where to, then write every request."""

    async def keep(file: Path, _: str) -> str:
        count = await trail.read(lambda history: history.export(file))
        return f"{count} requests written to {file}"

    _push(app, SaveScreen("Export every request", folder / f"history-{date.today()}.jsonl", keep))


def _push(app: App[None], screen: SaveScreen) -> None:
    def told(said: str | None) -> None:
        if said:
            app.notify(said, timeout=12, markup=False)

    app.push_screen(screen, told)
