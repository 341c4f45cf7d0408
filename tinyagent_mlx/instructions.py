"""What the user always wants ("always cc Nick"): which tools a sentence concerns, and how it gets into a plan.

A language model is told in its prompt. A planner that reads only requests is asked once what the sentence means for a tool:
it plans an example request of that tool with the sentence behind it. What that adds to the example's plan (look-ups, and
values of arguments that were empty) is then added to every plan that calls the tool. So the request itself is planned as
ever, and an instruction can add to a plan but change nothing in it. Knows nothing of models.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import yaml

from tinyagent_mlx.plan import Step
from tinyagent_mlx.planner import Limited, PlanEnd, Planner
from tinyagent_mlx.profile import Piece, Profile, fill
from tinyagent_mlx.retriever import Retriever
from tinyagent_mlx.toolbox import Argument, Tool, Toolbox
from tinyagent_mlx.values import Ref, Scalar, Value, map_references, scalars

WAYS = (
    "{} and {}",
    "{}. {}",
    "{}, {}",
)  # to put a sentence behind a request; the first that leaves the plan whole is taken
CLOSE = 0.6  # of the best tool's score, from which another one is concerned too
_COMMON = re.compile(  # of words and of what any tool does
    r"a|all|always|an|and|any|are|as|at|be|by|do|every|for|from|how|i|in|into|is|it|its|me|my|never|no|not|of|on|or|that|the|"
    r"this|to|use|what|when|where|which|who|with|without|you|your|add|create|find|get|give|make|open|put|set|show|write"
)
_SCOPE = re.compile(r"\s*(\w[\w ]*?)\s*:\s*(.+)", re.DOTALL)


def told(profile: Profile, instructions: Sequence[str]) -> Profile:
    """The prompt layout with the user's instructions at the end of the system text, in our words whoever's layout it is."""
    if not instructions:
        return profile
    texts = yaml.safe_load(Path(__file__).with_name("profiles.yaml").read_text(encoding="utf-8"))["instructions"]
    lines = "".join(fill(texts["each"], instruction=" ".join(one.split())) for one in instructions)
    return replace(profile, system=(*profile.system, Piece(texts["head"] + lines)))


def by_tool(instructions: Sequence[str], tools: Toolbox) -> dict[str, tuple[str, ...]]:
    """What a writer is told for each tool: every sentence, but one with a scope for its own tools only."""
    found = {one: concerned(one, tools) for one in instructions}
    return {
        tool.name: tuple(said for one, (said, fit) in found.items() if said == one.strip() or tool.name in fit)
        for tool in tools
    }


def concerned(instruction: str, tools: Toolbox) -> tuple[str, frozenset[str]]:
    """An instruction without its scope, and the tools it concerns: those of the app or the name that it begins with
    ("Mail: always cc Nick"), or else those whose words it shares, the rarer a word the better."""
    named = _SCOPE.fullmatch(instruction)
    if named:
        scope = named[1].casefold()
        if within := frozenset(tool.name for tool in tools if scope in (tool.app.casefold(), tool.name)):
            return named[2].strip(), within
    words = {tool.name: _words_of(tool) for tool in tools}
    known = Counter(word for own in words.values() for word in own)
    said = _words(instruction)
    scores = {
        name: sum(own[word] * math.log(len(words) / known[word]) for word in said if word in own)
        for name, own in words.items()
    }
    best = max(scores.values(), default=0.0)
    return instruction.strip(), frozenset(name for name, score in scores.items() if best > 0 and score >= CLOSE * best)


def _words_of(tool: Tool) -> Mapping[str, int]:
    """A tool's words with their weights: its name, app and arguments twice as much as what is said of them."""
    said = " ".join([tool.description, *(argument.description for argument in tool.arguments)])
    named = " ".join([tool.name, tool.app, *(argument.name for argument in tool.arguments)])
    return {**dict.fromkeys(_words(said), 1), **dict.fromkeys(_words(named), 2)}


def _words(text: str) -> set[str]:
    """A text's words without their plural, and without those that say nothing of a tool."""
    return {word.removesuffix("s") for word in re.findall(r"[^\W_]+", text.casefold()) if not _COMMON.fullmatch(word)}


class WithLookups:
    """A retriever that gives look-ups besides, where an instruction concerns a tool that it found."""

    def __init__(self, retriever: Retriever, instructions: tuple[str, ...]):
        self.retriever, self.instructions, self.name = retriever, instructions, retriever.name

    def retrieve(self, text: str, tools: Toolbox) -> tuple[str, ...]:
        found = self.retriever.retrieve(text, tools)
        due = any(not concerned(one, tools)[1].isdisjoint(found) for one in self.instructions)
        return _at_hand(tools, found) if due else found


def _at_hand(tools: Toolbox, retrieved: tuple[str, ...]) -> tuple[str, ...]:
    """The retrieved tools and those that look something up, which an instruction may need."""
    return tuple(tool.name for tool in tools if tool.name in retrieved or tool.returns in ("email", "phone"))


@dataclass(frozen=True)
class Addition:
    """What an instruction adds where a tool is called: look-ups, numbered from 1, and values by the argument's name."""

    lookups: tuple[Step, ...]
    values: Mapping[str, Value]


class Instructed:
    """A planner that reads only requests, with instructions for it."""

    def __init__(self, planner: Planner, instructions: tuple[str, ...]):
        self.planner, self.instructions = planner, instructions
        self.name, self.ask_below = planner.name, planner.ask_below
        self._known: dict[tuple[str, str], tuple[Addition, ...]] = {}

    def plan(self, text: str, tools: Toolbox, retrieved: tuple[str, ...], now: datetime) -> Iterator[Step | PlanEnd]:
        """Yield each step as it is decided, after the look-ups that an instruction adds for it."""
        numbers: dict[int, int] = {}
        done: dict[tuple[str, tuple[Value, ...]], int] = {}
        count = 0
        for item in self.planner.plan(text, tools, retrieved, now):
            if isinstance(item, PlanEnd):
                yield item
                return
            step = item.renumbered({**numbers, item.id: item.id})
            for addition in self.additions(tools[step.tool], tools, now):
                places: dict[int, int] = {}
                for lookup in addition.lookups:
                    call = lookup.tool, lookup.renumbered({**places, lookup.id: lookup.id}).arguments
                    if call not in done:
                        done[call] = count = count + 1
                        yield Step(count, *call)
                    places[lookup.id] = done[call]
                step = _with(step, tools[step.tool], addition.values, places)
            done[step.tool, step.arguments] = numbers[item.id] = count = count + 1
            yield Step(count, step.tool, step.arguments)

    def unread(self, text: str) -> str:
        """What the planner itself says of a request whose end it does not read."""
        return self.planner.unread(text) if isinstance(self.planner, Limited) else ""

    def additions(self, tool: Tool, tools: Toolbox, now: datetime) -> tuple[Addition, ...]:
        """What the instructions add where a tool is called; worked out once."""
        key = tools.fingerprint, tool.name
        if key not in self._known:
            due = [said for said, fit in (concerned(one, tools) for one in self.instructions) if tool.name in fit]
            found = (self._ask(said, tool, tools, now) for said in due)
            self._known[key] = tuple(addition for addition in found if addition)
        return self._known[key]

    def _ask(self, said: str, tool: Tool, tools: Toolbox, now: datetime) -> Addition | None:
        """What a sentence adds to the plan of the first of a tool's examples that it adds anything to."""
        for example in tool.examples:
            plain = self._steps(example.request, tools, now)
            for way in WAYS if [step.tool for step in plain].count(tool.name) == 1 else ():
                longer = self._steps(way.format(example.request.rstrip(" .!?"), said), tools, now)
                if found := added(plain, longer, tool, tools, said):
                    return found
        return None

    def _steps(self, text: str, tools: Toolbox, now: datetime) -> list[Step]:
        return [item for item in self.planner.plan(text, tools, tools.names, now) if isinstance(item, Step)]


def _with(step: Step, tool: Tool, values: Mapping[str, Value], places: Mapping[int, int]) -> Step:
    """A step with values where it has none, and lists made longer by what no list of it holds yet."""
    held = {item for value in step.arguments if isinstance(value, tuple) for item in value}
    given = tool.bind(step.arguments)
    for argument in tool.arguments:
        if argument.name not in values:
            continue
        value, old = map_references(values[argument.name], lambda k: Ref(places[k])), given[argument.name]
        if isinstance(value, tuple) and isinstance(old, tuple):
            given[argument.name] = (*old, *(item for item in value if item not in held))
        elif old == argument.default:
            given[argument.name] = value
    return Step(step.id, step.tool, tuple(given.values()))


def added(before: Sequence[Step], after: Sequence[Step], tool: Tool, tools: Toolbox, said: str) -> Addition | None:
    """What a plan has more than another: None when that is nothing, or when it is not an addition to the one call of `tool`
    alone, of words of `said` and look-ups of them."""
    numbers: dict[int, int] = {}
    rest = {step.id: step for step in after}
    values: dict[str, Value] = {}
    for old in before:
        match = next((new for new in rest.values() if new.tool == old.tool and _says(new, old, numbers)), None)
        if match is None:
            return None
        numbers[old.id] = match.id
        del rest[match.id]
        for argument, one, other in zip(tools[old.tool].arguments, old.arguments, match.arguments, strict=True):
            kept = map_references(one, lambda k: Ref(numbers[k]))
            if other != kept:
                more = _more(argument, kept, other)
                if old.tool != tool.name or more is None:
                    return None
                values[argument.name] = more
    places = {number: place for place, number in enumerate(rest, 1)}
    lookups = tuple(Step(places[step.id], step.tool, step.arguments) for step in rest.values())
    said = said.casefold()
    if any(tools[step.tool].effect != "read" or not _from(step.arguments, said, ()) for step in lookups):
        return None
    choices = {choice for argument in tool.arguments for choice in argument.choices}
    if not values or not all(_from((value,), said, places, choices) for value in values.values()):
        return None
    return Addition(lookups, {name: map_references(value, lambda k: Ref(places[k])) for name, value in values.items()})


def _says(new: Step, old: Step, numbers: Mapping[int, int]) -> bool:
    """Whether a step says all that an earlier one says."""
    for one, other in zip(old.arguments, new.arguments, strict=True):
        kept = map_references(one, lambda k: Ref(numbers[k]))
        longer = isinstance(kept, tuple) and isinstance(other, tuple) and set(kept) <= set(other)
        if not (kept == other or longer or kept in ("", 0, False)):
            return False
    return True


def _more(argument: Argument, kept: Value, other: Value) -> Value | None:
    """What a value has more than another; None when it says something else."""
    if isinstance(kept, tuple) and isinstance(other, tuple):
        return tuple(item for item in other if item not in kept)
    return other if kept == argument.default else None


def _from(values: Sequence[Value], said: str, lookups: Collection[int], choices: Collection[object] = ()) -> bool:
    """Whether values are words of what was said, constants, or results of look-ups."""

    def known(item: Scalar) -> bool:
        if isinstance(item, Ref):
            return item.step in lookups
        return item in choices or isinstance(item, int) or (isinstance(item, str) and item.casefold() in said)

    return all(known(item) for value in values for item in scalars(value))
