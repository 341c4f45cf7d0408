"""A step of a plan as it streams: what it is given, how it stands, what came of it, and which steps wait for it.

A step is a block of text and no widget: a layout takes time for each widget, with every step of every plan. Knows nothing
of the screen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator

from textual.content import Content

from tinyagent_mlx import events
from tinyagent_mlx.plan import Step
from tinyagent_mlx.toolbox import Tool
from tui import wording
from tui.blocks import Block

SHOWN_LINES = 8
WRITTEN = 240  # characters of a text that are shown while it is written
_STYLES = {
    "running": "$text-accent",
    "failed": "$text-error",
    "unknown": "$text-warning",
    "skipped": "$text-muted",
    "refused": "$text-muted",
    "cancelled": "$text-muted",
    "dropped": "$text-muted strike",
}


class StepNode:
    """One step; `below` are the steps that hang under it, `changed` is called when it stands otherwise than before."""

    def __init__(self, step: Step, tool: Tool, changed: Callable[[], None], above: StepNode | None = None):
        self.step, self.tool, self._changed = step, tool, changed
        self.state, self.result = "waiting", ""
        self.line = "waits for your approval" if tool.effect != "read" else "waits for its turn"
        self.seconds = self.written = ""
        self.known: dict[int, str] = {}
        self.above = above
        self.below: list[StepNode] = []
        self._began = 0.0
        self._block: Block | None = None
        if above:
            above.below.append(self)

    @property
    def depth(self) -> int:
        return self.above.depth + 1 if self.above else 0

    def walk(self) -> Iterator[StepNode]:
        """It and all that hangs under it, as they stand on the screen."""
        yield self
        for node in self.below:
            yield from node.walk()

    def learn(self, number: int, value: str) -> None:
        """Show what an earlier step's result is, where this step takes it."""
        if number in self.step.depends_on():
            self.known[number] = value
            self._set(self.state, self.line, self.seconds)

    def replace(self, step: Step, known: Collection[int]) -> None:
        """Show it with the arguments that it has now, and wait: a result from before no longer counts. Of the earlier steps' results
        those of the `known` still hold."""
        line = "changed by you" if step != self.step else "waits for the steps that you changed"
        self.step, self.result = step, ""
        self.known = {k: self.known[k] for k in known}
        self._set("waiting", line)

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
        self._began, self.written = time.monotonic(), ""
        self._set("running", "running…")

    def write(self, piece: str) -> None:
        """Show a text as it is written; the end of it, where it is long."""
        self.written = f"{self.written}{piece}"[-WRITTEN:]
        self._set("running", f"writing… {' '.join(self.written.split())}")

    def tick(self) -> None:
        """Say how long it has been running."""
        if self.state == "running" and not self.written and (seconds := int(time.monotonic() - self._began)):
            self._set("running", f"running… {seconds} s")

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
        self._block = None
        self._changed()

    def block(self) -> Block:
        """The step as it now stands."""
        if self._block is None:
            style = _STYLES.get(self.state, "")
            self._block = Block([(1, self._head()), (3, self._details())], self, self.depth, style)
        return self._block

    def _head(self) -> Content:
        head = wording.head(self.step, self.tool)
        name_ends = head.index(self.tool.name) + len(self.tool.name)
        mark = f"{wording.MARKS[self.state]} {head[:name_ends]}"
        return Content.assemble((mark, "bold"), (head[name_ends:], "dim"))

    def _details(self) -> Content:
        parts: list[tuple[str, str]] = []
        for name, value in wording.arguments(self.step, self.tool):
            parts += [(f"{name}: ", "dim"), (f"{value}\n", "")]
        for number, value in sorted(self.known.items()):
            parts += [(f"${number} is ", "dim"), (f"{value}\n", "")]
        lines = self.line.splitlines() or [""]
        parts.append(("\n".join(lines[:SHOWN_LINES]), "italic" if self.state in ("waiting", "running") else ""))
        if len(lines) > SHOWN_LINES:
            parts.append((f"\n… {len(lines) - SHOWN_LINES} more lines: Enter opens them", "dim"))
        return Content.assemble(*parts, (self.seconds, "dim"))
