"""The Fine-tune screen: what the planner would learn from the user's own tools, its training as a curve, and what came of it.

A copy of the planner is trained, in a thread: asking goes on meanwhile, and leaving the screen stops nothing.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import ProgressBar, Static
from textual.worker import Worker

from tinyagent_mlx.errors import TinyAgentError
from tui.curve import Curve
from tui.engine import Engine
from tui.footer import Footer
from tui.keymap import bind
from tui.title import TitleBar
from tui.tuner import Matter, Tuner

if TYPE_CHECKING:
    from tinyagent_mlx.lab.finetune import Outcome
    from tinyagent_mlx.lab.train_planner import Progress

Work = Callable[[], Awaitable[None]]
NO_BETTER = "Not installed: {}. The planner in use stays. More examples, or another draw, may help."


class FinetuneScreen(Screen[None]):
    BINDINGS: ClassVar = [
        bind("finetune.start", "start", "Start"),
        bind("finetune.start", "resume", "Go on"),
        bind("finetune.start", "stop", "Stop"),
        bind("finetune.anew", "anew", "Begin anew"),
        bind("finetune.rollback", "rollback", "Planner before"),
        Binding("escape", "app.go('tools')", "Tools"),
    ]
    HELP = "finetune"

    class Stepped(Message):
        """A step was made."""

        def __init__(self, progress: Progress):
            self.progress = progress
            super().__init__()

    class Measured(Message):
        """A request was measured."""

        def __init__(self, done: int, of: int):
            self.done, self.of = done, of
            super().__init__()

    def __init__(self, tuner: Tuner, engine: Engine):
        super().__init__()
        self.tuner, self.engine = tuner, engine
        self.matter: Matter | None = None
        self.losses: dict[int, float] = {}
        self.working: Worker[None] | None = None
        self._stopping = threading.Event()

    def compose(self) -> ComposeResult:
        yield TitleBar("Tools")
        with Vertical(id="finetune"):
            yield Static("Fine-tune the planner on your own tools", classes="heading", markup=False)
            yield Static("looking…", id="matter", markup=False)
            yield Static("", id="standing", markup=False)
            yield ProgressBar(id="progress", show_eta=False, show_percentage=False)
            yield Curve(id="losses")
            yield Static("", id="outcome", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#progress").display = False

    def on_screen_resume(self) -> None:
        """Look again at what there is to learn: the tools may have changed since."""
        if not self.working:
            self._begin(self._look)

    def on_unmount(self) -> None:
        self._stopping.set()  # the thread ends after its step, with a checkpoint

    def _begin(self, work: Work) -> None:
        """One thing at a time; a fault must not take the screen with it."""
        self._stopping.clear()
        self.working = self.run_worker(self._guarded(work), exit_on_error=False)
        self.refresh_bindings()

    async def _guarded(self, work: Work) -> None:
        try:
            await work()
        except TinyAgentError as error:
            self._say(str(error), "bold red")
        except Exception as error:  # whatever training runs into, the rest of the program works on
            self.log.error(error)
            self._say(f"The program has a fault: {type(error).__name__}: {error}", "bold red")
        finally:
            self.working = None
            self.query_one("#progress").display = False
            self.refresh_bindings()

    def _say(self, text: str, style: str = "") -> None:
        self.query_one("#standing", Static).update(Text(text, style))

    async def _look(self) -> None:
        self.matter = None
        try:
            self.matter = await asyncio.to_thread(self.tuner.matter)
        except TinyAgentError as error:
            self.query_one("#matter", Static).update(Text(f"Nothing to learn yet: {error}."))
            self._say("")
            self.query_one("#losses", Curve).draw({}, 1)
            self._result(None)
            return
        self.losses = dict(self.matter.losses)
        self.query_one("#matter", Static).update(_about(self.matter))
        self._draw()
        at, steps = self.matter.reached, self.matter.steps
        standing = f"Stopped at step {at} of {steps}." if at else "Not begun. It takes some minutes."
        self._say("Trained to the end." if self.matter.outcome else standing)
        self._result(self.matter.outcome)

    def _draw(self) -> None:
        if self.matter:
            self.query_one("#losses", Curve).draw(self.losses, self.matter.steps)

    def _result(self, outcome: Outcome | None, told: str = "") -> None:
        """Before and after, and what that leads to."""
        text = Text()
        if outcome:
            from tinyagent_mlx.cli.finetune import table

            text.append(table(outcome.before, outcome.after))
            if not outcome.better:
                told = told or NO_BETTER.format(why_not(outcome))
        if told:
            text.append("\n" if text else "").append(told, "bold" if outcome and outcome.better else "")
        self.query_one("#outcome", Static).update(text)

    # training

    def action_start(self) -> None:
        self._begin(self._tune)

    def action_resume(self) -> None:
        self._begin(self._tune)

    def action_stop(self) -> None:
        self._stopping.set()
        self._say("Stops after this step…")

    async def _tune(self) -> None:
        self._result(None)
        self._say("Preparing…")
        outcome = await asyncio.to_thread(self.tuner.tune, self._step, self._measure)
        if outcome is None:
            await self._look()
            return
        told = ""
        if outcome.better:
            told = f"Better, so it is installed: {await asyncio.to_thread(self.tuner.install)}."
            await self._renew()
        self.app.notify(told or "It is not better; the planner in use stays.", title="Fine-tuning", markup=False)
        await self._look()
        self._say("Done.")
        self._result(outcome, told)

    async def _renew(self) -> None:
        """Plan with what is installed now, without a restart."""
        self._say("Loading the planner…")
        await self.engine.renew()

    def _step(self, progress: Progress) -> bool:
        """In the thread of the training."""
        self.post_message(self.Stepped(progress))
        return self._stopping.is_set()

    def _measure(self, done: int, of: int) -> bool:
        self.post_message(self.Measured(done, of))
        return self._stopping.is_set()

    def on_finetune_screen_stepped(self, event: Stepped) -> None:
        at = event.progress
        self.losses[at.step] = at.loss
        self._draw()
        if self.working and not self._stopping.is_set():
            self._say(f"Step {at.step} of {at.steps}, loss {at.loss:.3f}, {time_left(at.left)} left")
            self._progress(at.step, at.steps)

    def on_finetune_screen_measured(self, event: Measured) -> None:
        if self.working and not self._stopping.is_set():
            when = "after" if self.losses else "before"
            self._say(f"Measuring how it plans {when} training: request {event.done} of {event.of}")
            self._progress(event.done, event.of)

    def _progress(self, done: int, of: int) -> None:
        bar = self.query_one("#progress", ProgressBar)
        bar.display = True
        bar.update(total=of, progress=done)

    # the planners

    def action_anew(self) -> None:
        self._begin(self._anew)

    async def _anew(self) -> None:
        await asyncio.to_thread(self.tuner.anew)
        await self._look()
        await self._tune()

    def action_rollback(self) -> None:
        self._begin(self._rollback)

    async def _rollback(self) -> None:
        name = await asyncio.to_thread(self.tuner.rollback)
        await self._renew()
        await self._look()
        self._say(f"In use now: {name}.")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done now."""
        idle, reached = self.working is None, self.matter.reached if self.matter else 0
        ended = bool(self.matter and self.matter.outcome)
        offered = {
            "start": idle and self.matter is not None and not reached,
            "resume": idle and reached > 0 and not ended,
            "stop": not idle,
            "anew": idle and reached > 0,
            "rollback": idle,
        }
        return offered.get(action, True)


def _about(matter: Matter) -> Text:
    held = f", {matter.held} held back to measure with" if matter.held else ", none held back: there are few"
    rows = (
        ("Your tools", ", ".join(matter.own)),
        ("Examples", f"{matter.shown} to learn from{held}"),
        ("Begins with", f"a copy of the {matter.in_use}; asking goes on meanwhile"),
    )
    text = Text()
    for name, value in rows:
        text.append("\n" if text else "").append(f"{name:<13}", "dim").append(value)
    return text


def why_not(outcome: Outcome) -> str:
    """Why a planner that was trained is not used."""
    reasons = (
        "" if outcome.gained else "fewer requests for your tools are planned right",
        "" if outcome.kept else "the shipped tools lost more than a point",
    )
    return " and ".join(reason for reason in reasons if reason)


def time_left(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
