"""A curve in braille dots, two by four to a cell, with its highest value and its axes. Knows nothing of training."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text
from textual.widget import Widget

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # Unicode's order: the left column, then the right one
_MARGIN = 8  # cells for the values beside the curve


class Curve(Widget):
    """Values over the numbers from 0 to `last`; the lower axis is zero."""

    def __init__(self, id: str | None = None):
        super().__init__(id=id)
        self._points: dict[int, float] = {}
        self._last = 1

    def draw(self, points: Mapping[int, float], last: int) -> None:
        self._points, self._last = dict(points), max(1, last)
        self.refresh()

    def render(self) -> Text:
        width, height = self.size.width - _MARGIN - 1, self.size.height - 1
        if width < 4 or height < 1 or not self._points:
            return Text("")
        top = max(self._points.values()) or 1.0
        rows = braille(self._points, self._last, top, width, height)
        text = Text(no_wrap=True)
        for n, row in enumerate(rows):
            label = f"{top:.2f}" if n == 0 else ("0" if n == height - 1 else "")
            text.append(f"{label:>{_MARGIN - 1}} ┤" if label else " " * _MARGIN + "│", "dim").append(f"{row}\n")
        return text.append(f"{'0':>{_MARGIN + 1}}{self._last:>{width}}", "dim")


def braille(points: Mapping[int, float], last: int, top: float, width: int, height: int) -> list[str]:
    """Rows of braille: the curve through `points`, from 0 to `last` across and from `top` to zero down."""
    cells = [[0] * width for _ in range(height)]
    placed = [
        (round(x / last * (2 * width - 1)), round((1 - y / top) * (4 * height - 1))) for x, y in sorted(points.items())
    ]
    for (x, y), (x2, y2) in zip(placed, placed[1:] or placed, strict=False):
        dots = max(abs(x2 - x), abs(y2 - y), 1)
        for n in range(dots + 1):
            column, row = x + round((x2 - x) * n / dots), y + round((y2 - y) * n / dots)
            cells[row // 4][column // 2] |= _DOTS[column % 2][row % 4]
    return ["".join(chr(0x2800 + cell) if cell else " " for cell in row) for row in cells]
