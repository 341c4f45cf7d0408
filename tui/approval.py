"""One approval for a whole plan, which nobody gives by accident.

The bar takes the focus only where nobody types. It does nothing for `QUIET` seconds after the plan is ready, and every
key in that time starts the wait again. An answer key that is followed by another within `TYPING` seconds was the start
of a word. What was typed at the bar and is no answer goes to the prompt. Knows nothing of agents.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Button, Input, Label

QUIET = 0.4
TYPING = 0.2


@dataclass(frozen=True)
class Answer:
    """`choice` is approve, edit, reject or note; `note` says what should be different."""

    choice: str
    note: str = ""


_KEYS = {"a": "approve", "e": "edit", "r": "reject", "n": "note"}


class ApprovalBar(Vertical, can_focus=True):
    BINDINGS: ClassVar = [
        Binding("a", "answer('a')", "Approve"),
        Binding("e", "answer('e')", "Edit"),
        Binding("r", "answer('r')", "Reject"),
        Binding("n", "answer('n')", "Reject with a note"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    class Typed(Message):
        """Keys that were meant for the prompt."""

        def __init__(self, text: str):
            self.text = text
            super().__init__()

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(id="approval")
        self._clock = clock
        self.display = False
        self._answer: asyncio.Future[Answer] | None = None
        self._quiet_until = 0.0
        self._pending = ""
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Label("", id="question", markup=False)
        with Horizontal(id="answers"):
            yield Button("a Approve", id="approve", variant="success", compact=True)
            yield Button("e Edit", id="edit", compact=True)
            yield Button("r Reject", id="reject", variant="error", compact=True)
            yield Button("n Reject with a note", id="note", compact=True)
        yield Input(placeholder="What should be different? Enter plans again, Esc goes back", id="note-text")

    @property
    def asking(self) -> bool:
        return self._answer is not None

    async def ask(self, question: str, take_focus: bool) -> Answer:
        """Show the bar and wait for an answer; hides again whatever happens."""
        self._answer = asyncio.get_running_loop().create_future()
        self._quiet_until = math.inf  # until it is painted: nobody answers what can't be seen yet
        self._note(False)
        self.query_one("#question", Label).update(question)
        self.display = True
        self.call_after_refresh(self._hold)
        if take_focus:
            self.focus()
        try:
            return await self._answer
        finally:
            self._answer = None
            self._forget()
            self.display = False

    def _note(self, wanted: bool) -> None:
        field = self.query_one("#note-text", Input)
        field.display = wanted
        self.query_one("#answers").display = not wanted
        if wanted:
            field.value = ""
            field.focus()

    @property
    def locked(self) -> bool:
        """Whether it is too early for an answer."""
        return self._clock() < self._quiet_until

    def _hold(self) -> None:
        self._quiet_until = self._clock() + QUIET

    def on_key(self, event: events.Key) -> None:
        """What is no answer was meant for the prompt."""
        if event.key in _KEYS or isinstance(self.app.focused, Input):
            return
        if event.key in ("enter", "space") and self.app.focused is not self:
            return
        if event.is_printable and event.character:
            self._typed(event.character)
            event.stop()
        elif self.locked:
            self._hold()

    def action_answer(self, key: str) -> None:
        if self.locked or self._pending:
            self._typed(key)
            return
        self._pending = key
        self._timer = self.set_timer(TYPING, self._accept)

    def _accept(self) -> None:
        key = self._pending
        self._forget()
        self._choose(_KEYS[key])

    def _typed(self, character: str) -> None:
        text = self._pending + character
        self._forget()
        self._hold()
        self.post_message(self.Typed(text))

    def _forget(self) -> None:
        if self._timer:
            self._timer.stop()
        self._pending, self._timer = "", None

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if not self.locked:
            self._choose(event.button.id or "reject")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.answer(Answer("note", event.value.strip()))

    def leave_note(self) -> bool:
        """Go back from the note to the answers; False when no note was being written."""
        if not self.asking or not self.query_one("#note-text").display:
            return False
        self._note(False)
        self.focus()
        return True

    def _choose(self, choice: str) -> None:
        if choice == "note":
            self._note(True)
        else:
            self.answer(Answer(choice))

    def answer(self, answer: Answer) -> None:
        """Answer the question, if one is asked."""
        if self._answer and not self._answer.done():
            self._answer.set_result(answer)
