"""Prompts as a published dataset holds them, taken apart: what stands before the tools, the tools, lines, examples, request.

`raw_input` is a text that holds a Python literal: a list of messages, each a dictionary with role and content or a call
such as SystemMessage(content=…). Nothing in it is run. Knows no sentence of any prompt: a list of tools is numbered calls
from 1, an example begins as the request does.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab.published import read_entries
from tinyagent_mlx.plan import JOIN
from tinyagent_mlx.profile import moment

_ENTRY = re.compile(r"^(\d+)\. (\w+)\(", re.MULTILINE)
_DATES = (
    (r"(?P<day>[A-Z][a-z]+day) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "%A %Y-%m-%d %H:%M:%S"),
    (r"(?P<day>[A-Z][a-z]+day) \d{4}-\d\d-\d\d \d\d:\d\d", "%A %Y-%m-%d %H:%M"),
    (r"(?P<day>[A-Z][a-z]+day) \d{4}-\d\d-\d\d", "%A %Y-%m-%d"),
    (r"(?P<day>[A-Z][a-z]+day), [A-Z][a-z]+ \d\d, \d{4}", "%A, %B %d, %Y"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "%Y-%m-%d %H:%M:%S"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "%Y-%m-%d %H:%M"),
    (r"\d{4}-\d\d-\d\d", "%Y-%m-%d"),
)
DATES = tuple((re.compile(rf"(?<![\w-]){pattern}(?![\w:-])"), layout) for pattern, layout in _DATES)


@dataclass(frozen=True)
class Told:
    """A prompt as it was written, and the request in it ("" where the dataset does not say)."""

    key: str
    system: str
    user: str
    request: str


@dataclass(frozen=True)
class Parts:
    """A prompt taken apart: `tools` are names with their blocks, `rest` is from the end of the tools to the examples,
    `joined` says that it begins with the entry for the join."""

    told: Told
    head: str
    tools: tuple[tuple[str, str], ...]
    rest: str
    examples: tuple[str, ...]
    joined: bool


def read_told(file: Path) -> Iterator[Told | str]:
    """The planner's prompts of a dataset, or the one of a text file; where one can't be read, the reason."""
    if file.suffix.lower() != ".json":
        yield _of_text(file)
        return
    for number, entry in enumerate(read_entries(file), 1):
        yield _of_entry(entry, f"row {number}")


def _of_text(file: Path) -> Told:
    """A prompt in a file: its last paragraph is the request's."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: can't be read: {error}") from error
    system, _, user = text.rstrip("\n").rpartition("\n\n")
    head, colon, request = user.partition(": ")
    if not (system and colon and "\n" not in head):
        raise ConfigError(f"{file}: is no prompt: expected its last paragraph to be the request, as in 'Request: …'")
    return Told(file.name, system, user, request)


def _of_entry(entry: Any, key: str) -> Told | str:
    output = entry.get("output") if isinstance(entry, dict) else None
    plans = [item for item in output or () if isinstance(item, dict) and item.get("type") == "plan"]
    raw = plans[0].get("raw_input") if plans else None
    if not isinstance(raw, str):
        return "no plan's prompt"
    found = messages(raw)
    if [role for role, _ in found] != ["system", "user"]:
        return "not one system and one user message"
    request = entry.get("input")
    return Told(key, found[0][1], found[1][1], request if isinstance(request, str) else "")


def messages(raw: str) -> list[tuple[str, str]]:
    """Role and text of each message that a literal holds; nothing where it is none."""
    try:
        tree: ast.AST = ast.parse(raw.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    items = tree.elts if isinstance(tree, ast.List | ast.Tuple) else []
    if len(items) == 1 and isinstance(items[0], ast.List):  # a batch of one
        items = items[0].elts
    found = [_message(item) for item in items]
    return [message for message in found if message] if all(found) else []


def _message(item: ast.AST) -> tuple[str, str] | None:
    if isinstance(item, ast.Dict):
        pairs = zip(item.keys, item.values, strict=True)
        values = {key.value: _text(value) for key, value in pairs if isinstance(key, ast.Constant)}
        role = values.get("role")
    elif isinstance(item, ast.Call) and isinstance(item.func, ast.Name):
        values = {keyword.arg: _text(keyword.value) for keyword in item.keywords}
        role = {"SystemMessage": "system", "HumanMessage": "user"}.get(item.func.id)
    else:
        return None
    content = values.get("content")
    return (role, content) if role is not None and content is not None else None


def _text(value: ast.AST) -> str | None:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def around_request(rows: Iterable[Told]) -> tuple[str, str]:
    """What stands before and after the request in the user's message, most often."""
    seen: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row.request and row.request in row.user:
            before, _, after = row.user.partition(row.request)
            seen[before, after] += 1
    if not seen:
        raise ConfigError("no row's user message holds its request")
    return seen.most_common(1)[0][0]


def take_apart(told: Told, begins: str) -> Parts | str:
    """Cut a prompt; `begins` is what an example begins with. Gives the reason where there is no list of tools."""
    heads: list[re.Match[str]] = []
    for found in _ENTRY.finditer(told.system):
        if int(found[1]) != len(heads) + 1:
            break
        heads.append(found)
    if not heads:
        return "no numbered list of tools"
    starts = [found.start() for found in heads]
    joined = heads[-1][2] == JOIN
    rest_at = starts[-1] if joined else len(told.system)
    ends = [*starts[1:], rest_at]
    listed = list(zip(heads, ends, strict=True))[: len(heads) - joined]
    tools = tuple((head[2], told.system[head.start() + len(head[1]) + 2 : end]) for head, end in listed)
    if len({name for name, _ in tools}) < len(tools) or not tools:
        return "a tool listed twice, or none at all"
    rest, examples = _examples(told.system[rest_at:], begins)
    return Parts(told, told.system[: starts[0]], tools, rest, examples, joined)


def cut_last(parts: Parts, blocks: Mapping[str, str], opening: str, begins: str) -> Parts | str:
    """Where no join ends the list, its last tool ends where its block in other prompts does, or before `opening`, the
    line that follows the tools in those."""
    name, text = parts.tools[-1]
    at = text.find(f"\n{opening}") if opening else -1
    block = blocks.get(name) or text[: at + 1]
    if not block or not text.startswith(block):
        return f"the end of the tools is not known: {name} stands in no other place"
    rest, examples = _examples(text[len(block) :], begins)
    return replace(parts, tools=(*parts.tools[:-1], (name, block)), rest=rest, examples=examples)


def _examples(text: str, begins: str) -> tuple[str, tuple[str, ...]]:
    """What stands before the examples, and each of them."""
    if not begins.strip():
        return text, ()
    places = [found.start() for found in re.finditer(rf"^{re.escape(begins)}", text, re.MULTILINE)]
    if not places:
        return text, ()
    ends = [*places[1:], len(text)]
    return text[: places[0]], tuple(text[start:end] for start, end in zip(places, ends, strict=True))


def dates_in(line: str) -> Iterator[tuple[str, str, datetime, bool]]:
    """Each date of a line: its text, its layout, the moment, and whether the day of the week is named."""
    at = 0
    while found := _first_date(line, at):
        match, layout = found
        at = match.end()
        if when := _read(match, layout):
            yield match[0], layout, when, "day" in match.groupdict()


def _first_date(line: str, at: int) -> tuple[re.Match[str], str] | None:
    found = [(match, layout) for pattern, layout in DATES if (match := pattern.search(line, at))]
    return min(found, key=lambda pair: (pair[0].start(), -len(pair[0][0]))) if found else None


def _read(match: re.Match[str], layout: str) -> datetime | None:
    """The moment; None where there is no such day, or it is another day of the week."""
    try:
        found = datetime.strptime(match[0], layout)
    except ValueError:
        return None
    return found if moment(found, layout) == match[0] else None
