"""Rows of a data set: what makes a request with its plan fit to train on, counting what does not, and writing the rest.

A row is a case of the contract with one more key, `tools`: the names of the tools at hand, those that the plan needs and
some that it does not. Where rows come from is `shards.py`'s, `published.py`'s and `asking.py`'s; this module knows nothing
of it.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from tinyagent_mlx.check import check_plan
from tinyagent_mlx.errors import ConfigError, PlanError
from tinyagent_mlx.plan import Plan, print_plan
from tinyagent_mlx.toolbox import Argument, Toolbox
from tinyagent_mlx.values import Mixed, Scalar, Value, scalars
from tinyagent_mlx.when import count
from tinyagent_mlx.words import split_words

Case = dict[str, Any]

MOST_IRRELEVANT = 5  # tools at hand that the plan does not need
_NUMBER_SPAN = 6  # words that say one number: "for an hour and a half"
_FIRST_DAY, _DAYS = datetime(2025, 1, 1), 1095
_NO_LIMIT = 1_000_000


def fault(query: str, plan: Plan, tools: Toolbox) -> str | None:
    """Say in a few constant words why a row is not fit to train on, or None."""
    if not query.strip():
        return "empty request"
    if any(step.tool not in tools for step in plan.steps):
        return "unknown tool"
    if any(len(step.arguments) != len(tools[step.tool].arguments) for step in plan.steps):
        return "wrong number of arguments"
    try:
        check_plan(plan, tools)
    except PlanError:
        return "wrong type or reference"
    return "argument not in the request" if unsaid(query, plan, tools) else None


def unsaid(query: str, plan: Plan, tools: Toolbox) -> tuple[int, str, Value] | None:
    """The first value of a plan that its request does not say, though only words of it may stand there: step, argument and value."""
    words = _Words(query)
    for step in plan.steps:
        for argument, value in zip(tools[step.tool].arguments, step.arguments, strict=True):
            if argument.extractive and not all(words.give(argument, scalar) for scalar in scalars(value)):
                return step.id, argument.name, value
    return None


class _Words:
    """A request that is asked whether it says something."""

    def __init__(self, query: str):
        self.query = query
        self.spoken = _folded(query)

    def give(self, argument: Argument, scalar: Scalar) -> bool:
        """Whether a value of an extractive argument stands in the request, or may stand without it."""
        kind = argument.type.item
        if scalar in (argument.default, kind.empty) or scalar in argument.choices or isinstance(scalar, bool):
            return True
        if isinstance(scalar, int):
            return self._number(scalar)
        texts = [scalar] if isinstance(scalar, str) else scalar.parts if isinstance(scalar, Mixed) else ()
        for text in texts:
            if not isinstance(text, str) or (kind.canonical and re.fullmatch(kind.pattern, text)):
                continue
            pieces = _folded(text).split() if kind.spans > 1 else [_folded(text)]  # a date may be said in two places
            if not all(f" {piece.strip()} " in self.spoken for piece in pieces):
                return False
        return True

    def _number(self, number: int) -> bool:
        words = [word.text for word in split_words(self.query, _NO_LIMIT)]
        spans = (
            words[start:end]
            for start in range(len(words))
            for end in range(start + 1, min(start + _NUMBER_SPAN, len(words)) + 1)
        )
        return any(count(" ".join(span)) == number for span in spans)


def _folded(text: str) -> str:
    """The words of a text without case and punctuation, one blank on either side of each."""
    words = (word.text.casefold() for word in split_words(text, _NO_LIMIT))
    return f" {' '.join(word for word in words if any(map(str.isalnum, word)))} "


def key(query: str) -> str:
    """What makes two requests the same one."""
    return " ".join(query.casefold().split())


def at_hand(plan: Plan, tools: Toolbox, rng: random.Random) -> list[str]:
    """The tools of a plan and up to `MOST_IRRELEVANT` others, at least one tool, in declared order."""
    needed = {step.tool for step in plan.steps}
    others = [name for name in tools.names if name not in needed]
    extra = min(len(others), rng.randint(0 if needed else 1, MOST_IRRELEVANT))
    needed.update(rng.sample(others, extra))
    return [name for name in tools.names if name in needed]


def some_moment(rng: random.Random) -> str:
    """A quarter of an hour of a waking day, for a request to be made at."""
    moment = _FIRST_DAY + timedelta(days=rng.randrange(_DAYS), minutes=15 * rng.randrange(28, 92))
    return moment.isoformat(sep=" ")


def make_case(query: str, plan: Plan, tools: Toolbox, rng: random.Random, tags: list[str], now: str = "") -> Case:
    """A row but for its id, which its place in the file gives."""
    tags = [*tags, "refusal" if plan.refused else f"steps {len(plan.steps)}"]
    case = {"query": query, "plans": [print_plan(plan)], "tags": tags, "tools": at_hand(plan, tools, rng)}
    return case | ({"now": now} if now else {})


class Sieve:
    """Lets a row through once and when it is fit; counts the others by reason, and what was mended."""

    def __init__(self, tools: Toolbox):
        self.tools = tools
        self.kept = 0
        self.refusals = 0
        self.dropped: Counter[str] = Counter()
        self.mended: Counter[str] = Counter()
        self._seen: set[str] = set()

    def admit(self, query: str, plan: Plan) -> bool:
        """Whether a row may stay."""
        reason = fault(query, plan, self.tools)
        if reason:
            self.drop(reason)
            return False
        return self.admit_checked(query, plan.refused)

    def admit_checked(self, query: str, refused: bool) -> bool:
        """Whether a row that was checked elsewhere is new."""
        if key(query) in self._seen:
            self.drop("asked before")
            return False
        self._seen.add(key(query))
        self.kept += 1
        self.refusals += refused
        return True

    def drop(self, reason: str) -> None:
        self.dropped[reason] += 1

    def report(self) -> dict[str, Any]:
        """Figures for people and programs."""
        return {
            "kept": self.kept,
            "refusals": self.refusals,
            "dropped": dict(self.dropped.most_common()),
            "mended": dict(self.mended.most_common()),
        }


class CaseFile:
    """Writes rows to `FILE.part` as they come, and gives the file its name when all are there."""

    def __init__(self, file: Path, prefix: str):
        self.file, self.prefix, self.rows = file, prefix, 0
        self._part = file.with_name(file.name + ".part")
        self._stream: TextIO

    def __enter__(self) -> CaseFile:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._part.open("w", encoding="utf-8", newline="\n", buffering=1)
        except OSError as error:
            raise ConfigError(f"{self.file}: cannot be written: {error.strerror}") from error
        return self

    def write(self, case: Case) -> None:
        row = {"id": f"{self.prefix}-{self.rows:06}"} | case
        self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.rows += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()
        if error is None:
            self._part.replace(self.file)
