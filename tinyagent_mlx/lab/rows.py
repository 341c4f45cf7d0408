"""What a language planner learns from: prompts just as `language.py` feeds them, and the plans that should follow.

A request gets the tools that its plan needs, and others that the retriever finds likely too, as its mistakes
will be; now and then all tools, or a needed one too few, so that the model learns to ask for more. The folder is laid out
as mlx-lm reads data: train.jsonl and valid.jsonl hold {"prompt", "completion"}. Beside them lie cases.jsonl, the
validation requests to be planned, and prompt.json, the layout, which is written last. Knows nothing of models.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from tinyagent_mlx.cases import read_cases
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.grammar import MORE
from tinyagent_mlx.lab.dataset import MOST_IRRELEVANT, CaseFile
from tinyagent_mlx.lab.recipes import RowsRecipe
from tinyagent_mlx.lab.requests import Asked, from_corpus, from_file
from tinyagent_mlx.lab.shards import Order
from tinyagent_mlx.language import PROMPT_FILE, keep_profile
from tinyagent_mlx.nearness import NearestExamples, Vectors
from tinyagent_mlx.plan import Plan, print_plan
from tinyagent_mlx.profile import Profile
from tinyagent_mlx.prompt import PROFILES, planner_prompt
from tinyagent_mlx.toolbox import Example, Toolbox
from tinyagent_mlx.toolfile import load_toolboxes

CASES = "cases.jsonl"
AT_ONCE = 256  # requests that are judged together
STEEPNESS = 20.0  # a cosine of two tools in units of the retriever's logits
SPREAD = 3.0  # of the retriever's logits: how often a tool that it finds unlikely is at hand all the same


class Judge(Vectors, Protocol):
    """Vectors of requests and the retriever's logits; see `sentences.Sentences`."""

    def judge(self, texts: Sequence[str], tools: Toolbox) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass(frozen=True)
class Row:
    """One prompt with what should follow; `tools` are those at hand."""

    prompt: str
    completion: str
    tools: tuple[str, ...] = ()


Made = tuple[Asked, Row]


class Writer:
    """Makes rows of requests; the same requests and seed give the same rows."""

    def __init__(
        self, tools: Toolbox, profile: Profile, judge: Judge, recipe: RowsRecipe, more: Sequence[Example] = ()
    ):
        self.tools, self.profile, self.judge, self.recipe = tools, profile, judge, recipe
        self.examples = NearestExamples(judge, more)

    def rows(self, asked: Iterable[Asked], seed: str) -> Iterator[Made]:
        rng = random.Random(f"{self.recipe.seed}/{seed}")
        for group in _batched(asked, AT_ONCE):
            vectors, logits = self._judged(group)
            for one, vector, likely in zip(group, vectors, logits, strict=True):
                yield one, self._row(one, vector, likely, rng)

    def _judged(self, group: Sequence[Asked]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of requests and a logit of each tool. Without examples to choose nobody reads the requests, which takes
        most of the time: then tools are as likely as they are near to a needed one."""
        if self.profile.examples:
            return self.judge.judge([one.query for one in group], self.tools)
        near = np.zeros((len(group), len(self.tools)), np.float32)
        for row, one in zip(near, group, strict=True):
            needed = [self.tools.names.index(name) for name in {step.tool for step in one.plan.steps}]
            if needed:
                row[:] = STEEPNESS * self._cosines[needed].max(axis=0)
        return np.zeros((len(group), 1), np.float32), near

    @cached_property
    def _cosines(self) -> np.ndarray:
        """Of each tool with each other: [T, T]."""
        vectors = self.judge.tools(self.tools)
        return np.asarray(vectors @ vectors.T)

    def _row(self, one: Asked, vector: np.ndarray, likely: np.ndarray, rng: random.Random) -> Row:
        needed = [step.tool for step in one.plan.steps]
        names, gone = self._at_hand(set(needed), likely, rng)
        at_hand = self.tools.subset(names)
        most = self.profile.examples
        shown = self.examples.nearest(vector, at_hand, most, leave_out=one.query) if most else ()
        more = self.profile.asks_for_more and len(at_hand) < len(self.tools)
        prompt = planner_prompt(at_hand, one.query, one.now, more, self.profile, shown)
        return Row(prompt, _completion(one.plan, gone), at_hand.names)

    def _at_hand(self, needed: set[str], likely: np.ndarray, rng: random.Random) -> tuple[set[str], str]:
        """The tools that a prompt shows, never none, and the needed one that it lacks ("" for none)."""
        draw = rng.random()
        if draw < self.recipe.everything:
            return set(self.tools.names), ""
        chance = [logit - SPREAD * np.log(-np.log(rng.uniform(1e-9, 1 - 1e-9))) for logit in likely.tolist()]
        others = sorted(zip(chance, self.tools.names, strict=True), reverse=True)
        extra = [name for _, name in others if name not in needed]
        gone = ""
        if self.profile.asks_for_more and needed and draw < self.recipe.everything + self.recipe.missing:
            gone = rng.choice(sorted(needed))
        kept = needed - {gone}
        count = rng.randint(0 if kept else 1, MOST_IRRELEVANT)
        return (kept | set(extra[:count])) or {self.tools.names[0]}, gone


def _completion(plan: Plan, gone: str) -> str:
    """The plan with its closing line, or up to the first step that calls a tool which is not at hand."""
    calls = [step.tool for step in plan.steps]
    if gone not in calls:
        return print_plan(plan, join=True)
    done = calls.index(gone)
    return "".join(f"{line}\n" for line in [*print_plan(Plan(plan.steps[:done])).splitlines(), f"{done + 1}. {MORE}"])


def _batched(items: Iterable[Asked], size: int) -> Iterator[tuple[Asked, ...]]:
    waiting = iter(items)
    while group := tuple(itertools.islice(waiting, size)):
        yield group


def profile_of(recipe: RowsRecipe, trained: Profile) -> Profile:
    """The layout that a recipe names, or else the one that a model was trained with. Raises `ConfigError`."""
    if recipe.profile and recipe.profile not in PROFILES:
        raise ConfigError(f"--profile: {recipe.profile!r} is none of {', '.join(PROFILES)}")
    profile = PROFILES[recipe.profile] if recipe.profile else trained
    return replace(profile, examples=recipe.shown)


def write_rows(
    folder: Path, order: Order, judge: Judge, profile: Profile, recipe: RowsRecipe, more: Sequence[Example] = (),
    tell: Callable[[str], None] = lambda text: None,
) -> None:  # fmt: skip
    """Make a data folder, unless it is there already: of the case file that the recipe names, or else of the corpus."""
    if (folder / PROMPT_FILE).is_file():
        return
    writer = Writer(load_toolboxes(order.tools), profile, judge, recipe, more)
    given = from_file(Path(recipe.data), order, writer.tools, recipe, tell) if Path(recipe.data).is_file() else {}
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("valid", recipe.held), ("train", recipe.rows)):
        asked: Iterable[Asked] = given.get(part, ())
        if given:
            count = len(given[part])
        else:
            asked = from_corpus(replace(order, part=part, seed=recipe.seed), writer.tools, count, recipe.workers)
        made = _told(writer.rows(asked, part), part, count, tell)
        if part == "valid":
            made = _with_cases(folder / CASES, made)
        with (folder / f"{part}.jsonl").open("w", encoding="utf-8") as out:
            for _, row in made:
                out.write(json.dumps({"prompt": row.prompt, "completion": row.completion}, ensure_ascii=False) + "\n")
    keep_profile(folder, profile)


def _told(made: Iterable[Made], part: str, count: int, tell: Callable[[str], None]) -> Iterator[Made]:
    for number, pair in enumerate(made, 1):
        yield pair
        if number % 2000 == 0 or number == count:
            tell(f"{part} rows {number}/{count}")


def _with_cases(file: Path, made: Iterable[Made]) -> Iterator[Made]:
    """Write each request as a case too, with the tools that its prompt shows."""
    with CaseFile(file, "valid") as cases:
        for one, row in made:
            plan, now = print_plan(one.plan), one.now.isoformat(sep=" ")
            cases.write({"query": one.query, "plans": [plan], "now": now, "tools": list(row.tools)})
            yield one, row


def find_rows(recipe: RowsRecipe, out: Path) -> Path:
    """The data folder that a recipe names, or OUT/data. Raises `ConfigError` when what it names is none, and no file."""
    folder = Path(recipe.data)
    if not recipe.data or folder.is_file():
        return out / "data"
    if not (folder / PROMPT_FILE).is_file():
        raise ConfigError(
            f"--data: {str(folder)!r} is neither a file of cases nor a folder of rows: it has no {PROMPT_FILE}"
        )
    return folder


def read_rows(folder: Path, part: str = "train") -> list[Row]:
    """The rows of a data folder. Raises `ConfigError` with file and line."""
    file = folder / f"{part}.jsonl"
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: can't be read: {error}") from error
    rows = []
    for number, line in enumerate(lines, 1):
        if line:
            try:
                found = json.loads(line)
                rows.append(Row(found["prompt"], found["completion"]))
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f"{file}:{number}: expected the keys 'prompt' and 'completion': {error!r}") from error
    if not rows:
        raise ConfigError(f"{file}: has no rows")
    return rows


class AtHand:
    """A retriever that gives each validation request the tools that its prompt showed."""

    name = "at hand"

    def __init__(self, folder: Path):
        self.cases = read_cases(folder / CASES)
        lines = (folder / CASES).read_text(encoding="utf-8").splitlines()
        self._tools = {row["query"]: tuple(row["tools"]) for row in map(json.loads, lines)}

    def retrieve(self, text: str, tools: Toolbox) -> tuple[str, ...]:
        return self._tools[text]
