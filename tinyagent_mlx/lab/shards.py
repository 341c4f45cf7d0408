"""Make a data set from the corpus, in shards of a fixed size that each have a seed of their own.

Shards may be made by any number of processes; they are taken in order, so the same seed gives the same rows, and fewer
rows are the beginning of more. This module knows nothing of MLX.
"""

from __future__ import annotations

import itertools
import random
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

from tinyagent_mlx.errors import ConfigError, TinyAgentError
from tinyagent_mlx.lab import corpus
from tinyagent_mlx.lab.dataset import Case, CaseFile, Sieve, fault, make_case, some_moment
from tinyagent_mlx.lab.generate import Generator, Mix, open_dictionary, vocabulary
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import Source, load_toolboxes

SHARD = 500  # rows
REFUSED = 8  # of so many rows, at least one is refused, in every beginning of the file
PARTS = ("train", "valid", "test")

# Refusals have no slots to fill: on their own they soon repeat, and a row is kept once.
MIX = Mix(refusals=0.21, singles=0.26, multiples=0.25, composed=0.28, joined=0.6)


@dataclass(frozen=True)
class Order:
    """What a data set is made of: `base` is a folder with a tokenizer.json, whose words fill slots."""

    tools: tuple[Source, ...]
    base: Path
    part: str = "train"
    seed: int = 0


@lru_cache(1)
def _split() -> corpus.Split:
    return corpus.split(corpus.read_corpus())


@lru_cache(1)
def _workshop(order: Order) -> tuple[Toolbox, Generator]:
    """What every shard of an order needs, made once a process."""
    tools = load_toolboxes(order.tools)
    known = [w for w in getattr(_split(), order.part) if all(step.tool in tools for step in w.plan.steps)]
    if all(w.plan.refused for w in known):
        raise ConfigError(f"{order.tools[-1].file}: the corpus has no wording for any of its tools")
    return tools, Generator(known, tools, open_dictionary(vocabulary(order.base)), order.seed, MIX)


def shard(order: Order, number: int) -> list[Case]:
    """The rows of one shard; each is checked."""
    tools, generator = _workshop(order)
    generator.rng.seed(f"{order.seed}/{order.part}/{number}")
    rng = random.Random(f"{order.seed}/{order.part}/{number}/around")
    cases = []
    for row in generator.rows():
        plan = row.graded(tools)
        if fault(row.request, plan, tools):
            continue
        cases.append(make_case(row.request, plan, tools, rng, [row.register], some_moment(rng)))
        if len(cases) == SHARD:
            break
    return cases


def shards(order: Order, workers: int) -> Iterator[list[Case]]:
    """Yield shards in order, without end."""
    if workers == 1:
        yield from (shard(order, number) for number in itertools.count())
    with ProcessPoolExecutor(workers, get_context("spawn"), _leave_interrupts) as pool:
        waiting = deque(pool.submit(shard, order, number) for number in range(2 * workers))
        try:
            for number in itertools.count(2 * workers):
                cases = waiting.popleft().result()
                waiting.append(pool.submit(shard, order, number))
                yield cases
        except BrokenProcessPool as error:
            raise TinyAgentError("a process that makes rows has died") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _leave_interrupts() -> None:
    """Ctrl-C is the parent's: it ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def write_dataset(
    order: Order, count: int, out: Path, workers: int = 1, progress: Callable[[int], None] = lambda rows: None
) -> Sieve:
    """Write `count` rows of an order; gives the figures. Raises `ConfigError` when the corpus gives no more new ones."""
    sieve = Sieve(load_toolboxes(order.tools))
    with CaseFile(out, order.part) as file:
        for case in choose(shards(order, workers), count, sieve, progress):
            file.write(case)
    return sieve


def choose(
    made: Iterator[list[Case]], count: int, sieve: Sieve, progress: Callable[[int], None] = lambda rows: None
) -> Iterator[Case]:
    """Yield `count` rows of shards that are new, refusals in their share. Raises `ConfigError` on a shard without any."""
    for cases in made:
        before = sieve.kept
        for case in cases:
            if sieve.kept == count:
                break
            refused = case["plans"] == [""]
            if not refused and (sieve.refusals + 1) * REFUSED <= sieve.kept + 1:
                sieve.drop("refusals come first")
            elif sieve.admit_checked(case["query"], refused):
                yield case
        progress(sieve.kept)
        if sieve.kept == count:
            return
        if sieve.kept == before:
            raise ConfigError(f"the corpus gives no more than {sieve.kept} different rows")
