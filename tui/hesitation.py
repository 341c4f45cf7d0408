"""A key that does something only when no other follows at once: then it was the start of a word. Knows nothing of what it does."""

from __future__ import annotations

from collections.abc import Callable

from textual.timer import Timer
from textual.widget import Widget

TYPING = 0.2  # seconds


class Hesitation:
    """One key of a widget's at a time."""

    def __init__(self, widget: Widget):
        self._widget = widget
        self._pending = ""
        self._timer: Timer | None = None

    @property
    def waiting(self) -> bool:
        return self._timer is not None

    def begin(self, character: str, act: Callable[[], None]) -> None:
        """Act in `TYPING` seconds, unless something is typed before."""

        def go() -> None:
            self.forget()
            act()

        self._pending, self._timer = character, self._widget.set_timer(TYPING, go)

    def typed(self, characters: str) -> str:
        """What was typed, the key that waits first: it does nothing any more."""
        text = self._pending + characters
        self.forget()
        return text

    def forget(self) -> None:
        if self._timer:
            self._timer.stop()
        self._pending, self._timer = "", None
