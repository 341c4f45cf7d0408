"""The only reader of tools.yaml: strict at the door, so that everything behind it may trust a `Toolbox`.

Several files make one toolbox: the shipped one and a user's own after it, which may also switch tools off. Each complaint
is one line: file, line, tool, key, value, and the nearest valid word where there is one.
"""

from __future__ import annotations

import difflib
import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from tinyagent_mlx import yamlmarks
from tinyagent_mlx.argtypes import REQUIRED, RETURNS, TYPES
from tinyagent_mlx.check import argument_problem, check_plan
from tinyagent_mlx.errors import ConfigError, PlanError
from tinyagent_mlx.plan import JOIN, parse_plan
from tinyagent_mlx.toolbox import EFFECTS, SUMMARY, WRITINGS, Argument, Declared, Example, Tool, Toolbox
from tinyagent_mlx.values import Value

VERSION = 1

FILE_KEYS = ("version", "rules", "off", "tools")
TOOL_KEYS = (
    "name", "app", "description", "arguments", "returns", "effect", "script", "inverse", "timeout", "summary", "rules",
    "examples", "example_result", "written",
)  # fmt: skip
REQUIRED_TOOL_KEYS = ("name", "app", "description", "arguments", "returns", "effect")
ARGUMENT_KEYS = ("name", "type", "description", "default", "choices", "from", "written")
REQUIRED_ARGUMENT_KEYS = ("name", "type", "description")
EXAMPLE_KEYS = ("request", "plan")
NAME = r"[a-z][a-z0-9_]{0,63}"
TIMEOUT, LONGEST_TIMEOUT = 30, 3600


@dataclass(frozen=True)
class Source:
    """A tools file and the folder of its scripts. `text` stands for what is in the file, None to read it."""

    file: Path
    scripts: Path
    text: str | None = None


def load_toolbox(file: Path, scripts: Path | None = None) -> Toolbox:
    """Read and check `file`; scripts are looked for in `scripts`, by default the folder applescripts/ beside it."""
    return load_toolboxes([Source(file, scripts or file.parent / "applescripts")])


def load_toolboxes(sources: Sequence[Source]) -> Toolbox:
    """Read and check files, at least one, as one toolbox: tools in the order of the files, without those switched off.

    Only the first file must declare tools. An example that calls a tool which is switched off is left out with it.
    """
    readers = [_Reader(yamlmarks.read(source.file, source.text), source.scripts) for source in sources]
    tools: dict[str, Tool] = {}
    for reader in readers:
        reader.check_file(first=reader is readers[0])
        reader.read_tools(tools)
    rules = tuple(rule for reader in readers for rule in reader.rules())
    off = {word for reader in readers for word in reader.off(tools.values())}
    gone = {tool.name for tool in tools.values() if off & {tool.name, tool.app}}
    if len(gone) == len(tools):
        readers[-1].fail(("off",), "", "key 'off': leaves no tool")
    whole = Toolbox(tuple(tools.values()), rules)
    examples = {name: found for reader in readers for name, found in reader.read_examples(whole)}
    complete = [replace(tool, examples=examples[tool.name]) for tool in whole]
    kept = tuple(_without(tool, gone) for tool in complete if tool.name not in gone)
    return Toolbox(kept, rules, tuple(tool for tool in complete if tool.name in gone))


def _without(tool: Tool, gone: set[str]) -> Tool:
    """The tool without examples that call, and hints that name, a tool which is switched off."""
    if not gone:
        return tool
    examples = tuple(e for e in tool.examples if not gone & {step.tool for step in e.plan.steps})
    return replace(tool, examples=examples, rules=tuple(r for r in tool.rules if not gone & set(re.findall(r"\w+", r))))


@dataclass
class _Reader:
    document: yamlmarks.Document
    scripts: Path

    def check_file(self, first: bool) -> None:
        """Check the keys of the file itself."""
        data = self.document.data
        if not isinstance(data, Mapping):
            self.fail((), "", f"expected a mapping with the key 'tools', got {_show(data)}")
        self._keys((), data, FILE_KEYS, ("version", "tools") if first else ("version",))
        if data["version"] != VERSION or isinstance(data["version"], bool):
            self.fail(("version",), "", f"key 'version': is {_show(data['version'])}, expected {VERSION}")
        if not isinstance(self._entries, list) or (first and not self._entries):
            self.fail(("tools",), "", f"key 'tools': is {_show(data['tools'])}, expected a list of tools")

    @property
    def _entries(self) -> list:
        return self.document.data.get("tools", [])

    def rules(self) -> tuple[str, ...]:
        return self._texts(("rules",), "", self.document.data, "rules")

    def read_tools(self, tools: dict[str, Tool]) -> None:
        """Add this file's tools, without their examples, to those of the files before it."""
        for index, entry in enumerate(self._entries):
            tool = self._tool(("tools", index), entry)
            if other := tools.get(tool.name):
                message = f"key 'name': another tool is called {tool.name!r}, {other.declared}"
                self.fail(("tools", index, "name"), tool.name, message)
            tools[tool.name] = tool

    def off(self, tools: Iterable[Tool]) -> tuple[str, ...]:
        """The names and apps that this file switches off."""
        words = self._texts(("off",), "", self.document.data, "off")
        known = {word for tool in tools for word in (tool.name, tool.app)}
        for index, word in enumerate(words):
            if word not in known:
                self.fail(("off", index), "", f"key 'off': no tool or app is called {word!r}{near(word, known)}")
        return words

    def read_examples(self, toolbox: Toolbox) -> Iterator[tuple[str, tuple[Example, ...]]]:
        """Yield each tool's name and its examples, checked against the tools of all files."""
        for index, entry in enumerate(self._entries):
            path, raw = ("tools", index, "examples"), entry.get("examples", [])
            if not isinstance(raw, list):
                self.fail(path, entry["name"], f"key 'examples': is {_show(raw)}, expected a list")
            yield entry["name"], tuple(self._example((*path, n), entry["name"], e, toolbox) for n, e in enumerate(raw))

    def _tool(self, path: tuple, entry: Any) -> Tool:
        if not isinstance(entry, Mapping):
            self.fail(path, "", f"a tool is {_show(entry)}, expected a mapping")
        name = entry.get("name")
        owner = name if isinstance(name, str) else f"number {path[-1] + 1}"
        self._keys(path, entry, TOOL_KEYS, REQUIRED_TOOL_KEYS, owner)
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
            declared=Declared(self.document.file, self.document.line(path)),
            written=self._summary(path, owner, entry),
        )

    def _summary(self, path: tuple, owner: str, entry: Mapping) -> str:
        if "written" not in entry:
            return ""
        if entry.get("returns") != "text" or entry.get("effect") != "read":
            self.fail(
                (*path, "written"), owner, "key 'written': only a tool that reads and returns text gives a summary"
            )
        return self._one_of(path, owner, entry, "written", (SUMMARY,))

    def _arguments(self, path: tuple, owner: str, entries: Any) -> tuple[Argument, ...]:
        path = (*path, "arguments")
        if not isinstance(entries, list):
            self.fail(path, owner, f"key 'arguments': is {_show(entries)}, expected a list")
        arguments: dict[str, Argument] = {}
        for index, entry in enumerate(entries):
            argument = self._argument((*path, index), owner, entry)
            if argument.name in arguments:
                self.fail((*path, index), owner, f"key 'arguments': two arguments are called {argument.name!r}")
            arguments[argument.name] = argument
        return tuple(arguments.values())

    def _argument(self, path: tuple, owner: str, entry: Any) -> Argument:
        if not isinstance(entry, Mapping):
            self.fail(path, owner, f"key 'arguments': an argument is {_show(entry)}, expected a mapping")
        self._keys(path, entry, ARGUMENT_KEYS, REQUIRED_ARGUMENT_KEYS, owner)
        name = self._name(path, owner, entry)
        kind = TYPES[self._one_of(path, owner, entry, "type", tuple(TYPES))]
        choices = self._choices(path, owner, entry, kind)
        if kind.item.name == "choice" and not choices:
            self.fail(path, owner, f"key 'choices': argument {name!r} is a choice without choices")
        source = self._one_of(path, owner, entry, "from", ("request",)) if "from" in entry else ""
        plain = Argument(name, kind, self._text(path, owner, entry, "description"), kind.empty, choices, bool(source))
        default = _value(entry["default"]) if "default" in entry else plain.default
        problem = argument_problem(plain, default, {}) if "default" in entry else None
        if not problem and kind.item.name == "choice" and not kind.is_list and default not in choices:
            problem = f"is {default!r}, expected one of {', '.join(map(repr, choices))}"
        if problem:
            self.fail((*path, "default"), owner, f"key 'default': argument {name!r} {problem}")
        written = self._written(path, owner, entry, plain)
        required = kind.name in REQUIRED and "default" not in entry
        return Argument(name, kind, plain.description, default, choices, plain.extractive, written, required)

    def _written(self, path: tuple, owner: str, entry: Mapping, argument: Argument) -> str:
        """What a writer may write there: free text alone, for of anything else the request has the last word."""
        if "written" not in entry:
            return ""
        if argument.type.name != "text" or argument.choices or argument.extractive:
            what = "is a list of choices" if argument.choices else "takes words of the request"
            what = what if argument.type.name == "text" else f"is of type {argument.type.name}"
            problem = f"argument {argument.name!r} {what}, and a writer writes free text only"
            self.fail((*path, "written"), owner, f"key 'written': {problem}")
        return self._one_of(path, owner, entry, "written", WRITINGS)

    def _choices(self, path: tuple, owner: str, entry: Mapping, kind: Any) -> dict[str | int, str]:
        choices = entry.get("choices", {})
        path = (*path, "choices")
        if isinstance(choices, list) and all(isinstance(choice, (str, int)) for choice in choices):
            choices = {choice: str(choice) for choice in choices}
        if not isinstance(choices, Mapping):
            self.fail(path, owner, f"key 'choices': is {_show(choices)}, expected constants with their meanings")
        for choice, meaning in choices.items():
            problem = kind.item.check(choice) if isinstance(choice, (str, int)) else "is no constant"
            if problem or not isinstance(meaning, str):
                self.fail(path, owner, f"key 'choices': {problem or f'meaning of {choice!r} is {_show(meaning)}'}")
        return dict(choices)

    def _example(self, path: tuple, owner: str, entry: Any, toolbox: Toolbox) -> Example:
        if not isinstance(entry, Mapping):
            self.fail(path, owner, f"key 'examples': an example is {_show(entry)}, expected request and plan")
        self._keys(path, entry, EXAMPLE_KEYS, EXAMPLE_KEYS, owner)
        request = self._text(path, owner, entry, "request")
        text = entry["plan"] if entry["plan"] == "" else self._text(path, owner, entry, "plan")
        try:
            plan = parse_plan(text)
            check_plan(plan, toolbox)
        except PlanError as error:
            self.fail((*path, "plan"), owner, f"key 'plan': does not check: {error}")
        if text and not plan.steps:
            self.fail((*path, "plan"), owner, f"key 'plan': holds no step: {_show(text)}")
        return Example(request, plan)

    def _name(self, path: tuple, owner: str, entry: Mapping) -> str:
        name = entry["name"]
        if not isinstance(name, str) or not re.fullmatch(NAME, name):
            problem = "expected lower-case letters, digits and underscores, a letter first"
            self.fail((*path, "name"), owner, f"key 'name': is {_show(name)}, {problem}")
        if name == JOIN:
            self.fail((*path, "name"), owner, f"key 'name': {name!r} ends a plan and can be no tool")
        return name

    def _text(self, path: tuple, owner: str, entry: Mapping, key: str, default: str | None = None) -> str:
        if key not in entry and default is not None:
            return default
        value = entry[key]
        if not isinstance(value, str) or not value.strip():
            hint = " (put it in quotes)" if value is not None and not isinstance(value, (str, list, Mapping)) else ""
            self.fail((*path, key), owner, f"key {key!r}: is {_show(value)}, expected text{hint}")
        return value.strip()

    def _texts(self, path: tuple, owner: str, entry: Mapping, key: str) -> tuple[str, ...]:
        values = entry.get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
            self.fail(path, owner, f"key {key!r}: is {_show(values)}, expected a list of texts")
        return tuple(values)

    def _one_of(self, path: tuple, owner: str, entry: Mapping, key: str, allowed: tuple[str, ...]) -> str:
        value = entry[key]
        if value not in allowed or not isinstance(value, str):
            self.fail((*path, key), owner, f"key {key!r}: unknown value {_show(value)}{near(value, allowed)}")
        return value

    def _timeout(self, path: tuple, owner: str, entry: Mapping) -> float:
        value = entry.get("timeout", TIMEOUT)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= LONGEST_TIMEOUT:
            self.fail(
                (*path, "timeout"),
                owner,
                f"key 'timeout': is {_show(value)}, expected seconds from 0 to {LONGEST_TIMEOUT}",
            )
        return float(value)

    def _script(self, path: tuple, owner: str, entry: Mapping, key: str) -> Path | None:
        if key not in entry:
            return None
        name = self._text(path, owner, entry, key)
        file = self.scripts / name
        if Path(name).name != name:
            self.fail((*path, key), owner, f"key {key!r}: {name!r} is no plain file name")
        if not file.is_file():
            known = [script.name for script in sorted(self.scripts.glob("*.applescript"))]
            self.fail((*path, key), owner, f"key {key!r}: no script {name!r} in {self.scripts}{near(name, known)}")
        return file

    def _placeholders(self, path: tuple, owner: str, text: str, names: list[str]) -> None:
        try:
            used = [(field, form or how) for _, field, form, how in string.Formatter().parse(text) if field is not None]
        except ValueError as error:
            self.fail(path, owner, f"key 'summary': is {_show(text)}: {error}")
        for field, form in used:
            if form:
                self.fail(path, owner, f"key 'summary': placeholder {{{field}}} has a format, which none may have")
            if field not in names:
                self.fail(path, owner, f"key 'summary': unknown placeholder {{{field}}}{near(field, names)}")

    def _keys(self, path: tuple, entry: Mapping, allowed: tuple, required: tuple, owner: str = "") -> None:
        for key in entry:
            if key not in allowed:
                self.fail((*path, str(key)), owner, f"unknown key {_show(key)}{near(key, allowed)}")
        for key in required:
            if key not in entry:
                self.fail(path, owner, f"key {key!r} is missing")

    def fail(self, path: tuple, owner: str, message: str) -> NoReturn:
        tool = f"tool {owner!r}, " if owner else ""
        raise ConfigError(f"{self.document.file}:{self.document.line(path)}: {tool}{message}")


def _value(raw: Any) -> Value:
    return tuple(raw) if isinstance(raw, list) else "" if raw is None else raw


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def near(value: Any, allowed: Iterable[str]) -> str:
    """The nearest valid word as the end of a complaint, "" where none is near."""
    close = difflib.get_close_matches(str(value), list(allowed), 1, 0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
