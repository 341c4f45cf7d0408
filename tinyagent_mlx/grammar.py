"""The decoding grammar of one plan line, as Lark text for llguidance: a pure function of tools, request and steps so far.

A line is one of

    3. get_email_address("Sid")         a call: right arity, each argument in its type's language
    3. more tools                       the tools at hand do not do: the planner goes on with all of them
    3. join()<END_OF_PLAN>              the end; as line 1 it refuses the request

A grammar is made anew for each line, because the line's number, and which steps "$k" may name, are known by then. An
argument that takes words of the request takes spans of whole words, white space made one blank. A tool with an argument
that nothing can fill yet (a file path before any file was found) is left out. Every line of the grammar parses, and
its step checks. This module knows nothing of tokens and models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count

from tinyagent_mlx.argtypes import ArgType
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.plan import END, JOIN, quote
from tinyagent_mlx.toolbox import Argument, Tool, Toolbox
from tinyagent_mlx.values import Value, print_text
from tinyagent_mlx.words import MAX_WORDS, split_words

MORE = "more tools"  # no tool can be called so: names hold no blanks
MAX_SPAN = 12  # words, counted between blanks
MAX_ITEMS = 16  # of a list
MAX_VALUES = 200  # numbers, addresses found in one request
_NUMBER_SPAN = 4  # words that say one number: "an hour and half"


def line_grammar(tools: Toolbox, request: str, returns: Sequence[str], more: bool = False) -> str:
    """Write the grammar of line `len(returns) + 1`; `returns` holds the return types of the steps before it, "" for a step
    that gave nothing and that no line may name.

    `more` allows the line that asks for all tools.
    """
    number = len(returns) + 1
    writer = _Writer(request, tuple(returns))
    calls = [call for tool in tools if (call := writer.call(tool))]
    ends = [_string(f"{MORE}\n")] if more else []
    ends.append(_string(f"{JOIN}(){END}"))
    choices = "\n    | ".join([*calls, *ends])
    lines = [f"start: {_string(f'{number}. ')} line", f"line: {choices}"]
    return "\n".join([*lines, *writer.rules, *writer.terminals()]) + "\n"


class _Writer:
    """Collects the rules and terminals that the calls of one line need, each once."""

    def __init__(self, request: str, returns: tuple[str, ...]):
        self.request, self.returns = request, returns
        self.step = len(returns) + 1
        self.rules: list[str] = []
        self._names: dict[str, str] = {}  # body of a terminal -> its name

    def call(self, tool: Tool) -> str | None:
        """The name of a tool's rule, or None when an argument can't be filled."""
        arguments = [self._argument(argument) for argument in tool.arguments]
        if None in arguments:
            return None
        parts = [_string(f"{tool.name}("), *_separated(arguments), r'")\n"']
        self.rules.append(f"call_{tool.name}: {' '.join(parts)}")
        return f"call_{tool.name}"

    def _argument(self, argument: Argument) -> str | None:
        item = self._scalar(argument)
        if not argument.type.is_list:
            return item
        return self._list(item) if item else '"[]"'

    def _list(self, item: str) -> str:
        name = f"list_of_{item.lower()}"
        rule = f'{name}: "[" ({item} (", " {item}){{0,{MAX_ITEMS - 1}}})? "]"'
        if rule not in self.rules:
            self.rules.append(rule)
        return name

    def _scalar(self, argument: Argument) -> str | None:
        """The terminal of a value, or of a list's item; None when nothing can stand."""
        kind, alone = argument.type.item, not argument.type.is_list
        words = argument.extractive and not argument.choices and kind.python is not bool
        alternatives = [*self._literals(argument, words)]
        if words or not kind.mixes:
            alternatives.extend(self._references(kind))
        constants = words or argument.choices or kind.python is str  # elsewhere the pattern holds the default
        if alone and constants and not (kind.needed and argument.default == kind.empty):
            alternatives.append(self._constant(argument.default))
        body = " | ".join(dict.fromkeys(alternatives))
        if kind.python is str and body:
            body = f'"\\"" ({body}) "\\""'
        return self._terminal(f"{kind.name}_of_request" if words else kind.name, body) if body else None

    def _literals(self, argument: Argument, words: bool) -> Iterator[str]:
        kind = argument.type.item
        if argument.choices:
            yield from map(self._constant, argument.choices)
            return
        if kind.pattern and (words or kind.canonical):
            yield from self._words(kind)
        if kind.pattern and (not words or kind.canonical):
            yield _regex(kind.pattern)

    def _words(self, kind: ArgType) -> Iterator[str]:
        """What words of the request spell: spans of it, or the values found in it where not any words will do."""
        if not kind.is_open:
            yield from map(self._constant, _values(self.request, kind))
        elif self.request.split():
            yield "SPAN" if kind.spans == 1 else f'SPAN (" " SPAN){{0,{kind.spans - 1}}}'

    def _references(self, kind: ArgType) -> Iterator[str]:
        for k, returned in enumerate(self.returns, 1):
            if returned and kind.takes_reference_to(returned):
                yield _string(f"${k}")

    def _constant(self, value: Value) -> str:
        return _string(_escaped(value, self.step) if isinstance(value, str) else repr(value))

    def _terminal(self, hint: str, body: str) -> str:
        """A name for a terminal: the hint, numbered where it stands for several bodies."""
        if body not in self._names:
            taken, hint = set(self._names.values()), hint.upper()
            names = (hint if number == 1 else f"{hint}_{number}" for number in count(1))
            self._names[body] = next(name for name in names if name not in taken)
        return self._names[body]

    def terminals(self) -> Iterator[str]:
        for body, name in self._names.items():
            yield f"{name}: {body}"
        if any("SPAN" in body for body in self._names):
            words = f"/[^ ,;:!?)][^ ]*( [^ ]+){{0,{MAX_SPAN - 1}}}/"
            chunks = json.dumps({"substring_chunks": _chunks(self.request, self.step)}, ensure_ascii=False)
            yield f"SPAN: REQUEST & {words} & /.*[^ ,;:(]/"
            yield f"REQUEST: %regex {chunks}"


def _separated(parts: Sequence[str | None]) -> Iterator[str]:
    for index, part in enumerate(parts):
        if index:
            yield '", "'
        yield str(part)


def _string(text: str) -> str:
    """A Lark string."""
    return json.dumps(text, ensure_ascii=False)


def _regex(pattern: str) -> str:
    """A Lark regular expression."""
    return "/" + pattern.replace("/", r"\/") + "/"


def _escaped(text: str, step: int) -> str:
    """A text as a plan line holds it between its quotes."""
    return quote(print_text(text, step))[1:-1]


_RUN = re.compile(r"([^\w$\\{}]*)(.*?)([^\w$\\{}]*)", re.DOTALL)


def _chunks(request: str, step: int) -> list[str]:
    """The request as the pieces that a span is made of, escaped: words and the blanks between them.

    What stands around a dollar sign stays whole: how "$1" is escaped depends on its neighbours.
    """
    chunks: list[str] = []
    for run in request.split():
        chunks.append(" ")
        match = _RUN.fullmatch(run)
        pieces = match.groups() if match and "$" in run else (run,)
        for piece in pieces:
            words = [piece] if "$" in piece else [word.text for word in split_words(piece)]
            chunks.extend(_escaped(word, step) for word in words if word)
        if len(chunks) > 2 * MAX_WORDS:
            break
    return chunks[1:]


def forget() -> None:
    """Drop what was worked out from requests, so that a measurement meets each one for the first time."""
    _values.cache_clear()


@lru_cache(64)
def _values(request: str, kind: ArgType) -> tuple[Value, ...]:
    """The values of a type that whole words of the request spell, in order."""
    words = split_words(request)
    found: dict[Value, None] = {}
    for start in range(len(words)):
        text = ""
        for end in range(start, min(start + (MAX_SPAN if kind.python is str else _NUMBER_SPAN), len(words))):
            gap = end > start and words[end].start > words[end - 1].end
            text += " " * gap + words[end].text
            value = _value(text, kind, whole=start == end)
            if value is not None and len(found) < MAX_VALUES:
                found[value] = None
    return tuple(found)


def _value(text: str, kind: ArgType, whole: bool) -> Value | None:
    """The value that a text spells, or None. Several words must fit the type's pattern, not only look right."""
    try:
        value = kind.from_words(text)
    except PlanError:
        return None
    if value == kind.empty or kind.check(value):
        return None
    fits = whole or kind.python is not str or re.fullmatch(kind.pattern, text)
    return value if fits else None
