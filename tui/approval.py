"""One approval for a whole plan, which nobody gives by accident.

The bar takes the focus only where nobody types. It does nothing for `QUIET` seconds after the plan is ready, and every
key in that time starts the wait again. An answer key that another follows at once was the start of a word
(`Hesitation`). What was typed at the bar and is no answer goes to the prompt. To let a tool that sends act without
asking takes a second answer. Knows nothing of agents.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from tui.answers import Answers
from tui.hesitation import Hesitation
from tui.keymap import bind

QUIET = 0.4


@dataclass(frozen=True)
class Answer:
    """`choice` is approve, edit, reject, note, always, or moot when nothing can act any more.

    `note` says what should be different; `sends` lets tools that send act without asking too.
    """

    choice: str
    note: str = ""
    sends: bool = False


_FIRST = {
    "approve": ("a Approve", "success"),
    "edit": ("e Edit", ""),
    "reject": ("r Reject", "error"),
    "note": ("n Reject with a note", ""),
    "always": ("w Always allow", ""),
}
_SECOND = {"sends": ("s Yes, and never ask again", "warning"), "once": ("o Yes, and ask next time", "")}
_ANSWERS: dict[str, dict[str, tuple[str, str]]] = {"answers": _FIRST, "second": _SECOND, "note": {}}


class ApprovalBar(Vertical):
    BINDINGS: ClassVar = [
        bind("approval.approve", "answer('approve')", "Approve"),
        bind("approval.edit", "answer('edit')", "Edit"),
        bind("approval.reject", "answer('reject')", "Reject"),
        bind("approval.note", "answer('note')", "Reject with a note"),
        bind("approval.always", "answer('always')", "Always allow"),
        bind("approval.sends", "answer('sends')", "Never ask again"),
        bind("approval.once", "answer('once')", "Ask again"),
        Binding("escape", "back", "Back"),
    ]

    class Typed(Message):
        """Keys that were meant for the prompt."""

        def __init__(self, text: str):
            self.text = text
            super().__init__()

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(id="approval")
        self._clock = clock
        self._answers = Answers(id="question")
        self.display = False
        self._answer: asyncio.Future[Answer] | None = None
        self._quiet_until = 0.0
        self._key = ""
        self._hesitation = Hesitation(self)
        self._question = ""
        self._sends: tuple[str, ...] = ()
        self._page = "answers"

    def compose(self) -> ComposeResult:
        yield self._answers
        yield Input(placeholder="What should be different? Enter plans again, Esc goes back", id="note-text")

    @property
    def asking(self) -> bool:
        return self._answer is not None

    async def ask(self, question: str, take_focus: bool, sends: tuple[str, ...] = ()) -> Answer:
        """Show the bar and wait for an answer; hides again whatever happens. `sends` are the tools that send."""
        self._answer = asyncio.get_running_loop().create_future()
        self._question, self._sends = question, sends
        self._quiet_until = math.inf  # until it is painted: nobody answers what can't be seen yet
        self._turn_to("answers")
        self.display = True
        self.call_after_refresh(self._hold)
        if take_focus:
            self.focus()
        try:
            return await self._answer
        finally:
            self._answer = None
            self._hesitation.forget()
            self.display = False

    def _turn_to(self, page: str) -> None:
        """Show the answers, the field for a note, or the second question that a tool which sends takes."""
        self._page = page
        field = self.query_one("#note-text", Input)
        field.display = page == "note"
        names = ", ".join(self._sends)
        second = f"Carry it out now, and may {names} send from now on without asking? What was sent can't be taken back. Esc: not yet."
        self._answers.ask(second if page == "second" else self._question, _ANSWERS[page])
        if page == "note":
            field.value = ""
            field.focus()
        elif page == "second":
            self.focus()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "back":
            return self._page != "answers"
        if action != "answer":
            return True
        return parameters[0] in _ANSWERS[self._page]

    def focus(self, scroll_visible: bool = True) -> Self:
        """Give the keys to the answers."""
        self._answers.focus(scroll_visible)
        return self

    @property
    def locked(self) -> bool:
        """Whether it is too early for an answer."""
        return self._clock() < self._quiet_until

    def _hold(self) -> None:
        self._quiet_until = self._clock() + QUIET

    def on_key(self, event: events.Key) -> None:
        """What is no answer was meant for the prompt. Answers are taken here and not by their bindings, which would come after keys
        that were typed behind them."""
        bound = self.screen.active_bindings.get(event.key)
        if isinstance(self.app.focused, Input):
            return
        if bound and (answer := re.fullmatch(r"answer\('(\w+)'\)", bound.binding.action)):
            event.stop()
            event.prevent_default()
            self._key = event.character or ""
            self.action_answer(answer[1])
            return
        if event.key in ("enter", "space") and self._answers.lit:
            return
        if event.is_printable and event.character:
            self._typed(event.character)
            event.stop()
        elif self.locked:
            self._hold()

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted was meant for the prompt too."""
        if not isinstance(self.app.focused, Input):
            event.stop()
            self._typed(event.text)

    def action_answer(self, choice: str) -> None:
        if self.locked or self._hesitation.waiting:
            self._typed(self._key)
        else:
            self._hesitation.begin(self._key, lambda: self._choose(choice))

    def _typed(self, character: str) -> None:
        text = self._hesitation.typed(character)
        self._hold()
        if text:
            self.post_message(self.Typed(text))

    def on_answers_taken(self, event: Answers.Taken) -> None:
        event.stop()
        if not self.locked:
            self._choose(event.answer)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.answer(Answer("note", event.value.strip()))

    def action_back(self) -> None:
        self.go_back()

    def go_back(self) -> bool:
        """Go back from the note, or from the second question, to the answers; False when neither was shown."""
        if not self.asking or self._page == "answers":
            return False
        self._turn_to("answers")
        self.focus()
        return True

    def _choose(self, choice: str) -> None:
        if choice == "note" or (choice == "always" and self._sends):
            self._turn_to("note" if choice == "note" else "second")
        elif choice in _SECOND:
            self.answer(Answer("always", sends=choice == "sends"))
        else:
            self.answer(Answer(choice))

    def answer(self, answer: Answer) -> None:
        """Answer the question, if one is asked."""
        if self._answer and not self._answer.done():
            self._answer.set_result(answer)
