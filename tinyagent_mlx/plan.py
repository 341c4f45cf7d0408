"""The plan language of LLMCompiler: parse (whole or streamed), print, and the dependency graph.

    1. get_email_address("Sid")
    2. compose_new_email(["$1"], [], "Hello", "", [])
    3. join()<END_OF_PLAN>

Steps are numbered from 1 without gaps, arguments are Python literals. An empty plan abstains. This module knows
nothing of which tools exist: `check.py` does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

import networkx as nx

from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.values import Mixed, Ref, Value, map_references, parse_text, print_text, references

END = "<END_OF_PLAN>"
JOIN = "join"

_HEAD = re.compile(r"\s*([0-9]{1,9})[^\S\n]*\.[^\S\n]*([A-Za-z_]\w*)[^\S\n]*\(")


@dataclass(frozen=True)
class Step:
    """One call: `arguments` are positional, in the tool's declared order."""

    id: int
    tool: str
    arguments: tuple[Value, ...]

    def depends_on(self) -> tuple[int, ...]:
        """The steps whose results this one takes, ascending, without repeats."""
        return tuple(sorted({k for value in self.arguments for k in references(value)}))

    def renumbered(self, ids: dict[int, int]) -> Step:
        """The same call under new step numbers; `ids` maps every number in use."""
        arguments = tuple(map_references(value, lambda k: Ref(ids[k])) for value in self.arguments)
        return Step(ids[self.id], self.tool, arguments)


@dataclass(frozen=True)
class Plan:
    """Steps 1..n; no steps means that the request is refused."""

    steps: tuple[Step, ...] = ()

    @property
    def refused(self) -> bool:
        return not self.steps

    def graph(self) -> nx.DiGraph:
        """Nodes are step numbers with their `tool`; an edge k → i says that step i takes the result of step k."""
        graph: nx.DiGraph = nx.DiGraph()
        for step in self.steps:
            graph.add_node(step.id, tool=step.tool, step=step)
        for step in self.steps:
            graph.add_edges_from((k, step.id) for k in step.depends_on())
        return graph

    def without(self, dropped: int) -> Plan:
        """The plan less one step and less everything that depends on it, renumbered."""
        graph = self.graph()
        gone = {dropped, *nx.descendants(graph, dropped)} if dropped in graph else set()
        kept = [step for step in self.steps if step.id not in gone]
        ids = {step.id: number for number, step in enumerate(kept, 1)}
        return Plan(tuple(step.renumbered(ids) for step in kept))


def print_value(value: Value, step: int) -> str:
    """Write one argument of step number `step` as a Python literal in double quotes."""
    if isinstance(value, tuple):
        return "[" + ", ".join(print_value(item, step) for item in value) + "]"
    if isinstance(value, (bool, int)):
        return repr(value)
    return quote(print_text(value, step))


def quote(text: str) -> str:
    """Write `text` as a Python string literal on one line, in double quotes."""
    out = []
    for character in text:
        if character in '"\\':
            out.append("\\" + character)
        elif character.isprintable():
            out.append(character)
        else:
            out.append(repr(character)[1:-1])
    return '"' + "".join(out) + '"'


def print_step(step: Step) -> str:
    """Write one plan line, without its line end."""
    return f"{step.id}. {step.tool}({', '.join(print_value(value, step.id) for value in step.arguments)})"


def print_plan(plan: Plan, join: bool = False) -> str:
    """Write a plan, a line a step; with `join`, the closing line and the end mark too."""
    lines = [print_step(step) for step in plan.steps]
    if join:
        lines.append(f"{len(plan.steps) + 1}. {JOIN}(){END}")
    return "\n".join(lines)


def parse_plan(text: str) -> Plan:
    """Read a whole plan; with or without join line, end mark and `Thought:` lines. Raises `PlanError`."""
    parser = PlanParser()
    steps = [*parser.feed(text), *parser.close()]
    return Plan(tuple(steps))


def parse_written(text: str) -> Plan:
    """Read a plan that a person wrote: as `parse_plan`, but a text that holds no step, as `find("Ines")` without its number, is an
    error and not the empty plan. Raises `PlanError`."""
    plan = parse_plan(text)
    if not plan.steps and not re.fullmatch(rf"(?:(?:\d+\.\s*)?{JOIN}\(\))?\s*(?:{re.escape(END)})?", text.strip()):
        raise PlanError(f"the plan holds no step: {text.strip()[:80]!r}; a step is a line such as '1. tool(\"value\")'")
    return plan


class PlanParser:
    """Read a plan that arrives in pieces, cut anywhere; each step comes out as soon as its call is closed.

    `first` is the number that it begins with.
    """

    def __init__(self, first: int = 1) -> None:
        self._buffer = ""
        self._next = first
        self._ended = False

    def feed(self, piece: str) -> Iterator[Step]:
        """Yield the steps that `piece` completes. Raises `PlanError` on a step that is not one."""
        self._buffer += piece
        while not self._ended and (step := self._take(final=False)):
            yield step

    def close(self) -> Iterator[Step]:
        """Yield what a text without a last line end still holds. Raises `PlanError` on a half step."""
        self._buffer += "\n"
        while not self._ended and (step := self._take(final=True)):
            yield step

    def _take(self, final: bool) -> Step | None:
        while True:
            if head := _HEAD.match(self._buffer):
                return self._call(head, final)
            line_end = self._buffer.find("\n")
            if line_end < 0:
                return None
            self._prose(self._buffer[:line_end])
            self._buffer = self._buffer[line_end + 1 :]

    def _prose(self, line: str) -> None:
        line = line.strip()
        if line.startswith(END):
            self._ended = True
        elif line and re.match(r"\d+\s*\.", line):
            raise PlanError(f"plan line {line[:80]!r} is not a call")

    def _call(self, head: re.Match[str], final: bool) -> Step | None:
        end = _closing(self._buffer, head.end())
        if end is None:
            if final:
                raise PlanError(f"plan step {head[1]}: call of {head[2]} is not closed")
            return None
        number, tool, inside = int(head[1]), head[2], self._buffer[head.end() : end]
        self._buffer = self._buffer[end + 1 :]
        if tool == JOIN:
            self._ended = True
            return None
        if number != self._next:
            raise PlanError(f"plan step {number}: expected step {self._next}")
        self._next += 1
        return Step(number, tool, _arguments(inside, number, tool))


def _closing(text: str, start: int) -> int | None:
    """Where the parenthesis opened just before `start` closes, strings and brackets respected; None if not yet."""
    depth, quote_mark, index = 0, "", start
    while index < len(text):
        character = text[index]
        if quote_mark:
            if character == "\\":
                index += 1
            elif character == quote_mark:
                quote_mark = ""
        elif character in "\"'":
            quote_mark = character
        elif character in "([{":
            depth += 1
        elif character == ")" and depth == 0:
            return index
        elif character in ")]}":
            depth -= 1
        index += 1
    return None


_BARE_REFERENCE = re.compile(r"(?<![\w\"'\\$])\$(\d+|\{\d+\})")


def _arguments(inside: str, step: int, tool: str) -> tuple[Value, ...]:
    try:
        literals = _quote_bare(_one_line(inside)).rstrip().removesuffix(",")
        values = ast.literal_eval(f"({literals},)") if inside.strip() else ()
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise PlanError(f"plan step {step}: arguments of {tool} are not Python literals: {inside[:80]!r}") from error
    return tuple(_value(value, step, tool) for value in values)


def _outside_strings(text: str, change: re.Pattern[str] | None, inner: bool) -> str:
    """Rewrite either the text outside string literals (quote bare references) or inside (escape line ends)."""
    out, last = [], 0
    for literal in re.finditer(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", text, re.DOTALL):
        before, string = text[last : literal.start()], literal[0]
        if change:
            before = change.sub(lambda m: f'"{m[0]}"', before)
        if inner:
            string = _ESCAPE.sub(_known_escape, string.replace("\n", "\\n").replace("\r", "\\r"))
        out += [before, string]
        last = literal.end()
    rest = text[last:]
    return "".join([*out, change.sub(lambda m: f'"{m[0]}"', rest) if change else rest])


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def _known_escape(match: re.Match[str]) -> str:
    """What Python reads with a warning, as in "\\d", is written so that it means the same without one."""
    return match[0] if match[1] in "\\'\"abfnrtv01234567xNuU" else "\\" + match[0]


def _quote_bare(text: str) -> str:
    return _outside_strings(text, _BARE_REFERENCE, inner=False)


def _one_line(text: str) -> str:
    return _outside_strings(text, None, inner=True)


def _value(value: object, step: int, tool: str) -> Value:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        items = [_value(item, step, tool) for item in value]
        if any(isinstance(item, tuple) for item in items):
            raise PlanError(f"plan step {step}: {tool} has a list inside a list")
        return tuple(items)  # type: ignore[arg-type]
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return parse_text(value, step)
    raise PlanError(f"plan step {step}: {tool} has the argument {value!r}, which no tool takes")


__all__ = [
    "END",
    "JOIN",
    "Mixed",
    "Plan",
    "PlanParser",
    "Ref",
    "Step",
    "parse_plan",
    "parse_written",
    "print_plan",
    "print_step",
]
