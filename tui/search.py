"""Search the requests from before, as a shell does: type, the list narrows, Enter takes one into the prompt."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from tui.footer import Footer
from tui.history import History

SHOWN = 100


class SearchScreen(ModalScreen[str | None]):
    """Gives the request that was taken, None when the search was left."""

    BINDINGS: ClassVar = [
        Binding("enter", "take", "Take it", priority=True),
        Binding("up", "walk(-1)", "Newer", show=False, priority=True),
        Binding("down", "walk(1)", "Older", priority=True),
        Binding("ctrl+r", "walk(1)", show=False, priority=True),
        Binding("escape", "dismiss(None)", "Leave"),
    ]
    HELP = "ask"

    def __init__(self, history: History, words: str = ""):
        super().__init__()
        self.history, self.words = history, words
        self.found: list[str] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="search-requests"):
            yield Label("Requests from before", classes="heading", markup=False)
            yield Input(self.words, placeholder="words of a request", id="search-words", compact=True)
            yield OptionList(id="found", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._search()

    @on(Input.Changed)
    def _search(self) -> None:
        words = self.query_one(Input).value
        self.found = self.history.holding(words)[:SHOWN]
        box = self.query_one(OptionList)
        lines = [Text(" ".join(request.split()), no_wrap=True, overflow="ellipsis") for request in self.found]
        nothing = f"No request holds {words!r}." if words.strip() else "Nothing was asked yet."
        box.clear_options().add_options([Option(line) for line in lines] or [Option(nothing, disabled=True)])
        box.highlighted = 0 if self.found else None

    def action_walk(self, by: int) -> None:
        box = self.query_one(OptionList)
        if self.found:
            box.highlighted = max(0, min(len(self.found) - 1, (box.highlighted or 0) + by))

    def action_take(self) -> None:
        at = self.query_one(OptionList).highlighted
        self.dismiss(self.found[at] if at is not None else None)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.found[event.option_index])
