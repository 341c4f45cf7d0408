"""A prompt's layout as data: which texts stand where, and around what. Knows no tools, models or files of its own.

A profile is a list of pieces that make the system text, the line of the request, and a frame around both. Ours are in
`profiles.yaml`; one that was learnt from a published dataset lies beside its model (`lab/learnt.py`). Texts hold fields:

    everywhere    {now} or {now:%A %Y-%m-%d %H:%M}, {tools} (how many), {entries} (one more)
    each: rule    {rule}
    each: tool    {number} {name} {block}
    each: example {request} {plan} (with its join line), {steps} (without it) and {number} (that line's)
    user          {request}
    again: user   {request} {tried} {note} {next} (the number that the plan goes on with)
    again: done   {step} {result}; again: not_done {step} {why}; again: note {note}
    again: judge  none; again: verdict {request} {tried}
    frame         {system} {user}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from tinyagent_mlx.errors import ConfigError

MOMENT = "%A %Y-%m-%d %H:%M"
EACH = ("", "rule", "tool", "example")
WHEN = ("", "rules", "more")
AGAIN = ("user", "done", "not_done", "note", "judge", "verdict")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")  # in no locale's words
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_FIELD = re.compile(r"\{(\w+)(?::([^{}]*))?\}")


@dataclass(frozen=True)
class Piece:
    """A part of the system text. `each` writes it once for every rule, tool or example; `when` only if the toolbox has
    rules, or if there are more tools to ask for; `any` and `all` only with these tools at hand."""

    text: str
    each: str = ""
    when: str = ""
    any: tuple[str, ...] = ()
    all: tuple[str, ...] = ()


@dataclass(frozen=True)
class Profile:
    """A layout. `chat` puts the framed text into the tokenizer's chat template, where it has one; without it the text
    stands as it is. `examples` is how many are shown at most. With `all_tools` every tool is listed, whichever were
    retrieved, so that all of the list may be remembered from prompt to prompt; only retrieved ones can be called.

    `again` is for planning on after something was tried: the request's line, how a step that was done and one that was not
    are told, the user's note, and the question whether to plan on with what it is asked about.

    What a learnt layout has besides: `blocks` are tools in its own words, `order` the order that it lists them in, `shown`
    its own examples by request, word for word; `stop` is what the model writes after a plan.
    """

    name: str
    system: tuple[Piece, ...]
    user: str = "{request}"
    frame: str = "{system}{user}"
    chat: bool = False
    examples: int = 3
    stop: str = ""
    blocks: Mapping[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    shown: Mapping[str, str] = field(default_factory=dict)
    all_tools: bool = False
    again: Mapping[str, str] = field(default_factory=dict)

    @property
    def asks_for_more(self) -> bool:
        """Whether the model is told that there are tools to ask for."""
        return any(piece.when == "more" for piece in self.system)


def fill(text: str, **values: Any) -> str:
    """Put values into a text's fields; braces around anything else stay as they are."""

    def value(found: re.Match[str]) -> str:
        given = values.get(found[1])
        if given is None:
            return found[0]
        return moment(given, found[2] or MOMENT) if isinstance(given, datetime) else str(given)

    return _FIELD.sub(value, text)


def moment(now: datetime, layout: str = MOMENT) -> str:
    """A moment in `strftime`'s language, the same in every locale."""
    words = {"%A": _DAYS[now.weekday()], "%B": _MONTHS[now.month - 1]}
    words |= {code.lower(): word[:3] for code, word in words.items()}
    return now.strftime(re.sub(r"%[AaBb]", lambda code: words[code[0]], layout))


def to_data(profile: Profile) -> dict[str, Any]:
    """A profile as `from_data` reads it, without what is as it would be anyway."""
    plain = Profile("", ())
    data = {key: value for key, value in vars(profile).items() if value != getattr(plain, key)}
    data["system"] = [_lists({key: value for key, value in asdict(piece).items() if value}) for piece in profile.system]
    return _lists(data)


def _lists(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def from_data(data: Any, where: str, name: str = "") -> Profile:
    """Read a profile from what YAML or JSON gave. Raises `ConfigError` that names `where` and the key."""
    values = _values(Profile, {"name": name, **data} if isinstance(data, dict) else data, where)
    pieces = []
    for number, piece in enumerate(values.get("system", ()), 1):
        at = f"{where}: key 'system', piece {number}"
        read = _values(Piece, {"text": piece} if isinstance(piece, str) else piece, at)
        if "text" not in read:
            raise ConfigError(f"{at}: has no 'text'")
        for key, allowed in (("each", EACH), ("when", WHEN)):
            if read.get(key, "") not in allowed:
                raise ConfigError(f"{at}: key {key!r}: is {read[key]!r}, expected one of {', '.join(allowed[1:])}")
        pieces.append(Piece(**read))
    profile = Profile(**{**values, "system": tuple(pieces)})
    if unknown := [key for key in profile.again if key not in AGAIN]:
        raise ConfigError(f"{where}: key 'again': {unknown[0]!r} is not known; there are {', '.join(AGAIN)}")
    for key, needed in (("user", ("{request}",)), ("frame", ("{system}", "{user}"))):
        if missing := [word for word in needed if word not in getattr(profile, key)]:
            raise ConfigError(f"{where}: key {key!r}: has no {missing[0]}")
    return profile


_KINDS: dict[str, tuple[type, str]] = {
    "str": (str, "a text"),
    "bool": (bool, "true or false"),
    "int": (int, "a number from 0"),
    "tuple[str, ...]": (list, "a list of names"),
    "tuple[Piece, ...]": (list, "a list of pieces"),
    "Mapping[str, str]": (dict, "names with texts"),
}


def _values(kind: type, data: Any, where: str) -> dict[str, Any]:
    """The fields of a dataclass, each of its type."""
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: is {data!r:.60}, expected keys with values")
    known = {item.name: str(item.type) for item in fields(kind)}
    for key, value in data.items():
        if key not in known:
            raise ConfigError(f"{where}: key {key!r}: is not known; there are {', '.join(known)}")
        expected, words = _KINDS[known[key]]
        texts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        right = isinstance(value, expected)
        if expected is int:
            right = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if not right or (key != "system" and not all(isinstance(text, str) for text in texts)):
            raise ConfigError(f"{where}: key {key!r}: is {value!r:.60}, expected {words}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
