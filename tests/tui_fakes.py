"""Plain fakes for the screens: a planner that yields given steps, a desktop that remembers what it was asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.table import Table
from textual.pilot import Pilot

from tests.speech import FakeMicrophone, FakeTranscriber, speech_like
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cli.doctor import Check
from tinyagent_mlx.desktop.base import Result
from tinyagent_mlx.lab.finetune import Outcome, Scores
from tinyagent_mlx.lab.train_planner import Progress
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.plan import Step, parse_plan
from tinyagent_mlx.planner import PlanEnd
from tinyagent_mlx.retriever import EveryTool
from tinyagent_mlx.toolbox import Tool, Toolbox
from tinyagent_mlx.toolfile import load_toolbox
from tui.app import TinyAgentApp
from tui.approval import QUIET
from tui.tuner import Matter
from tui.voice import Ears

NOW = datetime(2026, 11, 23, 9, 0)
SYNC = """\
1. get_email_address("Sid")
2. get_email_address("Lutfi")
3. create_calendar_event("Sync", "friday at 3pm", "", "", ["$1", "$2"], "", "")"""


@dataclass
class FakePlanner:
    """Gives `plans[request]`, or the one plan for every request; `hold` stops it before the step of that number."""

    plans: Mapping[str, str] | str
    hold: Mapping[int, threading.Event] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    name: str = "fake planner"
    ask_below: float = 0.0

    def plan(self, text: str, tools: Toolbox, retrieved: tuple[str, ...], now: datetime) -> Iterator[Step | PlanEnd]:
        self.asked.append(text)
        plan = self.plans if isinstance(self.plans, str) else self.plans[text]
        for step in parse_plan(plan).steps:
            if step.id in self.hold:
                self.hold[step.id].wait(10)
            yield step
        yield PlanEnd(1, 1, 1)


@dataclass
class FakeDesktop:
    """`answers` map (tool, first argument) or a tool's name to a value or an error; `hold` keeps a tool's calls waiting.

    `handles` gives every step a handle; `undo_answers` map a tool's name to what its undo says, or to an error.
    """

    answers: dict[Any, str | Exception] = field(default_factory=dict)
    hold: dict[str, asyncio.Event] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    handles: bool = False
    undo_answers: dict[str, str | Exception] = field(default_factory=dict)
    undone: list[tuple[str, str]] = field(default_factory=list)
    name: str = "fake desktop"

    def preview(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        return f"{tool.name} with {dict(arguments)}"

    async def call(self, tool: Tool, arguments: Mapping[str, Any], now: datetime) -> Result:
        self.calls.append((tool.name, dict(arguments)))
        if tool.name in self.hold:
            await self.hold[tool.name].wait()
        first = next(iter(arguments.values()), "")
        answer = self.answers.get((tool.name, first), self.answers.get(tool.name, f"{first}@example.org".lower()))
        if isinstance(answer, Exception):
            raise answer
        return Result(answer, f"{tool.name} {len(self.calls)}" if self.handles else "")

    async def undo(self, tool: Tool, handle: str) -> str:
        self.undone.append((tool.name, handle))
        answer = self.undo_answers.get(tool.name, f"Removed {handle}")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def called(self, name: str) -> list[dict[str, Any]]:
        return [arguments for tool, arguments in self.calls if tool == name]


@dataclass
class FakeClock:
    """Stands still until a test moves it."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class FakeTuner:
    """Yields a step as often as it is let; `hold` stops it before the step of that number. `outcome` is what it ends with."""

    outcome: Outcome = field(default_factory=lambda: Outcome(Scores(0.5, 0.9), Scores(1.0, 0.9)))
    trouble: Exception | None = None
    steps: int = 6
    hold: Mapping[int, threading.Event] = field(default_factory=dict)
    reached: int = 0
    losses: dict[int, float] = field(default_factory=dict)
    ended: Outcome | None = None
    did: list[str] = field(default_factory=list)

    def matter(self) -> Matter:
        if self.trouble:
            raise self.trouble
        own = ("play_song", "set_volume")
        return Matter(own, 6, 2, "shipped planner", self.steps, self.reached, dict(self.losses), self.ended)

    def tune(self, stepped: Callable[[Progress], bool], measured: Callable[[int, int], bool]) -> Outcome | None:
        self.did.append(f"tune from {self.reached}")
        if not self.reached and measured(1, 2):
            return None
        while self.reached < self.steps:
            self.reached += 1
            self.losses[self.reached] = 1 / self.reached
            if self.reached in self.hold:
                self.hold[self.reached].wait(10)
            if stepped(Progress(self.reached, self.steps, 1 / self.reached, 30.0)):
                return None
        self.ended = self.outcome
        return self.outcome

    def install(self) -> str:
        self.did.append("install")
        self.reached, self.losses, self.ended = 0, {}, None
        return "fine-tuned planner 1"

    def anew(self) -> None:
        self.did.append("anew")
        self.reached, self.losses, self.ended = 0, {}, None

    def rollback(self) -> str:
        self.did.append("rollback")
        return "shipped planner"


def read_tools() -> Toolbox:
    return load_toolbox(shipped("tools.yaml"))


def checks() -> list[Check]:
    return [Check("python", "ok", "3.11"), Check("voice", "missing", "mlx-whisper is not installed", "install it")]


def make_app(
    planner: FakePlanner | None = None,
    desktop: FakeDesktop | None = None,
    make_agent: Callable[[], Agent] | None = None,
    **settings: Any,
) -> TinyAgentApp:
    def agent() -> Agent:
        return Agent(read_tools(), planner or FakePlanner(SYNC), EveryTool(), desktop or FakeDesktop())

    given = {
        "load_tools": read_tools,
        "tools_file": shipped("tools.yaml"),
        "checks": checks,
        "ears": Ears(lambda: FakeMicrophone([speech_like(1.0)]), FakeTranscriber),
        "tuner": FakeTuner(),
        "now": lambda: NOW,
        "clock": FakeClock(),
    }
    return TinyAgentApp(make_agent or agent, still=True, **(given | settings))


async def until(pilot: Pilot, condition: Callable[[], Any], seconds: float = 20) -> None:
    """Wait for what must come true; fails when it does not."""
    for _ in range(int(seconds / 0.02)):
        await pilot.pause(0.02)
        if condition():
            return
    raise AssertionError(f"it did not come true in time; the screen says:\n{text_of(pilot, '*')}")


async def to_approval(pilot: Pilot, request: str = "sync with sid and lutfi") -> None:
    """Ask, and wait until the bar takes keys."""
    await ask(pilot, request)
    await unlock(pilot)


async def unlock(pilot: Pilot) -> None:
    """Wait until the bar asks, and let its quiet time pass."""
    bar = pilot.app.screen.bar
    await until(pilot, lambda: bar.asking)

    def unlocked() -> bool:
        pilot.app.clock.seconds += QUIET
        return not bar.locked

    await until(pilot, unlocked)


async def done(pilot: Pilot) -> None:
    await until(pilot, lambda: not pilot.app.screen.running)
    await pilot.pause()


async def ask(pilot: Pilot, request: str) -> None:
    pilot.app.screen.prompt.write(request)
    await pilot.press("enter")


def text_of(pilot: Pilot, selector: str = "#runs") -> str:
    """What the widgets under a selector say."""
    from textual.widgets import Label, Static

    from tui.transcript import Transcript

    found = []
    for root in pilot.app.screen.query(selector):
        for widget in root.walk_children(with_self=True):
            if isinstance(widget, (Static, Label)) and widget.display:
                found.append(_plain(widget.visual if hasattr(widget, "visual") else widget.render()))
            elif isinstance(widget, Transcript):
                found.append(widget.text)
    return "\n".join(found)


def _plain(visual: Any) -> str:
    """A text as it is; a table as its cells, line by line."""
    table = getattr(visual, "_renderable", None)
    if not isinstance(table, Table):
        return str(visual)
    cells = [list(column.cells) for column in table.columns]
    return "\n".join(" ".join(map(str, row)) for row in zip(*cells, strict=True))


def file_at(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file
