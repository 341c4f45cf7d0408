"""What others may have written: which results such text came in with, and whether it would leave the machine.

Planning never sees results, so text that is read can't change a plan; but it can be the words of a message. A result is
foreign unless it can hold no words: an email address, a phone number, a link or a path that is written as one, or the
status of a step that read nothing. What is made of a foreign value is foreign too, whatever its type. A file's content
is always foreign. This module knows nothing of running and asking.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tinyagent_mlx.argtypes import TYPES
from tinyagent_mlx.plan import Step
from tinyagent_mlx.toolbox import Tool, Toolbox

QUOTED = 8  # characters from which a text inside a longer one counts as taken from it
RUN = 5  # words in a row from which on a part of a text does
_LINK = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s<>\"]+")
_PATH = re.compile(r"(/|[A-Za-z]:\\)[^\x00-\x1f]*")


def is_foreign(tool: Tool, result: str) -> bool:
    """Whether others may have written what a step gave, its arguments apart."""
    if not result:
        return False
    match tool.returns:
        case "email" | "phone":
            return not TYPES[tool.returns].looks(result)
        case "url":
            return not _LINK.fullmatch(result)
        case "file_path":
            return not _PATH.fullmatch(result)
        case "status":
            return tool.effect == "read"
    return True


def foreign_steps(steps: Mapping[int, Step], results: Mapping[int, str], tools: Toolbox) -> set[int]:
    """The steps whose results are foreign, in themselves or through what they were given."""
    found: set[int] = set()
    for number in sorted(results):
        step = steps[number]
        if is_foreign(tools[step.tool], results[number]) or not found.isdisjoint(step.depends_on()):
            found.add(number)
    return found


def lets_out(
    step: Step, tool: Tool, arguments: Mapping[str, Any], foreign: Collection[int], known: Collection[str] = ()
) -> bool:
    """Whether a step would send foreign text away: a foreign step's result, a file, or one of the `known` foreign texts."""
    if tool.effect != "send":
        return False
    if not set(foreign).isdisjoint(step.depends_on()):
        return True
    if any(a.type.item.name == "file_path" and arguments[a.name] for a in tool.arguments):
        return True
    return any(_holds(given, text) for text in known for given in _texts(arguments))


def _holds(given: str, text: str) -> bool:
    """Whether a text, or a part of it, is in what is given. A few words that happen to be the same are no quotation."""
    if text.strip() and (given == text or (len(text) >= QUOTED and text in given)):
        return True
    return not _runs(given).isdisjoint(_runs(text))


def _runs(text: str) -> set[tuple[str, ...]]:
    """Each `RUN` words in a row, whatever stands between them."""
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)}


def _texts(arguments: Mapping[str, Any]) -> Iterator[str]:
    for value in arguments.values():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, str):
                yield item
