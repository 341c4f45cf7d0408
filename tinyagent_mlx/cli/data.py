"""Make requests with their plans to train on: from the corpus, from a teacher, or from the published dataset."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyagent_mlx import paths
from tinyagent_mlx.cli import places, setup
from tinyagent_mlx.errors import TinyAgentError, UsageError

if TYPE_CHECKING:
    from tinyagent_mlx.lab.dataset import Sieve

PARTS = ("train", "valid", "test")
MOST_WORKERS = 8


def add_options(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    making = _action(verbs, "generate", "make rows from the corpus, or with --teacher from a language model's answers")
    making.add_argument("--count", type=int, default=80_000, metavar="N", help="rows (default: 80000)")
    making.add_argument("--seed", type=int, default=0, metavar="N", help="another seed gives other rows (default: 0)")
    making.add_argument(
        "--part", choices=PARTS, default="train", help="which wordings; the parts share none (default: train)"
    )
    making.add_argument(
        "--workers",
        type=int,
        default=min(MOST_WORKERS, os.cpu_count() or 1),
        metavar="N",
        help="processes; their number does not change the rows",
    )
    making.add_argument("--teacher", metavar="MODEL", help="a model folder, or the URL of an OpenAI-compatible server")
    making.add_argument("--teacher-model", default="", metavar="NAME", help="the model's name on that server")
    importing = _action(verbs, "import", "make rows of the published TinyAgent dataset")
    importing.add_argument("file", type=Path, metavar="FILE", help="its JSON file")
    importing.add_argument(
        "--for",
        dest="model",
        metavar="MODEL",
        help="learn the layout of its prompts too, for this model (`tinyagent models profile`)",
    )
    for action in (making, importing):
        action.add_argument("--out", type=Path, required=True, metavar="FILE", help="the rows, JSON Lines")
        action.add_argument("--report", type=Path, metavar="FILE", help="write what was kept and dropped as JSON")


def _action(actions: Any, name: str, text: str) -> argparse.ArgumentParser:
    """An action takes the verb's own options too, on either side of its name."""
    made: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    places.add_options(made, again=True)
    return made


def call(options: argparse.Namespace) -> int:
    for flag, file in (("--out", options.out), ("--report", options.report)):
        places.check_output(flag, file)
    if options.action == "import":
        sieve = _import(options)
    elif options.count < 1 or options.workers < 1:
        raise UsageError(f"--count {options.count} --workers {options.workers}: expected 1 or more")
    else:
        sieve = _ask(options) if options.teacher else _generate(options)
    _say(sieve, options)
    if not sieve.kept:
        raise TinyAgentError(f"{options.out}: no row was kept")
    return 0


def _generate(options: argparse.Namespace) -> Sieve:
    from tinyagent_mlx.lab.shards import Order, write_dataset

    base = paths.shipped("weights") / "planner"  # its vocabulary fills slots
    order = Order(setup.sources(options), base, options.part, options.seed)
    return write_dataset(order, options.count, options.out, options.workers, _Progress(options.count))


def _ask(options: argparse.Namespace) -> Sieve:
    from tinyagent_mlx.lab.asking import ask_for_cases
    from tinyagent_mlx.lab.dataset import CaseFile, Sieve
    from tinyagent_mlx.lab.teacher import find_teacher

    tools = setup.toolbox(options)
    sieve = Sieve(tools)
    teacher = find_teacher(options.teacher, options.teacher_model, options.seed)
    progress = _Progress(options.count)
    with CaseFile(options.out, "teacher") as file:
        for case in ask_for_cases(teacher, tools, options.count, sieve, options.seed, progress=progress):
            file.write(case)
    return sieve


def _import(options: argparse.Namespace) -> Sieve:
    from tinyagent_mlx.lab.dataset import CaseFile, Sieve
    from tinyagent_mlx.lab.learnt import moments
    from tinyagent_mlx.lab.published import import_cases

    tools = setup.toolbox(options)
    sieve = Sieve(tools)
    if options.model:
        from tinyagent_mlx.cli import models

        models.learn_for(options.model, options.file, "", setup.models(options))
    with CaseFile(options.out, "published") as file:
        for case in import_cases(options.file, tools, sieve, moments=moments(options.file)):
            file.write(case)
    return sieve


def _say(sieve: Sieve, options: argparse.Namespace) -> None:
    """Report on stderr, and as JSON where that was asked for."""
    report = sieve.report()
    print(f"{sieve.kept} rows kept, {sieve.refusals} of them refusals: {options.out}", file=sys.stderr)
    for title in ("dropped", "mended"):
        for reason, count in report[title].items():
            print(f"  {title} {count:>7}  {reason}", file=sys.stderr)
    if options.report:
        import json

        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


class _Progress:
    """A line on stderr: redrawn on a terminal, elsewhere one at each tenth."""

    def __init__(self, total: int):
        self.total, self.began, self.tenths = total, time.perf_counter(), 0

    def __call__(self, rows: int) -> None:
        seconds = time.perf_counter() - self.began
        text = f"{rows}/{self.total} rows, {rows / max(seconds, 1e-9):.0f} a second"
        if sys.stderr.isatty():
            print(f"\r{text}", end="\n" if rows >= self.total else "", file=sys.stderr, flush=True)
        elif rows * 10 // self.total > self.tenths:
            self.tenths = rows * 10 // self.total
            print(text, file=sys.stderr, flush=True)
