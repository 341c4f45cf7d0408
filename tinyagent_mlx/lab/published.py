"""Read the published TinyAgent dataset: one JSON object of requests, each with a planner's answers, traps included.

    {"<key>": {"input": "…", "output": [{"type": "plan", "raw_output": "1. …", "parsed_output": [{"tool_name", "tool_args"}]}]}}

Mended: numbering gaps, references without a dollar sign, `None`, one value where a list is expected, numbers and truth
values written as text. Anything else that is not a right plan is dropped with its reason.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from tinyagent_mlx.errors import ConfigError, PlanError
from tinyagent_mlx.lab.dataset import Case, Sieve, make_case
from tinyagent_mlx.plan import JOIN, Plan, Step, parse_plan
from tinyagent_mlx.toolbox import Argument, Toolbox
from tinyagent_mlx.values import Ref, Scalar, Value, map_references, parse_text

_SPACE = re.compile(r"\s*")
CHUNK = 1 << 20  # characters read at once, twice as many when an entry is longer
_CALL = re.compile(r"^[ \t]*(\d{1,9})[ \t]*\.[ \t]*([A-Za-z_]\w*)[ \t]*\(", re.MULTILINE)
_BARE = re.compile(r"\{?([1-9]\d{0,2})\}?")
_JOINS = (JOIN, "join_finish", "join_replan")
_UNREADABLE = "call cut off or not of literals"


class Untold(PlanError):
    """No plan can be made of an entry; the message is the reason, in constant words."""


@dataclass(frozen=True)
class _Call:
    """A call as it stands: texts are not yet read for references."""

    number: int
    tool: str
    arguments: tuple[Value, ...]


def import_cases(
    file: Path, tools: Toolbox, sieve: Sieve, seed: int = 0, moments: Mapping[str, datetime] | None = None
) -> Iterator[Case]:
    """Yield the rows that are fit; `sieve` counts the others. Raises `ConfigError` when the file is no such dataset.

    `moments` says when requests were asked: dates in their plans are resolved already.
    """
    rng, moments = random.Random(seed), moments or {}
    for entry in read_entries(file):
        mended: Counter[str] = Counter()
        try:
            query, calls = _request(entry), _calls(entry)
            plan = _Mender(tools, mended).plan(calls)
        except Untold as reason:
            sieve.drop(str(reason))
            continue
        if sieve.admit(query, plan):
            sieve.mended.update(mended)
            now = moments.get(" ".join(query.split()))
            yield make_case(query, plan, tools, rng, ["published"], now.isoformat(sep=" ") if now else "")


def read_entries(file: Path, chunk: int = CHUNK) -> Iterator[Any]:
    """Yield the values of a JSON object one by one, reading `chunk` characters at a time. Raises `ConfigError`."""
    try:
        with file.open(encoding="utf-8") as stream:
            yield from _Entries(stream, str(file), chunk).values()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error


class _Entries:
    """The text of a file, read as far as it is needed."""

    def __init__(self, stream: TextIO, name: str, chunk: int):
        self.stream, self.name, self.chunk = stream, name, chunk
        self.text, self.at, self.ended = "", 0, False
        self.decoder = json.JSONDecoder()

    def values(self) -> Iterator[Any]:
        self._expect("{")
        separator = "}" if self._peek() == "}" else ","
        while separator == ",":
            self._decode()
            self._expect(":")
            yield self._decode()
            separator = self._peek()
            self._expect(separator if separator in (",", "}") else ",")

    def _read(self, most: int) -> None:
        more = self.stream.read(most)
        self.text, self.at, self.ended = self.text[self.at :] + more, 0, len(more) < most

    def _peek(self) -> str:
        """The next character that is not white space, "" at the end."""
        while True:
            space = _SPACE.match(self.text, self.at)
            self.at = space.end() if space else self.at
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self._read(self.chunk)

    def _expect(self, mark: str) -> None:
        if self._peek() != mark:
            raise ConfigError(f"{self.name}: expected {mark!r}, got {self.text[self.at : self.at + 40]!r}")
        self.at += 1

    def _decode(self) -> Any:
        """The next value; it is read again with more text while it looks cut off."""
        self._peek()
        most = self.chunk
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
            except (ValueError, RecursionError) as error:
                if self.ended:
                    raise ConfigError(f"{self.name}: is not JSON: {error}") from error
            else:
                if end < len(self.text) or self.ended:  # a number may go on
                    self.at = end
                    return value
            self._read(most)
            most *= 2


def _request(entry: Any) -> str:
    query = entry.get("input") if isinstance(entry, dict) else None
    if not isinstance(query, str):
        raise Untold("no request")
    return query.strip()


def _calls(entry: dict[str, Any]) -> list[_Call]:
    """The calls of the first plan."""
    output = entry.get("output")
    answers = [answer for answer in output if isinstance(answer, dict)] if isinstance(output, list) else []
    kinds = [answer.get("type") for answer in answers]
    if "replan" in kinds:
        raise Untold("planned again")  # the first plan did not do
    if "plan" not in kinds:
        raise Untold("no plan")
    answer = answers[kinds.index("plan")]
    text, parsed = answer.get("raw_output"), answer.get("parsed_output")
    if isinstance(text, str) and text.strip():
        return _written_calls(text)
    if isinstance(parsed, list) and parsed:
        return _parsed_calls(parsed)
    raise Untold("no plan")


def _written_calls(text: str) -> list[_Call]:
    """Read calls one by one, whatever their numbers."""
    heads = list(_CALL.finditer(text))
    if not heads:
        raise Untold("no plan")
    calls: list[_Call] = []
    for head, end in zip(heads, [*(later.start() for later in heads[1:]), len(text)], strict=True):
        number, tool = int(head[1]), head[2]
        if tool in _JOINS:
            break
        if calls and number <= calls[-1].number:
            raise Untold("numbers out of order")
        try:  # as step 1 it has no earlier step: what looks like a reference stays text
            steps = parse_plan(f"1. {tool}(" + text[head.end() : end]).steps
        except PlanError as error:
            raise Untold(_UNREADABLE) from error
        if not steps:
            raise Untold(_UNREADABLE)
        calls.append(_Call(number, tool, steps[0].arguments))
    return calls


def _parsed_calls(parsed: list[Any]) -> list[_Call]:
    """Read calls as upstream's parser left them: numbered by their place."""
    calls = []
    for number, item in enumerate(parsed, 1):
        if not isinstance(item, dict) or not isinstance(item.get("tool_name"), str):
            raise Untold("no plan")
        if item["tool_name"] in _JOINS:
            break
        arguments = item.get("tool_args")
        if not isinstance(arguments, list):
            raise Untold(_UNREADABLE)
        calls.append(_Call(number, item["tool_name"], tuple(map(_literal, arguments))))
    return calls


def _literal(value: Any) -> Value:
    if value is None:
        return ""
    if isinstance(value, list) and not any(isinstance(item, list) for item in value):
        return tuple(_literal(item) for item in value)  # type: ignore[misc]
    if isinstance(value, (str, int)):
        return value
    raise Untold(_UNREADABLE)


class _Mender:
    """Makes a plan of calls: numbers steps anew, finds references, gives values the shape that their types ask for."""

    def __init__(self, tools: Toolbox, mended: Counter[str]):
        self.tools, self.mended = tools, mended
        self.ids: dict[int, int] = {}
        self.returns: dict[int, str] = {}  # by old number

    def plan(self, calls: list[_Call]) -> Plan:
        steps: list[Step] = []
        for call in calls:
            if call.tool not in self.tools:
                raise Untold("unknown tool")
            tool = self.tools[call.tool]
            if len(call.arguments) != len(tool.arguments):
                raise Untold("wrong number of arguments")
            pairs = zip(tool.arguments, call.arguments, strict=True)
            arguments = tuple(self._value(argument, value, call.number) for argument, value in pairs)
            self.ids[call.number] = len(steps) + 1
            self.returns[call.number] = tool.returns
            steps.append(Step(len(steps) + 1, call.tool, arguments))
        if any(old != new for old, new in self.ids.items()):
            self.mended["numbering"] += 1
        return Plan(tuple(steps))

    def _value(self, argument: Argument, value: Value, number: int) -> Value:
        if argument.type.is_list:
            items = value if isinstance(value, tuple) else () if value in ("", "None") else (value,)
            if items != value:
                self.mended["no list"] += 1
            return tuple(self._scalar(argument, item, number) for item in items if item != "")
        if isinstance(value, tuple):
            raise Untold("wrong type or reference")
        return self._scalar(argument, value, number)

    def _scalar(self, argument: Argument, value: Scalar, number: int) -> Scalar:
        kind = argument.type.item
        if value == "None" or (value == "" and (kind.python is not str or argument.choices)):
            self.mended["None"] += 1
            return argument.default if not argument.type.is_list else ""  # type: ignore[return-value]
        bare = _BARE.fullmatch(str(value))
        if bare and self.returns.get(int(bare[1])) in kind.accepts:  # in prose a number is a number
            self.mended["reference without $"] += 1
            return Ref(self.ids[int(bare[1])])
        if not isinstance(value, str):
            return value
        if kind.python is int and re.fullmatch(r"-?\d{1,9}", value.strip()):
            self.mended["number as text"] += 1
            return int(value)
        if kind.python is bool and value.strip().lower() in ("true", "false"):
            self.mended["truth value as text"] += 1
            return value.strip().lower() == "true"
        return self._read(value, number)

    def _read(self, text: str, number: int) -> Scalar:
        """Find references and give them the new numbers."""

        def renumbered(old: int) -> Ref:
            if old not in self.ids:
                raise Untold("reference to a step that is not there")
            return Ref(self.ids[old])

        return map_references(parse_text(text, number), renumbered)  # type: ignore[return-value]
