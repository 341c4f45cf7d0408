"""The only reader of tools.yaml: strict at the door, so that everything behind it may trust a `Toolbox`.

Each complaint is one line: file, line, tool, key, value, and the nearest valid word where there is one.
"""

from __future__ import annotations

import difflib
import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tinyagent_mlx import yamlmarks
from tinyagent_mlx.argtypes import RETURNS, TYPES
from tinyagent_mlx.check import argument_problem, check_plan
from tinyagent_mlx.errors import ConfigError, PlanError
from tinyagent_mlx.plan import JOIN, parse_plan
from tinyagent_mlx.toolbox import EFFECTS, Argument, Example, Tool, Toolbox
from tinyagent_mlx.values import Value

VERSION = 1

_FILE_KEYS = ("version", "rules", "tools")
_TOOL_KEYS = (
    "name", "app", "description", "arguments", "returns", "effect", "script", "inverse", "timeout", "summary", "rules",
    "examples", "example_result",
)  # fmt: skip
_ARGUMENT_KEYS = ("name", "type", "description", "default", "choices", "from")
_EXAMPLE_KEYS = ("request", "plan")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def load_toolbox(file: Path, scripts: Path | None = None) -> Toolbox:
    """Read and check `file`; scripts are looked for in `scripts`, by default the folder applescripts/ beside it."""
    return _Reader(yamlmarks.read(file), scripts or file.parent / "applescripts").toolbox()


@dataclass
class _Reader:
    document: yamlmarks.Document
    scripts: Path

    def toolbox(self) -> Toolbox:
        data = self.document.data
        if not isinstance(data, Mapping):
            self._fail((), "", f"expected a mapping with the key 'tools', got {_show(data)}")
        self._keys((), data, _FILE_KEYS, ("version", "tools"))
        if data["version"] != VERSION or isinstance(data["version"], bool):
            self._fail(("version",), "", f"key 'version': is {_show(data['version'])}, expected {VERSION}")
        entries = data["tools"]
        if not isinstance(entries, list) or not entries:
            self._fail(("tools",), "", f"key 'tools': is {_show(entries)}, expected a list of tools")
        tools: dict[str, Tool] = {}
        for index, entry in enumerate(entries):
            tool = self._tool(("tools", index), entry)
            if tool.name in tools:
                self._fail(("tools", index, "name"), tool.name, f"key 'name': another tool is called {tool.name!r}")
            tools[tool.name] = tool
        toolbox = Toolbox(tuple(tools.values()), self._texts(("rules",), "", data, "rules"))
        return self._with_examples(toolbox, entries)

    def _tool(self, path: tuple, entry: Any) -> Tool:
        if not isinstance(entry, Mapping):
            self._fail(path, "", f"a tool is {_show(entry)}, expected a mapping")
        name = entry.get("name")
        owner = name if isinstance(name, str) else f"number {path[-1] + 1}"
        required = ("name", "app", "description", "arguments", "returns", "effect")
        self._keys(path, entry, _TOOL_KEYS, required, owner)
        name = self._name(path, owner, entry)
        arguments = self._arguments(path, owner, entry["arguments"])
        summary = self._text(path, owner, entry, "summary", "")
        self._placeholders((*path, "summary"), owner, summary, [argument.name for argument in arguments])
        return Tool(
            name=name,
            app=self._text(path, owner, entry, "app"),
            description=self._text(path, owner, entry, "description"),
            arguments=arguments,
            returns=self._one_of(path, owner, entry, "returns", RETURNS),
            effect=self._one_of(path, owner, entry, "effect", EFFECTS),
            script=self._script(path, owner, entry, "script"),
            inverse=self._script(path, owner, entry, "inverse"),
            timeout=self._timeout(path, owner, entry),
            summary=summary,
            rules=self._texts((*path, "rules"), owner, entry, "rules"),
            examples=(),
            example_result=self._text(path, owner, entry, "example_result", ""),
        )

    def _arguments(self, path: tuple, owner: str, entries: Any) -> tuple[Argument, ...]:
        path = (*path, "arguments")
        if not isinstance(entries, list):
            self._fail(path, owner, f"key 'arguments': is {_show(entries)}, expected a list")
        arguments: dict[str, Argument] = {}
        for index, entry in enumerate(entries):
            argument = self._argument((*path, index), owner, entry)
            if argument.name in arguments:
                self._fail((*path, index), owner, f"key 'arguments': two arguments are called {argument.name!r}")
            arguments[argument.name] = argument
        return tuple(arguments.values())

    def _argument(self, path: tuple, owner: str, entry: Any) -> Argument:
        if not isinstance(entry, Mapping):
            self._fail(path, owner, f"key 'arguments': an argument is {_show(entry)}, expected a mapping")
        self._keys(path, entry, _ARGUMENT_KEYS, ("name", "type", "description"), owner)
        name = self._name(path, owner, entry)
        kind = TYPES[self._one_of(path, owner, entry, "type", tuple(TYPES))]
        choices = self._choices(path, owner, entry, kind)
        if kind.item.name == "choice" and not choices:
            self._fail(path, owner, f"key 'choices': argument {name!r} is a choice without choices")
        source = self._one_of(path, owner, entry, "from", ("request",)) if "from" in entry else ""
        plain = Argument(name, kind, self._text(path, owner, entry, "description"), kind.empty, choices, bool(source))
        default = _value(entry["default"]) if "default" in entry else plain.default
        problem = argument_problem(plain, default, {}) if "default" in entry else None
        if not problem and kind.item.name == "choice" and not kind.is_list and default not in choices:
            problem = f"is {default!r}, expected one of {', '.join(map(repr, choices))}"
        if problem:
            self._fail((*path, "default"), owner, f"key 'default': argument {name!r} {problem}")
        return Argument(name, kind, plain.description, default, choices, plain.extractive)

    def _choices(self, path: tuple, owner: str, entry: Mapping, kind: Any) -> dict[str | int, str]:
        choices = entry.get("choices", {})
        path = (*path, "choices")
        if isinstance(choices, list) and all(isinstance(choice, (str, int)) for choice in choices):
            choices = {choice: str(choice) for choice in choices}
        if not isinstance(choices, Mapping):
            self._fail(path, owner, f"key 'choices': is {_show(choices)}, expected constants with their meanings")
        for choice, meaning in choices.items():
            problem = kind.item.check(choice) if isinstance(choice, (str, int)) else "is no constant"
            if problem or not isinstance(meaning, str):
                self._fail(path, owner, f"key 'choices': {problem or f'meaning of {choice!r} is {_show(meaning)}'}")
        return dict(choices)

    def _with_examples(self, toolbox: Toolbox, entries: list) -> Toolbox:
        tools = []
        for index, tool in enumerate(toolbox):
            path = ("tools", index, "examples")
            raw = entries[index].get("examples", [])
            if not isinstance(raw, list):
                self._fail(path, tool.name, f"key 'examples': is {_show(raw)}, expected a list")
            examples = tuple(self._example((*path, n), tool.name, item, toolbox) for n, item in enumerate(raw))
            tools.append(Tool(**{**vars(tool), "examples": examples}))
        return Toolbox(tuple(tools), toolbox.rules)

    def _example(self, path: tuple, owner: str, entry: Any, toolbox: Toolbox) -> Example:
        if not isinstance(entry, Mapping):
            self._fail(path, owner, f"key 'examples': an example is {_show(entry)}, expected request and plan")
        self._keys(path, entry, _EXAMPLE_KEYS, _EXAMPLE_KEYS, owner)
        request = self._text(path, owner, entry, "request")
        text = entry["plan"] if entry["plan"] == "" else self._text(path, owner, entry, "plan")
        try:
            plan = parse_plan(text)
            check_plan(plan, toolbox)
        except PlanError as error:
            self._fail((*path, "plan"), owner, f"key 'plan': does not check: {error}")
        if text and not plan.steps:
            self._fail((*path, "plan"), owner, f"key 'plan': holds no step: {_show(text)}")
        return Example(request, plan)

    def _name(self, path: tuple, owner: str, entry: Mapping) -> str:
        name = entry["name"]
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            problem = "expected lower-case letters, digits and underscores, a letter first"
            self._fail((*path, "name"), owner, f"key 'name': is {_show(name)}, {problem}")
        if name == JOIN:
            self._fail((*path, "name"), owner, f"key 'name': {name!r} ends a plan and can be no tool")
        return name

    def _text(self, path: tuple, owner: str, entry: Mapping, key: str, default: str | None = None) -> str:
        if key not in entry and default is not None:
            return default
        value = entry[key]
        if not isinstance(value, str) or not value.strip():
            hint = " (put it in quotes)" if value is not None and not isinstance(value, (str, list, Mapping)) else ""
            self._fail((*path, key), owner, f"key {key!r}: is {_show(value)}, expected text{hint}")
        return value.strip()

    def _texts(self, path: tuple, owner: str, entry: Mapping, key: str) -> tuple[str, ...]:
        values = entry.get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
            self._fail(path, owner, f"key {key!r}: is {_show(values)}, expected a list of texts")
        return tuple(values)

    def _one_of(self, path: tuple, owner: str, entry: Mapping, key: str, allowed: tuple[str, ...]) -> str:
        value = entry[key]
        if value not in allowed or not isinstance(value, str):
            self._fail((*path, key), owner, f"key {key!r}: unknown value {_show(value)}{_near(value, allowed)}")
        return value

    def _timeout(self, path: tuple, owner: str, entry: Mapping) -> float:
        value = entry.get("timeout", 30)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 3600:
            self._fail((*path, "timeout"), owner, f"key 'timeout': is {_show(value)}, expected seconds from 0 to 3600")
        return float(value)

    def _script(self, path: tuple, owner: str, entry: Mapping, key: str) -> Path | None:
        if key not in entry:
            return None
        name = self._text(path, owner, entry, key)
        file = self.scripts / name
        if Path(name).name != name:
            self._fail((*path, key), owner, f"key {key!r}: {name!r} is no plain file name")
        if not file.is_file():
            known = [script.name for script in sorted(self.scripts.glob("*.applescript"))]
            self._fail((*path, key), owner, f"key {key!r}: no script {name!r} in {self.scripts}{_near(name, known)}")
        return file

    def _placeholders(self, path: tuple, owner: str, text: str, names: list[str]) -> None:
        try:
            used = [(field, form or how) for _, field, form, how in string.Formatter().parse(text) if field is not None]
        except ValueError as error:
            self._fail(path, owner, f"key 'summary': is {_show(text)}: {error}")
        for field, form in used:
            if form:
                self._fail(path, owner, f"key 'summary': placeholder {{{field}}} has a format, which none may have")
            if field not in names:
                self._fail(path, owner, f"key 'summary': unknown placeholder {{{field}}}{_near(field, names)}")

    def _keys(self, path: tuple, entry: Mapping, allowed: tuple, required: tuple, owner: str = "") -> None:
        for key in entry:
            if key not in allowed:
                self._fail((*path, str(key)), owner, f"unknown key {_show(key)}{_near(key, allowed)}")
        for key in required:
            if key not in entry:
                self._fail(path, owner, f"key {key!r} is missing")

    def _fail(self, path: tuple, owner: str, message: str) -> NoReturn:
        tool = f"tool {owner!r}, " if owner else ""
        raise ConfigError(f"{self.document.file}:{self.document.line(path)}: {tool}{message}")


def _value(raw: Any) -> Value:
    return tuple(raw) if isinstance(raw, list) else "" if raw is None else raw


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _near(value: Any, allowed: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(value), list(allowed), 1, 0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
