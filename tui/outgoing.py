"""A send that carries text which others may have written: shown whole, and sent only on a deliberate yes.

Letters do nothing here and go to the prompt; Enter is taken only after `QUIET` seconds without a key, and stands on the
answer that sends nothing. Knows nothing of agents.
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

from tui.approval import QUIET
from tui.footer import Footer

QUESTION = "It came out of a document, a note or a mail: others may have written it. What goes out, in full:"


class OutgoingScreen(ModalScreen[bool]):
    """True when it may be sent. `typed` takes the letters that were meant for the prompt."""

    BINDINGS: ClassVar = [
        Binding("escape", "hold_back", "Don't send"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]
    AUTO_FOCUS = "#hold-back"

    def __init__(
        self, title: str, text: str, typed: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ):
        super().__init__()
        self.heading, self.text, self._typed, self._clock = title, text, typed, clock
        self._quiet_until = math.inf  # until it is painted: nobody answers what can't be seen yet

    def compose(self) -> ComposeResult:
        with Vertical(id="outgoing"):
            yield Label(self.heading, classes="heading", markup=False)
            yield Label(QUESTION, markup=False)
            yield TextArea(self.text, read_only=True, show_line_numbers=False, highlight_cursor_line=False)
            with Horizontal(id="outgoing-answers"):
                yield Button("Don't send", id="hold-back", compact=True)
                yield Button("Send it", id="send", variant="error", compact=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.call_after_refresh(self._hold)

    def _hold(self) -> None:
        self._quiet_until = self._clock() + QUIET

    @property
    def locked(self) -> bool:
        """Whether it is too early for an answer."""
        return self._clock() < self._quiet_until

    def on_key(self, event: events.Key) -> None:
        if event.is_printable and event.character and event.key != "space":
            self._typed(event.character)
            event.stop()
        if self.locked or event.is_printable:
            self._hold()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if not self.locked:
            self.dismiss(event.button.id == "send")

    def action_hold_back(self) -> None:
        self.dismiss(False)
