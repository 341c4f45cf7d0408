"""A plan as a sequence of decisions: what the pointer planner says, one at a time, and what is legal at each.

For every step a tool is pointed at, then for each of its arguments a span of the request's words, a reference to an
earlier step, a declared constant, or nothing; text, dates and lists may take several of these in order. Because only
legal decisions can be taken, every sequence spells a plan that checks. This module is arithmetic over a `Toolbox`: it
knows nothing of models.

Candidates stand in one row: [end of plan, empty, stop | tools | constants | earlier steps | words of the request].
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tinyagent_mlx.check import argument_problem
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.links import links
from tinyagent_mlx.plan import Step
from tinyagent_mlx.toolbox import Argument, Tool, Toolbox
from tinyagent_mlx.values import Ref, Scalar, Value, join, references
from tinyagent_mlx.words import Word

MAX_STEPS = 24
END_PLAN, EMPTY, STOP = range(3)
SPECIALS = 3
EXAMPLES, VALUES, SHORT = (
    16,
    4,
    6,
)  # of a tool's examples the encoder reads so many, and values so many of so many words

# What the next decision is about.
TOOL, ARGUMENT, SPAN_END, MORE = range(4)
KINDS = 4


@dataclass(frozen=True)
class Slot:
    """One argument of one tool, with the candidates that may fill it."""

    tool: Tool
    argument: Argument
    constants: tuple[tuple[Value, int], ...]  # (value, candidate number)
    filled: bool = False  # as its tool's examples show, it is never empty

    @cached_property
    def spans(self) -> bool:
        """Words of the request may fill it."""
        kind = self.argument.type.item
        if kind.name in ("choice", "boolean") or (self.constants and not self.argument.extractive):
            return False
        return not (kind.name == "file_path" or self.argument.choices)

    @cached_property
    def many(self) -> bool:
        """Several pieces may fill it, one after the other."""
        kind = self.argument.type
        return kind.is_list or kind.name == "datetime" or (kind.name == "text" and not self.argument.extractive)

    @cached_property
    def may_be_empty(self) -> bool:
        kind = self.argument.type
        required = self.argument.required or self.filled
        return not (self.constants or kind.needed or kind.name == "file_path" or required)


@dataclass(frozen=True)
class Layout:
    """The candidates and slots of a toolbox, numbered.

    Of the tools named in `strict`, a list of addresses that every example fills is never left empty.
    """

    tools: Toolbox
    strict: frozenset[str] = frozenset()

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        slots, number = [], SPECIALS + len(self.tools)
        for tool in self.tools:
            for argument in tool.arguments:
                values = tuple(argument.choices)
                if argument.type.item.name == "boolean":
                    values = (False, True)
                constants = tuple((value, number + index) for index, value in enumerate(values))
                number += len(constants)
                filled = tool.name in self.strict and _always_filled(tool, argument)
                slots.append(Slot(tool, argument, constants, filled))
        return tuple(slots)

    @cached_property
    def first_slot(self) -> dict[str, int]:
        """The number of each tool's first slot; its arguments follow in order."""
        out, number = {}, 0
        for tool in self.tools:
            out[tool.name] = number
            number += len(tool.arguments)
        return out

    @cached_property
    def constants(self) -> tuple[tuple[Slot, Value], ...]:
        """Every constant in candidate order, with the slot it belongs to."""
        return tuple((slot, value) for slot in self.slots for value, _ in slot.constants)

    @property
    def steps_at(self) -> int:
        """The candidate number of step 1."""
        return SPECIALS + len(self.tools) + len(self.constants)

    @property
    def words_at(self) -> int:
        """The candidate number of the request's first word."""
        return self.steps_at + MAX_STEPS

    def texts(self) -> tuple[list[str], list[str], list[str]]:
        """What the sentence encoder reads: one text a tool, one a slot, one a constant."""
        tools = [f"{tool.name.replace('_', ' ')}: {tool.description}" for tool in self.tools]
        slots = [
            f"{slot.argument.label}: {slot.argument.description} ({slot.tool.name.replace('_', ' ')})" + _such_as(slot)
            for slot in self.slots
        ]
        constants = []
        for slot, value in self.constants:
            meaning = slot.argument.choices.get(value) if slot.argument.choices else None  # type: ignore[arg-type]
            if meaning is None:
                meaning = f"{slot.argument.description}: {'yes' if value else 'no'}"
            constants.append(f"{slot.argument.label}: {meaning}")
        return tools, slots, constants

    def example_requests(self) -> tuple[list[str], list[int]]:
        """Requests that tools.yaml gives as examples, and the number of the tool that each stands under."""
        found = [(e.request, n) for n, tool in enumerate(self.tools) for e in tool.examples[:EXAMPLES]]
        return [request for request, _ in found], [number for _, number in found]


def _always_filled(tool: Tool, argument: Argument) -> bool:
    """Whether a list of addresses or numbers stands in every example of its tool, of which there are two or more."""
    place = tool.arguments.index(argument)
    steps = [step for e in tool.examples for step in e.plan.steps if step.tool == tool.name]
    kind = argument.type
    return (
        kind.is_list
        and kind.item.name in ("email", "phone")
        and len(steps) > 1
        and all(s.arguments[place] for s in steps)
    )


def _such_as(slot: Slot) -> str:
    """What fills the slot in its tool's examples: a few short values, in order."""
    if not slot.spans:
        return ""
    place = slot.tool.arguments.index(slot.argument)
    steps = [step for e in slot.tool.examples for step in e.plan.steps if step.tool == slot.tool.name]
    values = [str(value) for step in steps for value in _literals(step.arguments[place]) if value != ""]
    short = [value for value in dict.fromkeys(values) if len(value.split()) <= SHORT]
    return f", such as {'; '.join(short[:VALUES])}" if short else ""


def _literals(value: Value) -> list[Scalar]:
    """A value's own words and numbers, without references and constants."""
    items = value if isinstance(value, tuple) else (value,)
    return [item for item in items if isinstance(item, (str, int)) and not isinstance(item, bool)]


@dataclass
class Cursor:
    """Where a plan stands while it is being decided. `kind` and `slot` say what the next decision is about."""

    layout: Layout
    request: str
    words: Sequence[Word]
    allowed: frozenset[str] | None = None  # tools that may be pointed at; None for all
    kind: int = TOOL
    slot: int = -1
    done: bool = False
    steps: list[Step] = field(default_factory=list)
    _pieces: list[Scalar] = field(default_factory=list)
    _values: list[Value] = field(default_factory=list)
    _used: list[tuple[int, int]] = field(default_factory=list)
    _start: int = -1
    _tool: Tool | None = None

    def fork(self) -> Cursor:
        """A copy that goes on by itself."""
        other = copy(self)
        other.steps, other._pieces = [*self.steps], [*self._pieces]
        other._values, other._used = [*self._values], [*self._used]
        return other

    @property
    def size(self) -> int:
        return self.layout.words_at + len(self.words)

    def legal(self) -> np.ndarray:
        """Which candidates may be chosen now: bool [size]."""
        mask = np.zeros(self.size, bool)
        if self.kind == TOOL:
            self._legal_tools(mask)
        elif self.kind == SPAN_END:
            mask[self.layout.words_at + self._start :] = True
            if self.layout.slots[self.slot].argument.type.item.name == "url":
                mask[self.layout.words_at :] = [word == self._links[self._start] for word in range(len(self.words))]
        else:
            self._legal_pieces(mask)
        return mask

    def _legal_tools(self, mask: np.ndarray) -> None:
        mask[END_PLAN] = True
        if len(self.steps) < MAX_STEPS - 1:
            for index, tool in enumerate(self.layout.tools):
                if self.allowed is None or tool.name in self.allowed:
                    mask[SPECIALS + index] = self._fillable(tool)

    def _fillable(self, tool: Tool) -> bool:
        """Whether there is something for each argument that must not be empty: a file path comes from an earlier step."""
        first = self.layout.first_slot[tool.name]
        for slot in self.layout.slots[first : first + len(tool.arguments)]:
            argument = slot.argument
            if argument.type.name == "file_path" and not self._referable(argument):
                return False
            if argument.type.needed and not any(self._fitting(argument)):
                return False
            if (argument.required or slot.filled) and not (self._referable(argument) or any(self._fitting(argument))):
                return False
        return True

    def _fitting(self, argument: Argument) -> list[bool]:
        """Which words a span of this argument may start with."""
        if argument.type.item.name == "url":
            return [word in self._links for word in range(len(self.words))]
        fits = _WORD_FITS.get(argument.type.item.name)
        return [fits(word.text) if fits else True for word in self.words]

    @cached_property
    def _links(self) -> dict[int, int]:
        """The last word of each link in the request, by its first."""
        return dict(link_words(self.request, self.words).keys())

    def _referable(self, argument: Argument) -> list[int]:
        takes = argument.type.item.takes_reference_to
        return [step.id for step in self.steps if takes(self.layout.tools[step.tool].returns)]

    def _legal_pieces(self, mask: np.ndarray) -> None:
        slot = self.layout.slots[self.slot]
        if self.kind == MORE:
            mask[STOP] = True
        elif slot.may_be_empty:
            mask[EMPTY] = True
        for _, number in slot.constants:
            mask[number] = self.kind == ARGUMENT
        results = [self.layout.steps_at + k - 1 for k in self._referable(slot.argument)]
        given = {self.layout.steps_at + k - 1 for value in (*self._values, *self._pieces) for k in references(value)}
        mask[[number for number in results if number not in given]] = True  # a step takes a result once
        if slot.spans:
            mask[self.layout.words_at :] = self._fitting(slot.argument)
            for start, end in self._used:  # an argument takes a word once
                mask[self.layout.words_at + start : self.layout.words_at + end + 1] = False
        if not mask.any():
            mask[results] = True
        if self.kind == MORE and len(self._pieces) >= MAX_STEPS:
            mask[:] = False
            mask[STOP] = True

    def choose(self, candidate: int) -> Step | None:
        """Take a legal decision; gives the step that it completes, if it does."""
        if self.kind == TOOL:
            return self._choose_tool(candidate)
        if self.kind == SPAN_END:
            return self._span(candidate - self.layout.words_at)
        if candidate >= self.layout.words_at:
            self._start, self.kind = candidate - self.layout.words_at, SPAN_END
            return None
        if candidate >= self.layout.steps_at:
            return self._piece(Ref(candidate - self.layout.steps_at + 1))
        if candidate in (EMPTY, STOP):
            return self._close()
        self._pieces = []
        value = self.layout.constants[candidate - SPECIALS - len(self.layout.tools)][1]
        return self._next_argument(value)

    def _choose_tool(self, candidate: int) -> Step | None:
        if candidate == END_PLAN:
            self.done = True
            return None
        self._tool = self.layout.tools.tools[candidate - SPECIALS]
        self._values, self._pieces = [], []
        self.slot = self.layout.first_slot[self._tool.name] - 1
        return self._advance()

    def _span(self, end: int) -> Step | None:
        first = self.words[self._start].start
        text = _clean(self.request[first : self.words[end].end])
        if self.layout.slots[self.slot].argument.type.item.name == "phone":
            text = _with_prefix(text, self.request[:first])
        self._used.append((self._start, end))
        return self._piece(text)

    def _piece(self, piece: Scalar) -> Step | None:
        self._pieces.append(piece)
        if self.layout.slots[self.slot].many:
            self.kind = MORE
            return None
        return self._close()

    def _close(self) -> Step | None:
        argument = self.layout.slots[self.slot].argument
        pieces, self._pieces = self._pieces, []
        return self._next_argument(_assemble(argument, pieces) if pieces else argument.default)

    def _next_argument(self, value: Value) -> Step | None:
        argument = self.layout.slots[self.slot].argument
        returns = {step.id: self.layout.tools[step.tool].returns for step in self.steps}
        if argument_problem(argument, value, returns):  # the words are no such value: "Sid" where a number stands
            value = argument.default
        self._values.append(value)
        return self._advance()

    def _advance(self) -> Step | None:
        assert self._tool is not None
        self.slot += 1
        self._used = []
        if len(self._values) < len(self._tool.arguments):
            self.kind = ARGUMENT
            return None
        step = Step(len(self.steps) + 1, self._tool.name, tuple(self._values))
        self.steps.append(step)
        self.kind, self.slot = TOOL, -1
        return step


# Where a span of these types can start or end: an address has its sign, a number its digits, a name neither.
_WORD_FITS = {
    "person": lambda word: any(c.isalpha() for c in word) and "@" not in word and not any(c.isdigit() for c in word),
    "email": lambda word: "@" in word,
    "phone": lambda word: any(c.isdigit() for c in word) or word in "+(",
}

_QUOTES = "\"'“”‘’«»"


def link_words(request: str, words: Sequence[Word]) -> dict[tuple[int, int], str]:
    """The links in a request's words, by their first and last word."""
    starts = {word.start: index for index, word in enumerate(words)}
    ends = {word.end: index for index, word in enumerate(words)}
    return {(starts[a], ends[b]): request[a:b] for a, b in links(request) if a in starts and b in ends}


def _clean(text: str) -> str:
    """A span without the quotes around it and without a dangling comma."""
    text = text.strip().rstrip(",;:").strip()
    if len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        text = text[1:-1].strip()
    return text


def _with_prefix(number: str, before: str) -> str:
    """A phone number with the bracket and the plus that stand before its first digit, as words of their own."""
    if ")" in number and "(" not in number and before.endswith("("):
        number, before = f"({number}", before[:-1]
    return f"+{number}" if before.endswith("+") else number


def _assemble(argument: Argument, pieces: list[Scalar]) -> Value:
    kind = argument.type
    if kind.is_list:
        return tuple(_from_words(kind.item, piece) for piece in pieces)  # type: ignore[misc]
    if kind.name == "datetime":
        return " ".join(str(piece) for piece in pieces)
    if len(pieces) == 1:
        return _from_words(kind, pieces[0])
    parts: list[str | Ref] = []
    for piece in pieces:
        if parts:
            parts.append(_joiner(parts[-1], piece))
        parts.append(piece)  # type: ignore[arg-type]
    return join(parts)


def _from_words(kind: object, piece: Scalar) -> Value:
    if not isinstance(piece, str):
        return piece
    try:
        return kind.from_words(piece)  # type: ignore[attr-defined]
    except PlanError:
        return piece


def _joiner(before: str | Ref, after: Scalar) -> str:
    """What stands between two pieces of a text: a name is followed by a colon, results are told apart by commas."""
    if isinstance(before, Ref):
        return ", "
    if isinstance(after, Ref):
        return ": " if len(before.split()) <= 3 else " "
    return " "
