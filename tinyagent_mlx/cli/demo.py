"""Plan and carry out a sample request on sample files, in a folder of its own."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from tinyagent_mlx.cli import setup
from tinyagent_mlx.cli.run import carry_out

REQUEST = "Summarize Q3 roadmap.pdf, email the summary to Sid and Lutfi, and put a sync on Friday at 3pm with both"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("query", nargs="?", default=REQUEST, metavar="QUERY", help="another request")
    parser.add_argument(
        "--folder", type=Path, default=Path("demo-desktop"), metavar="DIR", help="where the sample desktop lies"
    )
    parser.add_argument("--now", metavar="WHEN", help="plan as if it were then")
    setup.add_model_options(parser)


def call(options: argparse.Namespace) -> int:
    from tinyagent_mlx.desktop import sample

    folder = options.folder.resolve()
    sample.seed(folder)
    print(f"A sample desktop lies in {folder}\nRequest: {options.query}\n")
    options.desktop = str(folder)
    agent = setup.agent(options, with_desktop=True)
    outcome = asyncio.run(carry_out(agent, options.query, setup.now(options.now), yes=True))
    files = [file for result in outcome.results().values() for file in result.files]
    if files:
        print("\nWritten:")
    for file in files:
        print(f"  {file}")
    return 0 if outcome.ok else 1
