"""AppleScript as statements of tokens, and its blocks. The linter reads scripts through this.

It knows comments, strings, continued lines and which words open and close a block. It knows no application's dictionary
and no grammar of expressions: whether a script compiles is for `osacompile` to say, on a Mac.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*")            # a string; it may hold line ends
      | (?P<comment>(?:--|\#)[^\n]*)
      | (?P<continued>¬[ \t]*(?:--[^\n]*)?\n)
      | (?P<end>\n)
      | (?P<name>\|[^|\n]+\|)                  # an identifier in bars
      | (?P<word>[^\W\d]\w*)
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<space>[ \t\r\f]+)
      | (?P<mark>==|!=|&&|\|\||\+=|-=|<=|>=|//|.)""",
    re.VERBOSE | re.DOTALL,
)

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_OPENING, _CLOSING = "({", ")}"
_PREFIXED = ("considering", "ignoring", "try", "repeat")


class Unreadable(Exception):
    """The text has no statements: something opened on `line` (from 1) is never closed."""

    def __init__(self, line: int, what: str):
        super().__init__(what)
        self.line = line


@dataclass(frozen=True)
class Token:
    """`kind` is text, word, name, number or mark; `value` is lower-cased for words, the contents for texts."""

    kind: str
    value: str
    line: int

    @property
    def source(self) -> str:
        return f'"{self.value}"' if self.kind == "text" else self.value


@dataclass(frozen=True)
class Statement:
    """One logical line, at least one token."""

    tokens: tuple[Token, ...]

    @property
    def line(self) -> int:
        return self.tokens[0].line

    @property
    def words(self) -> list[str]:
        """The tokens' values, with an empty text for every string, so that no string is taken for a word."""
        return ["" if token.kind == "text" else token.value for token in self.tokens]


def read(source: str) -> list[Statement]:
    """Split a script into statements. Raises `Unreadable` when a string or comment is never closed."""
    statements: list[Statement] = []
    tokens: list[Token] = []
    for token in _tokens(source.replace("\r\n", "\n").replace("\r", "\n") + "\n"):
        if token is not None:
            tokens.append(token)
        elif tokens:
            statements.append(Statement(tuple(tokens)))
            tokens = []
    return statements


def _tokens(source: str) -> Iterator[Token | None]:
    """Yield tokens, and None where a statement ends."""
    position, line = 0, 1
    while position < len(source):
        if source.startswith("(*", position):
            end = _comment_end(source, position, line)
            line += source.count("\n", position, end)
            position = end
            continue
        match = _TOKEN.match(source, position)
        assert match is not None  # the last alternative takes any character
        kind, value = match.lastgroup or "mark", match[0]
        if kind == "mark" and value == '"':
            raise Unreadable(line, "a string is not closed")
        if kind == "end":
            yield None
        elif kind == "text":
            yield Token(kind, re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), value[1:-1], flags=re.DOTALL), line)
        elif kind in ("word", "name", "number", "mark"):
            yield Token(kind, value.lower() if kind == "word" else value, line)
        line += value.count("\n")
        position = match.end()


def _comment_end(source: str, start: int, line: int) -> int:
    """Where the comment `(* … *)` at `start` ends; such comments nest."""
    depth = 0
    for match in re.finditer(r"\(\*|\*\)", source[start:]):
        depth += 1 if match[0] == "(*" else -1
        if depth == 0:
            return start + match.end()
    raise Unreadable(line, "a comment (* is not closed")


def depths(tokens: tuple[Token, ...]) -> list[int]:
    """How many brackets are open before each token, and, one entry more, after the last; negative: too many closed."""
    depth, out = 0, [0]
    for token in tokens:
        if token.kind == "mark":
            depth += (token.value in _OPENING) - (token.value in _CLOSING)
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
    return _opened(statement.tokens, statement.words)


def _opened(tokens: tuple[Token, ...], words: list[str]) -> Block | None:
    line, first, second = tokens[0].line, words[0], words[1] if len(words) > 1 else ""
    if first == "tell":
        return _opened_by_tell(tokens, words)
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


def _opened_by_tell(tokens: tuple[Token, ...], words: list[str]) -> Block | None:
    """`tell x` opens a block; `tell x to y` opens what y opens, which may be another tell."""
    depth, calls_app = depths(tokens), words[1:2] in (["application"], ["app"])
    for index in range(2, len(words) - 1):
        if words[index] == "to" and depth[index] == 0:
            block = _opened(tokens[index + 1 :], words[index + 1 :])
            return replace(block, calls_app=block.calls_app or calls_app) if block else None
    return Block("tell", tokens[0].line, calls_app=calls_app)


def closes(block: Block, words: list[str]) -> bool:
    """Whether an `end …` statement closes `block`."""
    if block.handler:
        return words[1:2] in ([], [block.kind])
    name = " ".join(words[1:])
    return name in ("", block.kind) or (name == "error" and block.kind == "try")
