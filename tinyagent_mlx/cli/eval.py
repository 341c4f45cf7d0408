"""Measure plans against a case file."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tinyagent_mlx.cli import places, setup
from tinyagent_mlx.errors import ConfigError


def add_options(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--cases", type=Path, metavar="FILE", help="JSON Lines of requests with their plans")
    which.add_argument("--mine", action="store_true", help="the cases beside your own tools.yaml")
    parser.add_argument("--rows", type=Path, metavar="OUT", help="write a line a case")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N cases")
    parser.add_argument("--now", metavar="WHEN", help="the moment of cases that name none")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    setup.add_model_options(parser)


def call(options: argparse.Namespace) -> int:
    from tinyagent_mlx.cases import read_cases
    from tinyagent_mlx.evaluation import evaluate, row_dict, summarize

    places.check_output("--rows", options.rows)
    cases = read_cases(_mine(options) if options.mine else options.cases)[: options.limit]
    agent = setup.agent(options)
    model = options.model or setup.settings(options).model or "shipped planner"
    counter = _Counter(len(cases))
    rows = evaluate(agent, cases, setup.now(options.now), counter)
    summary = {"model": model, "retrieval": setup.retrieval_name(options)} | summarize(rows)
    if options.rows:
        text = "".join(json.dumps(row_dict(row), ensure_ascii=False) + "\n" for row in rows)
        options.rows.parent.mkdir(parents=True, exist_ok=True)
        options.rows.write_text(text, encoding="utf-8")
    if options.json:
        print(json.dumps(summary, ensure_ascii=False))
    else:
        _print(summary)
    return 0


def _mine(options: argparse.Namespace) -> Path:
    file = setup.own_cases(options)
    if not file.is_file():
        raise ConfigError(
            f"{file}: there are no cases of your own yet; `tinyagent history save-case ID` keeps a request with its right plan"
        )
    return file


class _Counter:
    def __init__(self, total: int):
        self.total, self.done, self.right = total, 0, 0

    def __call__(self, row: Any) -> None:
        self.done += 1
        self.right += row.dag
        if sys.stderr.isatty():
            end = "\n" if self.done == self.total else ""
            print(f"\r{self.done}/{self.total} planned, {self.right} right", end=end, file=sys.stderr, flush=True)


def _print(summary: dict[str, Any]) -> None:
    for key, value in summary.items():
        if key != "by_tag":
            print(f"{key:<24} {value}")
    for tag, figures in summary["by_tag"].items():
        print(
            f"  {tag:<24} {figures['cases']:>5} cases  dag {figures['dag_success']:.3f}  exact {figures['exact_success']:.3f}"
        )
