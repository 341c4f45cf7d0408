"""AppleScript as statements of tokens, and its blocks. The linter reads scripts through this.

It knows comments, strings, continued lines and which words open and close a block. It knows no application's dictionary
and no grammar of expressions: whether a script compiles is for `osacompile` to say, on a Mac.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

_TOKEN = re.compile(
    r"""[ \t\r\f]*(?:
        (?P<word>[^\W\d]\w*)
      | (?P<end>\n)
      | (?P<text>"(?:[^"\\]|\\.)*")            # a string; it may hold line ends
      | (?P<comment>(?:--|\#)[^\n]*)
      | (?P<continued>¬[ \t]*(?:--[^\n]*)?\n)
      | (?P<name>\|[^|\n]+\|)                  # an identifier in bars
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<nested>\(\*)                       # a comment that may hold others
      | (?P<mark>==|!=|&&|\|\||\+=|-=|<=|>=|//|.))""",
    re.VERBOSE | re.DOTALL,
)

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_OPENING, _CLOSING = "({", ")}"
BRACKETS = frozenset(_OPENING + _CLOSING)
_PREFIXED = ("considering", "ignoring", "try", "repeat")


class Unreadable(Exception):
    """The text has no statements: something opened on `line` (from 1) is never closed."""

    def __init__(self, line: int, what: str):
        super().__init__(what)
        self.line = line


class Token(NamedTuple):
    """`kind` is text, word, name, number or mark; `value` is lower-cased for words, the contents for texts."""

    kind: str
    value: str
    line: int

    @property
    def source(self) -> str:
        return f'"{self.value}"' if self.kind == "text" else self.value


def words_of(tokens: Iterable[tuple[str, str, int]]) -> list[str]:
    """The tokens' values, with an empty text for every string, so that no string is taken for a word."""
    return ["" if kind == "text" else value for kind, value, _ in tokens]


class Statement:
    """One logical line, at least one token; of most lines the linter asks no more than their words.

    `vocabulary` is the set of its words.
    """

    def __init__(self, parts: list[tuple[str, str, int]]):
        self._parts = parts
        self.line = parts[0][2]
        self.words = words_of(parts)
        self.vocabulary = frozenset(self.words)

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        return tuple(map(Token._make, self._parts))


def read(source: str) -> list[Statement]:
    """Split a script into statements. Raises `Unreadable` when a string or comment is never closed."""
    source = source.replace("\r\n", "\n").replace("\r", "\n") + "\n"
    statements: list[Statement] = []
    parts: list[tuple[str, str, int]] = []  # of tokens
    position, line = 0, 1
    while position < len(source):
        for match in _TOKEN.finditer(source, position):
            kind = match.lastgroup or "mark"  # the last alternative takes any character
            value = match[kind]
            if kind == "word":
                parts.append((kind, value.lower(), line))
            elif kind == "end":
                line += 1
                if parts:
                    statements.append(Statement(parts))
                    parts = []
            elif kind == "text":
                parts.append((kind, _unescaped(value[1:-1]), line))
                line += value.count("\n")
            elif kind == "continued":
                line += 1
            elif kind == "nested":
                position = _comment_end(source, match.start(kind), line)
                line += source.count("\n", match.start(kind), position)
                break  # and go on behind it
            elif value == '"':
                raise Unreadable(line, "a string is not closed")
            elif kind != "comment":
                parts.append((kind, value, line))
        else:
            position = len(source)
    return statements


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text, flags=re.DOTALL) if "\\" in text else text


def _comment_end(source: str, start: int, line: int) -> int:
    """Where the comment `(* … *)` at `start` ends; such comments nest."""
    depth = 0
    for match in re.finditer(r"\(\*|\*\)", source[start:]):
        depth += 1 if match[0] == "(*" else -1
        if depth == 0:
            return start + match.end()
    raise Unreadable(line, "a comment (* is not closed")


def depths(words: list[str]) -> list[int]:
    """How many brackets are open before each word, and, one entry more, after the last; negative: too many closed."""
    depth, out = 0, [0]
    for word in words:
        if word in BRACKETS:
            depth += 1 if word in _OPENING else -1
        out.append(depth)
    return out


@dataclass
class Block:
    """An open block. `kind` is what `end` calls it: the name of a handler, else tell, if, repeat, try, timeout, …"""

    kind: str
    line: int
    handler: bool = False
    calls_app: bool = False
    timed: bool = False


def opened_by(statement: Statement) -> Block | None:
    """The block that a statement opens, if it opens one."""
    return _opened(statement.line, statement.words)


def _opened(line: int, words: list[str]) -> Block | None:
    first, second = words[0], words[1] if len(words) > 1 else ""
    if first == "tell":
        return _opened_by_tell(line, words)
    if first == "if":
        return None if "then" in words[:-1] else Block("if", line)
    if first in _PREFIXED and not (first == "try" and second):
        return Block(first, line)
    if first in ("on", "to") and second and second != "error":
        return Block(second, line, handler=True)
    if first == "with" and second in ("timeout", "transaction"):
        return Block(second, line)
    if first == "using" and words[1:3] == ["terms", "from"]:
        return Block("using terms from", line)
    if first == "script" and len(words) <= 2:
        return Block("script", line)
    return None


def _opened_by_tell(line: int, words: list[str]) -> Block | None:
    """`tell x` opens a block; `tell x to y` opens what y opens, which may be another tell."""
    depth, calls_app = depths(words), words[1:2] in (["application"], ["app"])
    for index in range(2, len(words) - 1):
        if words[index] == "to" and depth[index] == 0:
            block = _opened(line, words[index + 1 :])
            return replace(block, calls_app=block.calls_app or calls_app) if block else None
    return Block("tell", line, calls_app=calls_app)


def closes(block: Block, words: list[str]) -> bool:
    """Whether an `end …` statement closes `block`."""
    if block.handler:
        return words[1:2] in ([], [block.kind])
    name = " ".join(words[1:])
    return name in ("", block.kind) or (name == "error" and block.kind == "try")
