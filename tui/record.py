"""One request of the past in full: plan, approval, every step with its arguments, result and script's hash."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from tinyagent_mlx.cli.history import run_text, step_text
from tinyagent_mlx.errors import TinyAgentError
from tinyagent_mlx.records import RunRecord, StepRecord
from tinyagent_mlx.toolbox import Toolbox
from tui import wording
from tui.footer import Footer
from tui.keymap import bind
from tui.shelf import Shelf
from tui.trail import Trail

_STYLES = {"good": "green", "bad": "red", "dim": "dim", "": ""}


class RecordScreen(ModalScreen[str | None]):
    """Gives the request when it shall be asked again, None otherwise."""

    BINDINGS: ClassVar = [
        bind("record.again", "again", "Run again"),
        bind("record.undo", "undo", "Undo all"),
        bind("record.save", "save", "Save case"),
        Binding("pageup", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(1)", show=False),
        Binding("escape,q", "dismiss(None)", "Back"),
    ]
    HELP = "history"
    AUTO_FOCUS = ""

    def __init__(self, run: RunRecord, trail: Trail, shelf: Shelf, cases: Path):
        super().__init__()
        self.record, self.trail, self.shelf, self.cases = run, trail, shelf, cases
        self._undoing = False

    def compose(self) -> ComposeResult:
        with Vertical(id="record"):
            with VerticalScroll(id="record-text", can_focus=False):
                yield Static(Text(run_text(self.record)), id="record-head")
                for step in self.record.steps:
                    yield RecordedStep(step)
            yield Static("", id="record-status", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.call_after_refresh(self._to_first_step)

    def _to_first_step(self) -> None:
        """Be at the first step, with what stands above it in sight."""
        steps = self.query(RecordedStep)
        if steps:
            self.set_focus(steps.first(), scroll_visible=False)

    def action_scroll(self, pages: int) -> None:
        view = self.query_one("#record-text")
        view.scroll_relative(y=pages * max(1, view.size.height - 2), animate=False)

    def action_again(self) -> None:
        self.dismiss(self.record.query)

    def action_undo(self) -> None:
        self._start_undo(None)

    def on_recorded_step_undo(self, event: RecordedStep.Undo) -> None:
        self._start_undo(event.number)

    def _start_undo(self, step: int | None) -> None:
        if not self._undoing:
            self._undoing = True
            self.run_worker(self._undo(step), exit_on_error=False)

    async def _undo(self, step: int | None) -> None:
        number = self.record.id
        try:
            lines = await undone(self.trail, number, self.shelf, step)
            self.record = await self.trail.read(lambda history: history.run(number))
        except TinyAgentError as error:
            lines = [("bad", str(error))]
        finally:
            self._undoing = False
        for shown, known in zip(self.query(RecordedStep), self.record.steps, strict=False):
            shown.take(known)
        text = Text()
        for style, line in lines:
            text.append(("\n" if text else "") + line, _STYLES[style])
        self.query_one("#record-status", Static).update(text)

    def action_save(self) -> None:
        from tui.save import save_case

        save_case(self.app, self.trail, self.shelf, self.cases, self.record.id)


class RecordedStep(Static, can_focus=True):
    """A step as it was written down."""

    BINDINGS: ClassVar = [
        bind("record.copy", "copy", "Copy"),
        bind("record.open", "open", "Open"),
        bind("record.undo-step", "undo", "Undo step"),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    class Undo(Message):
        def __init__(self, number: int):
            self.number = number
            super().__init__()

    def __init__(self, step: StepRecord):
        super().__init__(classes="recorded", markup=False)
        self.step = step

    def on_mount(self) -> None:
        self.take(self.step)

    def take(self, step: StepRecord) -> None:
        """Show a step as it is written down now."""
        self.step = step
        head, _, rest = step_text(step).partition("\n")
        mark = wording.MARKS.get("undone" if step.undone else step.state, "·")
        self.update(Text(f"{mark} {head}", "bold").append(f"\n{rest}" if rest else "", "not bold"))

    def action_copy(self) -> None:
        if self.step.value:
            self.app.copy_to_clipboard(self.step.value)
            self.notify("Result copied.")
        else:
            self.notify("This step has no result.", severity="warning")

    def action_open(self) -> None:
        from tui.reader import ReaderScreen

        text = "\n".join(filter(None, [self.step.value, *self.step.files, self.step.message, self.step.advice]))
        self.app.push_screen(ReaderScreen(f"Step {self.step.number} · {self.step.tool}: result", text))

    def action_undo(self) -> None:
        self.post_message(self.Undo(self.step.number))


async def undone(trail: Trail, run: int, shelf: Shelf, step: int | None = None) -> list[tuple[str, str]]:
    """Undo a step or all of a request; gives what became of it as lines with a style."""
    try:
        told = await trail.undo(run, shelf.toolbox or Toolbox(()), step)
    except TinyAgentError as error:
        return [("bad", str(error))]
    return wording.undo_lines(told) or [("dim", "Nothing to undo: this request changed nothing that is not undone.")]
