"""The line on top of each screen: where one is, where one can go, and what plans and acts."""

from __future__ import annotations

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

PLACES = (("F2", "Ask"), ("F3", "Tools"), ("F4", "Doctor"), ("F5", "History"), ("F6", "Settings"))


class TitleBar(Widget):
    status: reactive[str] = reactive("")

    def __init__(self, place: str):
        super().__init__()
        self.place = place

    def on_mount(self) -> None:
        self.watch(self.app, "status", self._take)

    def _take(self, status: str) -> None:
        self.status = status

    def render(self) -> Text:
        text = Text("tinyagent  ", "bold", no_wrap=True, overflow="ellipsis")
        for key, place in PLACES:
            text.append(f" {key} ", "dim").append(place, "bold underline" if place == self.place else "")
        room = self.size.width - text.cell_len - 2
        status = Text(self.status)
        status.truncate(max(0, room), overflow="ellipsis")
        text.append(" " * max(2, room + 2 - status.cell_len)).append_text(status)
        return text
