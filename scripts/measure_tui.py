"""Measure the terminal UI: how soon one can type, how long planning holds its event loop up, what many requests leave.

    python scripts/measure_tui.py --plans 50 --requests 200

Plans with the planner that the command uses, over a sample desktop in a folder of its own; nothing is approved, so
nothing is written. The first figure is taken in a terminal of its own (a pty), the others in a headless screen of this
process. Run it on a quiet machine: other work counts as stalls, which is why the same is measured at rest.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
KEY = "ж"  # stands nowhere else on the screen
TICK = 0.002  # seconds between two looks at the clock


def ready_to_type(home: Path, desktop: Path, command: Sequence[str]) -> float:
    """Seconds from the start of the process until a key stands in the prompt."""
    from tests.terminal import Terminal

    with Terminal([*command, "--home", str(home), "--desktop", str(desktop)]) as terminal:
        terminal.until(KEY, typing=KEY)
        return time.perf_counter() - terminal.began


class Stalls:
    """Looks at the clock all the time; what it is late by, something held the event loop up for.

    `busy` is the processor time that the loop's own thread took meanwhile: what is left of a stall on a quiet machine.
    """

    def __init__(self) -> None:
        self.late: list[float] = []
        self.busy: list[float] = []

    async def watch(self) -> None:
        while True:
            before, worked = time.perf_counter(), time.thread_time()
            await asyncio.sleep(TICK)
            self.late.append(time.perf_counter() - before - TICK)
            self.busy.append(time.thread_time() - worked)

    @contextmanager
    def during(self, longest: list[float], busiest: list[float]) -> Iterator[None]:
        self.late.clear()
        self.busy.clear()
        yield
        longest.append(max(self.late, default=0.0))
        busiest.append(max(self.busy, default=0.0))


def requests(count: int) -> list[str]:
    """Requests for the shipped tools from the corpus's validation part, always the same ones."""
    from tinyagent_mlx.lab import corpus
    from tinyagent_mlx.lab.generate import Generator
    from tinyagent_mlx.paths import shipped
    from tinyagent_mlx.toolfile import load_toolbox

    tools = load_toolbox(shipped("tools.yaml"))
    wordings = [w for w in corpus.split(corpus.read_corpus()).valid if all(s.tool in tools for s in w.plan.steps)]
    words = ["amber", "basil", "cedar", "delta", "ember", "fjord", "grove"]
    return [row.request for row in itertools.islice(Generator(wordings, tools, words, 11).rows(), count)]


async def drive(home: Path, desktop: Path, plans: int, count: int) -> dict[str, Any]:
    """Ask `count` requests one after the other; the first `plans` of them are watched for stalls."""
    from tinyagent_mlx.cli.main import screen_options
    from tui.app import make

    asked = requests(count)
    app = make(screen_options(["--home", str(home), "--desktop", str(desktop)]))
    stalls = Stalls()
    at_rest, idle, planning, working = list[float](), list[float](), list[float](), list[float]()
    memory: dict[int, float] = {}
    async with app.run_test(size=(140, 40)) as pilot:
        while not app.engine.ready:
            await asyncio.sleep(0.05)
        if "no planner" in app.status:
            raise SystemExit(app.status)
        watching = asyncio.create_task(stalls.watch())
        for _ in range(plans):
            with stalls.during(at_rest, idle):
                await asyncio.sleep(0.5)
        for number, request in enumerate(asked):
            with stalls.during(planning, working):
                await plan(app, request)
            await leave(app)
            if number == plans - 1:
                watching.cancel()
            if (number + 1) % 20 == 0:
                await pilot.pause()
                memory[number + 1] = resident()
                print(f"{number + 1} requests, {memory[number + 1]:.0f} MiB", file=sys.stderr, flush=True)
    return {
        "stalls_at_rest_ms": spread(at_rest),
        "stalls_ms": spread(planning[:plans]),
        "of_which_own_processor_time_ms": spread(working[:plans]),
        "memory_mib": memory,
    }


async def plan(app: Any, request: str) -> None:
    """Hand a request to the prompt and wait until its plan is there or has ended."""
    screen = app.screen
    screen.prompt.write(request)
    screen.prompt.action_submit()
    while screen.running and not screen.bar.asking:
        await asyncio.sleep(0.01)


async def leave(app: Any) -> None:
    """Approve nothing."""
    screen = app.screen
    while screen.running:
        screen.action_stop()
        await asyncio.sleep(0.01)


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds: half of them, 99 of 100, and the longest."""
    ordered = sorted(seconds)
    ninety_ninth = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    found = {"p50": statistics.median(ordered), "p99": ninety_ninth, "longest": ordered[-1]}
    return {name: round(value * 1000, 1) for name, value in found.items()}


def resident() -> float:
    """This process's memory in MiB."""
    found = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, text=True, check=True)
    return int(found.stdout) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plans", type=int, default=50, metavar="N", help="plans to watch for stalls (default: 50)")
    parser.add_argument("--requests", type=int, default=200, metavar="N", help="requests in all (default: 200)")
    parser.add_argument("--starts", type=int, default=5, metavar="N", help="starts to time (default: 5)")
    options = parser.parse_args()
    if options.requests < options.plans:
        parser.error("--requests must not be less than --plans")
    from tinyagent_mlx.desktop import sample

    with tempfile.TemporaryDirectory() as folder:
        home, desktop = Path(folder) / "home", Path(folder) / "desktop"
        home.mkdir()
        (home / "greeted").touch()  # the second start: the first one greets
        sample.seed(desktop)
        command = [str(Path(sys.executable).parent / "tinyagent")]
        starts = [ready_to_type(home, desktop, command) for _ in range(options.starts)]
        found: dict[str, Any] = {"ready_to_type_s": [round(seconds, 2) for seconds in starts]}
        found |= asyncio.run(drive(home, desktop, options.plans, options.requests))
    found["load"] = [round(load, 1) for load in os.getloadavg()]
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
