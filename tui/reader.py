"""A text on a screen of its own, to read, select and copy."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, TextArea

from tui.footer import Footer
from tui.keymap import bind


class ReaderScreen(ModalScreen[None]):
    BINDINGS: ClassVar = [Binding("escape,q", "dismiss", "Close"), bind("reader.copy", "copy", "Copy all")]

    def __init__(self, title: str, text: str):
        super().__init__()
        self.heading, self.text = title, text

    def compose(self) -> ComposeResult:
        with Vertical(id="reader"):
            yield Label(self.heading, classes="heading", markup=False)
            yield TextArea(self.text, read_only=True, show_line_numbers=False, highlight_cursor_line=False)
        yield Footer()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.text)
        self.notify("Copied.")
