"""A list to choose one thing from, or a line to write: a form of its own over the screen that asks."""

from __future__ import annotations

from collections.abc import Sequence
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

Choice = tuple[str, str]
"""What is given when it is taken, and what is shown."""


class ChooseScreen(ModalScreen[str | None]):
    """Gives the choice that was taken, or with `write` what was written; None when it was left.

    `write` is what the empty line says; without it nothing can be written.
    """

    BINDINGS: ClassVar = [Binding("escape", "dismiss(None)", "Leave")]
    HELP = "settings"

    def __init__(self, title: str, choices: Sequence[Choice], chosen: str = "", write: str = ""):
        super().__init__()
        self.heading, self.choices, self.chosen, self.write = title, choices, chosen, write

    def compose(self) -> ComposeResult:
        with Vertical(id="choose"):
            yield Label(self.heading, classes="heading", markup=False)
            if self.write:
                yield Input(placeholder=self.write, id="choose-line", compact=True)
            if self.choices:
                options = [Option(Text(text, no_wrap=True, overflow="ellipsis")) for _, text in self.choices]
                yield OptionList(*options, id="choices", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        for box in self.query(OptionList):
            values = [value for value, _ in self.choices]
            box.highlighted = values.index(self.chosen) if self.chosen in values else 0
        self.query_one("#choose-line" if self.write else "#choices").focus()

    @on(OptionList.OptionSelected)
    def _taken(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.choices[event.option_index][0])

    @on(Input.Submitted)
    def _written(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())
