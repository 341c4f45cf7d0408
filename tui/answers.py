"""A question with its answers in one widget that is painted: an answer is lit with the arrows or Tab, taken with Enter.

A button for each would cost as much when the focus comes as the whole plan above. Knows nothing of what is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widgets import Static

_COLOURS = {"success": "$text-success bold", "error": "$text-error bold", "warning": "$text-warning bold", "": ""}


class Answers(Static, can_focus=True):
    """`lit` is the answer that Enter takes, "" for none. While the keys go elsewhere, it says how they come back."""

    BINDINGS: ClassVar = [
        Binding("right,tab", "light(1)", show=False),
        Binding("left,shift+tab", "light(-1)", show=False),
        Binding("enter,space", "take", show=False),
    ]

    class Taken(Message):
        def __init__(self, answer: str):
            self.answer = answer
            super().__init__()

    def __init__(self, id: str):
        super().__init__("", id=id, markup=False)
        self.auto_links = False
        self.lit = ""
        self._question = ""
        self._answers: Mapping[str, tuple[str, str]] = {}

    def ask(self, question: str, answers: Mapping[str, tuple[str, str]]) -> None:
        """Show a question; each answer has a text and what it is like: success, error, warning or nothing of these."""
        self._question, self._answers, self.lit = question, answers, ""
        self._draw()

    def _draw(self) -> None:
        parts: list[Content] = []
        for name, (text, kind) in self._answers.items():
            style = f"{_COLOURS[kind]} {'reverse' if name == self.lit else 'on $surface'}"
            # a space that does not break: an answer stays in one piece
            answer = Content.styled(f"\N{NO-BREAK SPACE}{text.replace(' ', chr(0xA0))}\N{NO-BREAK SPACE}", style)
            parts.append(answer.stylize(Style.from_meta({"@click": f"pick({name!r})"})))
        question = Content.styled(self._question, "bold")
        if parts and not self.has_focus:
            question += Content.styled("  Tab goes to the answers.", "dim")
        lines = [question, Content("  ").join(parts)]
        self.update(Content("\n").join([line for line in lines if line]))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return bool(self.lit) if action == "take" else True

    def action_light(self, by: int) -> None:
        """Light the next answer, or the one before; beyond them the focus goes on."""
        names = list(self._answers)
        at = names.index(self.lit) + by if self.lit else (0 if by > 0 else len(names) - 1)
        if 0 <= at < len(names):
            self._light(names[at])
        elif by > 0:
            self.screen.focus_next()
        else:
            self.screen.focus_previous()

    def _light(self, name: str) -> None:
        if name != self.lit:
            self.lit = name
            self._draw()
            self.refresh_bindings()

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        if not has_focus:
            self.lit = ""
        self._draw()

    def action_take(self) -> None:
        self.post_message(self.Taken(self.lit))

    def action_pick(self, name: str) -> None:
        """An answer was clicked."""
        self.post_message(self.Taken(name))
