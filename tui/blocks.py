"""Text that is wrapped once for a width: what the transcript is made of. Knows nothing of widgets or plans."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from textual.content import Content

NARROWEST = 8  # cells that are left for text, however deep it hangs
_GUIDE, _GUIDE_STYLE = "  │ ", "$primary-muted"
_WIDTHS = 2  # kept at once: a scrollbar that comes and goes makes two


class Block:
    """Paragraphs, each with the cells that it is moved in by; `depth` guides stand before every line.

    `target` is what Enter and a click on it are about. Styles are those of Textual's markup; they are looked up when a
    line is painted.
    """

    def __init__(
        self, paragraphs: Iterable[tuple[int, Content]], target: object = None, depth: int = 0, style: str = ""
    ):
        self.paragraphs, self.target, self.depth, self.style = tuple(paragraphs), target, depth, style
        self._wrapped: dict[int, list[Content]] = {}

    @property
    def guides(self) -> str:
        return _GUIDE * self.depth

    def lines(self, width: int) -> list[Content]:
        """Its lines, none of them longer than `width` unless that is very narrow."""
        if width not in self._wrapped:
            if len(self._wrapped) == _WIDTHS:
                self._wrapped.clear()
            self._wrapped[width] = list(self._wrap(width))
        return self._wrapped[width]

    def _wrap(self, width: int) -> Iterable[Content]:
        guides = Content.styled(self.guides, _GUIDE_STYLE)
        for indent, text in self.paragraphs:
            room = max(NARROWEST, width - cell_len(self.guides) - indent - 1)
            for line in text.wrap(room):
                styled = line.stylize_before(self.style) if self.style else line
                yield Content("").join([guides, Content(" " * indent), styled])

    @property
    def text(self) -> str:
        """All of it, not wrapped."""
        return "\n".join(paragraph.plain for _, paragraph in self.paragraphs)


BLANK = Block([(0, Content(" "))])
