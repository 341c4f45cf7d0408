"""A text as a writer writes it, whole on the screen: use it, change it, keep the request's own words, or do nothing.

As where something is about to be sent, letters go to the prompt and Enter is taken only after `QUIET` seconds without a
key; while the text comes it can't be used at all. Esc stops the writer at its next token, and then says no. Knows nothing
of agents.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label, TextArea
from textual.worker import Worker

from tinyagent_mlx.cli.show import plain
from tinyagent_mlx.writing import Draft
from tui.approval import QUIET
from tui.footer import Footer

COMES = "It is being written. Nothing is saved before you say so; Esc stops it."
ENDED = "Nothing is saved yet. Is this the text?"
STOPPED = "Stopped. This is as far as it came."
YOURS = "The text is yours to change; Tab goes on to the answers."


class WritingScreen(ModalScreen[str | None]):
    """The text to use, None where the step is not to be done. `typed` takes the letters that were meant for the prompt."""

    BINDINGS: ClassVar = [
        Binding("escape", "stop", "Stop, or no"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]
    AUTO_FOCUS = "TextArea"

    def __init__(
        self, title: str, draft: Draft, typed: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ):
        super().__init__()
        assert draft.task
        self.heading, self.draft, self.own, self._typed, self._clock = title, draft, draft.task.own, typed, clock
        self.area = TextArea("", read_only=True, show_line_numbers=False, highlight_cursor_line=False)
        self._quiet_until = math.inf  # until it is painted and written
        self._shown = ""
        self._stream: Worker[None] | None = None

    def compose(self) -> ComposeResult:
        own = self.own.strip()
        with Vertical(id="writing"):
            yield Label(self.heading, classes="heading", markup=False)
            yield Label(COMES, id="writing-state", markup=False)
            yield self.area
            yield Label(plain(f"Your own words: {own}") if own else "You gave no words of your own.", markup=False)
            with Horizontal(id="writing-answers"):
                yield Button("Use it", id="use", variant="success", compact=True, disabled=True)
                yield Button("Edit", id="edit", compact=True, disabled=True)
                yield Button("My own words", id="own", compact=True)
                yield Button("Don't do it", id="no", variant="error", compact=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._stream = self.run_worker(self._show(), exit_on_error=False)
        self.call_after_refresh(self._hold)

    async def _show(self) -> None:
        try:
            async for piece in self.draft:
                self._shown += plain(piece)
                self.area.insert(plain(piece), self.area.document.end)
                self.area.scroll_end(animate=False)
        finally:
            if self.is_attached:
                self._ended()

    def _ended(self) -> None:
        self._stream = None
        if self.draft.trouble:
            self.dismiss(self.own)
            return
        self._say(ENDED if self.draft.ended else STOPPED)
        for name in ("use", "edit"):
            self.query_one(f"#{name}", Button).disabled = not self.draft.text.strip()
        self._hold()

    def _say(self, text: str) -> None:
        self.query_one("#writing-state", Label).update(text)

    def _hold(self) -> None:
        self._quiet_until = self._clock() + QUIET

    @property
    def locked(self) -> bool:
        """Whether it is too early for an answer."""
        return self._clock() < self._quiet_until

    def on_key(self, event: events.Key) -> None:
        """What is typed was meant for the prompt; a text that is being changed takes its keys before."""
        if event.is_printable and event.character and event.key != "space":
            self._typed(event.character)
            event.stop()
        if self.locked or event.is_printable:
            self._hold()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if self.locked:
            return
        match event.button.id:
            case "use":
                self.dismiss(self.text)
            case "edit":
                self.area.read_only = False
                self._say(YOURS)
                self.area.focus()
            case "own":
                self.dismiss(self.own)
            case _:
                self.dismiss(None)

    @property
    def text(self) -> str:
        """What was written, or what was made of it."""
        return self.draft.text.strip() if self.area.text == self._shown else self.area.text.strip()

    def action_stop(self) -> None:
        if self._stream:
            self._stream.cancel()
        else:
            self.dismiss(None)
