"""A request with its plan as it streams: each step hangs under the last of the steps it waits for, with its live state."""

from __future__ import annotations

import time
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from tinyagent_mlx import events
from tinyagent_mlx.plan import Step
from tinyagent_mlx.toolbox import Tool
from tui import wording
from tui.keymap import bind

SHOWN_LINES = 8


class StepNode(Vertical):
    """One step: what it is given, how it stands, and the steps that wait for it below."""

    def __init__(self, step: Step, tool: Tool):
        super().__init__(classes="step")
        self.step, self.tool = step, tool
        self.state, self.result = "waiting", ""
        self.line = "waits for your approval" if tool.effect != "read" else "waits for its turn"
        self.seconds = ""
        self.known: dict[int, str] = {}
        self.body = StepBody(self)
        self.below: StepsBelow | None = None
        self._composed = False
        self._began = 0.0
        self._clock: Timer | None = None

    def compose(self) -> ComposeResult:
        self._composed = True
        yield self.body
        if self.below:
            yield self.below

    def on_mount(self) -> None:
        self.body.draw()

    def adopt(self, node: StepNode) -> None:
        """Hang a step below. The box for such steps is made with the first: each widget costs time in every layout."""
        if self.below:
            self.below.adopt(node)
            return
        self.below = StepsBelow(node)
        if self._composed:
            self.mount(self.below)

    def learn(self, number: int, value: str) -> None:
        """Show what an earlier step's result is, where this step takes it."""
        if number in self.step.depends_on():
            self.known[number] = value
            self._set(self.state, self.line, self.seconds)

    def replace(self, step: Step) -> None:
        """Show changed arguments; a result of the old ones no longer counts."""
        if step != self.step:
            self.step, self.result = step, ""
            self.known = {k: value for k, value in self.known.items() if k in step.depends_on()}
            self._set("waiting", "changed by you")

    def drop(self) -> None:
        self._set("dropped", "left out by you")

    def asks(self) -> None:
        """It waits for an approval even if it only reads."""
        if self.state == "waiting":
            self._set("waiting", "waits for your approval")

    def approved(self) -> None:
        if self.state == "waiting":
            self._set("waiting", "waits for its turn")

    def start(self) -> None:
        self._began = time.monotonic()
        self._set("running", "running…")
        self._clock = self.set_interval(1, self._tick)

    def _tick(self) -> None:
        self._set("running", f"running… {time.monotonic() - self._began:.0f} s")

    def end(self, ending: events.Ending) -> None:
        if self.state == "dropped":
            return
        seconds = ""
        if isinstance(ending, events.StepDone):
            self.result = "\n".join([ending.result.value, *map(str, ending.result.files)])
            seconds = f"  {ending.seconds:.1f} s"
        self._set(type(ending).__name__.removeprefix("Step").lower(), wording.ending_line(ending), seconds)

    def undone(self, ok: bool, text: str) -> None:
        """Show what became of undoing it."""
        if ok:
            self._set("undone", f"undone: {text}")
        else:
            done = self.line.partition("\nnot undone: ")[0]
            self._set(self.state, f"{done}\nnot undone: {text}")

    def _set(self, state: str, line: str, seconds: str = "") -> None:
        self.state, self.line, self.seconds = state, line, seconds
        if self._clock and state != "running":
            self._clock.stop()
            self._clock = None
        if self.is_mounted:
            self.body.draw()


class StepsBelow(Vertical):
    """The steps that wait for one, in the order in which they came; some may come before it is on the screen."""

    def __init__(self, first: StepNode):
        super().__init__(classes="children")
        self._steps = [first]
        self._composed = False

    def compose(self) -> ComposeResult:
        self._composed = True
        yield from self._steps

    def adopt(self, node: StepNode) -> None:
        self._steps.append(node)
        if self._composed:
            self.mount(node)


class StepBody(Vertical, can_focus=True):
    """The text of a step; its result can be copied and opened."""

    BINDINGS: ClassVar = [
        bind("step.copy", "copy", "Copy result"),
        bind("step.open", "open", "Open"),
        bind("step.preview", "preview", "What it runs"),
        bind("step.undo", "undo", "Undo"),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    class Opened(Message):
        """`what` is result, preview or undo."""

        def __init__(self, node: StepNode, what: str):
            self.node, self.what = node, what
            super().__init__()

    def __init__(self, node: StepNode):
        super().__init__(classes="body")
        self.node = node
        self.head, self.details = Static("", markup=False), Static("", classes="details", markup=False)

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.details

    def draw(self) -> None:
        """Write the step as it now stands."""
        node = self.node
        for state in wording.MARKS:
            self.set_class(state == node.state, f"-{state}")
        text = Text(f"{wording.MARKS[node.state]} ", style="bold")
        head = wording.head(node.step, node.tool)
        name_ends = head.index(node.tool.name) + len(node.tool.name)
        self.head.update(text.append(head[:name_ends], "bold").append(head[name_ends:], "dim"))
        self.details.update(self._details())

    def _details(self) -> Text:
        node, text = self.node, Text()
        for name, value in wording.arguments(node.step, node.tool):
            text.append(f"{name}: ", "dim").append(f"{value}\n")
        for number, value in sorted(node.known.items()):
            text.append(f"${number} is ", "dim").append(f"{value}\n")
        lines = node.line.splitlines() or [""]
        text.append("\n".join(lines[:SHOWN_LINES]), "italic" if node.state in ("waiting", "running") else "")
        if len(lines) > SHOWN_LINES:
            text.append(f"\n… {len(lines) - SHOWN_LINES} more lines: Enter opens them", "dim")
        return text.append(node.seconds, "dim")

    def action_copy(self) -> None:
        if not self.node.result:
            self.notify("This step has no result yet.", severity="warning")
            return
        self.app.copy_to_clipboard(self.node.result)
        self.notify("Result copied.")

    def action_open(self) -> None:
        self.post_message(self.Opened(self.node, "result"))

    def action_preview(self) -> None:
        self.post_message(self.Opened(self.node, "preview"))

    def action_undo(self) -> None:
        self.post_message(self.Opened(self.node, "undo"))
