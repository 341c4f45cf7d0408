"""The prompt: text that wraps, Enter to ask, up and down through the requests before."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.widgets import TextArea

from tui.history import History


class Prompt(TextArea):
    """`accept` takes a request and says whether it did; a text that is not taken stays."""

    BINDINGS: ClassVar = [
        Binding("enter", "submit", "Ask"),
        Binding("ctrl+j,shift+enter", "new_line", "New line", show=False),
        Binding("tab", "answer", "Answer", show=False),
        Binding("pageup", "screen.scroll_runs(-1)", show=False),
        Binding("pagedown", "screen.scroll_runs(1)", show=False),
    ]

    class AnswerWanted(Message):
        """The user wants to leave the prompt for whatever waits for an answer."""

    def __init__(self, history: History, accept: Callable[[str], bool], blink: bool = True):
        super().__init__(placeholder="What should be done?", id="prompt", highlight_cursor_line=False, compact=True)
        self.requests, self.accept, self.cursor_blink = history, accept, blink

    async def _on_key(self, event: events.Key) -> None:
        """Take Enter and Tab in the order they were typed: a priority binding would overtake letters still on their way."""
        actions = {"enter": self.action_submit, "tab": self.action_answer}
        if event.key in actions:
            event.stop()
            event.prevent_default()
            actions[event.key]()
        else:
            await super()._on_key(event)

    def action_submit(self) -> None:
        """Hand the request over. Done at once and not by a message, which could clear letters that were typed after it."""
        request = self.text.strip()
        if not request:
            self.post_message(self.AnswerWanted())
        elif self.accept(request):
            self.requests.add(request)
            self.write("")

    def action_answer(self) -> None:
        self.post_message(self.AnswerWanted())

    def action_new_line(self) -> None:
        self.insert("\n")

    def action_cursor_up(self, select: bool = False) -> None:
        if (
            select
            or self.cursor_location[0] > 0
            or self.wrapped_document.location_to_offset(self.cursor_location).y > 0
        ):
            super().action_cursor_up(select)
        else:
            self._recall(self.requests.older(self.text))

    def action_cursor_down(self, select: bool = False) -> None:
        last = self.wrapped_document.height - 1
        if select or self.wrapped_document.location_to_offset(self.cursor_location).y < last:
            super().action_cursor_down(select)
        else:
            self._recall(self.requests.newer())

    def _recall(self, request: str | None) -> None:
        if request is not None:
            self.write(request)

    def write(self, text: str) -> None:
        """Put a text in the place of what stands there, the cursor behind it."""
        self.text = text
        self.move_cursor(self.document.end)

    def put(self, request: str) -> None:
        """Put a request from elsewhere here, for the user to change and to submit; what stood there, and is not in it, can be recalled
        with Up."""
        draft = self.text.strip()
        if draft and draft.casefold() not in request.casefold():
            self.requests.add(draft)
        self.write(request)
        self.focus()

    def take(self, typed: str) -> None:
        """Accept keys that were typed elsewhere and meant for the prompt."""
        self.focus()
        self.insert(typed)
