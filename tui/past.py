"""The History screen: every request with its time, how it ended and its steps; a page of them at a time, searched live.

What is written about a request stands in the history; this screen keeps no more of it than the page that is shown.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tinyagent_mlx.errors import TinyAgentError
from tui import wording
from tui.footer import Footer
from tui.keymap import bind
from tui.shelf import Shelf
from tui.title import TitleBar
from tui.trail import Trail

if TYPE_CHECKING:
    from tinyagent_mlx.records import RunRecord

PAGE = 50
PAUSE = 0.15  # seconds without a key before a search begins
_STYLES = {"done": "green", "failed": "red", "unknown": "yellow", "killed": "yellow", "running": "cyan"}
QUERY = 200  # characters of a request in the list


def shortened(text: str, most: int) -> str:
    """At most so many characters of a text, with a mark where the rest is missing."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


@dataclass(frozen=True)
class Row:
    """What the list shows of a request."""

    id: int
    began: str
    state: str
    query: str
    steps: tuple[tuple[str, str], ...]  # name of the tool, how it stands

    def text(self) -> Text:
        """Two lines: when, how it ended and what was asked; then its steps."""
        text = Text(f"{self.began[:16].replace('T', ' ')}  ", "dim", no_wrap=True, overflow="ellipsis")
        text.append(f"{self.state:<14}", _STYLES.get(self.state, ""))
        text.append(shortened(" ".join(self.query.split()), QUERY), "bold").append("\n  ")
        for tool, state in self.steps:
            text.append(f" {wording.MARKS.get(state, '·')} ", _STYLES.get(state, "")).append(tool, "dim")
        return text if self.steps else text.append(" no steps", "dim")


def row_of(run: RunRecord) -> Row:
    steps = tuple((step.tool, "undone" if step.undone else step.state) for step in run.last.values())
    return Row(run.id, run.began, run.state, run.query, steps)


class HistoryScreen(Screen[None]):
    BINDINGS: ClassVar = [
        bind("history.search", "search", "Search"),
        bind("history.again", "again", "Run again"),
        bind("history.undo", "undo", "Undo"),
        bind("history.save", "save", "Save as case"),
        bind("history.export", "export", "Export"),
        Binding("down", "to_list", show=False),
        Binding("escape", "leave", "Back"),
    ]
    HELP = "history"

    class Again(Message):
        """A request shall be asked once more, after it was changed."""

        def __init__(self, request: str):
            self.request = request
            super().__init__()

    def __init__(self, trail: Trail, shelf: Shelf, cases: Path, exports: Path):
        super().__init__()
        self.trail, self.shelf, self.cases, self.exports = trail, shelf, cases, exports
        self.rows: list[Row] = []
        self._pages: list[int | None] = [None]  # below which number each page begins, the one that is shown last

    def compose(self) -> ComposeResult:
        yield TitleBar("History")
        yield Input(placeholder="search requests, plans and results", id="find", compact=True)
        yield OptionList(id="past", markup=False)
        yield Static("", id="past-status", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#past").focus()

    def on_screen_resume(self) -> None:
        self.look()

    @on(Input.Changed, "#find")
    def _search_changed(self) -> None:
        self._pages = [None]
        self.look(PAUSE)

    @work(exclusive=True, group="look")
    async def look(self, pause: float = 0) -> None:
        """Read the page that is shown anew; of several looks only the last one counts."""
        await asyncio.sleep(pause)
        words, before = self.query_one("#find", Input).value, self._pages[-1]
        try:
            found = await self.trail.read(lambda h: [row_of(run) for run in h.runs(PAGE + 1, words, before)])
        except TinyAgentError as error:
            self._say(str(error), "red")
            return
        more = len(found) > PAGE
        self._draw(found[:PAGE], more, words)

    def _draw(self, rows: list[Row], more: bool, words: str) -> None:
        past = self.query_one("#past", OptionList)
        shown = self._row()
        self.rows = rows
        options = [Option(Text("↑ newer requests", "italic"), id="newer")] if self._pages[1:] else []
        options += [Option(row.text(), id=str(row.id)) for row in rows]
        options += [Option(Text("↓ older requests", "italic"), id="older")] if more else []
        past.clear_options().add_options(options)
        kept = [n for n, option in enumerate(options) if shown and option.id == str(shown.id)]
        first = 1 if self._pages[1:] else 0
        past.highlighted = (kept or [first])[0] if rows else None
        if rows:
            self._say("Enter opens a request.")
        else:
            self._say(f"No request holds {words!r}." if words.strip() else "Nothing was asked yet.")

    def _say(self, text: str, style: str = "dim") -> None:
        self.query_one("#past-status", Static).update(Text(text, style))

    def _row(self) -> Row | None:
        chosen = self.query_one("#past", OptionList).highlighted_option
        return next((row for row in self.rows if chosen and chosen.id == str(row.id)), None)

    @on(OptionList.OptionSelected, "#past")
    async def _selected(self, event: OptionList.OptionSelected) -> None:
        if event.option.id == "older":
            self._pages.append(self.rows[-1].id)
            self.look()
        elif event.option.id == "newer":
            self._pages.pop()
            self.look()
        else:
            await self._open(int(str(event.option.id)))

    async def _open(self, number: int) -> None:
        from tui.record import RecordScreen

        await self.shelf.look()
        try:
            run = await self.trail.read(lambda history: history.run(number))
        except TinyAgentError as error:
            self._say(str(error), "red")
            return
        self.app.push_screen(RecordScreen(run, self.trail, self.shelf, self.cases), self._back)

    def _back(self, again: str | None) -> None:
        self.look()
        if again is not None:
            self.post_message(self.Again(again))

    @on(Input.Submitted, "#find")
    def action_to_list(self) -> None:
        self.query_one("#past").focus()

    def action_search(self) -> None:
        self.query_one("#find").focus()

    async def action_leave(self) -> None:
        find = self.query_one("#find", Input)
        if find.has_focus or find.value:
            find.value = ""
            self.query_one("#past").focus()
        else:
            await self.app.run_action("app.go('ask')")

    def action_again(self) -> None:
        if row := self._row():
            self.post_message(self.Again(row.query))

    async def action_undo(self) -> None:
        """Undo all that a request did, as far as there is a way back."""
        row = self._row()
        if row:
            self.run_worker(self._undo(row.id), group="undo", exit_on_error=False)

    async def _undo(self, number: int) -> None:
        from tui.record import undone

        await self.shelf.look()
        lines = await undone(self.trail, number, self.shelf)
        self.look()
        self.notify("\n".join(text for _, text in lines), title="Undo", timeout=12, markup=False)

    async def action_save(self) -> None:
        row = self._row()
        if row:
            from tui.save import save_case

            await self.shelf.look()
            save_case(self.app, self.trail, self.shelf, self.cases, row.id)

    def action_export(self) -> None:
        from tui.save import export

        export(self.app, self.trail, self.exports)
