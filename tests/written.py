"""`tinyagent run` with a fake planner and a fake writer, for a process of its own: DESKTOP WORDS [OPTION…]."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.tui_fakes import NOW, FakePlanner
from tests.writers import FakeWriter
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cli import run, setup, show
from tinyagent_mlx.cli.accepting import Accepting
from tinyagent_mlx.cli.main import screen_options
from tinyagent_mlx.desktop.portable import PortableDesktop
from tinyagent_mlx.retriever import EveryTool

PLAN = '1. create_note("Milk", "two litres", "")'


def main(folder: str, words: str, *flags: str) -> int:
    options = screen_options(["--desktop", folder])
    yes, quiet = "--yes" in flags, "--json" in flags
    parts = (
        FakePlanner(PLAN),
        EveryTool(),
        PortableDesktop(Path(folder)),
        FakeWriter(words, pace=0.005),
        Accepting(yes, quiet),
    )
    agent = Agent(setup.toolbox(options), *parts)
    with setup.history(options) as history:
        outcome = asyncio.run(run.carry_out(agent, "note milk", NOW, yes, quiet, record=(history, folder)))
    if quiet:
        print(json.dumps(show.outcome_json(outcome, agent.toolbox)))
    return 0 if outcome.ok else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
