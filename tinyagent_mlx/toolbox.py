"""What tools.yaml declares, compiled once and frozen. Reading the file is `toolfile.py`'s; nobody validates again later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tinyagent_mlx.argtypes import ArgType
from tinyagent_mlx.plan import Plan, print_plan
from tinyagent_mlx.values import Value

EFFECTS = ("read", "write", "send")
WRITINGS = ("mail", "reply", "comment", "note", "addition")  # what a writer may write in an argument's place
SUMMARY = "summary"  # what a writer may make of the text that a tool has read


@dataclass(frozen=True)
class Argument:
    """One positional argument. `choices` maps each allowed constant to what it means; empty when any value may stand.

    `extractive` says that only spans of the request, constants and references may fill it; `written` is one of `WRITINGS`
    where a writer may put a text in the place of the request's own words, "" where none may. The planner knows nothing of it.
    `required` says that the planner calls the tool only where something can stand there.
    """

    name: str
    type: ArgType
    description: str
    default: Value
    choices: Mapping[str | int, str] = field(default_factory=dict)
    extractive: bool = False
    written: str = ""
    required: bool = False

    @property
    def needed(self) -> bool:
        """Whether a call without a value for it says nothing: the argument has no empty value that means something."""
        return self.required or (self.type.item.needed and not self.type.is_list)

    @property
    def label(self) -> str:
        """The argument as words, for people and for the sentence encoder."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Example:
    request: str
    plan: Plan


@dataclass(frozen=True)
class Declared:
    """Where a tool's entry begins."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Tool:
    """One entry of tools.yaml.

    `script` and `inverse` are AppleScript files, None where there are none; `timeout` is in seconds; `summary` is a
    sentence with `{argument}` placeholders; `example_result` is what a dry run shows and what the mock returns; `written` is
    `SUMMARY` where a writer may summarize the text that the tool has read, or "".
    """

    name: str
    app: str
    description: str
    arguments: tuple[Argument, ...]
    returns: str
    effect: str
    script: Path | None
    inverse: Path | None
    timeout: float
    summary: str
    rules: tuple[str, ...]
    examples: tuple[Example, ...]
    example_result: str
    declared: Declared | None = field(default=None, compare=False)
    written: str = ""

    @property
    def signature(self) -> str:
        """The call as the planner's prompt shows it."""
        return f"{self.name}({', '.join(f'{a.name}: {a.type.name}' for a in self.arguments)}) -> {self.returns}"

    def bind(self, values: Iterable[Any]) -> dict[str, Any]:
        """Name positional values."""
        return {argument.name: value for argument, value in zip(self.arguments, values, strict=True)}

    def json_schema(self) -> dict[str, Any]:
        """The tool as a JSON Schema of its arguments, in the layout that MCP lists."""
        properties = {}
        for argument in self.arguments:
            schema = {**argument.type.json_schema(), "description": argument.description}
            if argument.choices and argument.type.is_list:
                schema["items"] = {**schema["items"], "enum": list(argument.choices)}
            elif argument.choices:
                schema["enum"] = list(argument.choices)
            default = argument.default
            properties[argument.name] = {**schema, "default": list(default) if isinstance(default, tuple) else default}
        parameters = {"type": "object", "properties": properties, "additionalProperties": False}
        return {"name": self.name, "description": self.description, "inputSchema": parameters}


@dataclass(frozen=True)
class Toolbox:
    """All tools in declared order, which is the label order of ToolRAG; `rules` hold for every plan.

    `off` are those that are declared but switched off: no plan calls them, and what they did can still be undone.
    """

    tools: tuple[Tool, ...]
    rules: tuple[str, ...] = ()
    off: tuple[Tool, ...] = ()

    @cached_property
    def _by_name(self) -> dict[str, Tool]:
        return {tool.name: tool for tool in self.tools}

    def __getitem__(self, name: str) -> Tool:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Tool]:
        return iter(self.tools)

    def __len__(self) -> int:
        return len(self.tools)

    @property
    def names(self) -> tuple[str, ...]:
        """The label space."""
        return tuple(self._by_name)

    @property
    def whole(self) -> Toolbox:
        """With the tools that are switched off, after the others: for what was done when they were not."""
        return Toolbox((*self.tools, *self.off), self.rules) if self.off else self

    def subset(self, names: Iterable[str]) -> Toolbox:
        """The named tools, in declared order, with the common rules."""
        wanted = set(names)
        return Toolbox(tuple(tool for tool in self.tools if tool.name in wanted), self.rules)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits over all that a planner learns of the tools: names, order, arguments, types, words, examples."""
        parts = [
            [tool.name, tool.description, tool.returns, tool.effect]
            + [
                [a.name, a.type.name, a.description, repr(a.default), repr(dict(a.choices)), a.extractive]
                + (["required"] if a.required else [])
                for a in tool.arguments
            ]
            + [[e.request, print_plan(e.plan)] for e in tool.examples]
            for tool in self.tools
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
