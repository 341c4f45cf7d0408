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

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.reactive import reactive
from textual.screen import Screen

from tui.ask import AskScreen
from tui.engine import Engine
from tui.history import History
from tui.shelf import Edit, Shelf
from tui.voice import Ears

if TYPE_CHECKING:
    from tinyagent_mlx.agent import Agent
    from tinyagent_mlx.cli.doctor import Check
    from tinyagent_mlx.toolbox import Toolbox
    from tui.doctor import DoctorScreen

EXAMPLES = (
    "Remind me to call the dentist tomorrow at 9am",
    "Create a note called Groceries with milk, eggs and bread",
    "Put a sync with Sid on my calendar on Friday at 3pm",
)


class TinyAgentApp(App[None]):
    """`make_agent` runs in a thread; `load_tools` reads `tools_file` anew; `checks` are the doctor's; `home` is where the
    history lies, None to keep nothing; `clock` gives seconds; `still` turns animations and the blinking cursor off.
    """

    CSS_PATH = "app.tcss"
    TITLE = "tinyagent"
    BINDINGS: ClassVar = [
        Binding("f1", "help", "Help"),
        Binding("f2", "go('ask')", "Ask", show=False),
        Binding("f3", "go('tools')", "Tools", show=False),
        Binding("f4", "go('doctor')", "Doctor", show=False),
        Binding("ctrl+q", "quit", "Quit", priority=True),
    ]
    status: reactive[str] = reactive("loading the planner…")

    def __init__(
        self,
        make_agent: Callable[[], Agent],
        *,
        load_tools: Callable[[], Toolbox],
        tools_file: Path,
        checks: Callable[[], Iterable[Check]],
        ears: Ears,
        now: Callable[[], datetime] = datetime.now,
        home: Path | None = None,
        edit: Edit | None = None,
        clock: Callable[[], float] = time.monotonic,
        still: bool = False,
    ):
        super().__init__()
        self.engine = Engine(make_agent, self._status)
        self.shelf = Shelf(load_tools, tools_file, self._tools_changed)
        self.checks, self.edit, self.ears = checks, edit, ears
        self.now, self.clock, self.home, self.still = now, clock, home, still
        self.history = History(home / "requests.jsonl" if home else None)
        if still:
            self.animation_level = "none"
        for name, make in (("ask", self._ask), ("tools", self._tools), ("doctor", self._doctor)):
            self.add_mode(name, make)

    def _ask(self) -> Screen:
        return AskScreen(
            self.engine, self.history, self.now, EXAMPLES, blink=not self.still, clock=self.clock, ears=self.ears
        )

    def _tools(self) -> Screen:
        from tui.tools import ToolsScreen

        return ToolsScreen(self.shelf, self.edit)

    def _doctor(self) -> Screen:
        from tui.doctor import DoctorScreen

        return DoctorScreen(self.checks, EXAMPLES, self.home)

    async def on_mount(self) -> None:
        first = self.home is not None and not (self.home / "greeted").exists()
        await self.switch_mode("doctor" if first else "ask")
        self.call_after_refresh(self._behind)

    def _behind(self) -> None:
        """What need not be there for the first frame."""
        self.run_worker(self.engine.load())
        self.set_interval(1, self._look_at_tools)

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
        await self.switch_mode(place)

    def action_help(self) -> None:
        from tui.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(getattr(self.screen, "HELP", "ask")))

    async def on_doctor_screen_tried(self, event: DoctorScreen.Tried) -> None:
        """Put a request into the prompt; it is the user who submits it."""
        await self.switch_mode("ask")
        if isinstance(self.screen, AskScreen):
            self.screen.prompt.write(event.request)
            self.screen.prompt.focus()

    def get_system_commands(self, screen: Screen) -> Iterable[SystemCommand]:
        """The command palette: our commands first."""
        yield SystemCommand("Ask", "Say what should be done (F2)", lambda: self.call_later(self.action_go, "ask"))
        yield SystemCommand(
            "Tools", "See, search and edit the tools (F3)", lambda: self.call_later(self.action_go, "tools")
        )
        yield SystemCommand(
            "Doctor", "See what works on this machine (F4)", lambda: self.call_later(self.action_go, "doctor")
        )
        yield SystemCommand("Help", "What the keys do on this screen (F1)", self.action_help)
        if isinstance(screen, AskScreen):
            yield SystemCommand("Talk", "Say a request, or end it (Ctrl+T)", screen.action_talk)
            yield SystemCommand("Stop", "Stop planning or the run (Esc)", screen.action_stop)
        yield SystemCommand("Theme", "Choose other colours", self.action_change_theme)
        yield SystemCommand("Quit", "Leave tinyagent (Ctrl+Q)", self.action_quit)


def run(options: argparse.Namespace) -> int:
    """Start the UI on what the command line named."""
    from tinyagent_mlx import paths
    from tinyagent_mlx.cli import doctor, hearing, setup
    from tui.editor import edit_file

    app = TinyAgentApp(
        lambda: setup.agent(options, with_desktop=True),
        load_tools=lambda: setup.toolbox(options),
        tools_file=options.tools_file or paths.shipped("tools.yaml"),
        checks=lambda: doctor.checks(options),
        ears=Ears(hearing.microphone, lambda: hearing.transcriber(options)),
        now=lambda: setup.now(None),
        home=paths.home(options.home),
        edit=edit_file,
    )
    app.run()
    return app.return_code or 0
