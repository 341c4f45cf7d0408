"""Requests with their plans, for rows to be made of: drawn from the corpus, or those of a file of cases.

A file's requests are split into training and validation, and joined by refusals of the corpus where it has fewer than
one in eight: without them a model unlearns to refuse. Knows nothing of prompts.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tinyagent_mlx.cases import read_cases
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab.dataset import Sieve, some_moment
from tinyagent_mlx.lab.recipes import RowsRecipe
from tinyagent_mlx.lab.shards import REFUSED, Order, choose, shards
from tinyagent_mlx.plan import Plan, parse_plan
from tinyagent_mlx.toolbox import Toolbox


@dataclass(frozen=True)
class Asked:
    """A request with its plan."""

    query: str
    plan: Plan
    now: datetime


def from_corpus(order: Order, tools: Toolbox, count: int, workers: int) -> Iterator[Asked]:
    """Draw `count` requests; the same order gives the same ones."""
    for case in choose(shards(order, workers), count, Sieve(tools)):
        yield Asked(case["query"], parse_plan(case["plans"][0]), datetime.fromisoformat(case["now"]))


def from_file(
    file: Path, order: Order, tools: Toolbox, recipe: RowsRecipe, tell: Callable[[str], None]
) -> dict[str, list[Asked]]:
    """The requests of a case file for "valid" (`recipe.held`) and "train" (`recipe.rows` at most), each with its first plan.

    A request without a moment gets a drawn one. Raises `ConfigError`.
    """
    rng, sieve = random.Random(f"{recipe.seed}/file"), Sieve(tools)
    asked = [
        Asked(case.query, case.plans[0], case.now or datetime.fromisoformat(some_moment(rng)))
        for case in read_cases(file)
        if sieve.admit(case.query, case.plans[0])
    ]
    for reason, count in sieve.report()["dropped"].items():
        tell(f"{file}: {count} left out: {reason}")
    if len(asked) <= recipe.held:
        raise ConfigError(f"{file}: has {len(asked)} rows to learn from, and --held {recipe.held} are held back")
    rng.shuffle(asked)
    parts = {"valid": asked[: recipe.held], "train": asked[recipe.held :][: recipe.rows]}
    for part, found in parts.items():
        missing = _missing(found)
        if missing:
            tell(f"{part}: {missing} refusals of the corpus are mixed in")
        found += _refusals(replace(order, part=part, seed=recipe.seed), tools, missing, recipe.workers)
        rng.shuffle(found)
    return parts


def _missing(asked: list[Asked]) -> int:
    """How many refusals more make one in `REFUSED`."""
    refused = sum(one.plan.refused for one in asked)
    return max(0, -(-(len(asked) - REFUSED * refused) // (REFUSED - 1)))


def _refusals(order: Order, tools: Toolbox, count: int, workers: int) -> Iterator[Asked]:
    if count:
        drawn = from_corpus(order, tools, REFUSED * count, workers)
        yield from itertools.islice((one for one in drawn if one.plan.refused), count)
