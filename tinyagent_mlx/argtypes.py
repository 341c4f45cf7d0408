"""The closed table of argument types. A type owns everything that depends on it: which literals and references a plan
may hold, its rule in the decoding grammar, its JSON schema, how words of a request become its value, and its form as
arguments of a script. A new type is a new row here and a row in this module's test; no other file changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinyagent_mlx import links, when
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.values import Mixed, Ref, Scalar, Value

_EMAIL = re.compile(r"[^\s@,;<>\"']+@[^\s@,;<>\"']+")
_PHONE = re.compile(r"\+?[0-9(][0-9 ().\-/]{1,30}[0-9]")


# A dollar sign might begin a reference: only types that mix text and references may hold one.
_ONE_LINE = r'([^"\\$\x00-\x1f]|\\["\\]){1,200}'
_PROSE = r'([^"\\\x00-\x1f]|\\["\\nt]){0,400}'
_DATE = r"[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])( ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])?"
_ADDRESS = r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(\.[A-Za-z0-9\-]{1,63}){0,8}"
_LINK = (
    r"(https?://[^\x00-\x20\"\\$]{1,300}"
    r"|[A-Za-z0-9\-]{1,63}(\.[A-Za-z0-9\-]{1,63}){1,8}(/[^\x00-\x20\"\\$]{0,300})?)"
)
_DIGITS = r"(0|-?[1-9][0-9]{0,8})"


def _anything(text: str) -> bool:
    return True


@dataclass(frozen=True)
class ArgType:
    """A scalar type.

    `python` is the Python type of its literals, `accepts` the return types that a whole-value reference may have ("*"
    for any), `mixes` whether references may stand inside longer text, `looks` tells whether a text is a possible value.

    For the decoding grammar: `pattern` is the regular expression of a literal as a plan writes it, without its quotes
    ("" where only references may stand). Where an argument takes only words of the request, up to `spans` spans of it
    make a value. A `canonical` pattern is a normal form that may stand for words of the request anywhere. `needed` says
    that a value is never left empty.
    """

    name: str
    python: type = str
    accepts: frozenset[str] = frozenset()
    mixes: bool = False
    pattern: str = _ONE_LINE
    spans: int = 1
    canonical: bool = False
    needed: bool = False
    looks: Callable[[str], bool] = _anything
    schema: tuple[tuple[str, Any], ...] = (("type", "string"),)

    @property
    def empty(self) -> Value:
        """What stands for "nothing said"."""
        nothing: dict[type, Value] = {str: "", int: 0, bool: False}
        return nothing[self.python]

    @property
    def is_list(self) -> bool:
        return False

    @property
    def item(self) -> ArgType:
        return self

    @property
    def is_open(self) -> bool:
        """Whether any words can be a value."""
        return self.python is str and self.looks is _anything

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of a literal of this type."""
        return dict(self.schema)

    def takes_reference_to(self, returns: str) -> bool:
        """Whether "$k" may stand for a value when step k returns `returns`."""
        return "*" in self.accepts or returns in self.accepts

    def check(self, value: Value) -> str | None:
        """Say what is wrong with a literal's form, or None. References are the caller's business."""
        if isinstance(value, tuple):
            return f"is a list where one {self.name} is expected"
        return self._check_scalar(value)

    def _check_scalar(self, value: Scalar) -> str | None:
        if isinstance(value, Ref):
            return None if self.accepts else f"is a reference, which {self.name} does not take"
        if isinstance(value, Mixed):
            return None if self.mixes else f"mixes text and references, which {self.name} does not take"
        if type(value) is not self.python:
            return f"is {value!r}, expected {self.name}"
        if isinstance(value, str) and value and not self.looks(value):
            return f"is {value!r}, which is no {self.name}"
        return None

    def from_words(self, words: str) -> Value:
        """Make a value of the words of a request. Raises `PlanError` when they cannot be one."""
        if self.python is str:
            return words
        raise PlanError(f"{words!r} is no {self.name}")

    def script_arguments(self, value: Any) -> list[str]:
        """The command-line arguments that carry a resolved value to a script."""
        return [str(value)]


class _Datetime(ArgType):
    def script_arguments(self, value: Any) -> list[str]:
        """The number of components (0 none, 3 a whole day, 6 a moment), then year, month, day, hour, minute, second."""
        moment = when.parse_iso(value) if value else None
        components = [str(part) for part in moment.components()] if moment else []
        return [str(len(components)), *components]


class _Link(ArgType):
    def from_words(self, words: str) -> Value:
        link = links.written(words)
        if not links.is_link(link):
            raise PlanError(f"{words!r} is no {self.name}")
        return link


class _Integer(ArgType):
    def from_words(self, words: str) -> Value:
        number = when.count(words)
        if number is None:
            raise PlanError(f"{words!r} is no {self.name}")
        return number


class _Boolean(ArgType):
    def script_arguments(self, value: Any) -> list[str]:
        return ["true" if value else "false"]


@dataclass(frozen=True)
class ListType(ArgType):
    """A list of scalars of type `of`; a script gets its length, then its items."""

    of: ArgType = ArgType("text")

    @property
    def empty(self) -> Value:
        return ()

    @property
    def is_list(self) -> bool:
        return True

    @property
    def item(self) -> ArgType:
        return self.of

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.of.json_schema()}

    def check(self, value: Value) -> str | None:
        if not isinstance(value, tuple):
            return f"is {value!r}, expected a list of {self.of.name}"
        return next((problem for item in value if (problem := self.of.check(item))), None)

    def script_arguments(self, value: Any) -> list[str]:
        return [str(len(value)), *(argument for item in value for argument in self.of.script_arguments(item))]


_SCALARS = (
    ArgType("text", accepts=frozenset("*"), mixes=True, pattern=_PROSE),
    ArgType("person", needed=True),
    ArgType("email", accepts=frozenset({"email"}), looks=lambda text: bool(_EMAIL.fullmatch(text)),
            pattern=_ADDRESS, schema=(("type", "string"), ("format", "email"))),
    ArgType("phone", accepts=frozenset({"phone"}), looks=lambda text: bool(_PHONE.fullmatch(text)),
            pattern=r"\+?[0-9(][0-9 ().\-]{1,20}[0-9]"),
    _Datetime("datetime", pattern=_DATE, spans=2, canonical=True),
    ArgType("file_path", accepts=frozenset({"file_path"}), pattern="", needed=True),
    _Link("url", accepts=frozenset({"url"}), looks=links.is_link, pattern=_LINK,
          schema=(("type", "string"), ("format", "uri"))),
    _Integer("integer", python=int, pattern=_DIGITS, schema=(("type", "integer"),)),
    _Boolean("boolean", python=bool, pattern=r"(True|False)", schema=(("type", "boolean"),)),
    ArgType("choice"),
)  # fmt: skip

TYPES: dict[str, ArgType] = {kind.name: kind for kind in _SCALARS}
TYPES |= {f"list[{kind.name}]": ListType(f"list[{kind.name}]", python=tuple, of=kind) for kind in _SCALARS}

REQUIRED = ("url", "email", "phone")  # an argument of these types must be filled where tools.yaml gives no default
RETURNS = ("status", "text", "email", "phone", "file_path", "url")
