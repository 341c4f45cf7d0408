"""Undo a step that was carried out: the last one of the last request, unless others are named."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import TYPE_CHECKING

from tinyagent_mlx.cli import setup
from tinyagent_mlx.cli.show import plain
from tinyagent_mlx.errors import HistoryError, OutcomeUnknown, StepError, UsageError

if TYPE_CHECKING:
    from tinyagent_mlx.history import History
    from tinyagent_mlx.records import RunRecord
    from tinyagent_mlx.toolbox import Toolbox

EARLIER = 50  # requests that are looked through for one that can be undone


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("which", nargs="*", type=int, metavar="ID [STEP]", help="the request, and its step")
    parser.add_argument("--desktop", metavar="WHERE", help="'macos' or a folder (default: where the step was done)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def call(options: argparse.Namespace) -> int:
    from tinyagent_mlx import undo

    if len(options.which) > 2:
        raise UsageError(f"undo takes the request and its step, got {len(options.which)} numbers")
    tools = setup.toolbox(options)
    with setup.history(options) as history:
        runs = [history.run(options.which[0])] if options.which else history.runs(limit=1)
        if not runs:
            raise HistoryError("there is nothing to undo: no request was carried out yet")
        run = runs[0]
        number = options.which[1] if options.which[1:] else _last(history, run, tools, bool(options.which))
        step = undo.undoable(run, number, tools)
        options.desktop = options.desktop or run.place
        try:
            text = asyncio.run(undo.undo(history, setup.desktop(options), tools, run.id, number))
        except StepError as error:
            advice = f"; {error.advice}" if error.advice else ""
            how = "may or may not be undone" if isinstance(error, OutcomeUnknown) else "was not undone"
            raise HistoryError(f"request {run.id}, step {number} {how}: {error}{advice}") from error
    if options.json:
        print(json.dumps({"id": run.id, "step": number, "tool": step.tool, "undone": text}, ensure_ascii=False))
    else:
        print(f"{plain(text)} (request {run.id}, step {number}: {plain(run.query)})")
    return 0


def _last(history: History, run: RunRecord, tools: Toolbox, named: bool) -> int:
    """The step to undo. Where the last request has none and nobody `named` it, the error says which request does."""
    from tinyagent_mlx import undo

    try:
        return undo.last_undoable(run, tools).number
    except HistoryError as error:
        other = (
            None if named else next((one for one in history.runs(limit=EARLIER) if _can_be_undone(one, tools)), None)
        )
        if other is None:
            raise
        raise HistoryError(f"{error}; `tinyagent undo {other.id}` takes back what {other.query!r} did") from error


def _can_be_undone(run: RunRecord, tools: Toolbox) -> bool:
    from tinyagent_mlx import undo

    return any(not undo.obstacle(step, tools) for step in run.last.values())
