"""Tools that nobody has, with wordings that ask for them: what teaches the planner to read tools.yaml.

corpus/madeup/*.yaml declares them: each has several descriptions, arguments with a second description, and wordings like
the corpus's. A *world* is a toolbox of the shipped tools and some of these, each as one of its possible users might have
declared it, with the generator of its requests. Those of corpus/madeup/held are never trained on: how much must speak for
an unseen tool is read off them. This module reads and draws; it knows nothing of models.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import yaml

from tinyagent_mlx.argtypes import REQUIRED, RETURNS, TYPES
from tinyagent_mlx.errors import ConfigError, PlanError
from tinyagent_mlx.lab import corpus
from tinyagent_mlx.lab.corpus import Wording
from tinyagent_mlx.lab.generate import Generator, Mix
from tinyagent_mlx.lab.paraphrase import Paraphraser
from tinyagent_mlx.plan import Plan, Step, parse_plan
from tinyagent_mlx.toolbox import EFFECTS, Argument, Example, Tool, Toolbox
from tinyagent_mlx.values import Value

FOLDER = corpus.FOLDER / "madeup"
HELD_BACK = FOLDER / "held"  # never trained on: for calibration
MISSING = 400  # requests for absent tools that a world refuses, beside the corpus's own refusals
TOOLS = (3, 12)  # made-up tools of a world; siblings of the last one may come on top
PLAIN = 0.2  # of the worlds are without made-up tools
NEIGHBOURS = (1, 1, 2, 3)
ROUNDABOUT = ("indirect", "chatty")  # registers whose wordings are left as they are: no verb of theirs asks for it
EXTRACTIVE = (
    "person",
    "email",
    "phone",
    "datetime",
    "integer",
    "url",
)  # such arguments say `from: request` in most files

_COMMON = frozenset(
    [
        "about",
        "after",
        "again",
        "already",
        "another",
        "around",
        "because",
        "before",
        "being",
        "could",
        "every",
        "first",
        "going",
        "kindly",
        "might",
        "minutes",
        "never",
        "other",
        "people",
        "please",
        "possible",
        "quick",
        "quickly",
        "really",
        "right",
        "should",
        "somebody",
        "something",
        "start",
        "still",
        "thank",
        "thanks",
        "that's",
        "their",
        "there",
        "these",
        "thing",
        "things",
        "think",
        "those",
        "today",
        "tomorrow",
        "under",
        "until",
        "wants",
        "where",
        "which",
        "while",
        "whole",
        "would",
        "write",
        "you're",
        "email",
        "message",
        "number",
        "subject",
        "saying",
        "tells",
        "called",
        "event",
        "remind",
        "reminder",
        "calendar",
        "contact",
        "phone",
        "forward",
    ]
)


@dataclass(frozen=True)
class MadeUpArgument:
    name: str
    type: str
    descriptions: tuple[str, ...]
    default: Value
    choices: Mapping[str | int, str]
    required: bool

    def declare(self, rng: random.Random) -> Argument:
        """The argument as one user might write it."""
        kind = TYPES[self.type]
        extractive = rng.random() < (0.8 if kind.item.name in EXTRACTIVE else 0.4)
        about = rng.choice(self.descriptions)
        return Argument(
            self.name, kind, about, self.default, dict(self.choices), extractive, required=self.required
        )  # fmt: skip


@dataclass(frozen=True)
class MadeUpTool:
    name: str
    descriptions: tuple[str, ...]
    arguments: tuple[MadeUpArgument, ...]
    returns: str
    effect: str
    wordings: tuple[Wording, ...]
    file: Path
    family: str = ""  # its siblings of one app or device say the same word; they stand in a toolbox together

    @cached_property
    def own_words(self) -> frozenset[str]:
        """What only requests for this tool are likely to say: words that two or more of its texts share."""
        texts = [self.name.replace("_", " "), *self.descriptions, *(w.text for w in self.wordings)]
        seen = Counter(word for text in texts for word in _content_words(text))
        return frozenset(word for word, times in seen.items() if times >= 3)

    def declare(self, rng: random.Random, name: str) -> Tool:
        """The tool as one user might write it, called `name`, without examples."""
        arguments = tuple(argument.declare(rng) for argument in self.arguments)
        return Tool(
            name, name, rng.choice(self.descriptions), arguments, self.returns, self.effect, None, None, 30.0, "", (), (), ""
        )  # fmt: skip


@cache
def read_madeup(folder: Path = FOLDER) -> tuple[MadeUpTool, ...]:
    """Every tool of every file, in order. Raises `ConfigError` naming file and tool."""
    tools: dict[str, MadeUpTool] = {}
    for file in sorted(folder.glob("*.yaml")):
        for entry in yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)["tools"]:
            try:
                tool = _tool(entry, file)
            except (KeyError, TypeError, PlanError, ConfigError) as error:
                raise ConfigError(f"{file}: tool {entry.get('name')!r}: {error!r}") from error
            tools.setdefault(tool.name, tool)
    return tuple(tools.values())


def _tool(entry: Mapping[str, Any], file: Path) -> MadeUpTool:
    if entry["returns"] not in RETURNS or entry["effect"] not in EFFECTS:
        raise ConfigError(f"returns {entry['returns']!r}, effect {entry['effect']!r}")
    values = {kind: tuple(map(str, given)) for kind, given in (entry.get("values") or {}).items()}
    wordings = [w for block in entry["wordings"] for w in _block(block, values, f"{file.name}:{entry['name']}")]
    arguments = tuple(_argument(argument) for argument in entry["arguments"])
    return MadeUpTool(
        entry["name"], tuple(entry["descriptions"]), arguments, entry["returns"], entry["effect"], tuple(wordings), file,
        entry.get("family", ""),
    )  # fmt: skip


def _argument(entry: Mapping[str, Any]) -> MadeUpArgument:
    descriptions = tuple(entry[key] for key in ("description", "alternative") if entry.get(key))
    choices = entry.get("choices") or {}
    if isinstance(choices, list):
        choices = {choice: str(choice) for choice in choices}
    default = entry.get("default")
    required = default is None and entry["type"] in REQUIRED
    if default is None:
        default = TYPES[entry["type"]].empty
    return MadeUpArgument(entry["name"], entry["type"], descriptions, _frozen(default), choices, required)


def _frozen(value: Any) -> Value:
    return tuple(value) if isinstance(value, list) else value


def _block(block: Mapping[str, Any], values: Mapping[str, Sequence[str]], source: str) -> list[Wording]:
    text = block["plan"].strip()
    plan = parse_plan(corpus.mark(text if text[0].isdigit() else f"1. {text}"))
    out = []
    for line in block["texts"]:
        register, bar, wording = line.partition(" | ")
        if not bar or register.strip() not in corpus.REGISTERS:
            raise ConfigError(f"expected 'register | wording', got {line!r}")
        found = Wording(wording.strip(), register.strip(), plan, source, values=values)
        if {s for s in found.slots if not s.startswith(corpus.ASIDE)} != corpus.plan_slots(plan):
            raise ConfigError(f"the slots of {wording!r} are not those of its plan")
        out.append(found)
    return out


@dataclass(frozen=True)
class World:
    """A toolbox and the generator of requests that it can serve, or that it must refuse."""

    tools: Toolbox
    generator: Generator


class Drawing(Protocol):
    """What lessons are drawn from: world number n, this rank's share; the same whenever it is drawn."""

    seed: int

    def draw(self, number: int, rank: int = 0) -> World: ...


class ParaphraserOf(Protocol):
    """The paraphraser of requests for some tools; `said` are wordings whose words nothing else becomes."""

    def __call__(self, tools: Sequence[Tool], said: Sequence[str]) -> Paraphraser: ...


class Worlds:
    """Worlds by number: number n is the same whenever it is drawn. A share of them is `plain`: without made-up tools."""

    def __init__(
        self, wordings: Sequence[Wording], tools: Toolbox, madeup: Sequence[MadeUpTool], dictionary: list[str],
        seed: int, mix: Mix | None = None, paraphraser_of: ParaphraserOf | None = None, plain: float = PLAIN,
    ):  # fmt: skip
        self._paraphraser_of, self._share = paraphraser_of, plain
        # Whether a tool is missing is to be read off the toolbox: where made-up tools stand in, what they ask for is
        # refused in worlds without them, and nothing is refused for good.
        self.wordings = [w for w in wordings if not (w.missing and madeup)]
        self.tools, self.madeup = tools, list(madeup)
        self.dictionary, self.seed, self.mix = dictionary, seed, mix

    @cached_property
    def _plain(self) -> World:
        return World(self.tools, Generator(self.wordings, self.tools, self.dictionary, self.seed, self.mix))

    def draw(self, number: int, rank: int = 0) -> World:
        """The world of a number; its toolbox is the same on every rank, its requests are not."""
        rng = random.Random(f"{self.seed}/{number}/world")
        if not self.madeup or rng.random() < self._share:
            world = self._plain
        else:
            world = self._mixed(rng)
        world.generator.rng.seed(f"{self.seed}/{number}/{rank}")
        return world

    def _mixed(self, rng: random.Random) -> World:
        chosen = self.chosen(rng)
        shipped = [replace(tool, examples=() if rng.random() < 0.3 else tool.examples) for tool in self.tools]
        known, unseen = self._without_some(shipped, rng)
        tools, asked, shown = list(known), [], {}
        for tool in chosen:
            name = f"{_pseudo_word(rng)}_{_pseudo_word(rng)}" if rng.random() < 0.12 else tool.name
            wordings = [_renamed(wording, tool.name, name) for wording in tool.wordings]
            rng.shuffle(wordings)
            few = 0 if rng.random() < 0.5 else rng.randint(1, max(1, min(12, len(wordings) - 6)))
            tools.append(tool.declare(rng, name))
            shown[name] = wordings[:few]
            asked.extend(wordings[few:])
        if self._paraphraser_of:
            paraphraser = self._paraphraser_of(tools[len(known) :], [w.text for tool in chosen for w in tool.wordings])
            asked = [w if w.register in ROUNDABOUT else paraphraser.paraphrase(w, rng) for w in asked]
        toolbox = Toolbox(tuple(tools), self.tools.rules)
        unseen += self._missing({tool.name for tool in chosen}, rng)
        words = {word for tool in chosen for word in tool.own_words}
        refused = [w for w in (*self._refusals, *unseen) if not words & _content_words(w.text)]
        served = [w for w in self._served if all(step.tool in toolbox for step in w.plan.steps)]
        asked = [w for w in asked if all(step.tool in toolbox for step in w.plan.steps)]
        generator = Generator([*refused, *served], toolbox, self.dictionary, self.seed, self.mix, asked=asked)
        return World(_with_examples(toolbox, shown, generator), generator)

    def chosen(self, rng: random.Random) -> list[MadeUpTool]:
        """A few families of tools: siblings must be told apart. Where no family is named, neighbours in the file are likely ones."""
        most = min(len(self.madeup), rng.randint(*TOOLS))
        chosen: dict[str, MadeUpTool] = {}
        while len(chosen) < most:
            at = rng.randrange(len(self.madeup))
            family = self.madeup[at].family
            run = self.madeup[at : at + rng.choice(NEIGHBOURS)]
            for tool in self._families[family] if family else (t for t in run if not t.family):
                chosen[tool.name] = tool
        return list(chosen.values())

    @cached_property
    def _families(self) -> dict[str, list[MadeUpTool]]:
        return families(self.madeup)

    @cached_property
    def _refusals(self) -> list[Wording]:
        return [w for w in self.wordings if w.plan.refused]

    @cached_property
    def _served(self) -> list[Wording]:
        return [w for w in self.wordings if not w.plan.refused]

    def _missing(self, present: set[str], rng: random.Random) -> list[Wording]:
        """Requests for tools that are not in this world: there they are refused."""
        absent = [
            w for tool in self.madeup if tool.name not in present for w in tool.wordings if len(w.plan.steps) == 1
        ]
        return [replace(w, plan=Plan()) for w in rng.sample(absent, min(MISSING, len(absent)))]

    def _without_some(self, shipped: list[Tool], rng: random.Random) -> tuple[list[Tool], list[Wording]]:
        """Sometimes a tool or two are switched off; what only they could do is then refused."""
        if rng.random() < 0.7:
            return shipped, []
        off = {tool.name for tool in rng.sample(shipped, rng.randint(1, 2))}
        left = [tool for tool in shipped if tool.name not in off]
        mine = [w for w in self.wordings if w.plan.steps and {s.tool for s in w.plan.steps} <= off]
        return left, [replace(w, plan=Plan()) for w in rng.sample(mine, min(40, len(mine)))]


def families(madeup: Sequence[MadeUpTool]) -> dict[str, list[MadeUpTool]]:
    """The tools by family; one without a family is its own, by its name."""
    found: dict[str, list[MadeUpTool]] = {}
    for tool in madeup:
        found.setdefault(tool.family or tool.name, []).append(tool)
    return found


def _renamed(wording: Wording, old: str, new: str) -> Wording:
    steps = tuple(Step(s.id, new if s.tool == old else s.tool, s.arguments) for s in wording.plan.steps)
    return replace(wording, plan=Plan(steps))


def _with_examples(toolbox: Toolbox, shown: Mapping[str, Sequence[Wording]], generator: Generator) -> Toolbox:
    """Put filled wordings under their tools, as a user's examples."""
    tools = []
    for tool in toolbox:
        examples = [e for e in tool.examples if all(step.tool in toolbox for step in e.plan.steps)]
        for wording in shown.get(tool.name, ()):
            if not all(step.tool in toolbox for step in wording.plan.steps):
                continue
            try:
                row = generator.fill([wording])
                examples.append(Example(row.request, row.graded(toolbox)))
            except PlanError:
                continue
        tools.append(replace(tool, examples=tuple(examples)))
    return Toolbox(tuple(tools), toolbox.rules)


@lru_cache(20_000)
def _content_words(text: str) -> frozenset[str]:
    """Words of five letters and more, outside slots, without the most common ones."""
    return frozenset(re.findall(r"[a-z]{5,}", re.sub(r"\{\w+\}", " ", text.lower()))) - _COMMON


def _pseudo_word(rng: random.Random) -> str:
    return "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(2))
