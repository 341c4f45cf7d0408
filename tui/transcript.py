"""The requests of this session and their plans: one widget that is painted line by line.

However many steps there are, a layout sees a single widget, and only lines that are other than before are painted anew.
A cursor walks over what can be opened: the steps, the requests that are folded away, and what a run offers. Knows nothing
of planning.
"""

from __future__ import annotations

import re
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.cache import LRUCache
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget

from tinyagent_mlx.plan import Plan
from tui.blocks import Block
from tui.hesitation import Hesitation
from tui.keymap import bind
from tui.plan_view import StepNode
from tui.run_view import Offer, RunView

_PAINTED = 400  # lines that are kept painted
_FOR = {"on_step": StepNode, "unfold": RunView, "choose": Offer}


class Transcript(Widget, can_focus=True):
    """`target` is where the cursor stands: a step, a folded request or an offer. `welcome` stands there at first."""

    BINDINGS: ClassVar = [
        bind("step.copy", "on_step('copy')", "Copy result"),
        bind("step.open", "on_step('result')", "Open"),
        bind("step.preview", "on_step('preview')", "What it runs"),
        bind("step.undo", "on_step('undo')", "Undo"),
        Binding("enter", "unfold", "Show the steps"),
        Binding("enter", "choose", "Do it"),
        Binding("up", "walk(-1)", show=False),
        Binding("down", "walk(1)", show=False),
    ]
    DEFAULT_CSS = "Transcript { height: auto; }"

    class Opened(Message):
        """`what` is copy, result, preview or undo."""

        def __init__(self, run: RunView, node: StepNode, what: str):
            self.run, self.node, self.what = run, node, what
            super().__init__()

    class Typed(Message):
        """Keys that were meant for the prompt."""

        def __init__(self, text: str):
            self.text = text
            super().__init__()

    class Again(Message):
        """The user wants the rest of a plan carried out, or first edited."""

        def __init__(self, request: str, plan: Plan, edit: bool):
            self.request, self.plan, self.edit = request, plan, edit
            super().__init__()

    def __init__(self, welcome: str):
        super().__init__(id="transcript")
        self._welcome = Block([(1, Content.styled(f"\n{welcome}", "$text-muted"))])
        self.runs: list[RunView] = []
        self.target: object = None
        self._lines: list[tuple[Block, int]] = []
        self._width = 0
        self._painted: LRUCache[tuple[Block, int, bool], list[Segment]] = LRUCache(_PAINTED)
        self._clicked = False
        self._hesitation = Hesitation(self)
        self.can_focus = False

    def on_mount(self) -> None:
        self.set_interval(1, self._tick)

    def _tick(self) -> None:
        for run in self.runs[-1:]:
            run.tick()

    def add(self, run: RunView, kept: int, unfolded: int) -> None:
        """Put a request at the end; the oldest are let go, all but the last `unfolded` show no steps."""
        for older in self.runs[: len(self.runs) - unfolded + 1]:
            older.fold()
        self.runs = [*self.runs, run][-kept:]
        run.changed = self.redraw
        self.redraw()

    @property
    def text(self) -> str:
        """All of it, not wrapped."""
        return "\n".join(block.text for block in self._blocks())

    def _blocks(self) -> list[Block]:
        return [block for run in self.runs for block in run.blocks()] or [self._welcome]

    # Lines

    def redraw(self) -> None:
        """Lay the lines anew and paint those that are others than before."""
        before, width = self._lines, self.size.width
        self._lay(width)
        self.can_focus = any(block.target for block, _ in self._lines)
        if not width or len(before) != len(self._lines):
            self.refresh(layout=True)
            return
        new = [y for y, (old, now) in enumerate(zip(before, self._lines, strict=True)) if old != now]
        if new:
            self.refresh(Region(0, new[0], width, new[-1] - new[0] + 1))

    def _lay(self, width: int) -> None:
        self._lines = [(block, n) for block in self._blocks() for n in range(len(block.lines(width)))] if width else []
        if width != self._width:
            self._painted.clear()
        self._width = width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        if width != self._width:
            self._lay(width)
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if width != self._width:
            self._lay(width)
        if y >= len(self._lines):
            return Strip.blank(width, self.visual_style.rich_style)
        block, n = self._lines[y]
        lit = self.has_focus and block.target is not None and block.target is self.target
        span = self.text_selection.get_span(y) if self.text_selection else None
        if span:
            return self._paint(block, n, lit, span).apply_offsets(0, y)
        segments = self._painted.get((block, n, lit))
        if segments is None:  # a strip that is kept would keep all that was ever cut from it
            segments = self._painted[block, n, lit] = list(self._paint(block, n, lit))
        return Strip(segments, self._width).apply_offsets(0, y)

    def _paint(self, block: Block, n: int, lit: bool, selected: tuple[int, int] | None = None) -> Strip:
        """A line in colours."""
        line = block.lines(self._width)[n]
        style = self.visual_style
        if lit:
            begin = len(block.guides)
            line = line.pad_right(max(0, self._width - line.cell_length)).stylize_before("on $boost", begin)
        if selected:
            begin, end = selected
            chosen = Style.from_styles(self.screen.get_component_styles("screen--selection"))
            line = line.stylize(chosen, begin, None if end == -1 else end)
        parts = line.render(style, end="", parse_style=self._style)
        segments = [Segment(text, part.rich_style) for text, part in parts]
        return Strip(segments, line.cell_length).extend_cell_length(self._width, style.rich_style)

    def _style(self, style: str | Style) -> Style:
        return style if isinstance(style, Style) else self.app.stylesheet.parse_style(style)

    def notify_style_update(self) -> None:
        self._painted.clear()  # the colours may be others
        super().notify_style_update()

    def get_selection(self, selection: Selection) -> tuple[str, str]:
        lines = [block.lines(self._width)[n].plain for block, n in self._lines]
        return selection.extract("\n".join(lines)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    # The cursor

    def _targets(self) -> list[object]:
        """What can be opened, from top to bottom."""
        found = {id(block.target): block.target for block, _ in self._lines if block.target is not None}
        return list(found.values())

    def go_to(self, target: object) -> None:
        """Put the cursor there."""
        self.target = target
        self.refresh()
        self.refresh_bindings()
        self.call_after_refresh(self._into_view)

    def go_to_last(self) -> None:
        """Put the cursor on the first of the last run's offers, or else on its last step."""
        targets = self._targets()
        offers = [target for target in targets if any(target is offer for offer in self.runs[-1].offers)]
        if targets:
            self.go_to((offers or targets[-1:])[0])
            self.focus(scroll_visible=False)

    def _into_view(self) -> None:
        if self._clicked:  # it is in sight, and what is clicked must not move away
            self._clicked = False
            return
        rows = [y for y, (block, _) in enumerate(self._lines) if block.target is self.target]
        view = self.parent
        if rows and isinstance(view, Widget):
            top, height = view.scroll_offset.y, view.scrollable_content_region.height
            if not top <= rows[0] <= rows[-1] < top + height:  # else a view that stays at its end would leave it
                view.scroll_to_region(Region(0, rows[0], self._width, len(rows)), animate=False, force=True)

    def on_focus(self) -> None:
        targets = self._targets()
        if targets and not any(target is self.target for target in targets):
            self.target = targets[-1]
        self.go_to(self.target)

    def on_blur(self) -> None:
        self.refresh()

    def on_mouse_down(self) -> None:
        self._clicked = True

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there; a request unfolds and an offer is taken at once, a step opens at the second click."""
        y = int(event.y)
        target = self._lines[y][0].target if 0 <= y < len(self._lines) else None
        if target is None or (self.text_selection and event.chain == 1):
            self._clicked = False
            return
        self.go_to(target)
        if isinstance(target, RunView):
            self.action_unfold()
        elif isinstance(target, Offer):
            self.action_choose()
        elif event.chain == 2:
            self.action_on_step("result")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return isinstance(self.target, _FOR[action]) if action in _FOR else True

    def action_walk(self, by: int) -> None:
        """Go to the next or the last thing that can be opened; beyond them, to the widget beside."""
        targets = self._targets()
        at = next((n for n, target in enumerate(targets) if target is self.target), len(targets))
        if 0 <= at + by < len(targets):
            self.go_to(targets[at + by])
        elif by > 0:
            self.screen.focus_next()
        elif isinstance(self.parent, Widget) and self.parent.max_scroll_y:
            self.parent.scroll_home(animate=False)

    def on_key(self, event: events.Key) -> None:
        """Letters are meant for the prompt. One that does something to a step does so when no other follows at once: it was the
        start of a word otherwise."""
        if not (event.is_printable and event.character):
            return
        event.stop()
        event.prevent_default()
        bound = self.screen.active_bindings.get(event.key)
        acts = re.fullmatch(r"on_step\('(\w+)'\)", bound.binding.action) if bound else None
        if acts and not self._hesitation.waiting:
            self._hesitation.begin(event.character, lambda: self.action_on_step(acts[1]))
        else:
            self.post_message(self.Typed(self._hesitation.typed(event.character)))

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self.post_message(self.Typed(self._hesitation.typed(event.text)))

    def action_on_step(self, what: str) -> None:
        if isinstance(self.target, StepNode):
            node = self.target
            run = next(run for run in self.runs if node in run.nodes.values())
            self.post_message(self.Opened(run, node, what))

    def action_unfold(self) -> None:
        if isinstance(self.target, RunView):
            run = self.target
            run.fold(False)
            self.go_to(next(iter(run.nodes.values()), None))

    def action_choose(self) -> None:
        """Take an offer; the others of its run are gone with it."""
        offer = self.target
        if isinstance(offer, Offer):
            run = next(run for run in self.runs if any(offer is other for other in run.offers))
            run.offer([])
            self.target = None
            self.post_message(self.Again(run.request, offer.plan, offer.edit))
