"""The keys that work here, in one line at the bottom: one widget that is painted, however often the keys change.

Textual's own footer builds a widget for each key whenever the focus moves, and keeps the old ones: that is what a plan
that grows would spend its time and memory on. Knows nothing of what the keys do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.screen import Screen
from textual.widget import Widget

_RIGHT = ("app.help", "help")  # the way to all else: it stays in sight where there is no room for every key


@dataclass(frozen=True)
class Key:
    """`press` is the key's name, `shown` what the user reads."""

    press: str
    shown: str
    text: str
    works: bool = True

    @property
    def width(self) -> int:
        return cell_len(self.shown) + cell_len(self.text) + 3


class Footer(Widget, can_focus=False):
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar = {"footer--key", "footer--text", "footer--idle"}
    DEFAULT_CSS = """
    Footer { dock: bottom; height: 1; color: $footer-foreground; background: $footer-background; }
    Footer > .footer--key { color: $footer-key-foreground; background: $footer-key-background; text-style: bold; }
    Footer > .footer--text { color: $footer-description-foreground; background: $footer-description-background; }
    Footer > .footer--idle { color: $foreground 50%; background: $footer-background; }
    """

    def __init__(self, show_command_palette: bool = True):
        super().__init__()
        self._palette = show_command_palette
        self._left: tuple[Key, ...] = ()
        self._right: tuple[Key, ...] = ()
        self._spans: list[tuple[int, int, Key]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self._changed(self.screen)

    def on_unmount(self) -> None:
        self.screen.bindings_updated_signal.unsubscribe(self)

    def _changed(self, screen: Screen[object]) -> None:
        if not (self.is_attached and screen is self.screen):
            return
        before = (self._left, self._right)
        self._left, self._right = self._keys()
        if before != (self._left, self._right):
            self.refresh()

    def _keys(self) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
        """Each action's first key: those of this place, and those that stand on the right."""
        left: dict[str, Key] = {}
        right: dict[str, Key] = {}
        for _, binding, works, _ in self.screen.active_bindings.values():
            palette = binding.key == self.app.COMMAND_PALETTE_BINDING
            if (binding.show or (palette and self._palette)) and binding.action not in {**left, **right}:
                key = Key(binding.key, self.app.get_key_display(binding), binding.description, works)
                (right if palette or binding.action in _RIGHT else left)[binding.action] = key
        return tuple(left.values()), tuple(right.values())

    def render(self) -> Text:
        """As many keys as there is room for; where some have none, a mark says so."""
        text, self._spans = Text(no_wrap=True, end=""), []
        room = self.size.width - sum(key.width for key in self._right)
        for n, key in enumerate(self._left):
            last = n == len(self._left) - 1
            if text.cell_len + key.width + (0 if last else 2) > room:
                text.append("…", self.get_component_rich_style("footer--idle"))
                break
            self._put(text, key)
        text.append(" " * (room - text.cell_len))
        for key in self._right:
            self._put(text, key)
        return text

    def _put(self, text: Text, key: Key) -> None:
        begin = text.cell_len
        words = "footer--text" if key.works else "footer--idle"
        text.append(f" {key.shown} ", self.get_component_rich_style("footer--key"))
        text.append(f"{key.text} ", self.get_component_rich_style(words))
        self._spans.append((begin, text.cell_len, key))

    def on_click(self, event: events.Click) -> None:
        for begin, end, key in self._spans:
            if begin <= event.x < end and key.works:
                self.app.simulate_key(key.press)
