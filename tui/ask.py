"""The Ask screen: requests go in at the bottom, plans grow above, one approval lets them act."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.worker import Worker

from tinyagent_mlx.errors import HistoryError, StepError, TinyAgentError
from tinyagent_mlx.plan import Plan
from tui.approval import ApprovalBar
from tui.choices import Choices
from tui.engine import Engine
from tui.footer import Footer
from tui.history import History
from tui.keymap import bind
from tui.prompt import Prompt
from tui.title import TitleBar
from tui.trail import Trail
from tui.transcript import Transcript
from tui.voice import Ears, VoiceBar

if TYPE_CHECKING:
    from tui.plan_view import StepNode
    from tui.run_view import RunView

KEPT_RUNS = 20
UNFOLDED = 2
WELCOME = "Say what should be done, for example:\n\n{}\n\nNothing is written or sent before you approve the whole plan."


class AskScreen(Screen[None]):
    BINDINGS: ClassVar = [
        Binding("escape", "stop", "Stop"),
        Binding("escape", "to_prompt", "Prompt", show=False),
        bind("ask.talk", "talk", "Talk"),
        bind("ask.undo", "undo", "Undo"),
        bind("ask.search", "search", "Search", show=False),
        Binding("pageup", "scroll_runs(-1)", show=False),
        Binding("pagedown", "scroll_runs(1)", show=False),
    ]
    HELP = "ask"

    def __init__(
        self,
        engine: Engine,
        history: History,
        now: Callable[[], datetime],
        examples: tuple[str, ...],
        blink: bool,
        clock: Callable[[], float],
        ears: Ears,
        trail: Trail | None,
        choices: Choices,
    ):
        super().__init__()
        self.engine, self.now, self.examples = engine, now, examples
        self.trail, self.choices = trail, choices
        self.prompt = Prompt(history, self._accept, blink)
        self.clock = clock
        self.foreign: set[str] = set()  # results of earlier requests that others may have written
        self.bar = ApprovalBar(clock)
        self.voice = VoiceBar(ears)
        self.running: Worker[None] | None = None
        self.kept_runs = KEPT_RUNS
        self.transcript = Transcript(WELCOME.format("\n".join(f"  {line}" for line in examples)))

    def compose(self) -> ComposeResult:
        yield TitleBar("Ask")
        with VerticalScroll(id="runs", can_focus=False):
            yield self.transcript
        yield self.bar
        yield self.voice
        yield self.prompt
        yield Footer()

    def on_mount(self) -> None:
        self.prompt.focus()

    @property
    def runs(self) -> VerticalScroll:
        return self.query_one("#runs", VerticalScroll)

    def _accept(self, request: str) -> bool:
        """Start a request, unless another is under way or is still being said."""
        if self.voice.active:
            self.voice.toggle()
            return False
        if self.bar.asking:
            self.notify("First answer the plan above: Tab goes there. Your text stays.", severity="warning")
            return False
        if self.running:
            self.notify("Still at the last request; Esc stops it. Your text stays.", severity="warning")
            return False
        self._start(request)
        return True

    @on(Prompt.AnswerWanted)
    def _to_the_answer(self) -> None:
        """Leave the prompt for the approval, else for what the last run offers, else for its last step."""
        if self.voice.active:
            self.voice.toggle()
            return
        if self.bar.asking:
            self.bar.focus()
            return
        self.transcript.go_to_last()

    def action_talk(self) -> None:
        """Listen, or end it: what was said comes to stand in the prompt, for the user to read and to send."""
        self.voice.toggle()

    @on(VoiceBar.Heard)
    def _heard(self, event: VoiceBar.Heard) -> None:
        self.prompt.write(f"{self.prompt.text.rstrip()} {event.text}".strip())
        if not self.bar.asking:
            self.prompt.focus()

    @on(ApprovalBar.Typed)
    @on(Transcript.Typed)
    def _typed(self, event: ApprovalBar.Typed | Transcript.Typed) -> None:
        self.prompt.take(event.text)

    def _start(self, request: str, plan: Plan | None = None) -> None:
        self.running = self.run_worker(self._carry_out(request, plan), exit_on_error=False)
        self.refresh_bindings()

    async def _carry_out(self, request: str, plan: Plan | None) -> None:
        """One request from its text, or from a plan that was made before, to its account."""
        from tui.run_view import RunView
        from tui.session import Session

        view = RunView(request)
        note = ""
        try:
            self._append(view)
            note = await Session(self, view).run(request, plan)
        except asyncio.CancelledError:
            view.say("Stopped. Nothing was done.")
            raise
        except HistoryError as error:
            view.fail(
                str(error), "what is marked done above was done, the rest was not; F5 shows what was written down"
            )
        except TinyAgentError as error:
            view.fail(
                f"{error}. Nothing was done.",
                error.advice
                if isinstance(error, StepError)
                else "F4 shows what is missing; Up brings the request back",
            )
        except Exception as error:  # a fault of ours must not take what is on the screen with it
            self.log.error(error)
            view.fail(f"The program has a fault: {type(error).__name__}: {error}", "what is marked done above was done")
        finally:
            self.running = None
            self.refresh_bindings()
            if self.focused is None or self.bar in self.focused.ancestors_with_self:
                self.prompt.focus()
        if note:
            self._start(f"{request.rstrip(' .')}. {note}")

    def _append(self, view: RunView) -> None:
        self.transcript.add(view, self.kept_runs, UNFOLDED)
        self._follow()

    def _follow(self) -> None:
        """Stay at the end as it grows, until the user scrolls away."""
        self.runs.anchor()

    def action_stop(self) -> None:
        """Stop planning at once and execution at the next safe point; every step is accounted for."""
        if self.voice.cancel() or self.bar.go_back():
            return
        if self.running:
            self.running.cancel()

    def action_search(self) -> None:
        """Look for a request from before; the one that is taken comes to stand in the prompt, to be changed and sent."""
        from tui.search import SearchScreen

        def taken(request: str | None) -> None:
            self.prompt.focus()
            if request is not None:
                self.prompt.put(request)

        self.app.push_screen(SearchScreen(self.prompt.requests, self.prompt.text.strip()), taken)

    def action_to_prompt(self) -> None:
        self.prompt.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "undo":
            return any(view.run is not None for view in self.transcript.runs)
        return bool(self.running) or self.voice.active if action == "stop" else True

    async def action_undo(self) -> None:
        """Undo what the last request did, as far as there is a way back."""
        views = [view for view in self.transcript.runs if view.run is not None]
        if views:
            self.undo(views[-1])

    def undo(self, view: RunView, step: int | None = None) -> None:
        """Undo one step of a request, or all it did; its last word says what became of it."""
        if self.running:
            self.notify("Still at a request; Esc stops it.", severity="warning")
        elif view.undoing:
            self.notify("It is being undone.", severity="warning")
        else:
            view.undoing = True
            self.run_worker(self._undo(view, step), exit_on_error=False)

    async def _undo(self, view: RunView, step: int | None) -> None:
        try:
            if not (self.trail and view.run is not None and view.tools):
                self.notify("Nothing was written down of this request, so nothing can be undone.", severity="warning")
                return
            undone = await self.trail.undo(view.run, view.tools, step)
            if not undone:
                self.notify("It changed nothing, so there is nothing to undo.", severity="warning")
            left = await self.trail.undoable(view.run, view.tools)
            view.offer_undo(left, self.choices.key("ask.undo"), undone)
        except TinyAgentError as error:
            self.notify(str(error), title="Undo", severity="error", timeout=12, markup=False)
        finally:
            view.undoing = False

    def action_scroll_runs(self, pages: int) -> None:
        self.runs.scroll_relative(y=pages * max(1, self.runs.size.height - 2), animate=False)

    def on_transcript_again(self, event: Transcript.Again) -> None:
        if self.running:
            self.notify("Still at another request; Esc stops it.", severity="warning")
            return
        self.prompt.focus()
        if event.edit:
            self.run_worker(self._edit_and_start(event.request, event.plan))
        else:
            self._start(event.request, event.plan)

    async def _edit_and_start(self, request: str, plan: Plan) -> None:
        from tui.edit import EditScreen

        agent = await self.engine.agent()
        edited = await self.app.push_screen_wait(EditScreen(plan, agent.toolbox, self.now()))
        if edited is not None and edited.steps and not self.running:
            ids = {step.id: number for number, step in enumerate(edited.steps, 1)}
            self._start(request, Plan(tuple(step.renumbered(ids) for step in edited.steps)))

    async def on_transcript_opened(self, event: Transcript.Opened) -> None:
        """Copy a step's result, open it, show what the step runs, or undo it."""
        node = event.node
        title = f"Step {node.step.id} · {node.tool.name}"
        if event.what == "undo":
            self.undo(event.run, node.step.id)
        elif event.what == "preview":
            await self._preview(node, title)
        elif not node.result:
            self.notify("This step has no result yet.", severity="warning")
        elif event.what == "copy":
            self.app.copy_to_clipboard(node.result)
            self.notify("Result copied.")
        else:
            self._read(f"{title}: result", node.result)

    async def _preview(self, node: StepNode, title: str) -> None:
        from tinyagent_mlx.values import map_references

        agent = await self.engine.agent()
        values = (map_references(value, lambda k: f"<result of step {k}>") for value in node.step.arguments)
        try:
            text = agent.desktop.preview(node.tool, node.tool.bind(values))
        except (TinyAgentError, OSError) as error:
            self.notify(str(error), title=title, severity="error", markup=False)
        else:
            self._read(f"{title}: what it runs", text)

    def _read(self, title: str, text: str) -> None:
        from tui.reader import ReaderScreen

        self.app.push_screen(ReaderScreen(title, text))
