"""The app: which screens there are, how to get from one to another, and what they share. The core knows nothing of it.

The first frame needs neither MLX nor a model: the agent is made in a thread behind it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, work
from textual.app import App, SystemCommand
from textual.reactive import reactive
from textual.screen import Screen
from textual.worker import Worker

from tinyagent_mlx.errors import ConfigError, HistoryError
from tui.ask import AskScreen
from tui.choices import Choices
from tui.engine import Engine
from tui.history import History
from tui.keymap import bind
from tui.shelf import Edit, Shelf, Switch
from tui.tidy import Tidy
from tui.trail import Trail
from tui.tuner import OwnTuner, Tuner
from tui.voice import Ears

if TYPE_CHECKING:
    from tinyagent_mlx.agent import Agent
    from tinyagent_mlx.cli.doctor import Check
    from tinyagent_mlx.desktop.base import Desktop
    from tinyagent_mlx.toolbox import Toolbox
    from tui.doctor import DoctorScreen
    from tui.past import HistoryScreen
    from tui.settings import Stock

EXAMPLES = (
    "Remind me to call the dentist tomorrow at 9am",
    "Create a note called Groceries with milk, eggs and bread",
    "Put a sync with Sid on my calendar on Friday at 3pm",
)


class TinyAgentApp(App[None]):
    """`make_agent` runs in a thread; `load_tools` reads `tools_file` and `more_tools` anew, the last of which is the user's
    own and written by `switch`; `checks` are the doctor's; `home` is where the settings lie, None to keep nothing; `trail`
    leads to the history, whose requests `cases` takes; `clock` gives seconds; `still` turns animations and the blinking
    cursor off.
    """

    CSS_PATH = "app.tcss"
    TITLE = "tinyagent"
    BINDINGS: ClassVar = [
        bind("app.help", "help", "Help", priority=True),
        bind("app.ask", "go('ask')", "Ask", show=False),
        bind("app.tools", "go('tools')", "Tools", show=False),
        bind("app.doctor", "go('doctor')", "Doctor", show=False),
        bind("app.history", "go('history')", "History", show=False),
        bind("app.settings", "go('settings')", "Settings", show=False, priority=True),
        bind("app.quit", "quit", "Quit", priority=True),
    ]
    status: reactive[str] = reactive("loading the planner…")

    def __init__(
        self,
        make_agent: Callable[[], Agent],
        *,
        load_tools: Callable[[], Toolbox],
        tools_file: Path,
        more_tools: tuple[Path, ...] = (),
        switch: Switch | None = None,
        checks: Callable[[], Iterable[Check]],
        ears: Ears,
        tuner: Tuner,
        now: Callable[[], datetime] = datetime.now,
        home: Path | None = None,
        edit: Edit | None = None,
        trail: Trail | None = None,
        cases: Path | None = None,
        choices: Choices | None = None,
        stock: Stock | None = None,
        clock: Callable[[], float] = time.monotonic,
        still: bool = False,
    ):
        super().__init__()
        self.engine = Engine(make_agent, self._status)
        self.shelf = Shelf(load_tools, (tools_file, *more_tools), self._tools_changed, switch)
        self.checks, self.edit, self.ears, self.tuner = checks, edit, ears, tuner
        self.now, self.clock, self.home, self.still = now, clock, home, still
        self.history = History(home / "requests.jsonl" if home else None)
        self.trail, self.cases = trail, cases or Path("cases.jsonl")
        self.choices = choices or Choices()
        self.stock = stock
        self._kept_theme = self.choices.known(self.choices.settings.theme or self.theme, self.available_themes)
        self.theme = self._kept_theme
        self.set_keymap(dict(self.choices.settings.keys))
        self.tidy = Tidy(self._at_work, clock)
        if still:
            self.animation_level = "none"
        self.add_mode("finetune", self._finetune)
        for name, make in (
            ("ask", self._ask),
            ("tools", self._tools),
            ("doctor", self._doctor),
            ("history", self._history),
            ("settings", self._settings),
        ):
            self.add_mode(name, make)

    def _ask(self) -> Screen:
        return AskScreen(
            self.engine, self.history, self.now, EXAMPLES, blink=not self.still, clock=self.clock, ears=self.ears,
            trail=self.trail, choices=self.choices,
        )  # fmt: skip

    def _tools(self) -> Screen:
        from tui.tools import ToolsScreen

        return ToolsScreen(self.shelf, self.edit, self.choices, self.engine, self.now)

    def _history(self) -> Screen:
        from tui.past import HistoryScreen

        assert self.trail
        return HistoryScreen(self.trail, self.shelf, self.cases, self.home or Path())

    def _settings(self) -> Screen:
        from tui.settings import SettingsScreen, Stock

        stock = self.stock or Stock(lambda: [("", "the shipped planner")], list)
        return SettingsScreen(self.choices, stock, self.engine, self.edit)

    def _finetune(self) -> Screen:
        from tui.finetune import FinetuneScreen

        return FinetuneScreen(self.tuner, self.engine)

    def _doctor(self) -> Screen:
        from tui.doctor import DoctorScreen

        return DoctorScreen(self.checks, EXAMPLES, self.home)

    async def on_mount(self) -> None:
        first = self.home is not None and not (self.home / "greeted").exists()
        await self.switch_mode("doctor" if first else "ask")
        self.call_after_refresh(self._behind)

    def _behind(self) -> None:
        """What need not be there for the first frame."""
        self.run_worker(self._load())
        self.set_interval(1, self._look_at_tools)
        self.set_interval(1, self.tidy.look)
        self.run_worker(self._report_killed(), exit_on_error=False)

    async def _load(self) -> None:
        await self.engine.load()
        self.tidy.settle()

    def _at_work(self) -> bool:
        return any(worker.is_running for worker in self.workers)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """The end of a request is a good moment: what happened is on the screen, and the next one is not there yet."""
        if event.worker.is_finished:
            self.tidy.look()

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.InputEvent):
            self.tidy.touch()
        await super().on_event(event)

    async def on_unmount(self) -> None:
        self.tidy.stop()
        await self.engine.close()

    async def _report_killed(self) -> None:
        """Say what the request before left open, if its program was killed."""
        try:
            runs = await self.trail.read(lambda history: history.runs(limit=1)) if self.trail else []
        except HistoryError as error:
            self.notify(str(error), title="History", severity="error", timeout=12, markup=False)
            return
        for step in [step for run in runs for step in run.cut_off]:
            text = f"Step {step.number} of the last request, {step.tool}, {step.message}. F5 shows it in full."
            self.notify(text, title="Look whether it happened", severity="warning", timeout=12, markup=False)

    def _status(self, text: str) -> None:
        self.status = text

    async def _look_at_tools(self) -> None:
        await self.shelf.look()

    def _tools_changed(self, toolbox: Toolbox | None, trouble: str) -> None:
        if toolbox is None:
            self.notify(
                f"{trouble}\nThe tools from before stay in use.", title="tools.yaml", severity="error", markup=False
            )
        else:
            self.engine.use(toolbox)
            self.notify(f"{len(toolbox)} tools read anew.", title="tools.yaml", markup=False)

    async def action_go(self, place: str) -> None:
        if len(self.screen_stack) > 1:
            return  # a form is open: leave it first
        if place == "history" and not self.trail:
            self.notify("No history is kept here.", severity="warning")
            return
        await self.switch_mode(place)

    def action_help(self) -> None:
        from tui.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            self.screen.dismiss()
        else:
            self.push_screen(HelpScreen(getattr(self.screen, "HELP", "ask"), self.choices.settings.keys))

    async def on_doctor_screen_tried(self, event: DoctorScreen.Tried) -> None:
        await self._to_prompt(event.request)

    async def on_doctor_screen_typed(self, event: DoctorScreen.Typed) -> None:
        await self.switch_mode("ask")
        if isinstance(self.screen, AskScreen):
            prompt = self.screen.prompt
            prompt.focus()
            prompt.action_submit() if event.character == "\n" else prompt.insert(event.character)

    async def on_history_screen_again(self, event: HistoryScreen.Again) -> None:
        await self._to_prompt(event.request)

    async def _to_prompt(self, request: str) -> None:
        """Put a request into the prompt, for the user to change and to submit; what stood there can be recalled."""
        await self.switch_mode("ask")
        if isinstance(self.screen, AskScreen):
            self.screen.prompt.put(request)

    def watch_theme(self, theme: str) -> None:
        """Keep the colours that were chosen."""
        if theme != self._kept_theme:
            self._kept_theme = theme
            self._keep_theme(theme)

    @work(exclusive=True, group="theme", exit_on_error=False)
    async def _keep_theme(self, theme: str) -> None:
        try:
            await self.choices.keep_theme(theme)
        except ConfigError as error:
            self.notify(str(error), title="The theme is not kept", severity="error", timeout=12, markup=False)

    def get_system_commands(self, screen: Screen) -> Iterable[SystemCommand]:
        """The command palette: our commands first."""
        yield SystemCommand("Ask", "Say what should be done (F2)", lambda: self.call_later(self.action_go, "ask"))
        yield SystemCommand(
            "Tools", "See, search and edit the tools (F3)", lambda: self.call_later(self.action_go, "tools")
        )
        yield SystemCommand(
            "Doctor", "See what works on this machine (F4)", lambda: self.call_later(self.action_go, "doctor")
        )
        yield SystemCommand(
            "Fine-tune", "Teach the planner your own tools", lambda: self.call_later(self.action_go, "finetune")
        )
        yield SystemCommand(
            "History", "See what was asked and done, undo it (F5)", lambda: self.call_later(self.action_go, "history")
        )
        yield SystemCommand(
            "Settings",
            "See and change what is chosen for good (F6)",
            lambda: self.call_later(self.action_go, "settings"),
        )
        yield SystemCommand("Help", "What the keys do on this screen (F1)", self.action_help)
        if isinstance(screen, AskScreen):
            yield SystemCommand("Search", "Search the requests from before (Ctrl+R)", screen.action_search)
            yield SystemCommand("Talk", "Say a request, or end it (Ctrl+T)", screen.action_talk)
            yield SystemCommand("Undo", "Undo what the last request did (F9)", screen.action_undo)
            yield SystemCommand("Stop", "Stop planning or the run (Esc)", screen.action_stop)
        yield SystemCommand("Theme", "Choose other colours", self.action_change_theme)
        yield SystemCommand("Quit", "Leave tinyagent (Ctrl+Q)", self.action_quit)


def make(options: argparse.Namespace) -> TinyAgentApp:
    """The app on what the command line named."""
    from tinyagent_mlx import paths
    from tinyagent_mlx.cli import doctor, hearing, setup
    from tui.editor import edit_file
    from tui.settings import Stock
    from tui.stock import planners, speech

    first, *more = setup.tool_files(options)

    def desktop_at(place: str) -> Desktop:
        return setup.desktop(argparse.Namespace(**{**vars(options), "desktop": place or options.desktop}))

    home = paths.home(options.home)
    choices = Choices(home / "settings.yaml")
    trail = Trail(lambda: setup.history(options), setup.desktop_place(options), desktop_at)
    return TinyAgentApp(
        lambda: setup.agent(options, with_desktop=True),
        load_tools=lambda: setup.toolbox(options),
        tools_file=first,
        more_tools=tuple(more),
        switch=lambda word, on: setup.switch(options, word, on),
        checks=lambda: doctor.checks(options),
        ears=Ears(hearing.microphone, lambda: hearing.transcriber(options)),
        tuner=OwnTuner(lambda: setup.toolbox(options), home, model=options.model or ""),
        now=lambda: setup.now(None),
        home=home,
        edit=edit_file,
        trail=trail,
        cases=setup.own_cases(options),
        choices=choices,
        stock=Stock(lambda: planners(options), speech),
    )


def run(options: argparse.Namespace) -> int:
    """Start the UI and wait until it is left."""
    app = make(options)
    try:
        app.run()
    finally:
        if app.trail:
            app.trail.close()
    return app.return_code or 0
