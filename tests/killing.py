"""Kill programs that carry plans out, with SIGKILL at random moments, and judge what the history says afterwards.

`python -c "from tests.killing import main; main(200)"` does it by hand. The programs plan at random and act on a slow
desktop that appends a line to a side file at the very moment when it really does something: that file is the truth which
the history is held against. `main(200, screen=True)` kills the terminal UI itself, in a terminal of its own and with the
shipped planner, and the truth is what lies in the folder of its desktop.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import re
import sqlite3
import string
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from tests.terminal import Terminal
from tinyagent_mlx.desktop.base import Result
from tinyagent_mlx.errors import OutcomeUnknown, StepError
from tinyagent_mlx.executor import execute
from tinyagent_mlx.history import History, recording
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.records import KILLED, RunRecord, StepRecord
from tinyagent_mlx.toolbox import Tool
from tinyagent_mlx.toolfile import load_toolbox
from tinyagent_mlx.undo import obstacle, undo
from tinyagent_mlx.values import Ref
from tui.approval import QUIET
from tui.hesitation import TYPING

NOW = datetime(2026, 11, 23, 9, 0)
TOOLS = load_toolbox(shipped("tools.yaml"))
LONGEST = 0.004  # seconds that the desktop takes before and after it does something
LIVES = 0.15  # seconds until a program is killed, at the most


@dataclass
class SlowDesktop:
    """Does a step by adding a line to `side`; its first argument is a mark that no other step has."""

    side: Path
    dice: random.Random
    name: str = "slow"

    def preview(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        return tool.name

    async def call(self, tool: Tool, arguments: Mapping[str, Any], now: datetime) -> Result:
        mark = str(next(iter(arguments.values())))
        await asyncio.sleep(self.dice.uniform(0, LONGEST))
        if self.dice.random() < 0.1:
            raise StepError(f"{mark} does not work")
        self._write("did", mark)
        await asyncio.sleep(self.dice.uniform(0, LONGEST))
        if tool.effect != "read" and self.dice.random() < 0.05:
            raise OutcomeUnknown(f"{mark} gave no answer")
        return Result(mark, mark if tool.inverse else "")

    async def undo(self, tool: Tool, handle: str) -> str:
        await asyncio.sleep(self.dice.uniform(0, LONGEST))
        if self.dice.random() < 0.2:
            raise StepError(f"{handle} is gone")
        self._write("undid", handle)
        await asyncio.sleep(self.dice.uniform(0, LONGEST))
        return f"{handle} is undone"

    def _write(self, what: str, mark: str) -> None:
        descriptor = os.open(self.side, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{what} {mark}\n".encode())
        os.close(descriptor)


def random_plan(dice: random.Random, mark: str) -> Plan:
    """One to six steps, some waiting for others; each begins with its own mark."""
    steps: list[Step] = []
    for number in range(1, dice.randint(1, 6) + 1):
        name = dice.choice(["get_email_address", "create_note", "create_reminder", "append_note_content", "open_note"])
        tool = TOOLS[name]
        arguments: list[Any] = [argument.default for argument in tool.arguments]
        arguments[0] = f"{mark}.{number}"
        if name in ("create_note", "append_note_content") and steps:
            arguments[1] = Ref(dice.choice(steps).id)
        steps.append(Step(number, name, tuple(arguments)))
    return Plan(tuple(steps))


async def carry_out(history: History, desktop: SlowDesktop, dice: random.Random, mark: str) -> None:
    """One request from its beginning to its end, and now and then an undo."""
    plan = random_plan(dice, mark)

    async def steps() -> AsyncIterator[Step]:
        for step in plan.steps:
            await asyncio.sleep(dice.uniform(0, LONGEST / 2))
            yield step

    async def approve(plan: Plan) -> Plan | None:
        await asyncio.sleep(dice.uniform(0, LONGEST))
        answer = dice.random()
        return None if answer < 0.1 else _edited(plan) if answer < 0.3 else plan

    run = history.begin(f"request {mark}", NOW, TOOLS, "slow")
    with recording(history, run, lambda event: None, approve) as (emit, ask):
        await execute(steps(), TOOLS, desktop, ask, emit, NOW)
    done = [step.number for step in history.run(run).steps if not obstacle(step, TOOLS)]
    for number in dice.sample(done, dice.randint(0, len(done))):
        with suppress(StepError):
            await undo(history, desktop, TOOLS, run, number)


def _edited(plan: Plan) -> Plan:
    """The plan with another folder for its notes, and other people looked up: those reads are run anew."""

    def edited(step: Step) -> Step:
        match step.tool:
            case "create_note":
                return replace(step, arguments=(*step.arguments[:2], "Edited"))
            case "get_email_address":
                return replace(step, arguments=(f"{step.arguments[0]}e",))
        return step

    return Plan(tuple(edited(step) for step in plan.steps))


def live(folder: Path, seed: int, ready: Connection) -> None:
    """The program that is killed: request after request, without end."""
    dice = random.Random(seed)
    desktop = SlowDesktop(folder / "side", dice)
    ready.send(True)
    history = History(folder / "history.sqlite3")
    history.interrupted()
    number = 0
    while True:
        number += 1
        asyncio.run(carry_out(history, desktop, dice, f"{seed}.{number}"))


def programs() -> ForkServerContext:
    """Starts programs from one that has imported all of this: a twentieth of a second each in the place of a whole one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.killing"])
    return context


def kill_once(folder: Path, seed: int, seconds: float) -> None:
    """Start a program and kill it so many seconds after it was ready to begin."""
    context = programs()
    here, there = context.Pipe(duplex=False)
    program = context.Process(target=live, args=(folder, seed, there), daemon=True)
    program.start()
    there.close()
    here.recv()
    program.join(seconds)
    assert program.exitcode is None, f"the program ended by itself with {program.exitcode}"
    program.kill()
    program.join()
    here.close()


@dataclass
class Verdict:
    """`wrong` says in words what must not be; `seen` counts what the kills have met."""

    wrong: list[str]
    seen: Counter[str]


def side_lines(folder: Path) -> Counter[str]:
    """What the slow desktop really did."""
    side = folder / "side"
    return Counter(side.read_text().splitlines() if side.exists() else [])


def desktop_lines(folder: Path) -> Counter[str]:
    """What lies in the desktop's folder; the second of two files with one title has a number behind it."""
    files = [file for place in ("notes", "reminders") for file in (folder / "desktop" / place).rglob("*.*")]
    return Counter(f"did {re.sub(r' [(]?[0-9]+[)]?$', '', file.stem)}" for file in files)


def judge(folder: Path, done: Callable[[Path], Counter[str]] = side_lines) -> Verdict:
    """Hold the history of dead programs against what was really done."""
    lines = done(folder)
    verdict = Verdict([f"twice: {line}" for line, times in lines.items() if times > 1], Counter(lines=len(lines)))
    with History(folder / "history.sqlite3") as history:
        runs = history.runs(limit=-1)
        cut_off = {run.id for run in history.interrupted()}
    known: set[str] = set()
    for run in runs:
        verdict.seen[f"run {run.state}"] += 1
        for step in run.steps:
            known |= _judge_step(run, step, lines, verdict)
        if bool(run.cut_off) != (run.id in cut_off):
            verdict.wrong.append(f"request {run.id}: not reported as cut off, or reported though it was not")
    verdict.wrong += [f"no start is written down for: {line}" for line in lines if line not in known]
    (sound,) = sqlite3.connect(folder / "history.sqlite3").execute("PRAGMA integrity_check").fetchone()
    verdict.wrong += [] if sound == "ok" else [f"the file is damaged: {sound}"]
    return verdict


def _judge_step(run: RunRecord, step: StepRecord, lines: Mapping[str, int], verdict: Verdict) -> set[str]:
    """The lines of the side file that this record accounts for."""
    verdict.seen[f"step {step.state}"] += 1
    mark = next(iter(step.arguments.values()), "")
    did, undid, name = f"did {mark}", f"undid {mark}", f"request {run.id}, step {step.number}"
    if step.state == "done" and did not in lines:
        verdict.wrong.append(f"{name}: is said to be done and is not")
    if step.state not in ("done", "unknown", "replaced") and did in lines:
        verdict.wrong.append(f"{name}: is said to be {step.state} and was done")
    if step.state in ("running", "waiting"):
        verdict.wrong.append(f"{name}: is said to be {step.state}, and its program is dead")
    if step.started and step.effect != "read" and run.approval != "approved":
        verdict.wrong.append(f"{name}: was started without an approval")
    if step.undone and undid not in lines:
        verdict.wrong.append(f"{name}: is said to be undone and is not")
    if step.message == KILLED:
        verdict.seen["cut off after it was done" if did in lines else "cut off before it was done"] += 1
    if step.undo_started and not step.undone:
        verdict.seen["undo cut off"] += 1
    return ({did} if step.started else set()) | ({undid} if step.undo_started else set())


MOMENTS = ("while it starts", "while it plans", "while it asks", "after the answer")


def kill_screen(folder: Path, dice: random.Random) -> str:
    """Start the terminal UI, ask for two steps that write, approve, and kill it at a random moment; says at which."""
    mark = "".join(dice.choices(string.ascii_lowercase, k=7)).capitalize()
    moment = dice.choices(MOMENTS, [1, 2, 1, 6])[0]
    command = [
        str(Path(sys.executable).parent / "tinyagent"),
        "--home",
        str(folder),
        "--desktop",
        str(folder / "desktop"),
    ]
    (folder / "desktop").mkdir(exist_ok=True)
    (folder / "greeted").touch()
    with Terminal(command) as terminal:
        if moment == MOMENTS[0]:
            terminal.read(dice.uniform(0, 3))
            return moment
        terminal.until("·")  # the planner is there: its name and the desktop's
        terminal.type(f"Create a note called {mark} with milk and eggs, and remind me to water {mark}\r")
        if moment == MOMENTS[1]:
            terminal.read(dice.uniform(0, 0.6))
            return moment
        terminal.until("Carry out this plan?")
        terminal.read(QUIET + (dice.uniform(0, 0.5) if moment == MOMENTS[2] else 0.1))
        if moment == MOMENTS[3]:
            terminal.type("a")
            terminal.read(TYPING + dice.uniform(0, 0.25))
    return moment


def campaign_on_screen(folder: Path, kills: int, seed: int, renew: int = 10) -> Verdict:
    """Kill the terminal UI that often, up to `renew` times on one history, and judge after every kill."""
    dice = random.Random(seed)
    whole = Verdict([], Counter())
    for number in range(kills):
        here = folder / str(number // renew)
        here.mkdir(exist_ok=True)
        whole.seen[f"killed {kill_screen(here, dice)}"] += 1
        verdict = judge(here, desktop_lines)
        whole.wrong += [f"after kill {number + 1}: {wrong}" for wrong in verdict.wrong]
        if (number + 1) % renew == 0 or number + 1 == kills:
            whole.seen += verdict.seen
    return whole


def campaign(folder: Path, kills: int, seed: int, renew: int = 10) -> Verdict:
    """Kill that many programs, up to `renew` of them on one history, and judge after every kill."""
    dice = random.Random(seed)
    whole = Verdict([], Counter())
    for number in range(kills):
        here = folder / str(number // renew)
        here.mkdir(exist_ok=True)
        longest = LIVES if number % renew else LIVES / 10  # a new history: killed while it is made
        kill_once(here, seed * 1000 + number, dice.uniform(0, longest))
        verdict = judge(here)
        whole.wrong += [f"after kill {number + 1}: {wrong}" for wrong in verdict.wrong]
        if (number + 1) % renew == 0 or number + 1 == kills:
            whole.seen += verdict.seen
    return whole


def main(kills: int, seed: int = 1, screen: bool = False) -> None:
    """A campaign by hand: prints what was met and what is wrong."""
    with tempfile.TemporaryDirectory() as place:
        result = (campaign_on_screen if screen else campaign)(Path(place), kills, seed)
    for what, times in sorted(result.seen.items()):
        print(f"{times:6} {what}")
    print("\n".join(result.wrong) or "nothing is wrong")
