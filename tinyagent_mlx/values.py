"""What an argument of a plan may hold: literals, and text with references to earlier steps.

A reference is written "$k" or "${k}", where k is the number of an earlier step; it may stand alone or inside a longer
text. Any other dollar sign is money and stays text. Text that must hold a literal "$k" although step k exists writes it
"\\$k". This module knows nothing of tools, types or plans.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_REFERENCE = re.compile(r"(\\*)\$(?:([0-9]{1,9})(?![0-9])|\{([0-9]{1,9})\})")


@dataclass(frozen=True)
class Ref:
    """The result of step number `step`."""

    step: int


@dataclass(frozen=True)
class Mixed:
    """Text with references inside: `parts` alternate freely, at least one is a `Ref`, and there are at least two."""

    parts: tuple[str | Ref, ...]


Scalar = str | int | bool | Ref | Mixed
Value = Scalar | tuple[Scalar, ...]


def join(parts: list[str | Ref]) -> str | Ref | Mixed:
    """Make the simplest value that `parts` spell; neighbouring texts are merged, empty ones dropped."""
    merged: list[str | Ref] = []
    for part in parts:
        if part == "":
            continue
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    if not merged:
        return ""
    return merged[0] if len(merged) == 1 else Mixed(tuple(merged))


def parse_text(text: str, step: int) -> str | Ref | Mixed:
    """Read the references in a text argument of step number `step`: only earlier steps can be meant."""
    parts: list[str | Ref] = []
    end = 0
    for match in _REFERENCE.finditer(text):
        number = int(match[2] or match[3])
        if not 0 < number < step:
            continue
        slashes = len(match[1])
        parts.append(text[end : match.start()] + "\\" * (slashes // 2))
        parts.append(match[0][slashes:] if slashes % 2 else Ref(number))
        end = match.end()
    return join([*parts, text[end:]])


def print_text(value: str | Ref | Mixed, step: int) -> str:
    """Write a text value so that `parse_text` at the same step reads it back unchanged."""
    if isinstance(value, Ref):
        return f"${value.step}"
    if isinstance(value, str):
        return _escape(value, step)
    out = ""
    for index, part in enumerate(value.parts):
        if isinstance(part, str):
            follower = value.parts[index + 1] if index + 1 < len(value.parts) else None
            text = _escape(part, step)
            if isinstance(follower, Ref):  # trailing backslashes would escape the reference that follows
                bare = text.rstrip("\\")
                text = bare + "\\" * (2 * (len(text) - len(bare)))
            out += text
        else:
            following = value.parts[index + 1] if index + 1 < len(value.parts) else ""
            digit_follows = isinstance(following, str) and following[:1].isdigit()
            out += f"${{{part.step}}}" if digit_follows else f"${part.step}"
    return out


def _escape(text: str, step: int) -> str:
    def escaped(match: re.Match[str]) -> str:
        if not 0 < int(match[2] or match[3]) < step:
            return match[0]
        return "\\" * (2 * len(match[1]) + 1) + match[0][len(match[1]) :]

    return _REFERENCE.sub(escaped, text)


def scalars(value: Value) -> Iterator[Scalar]:
    """Yield a list's items, or the value itself."""
    if isinstance(value, tuple):
        yield from value
    else:
        yield value


def references(value: Value) -> Iterator[int]:
    """Yield the step numbers that a value refers to, in order, repeats included."""
    for scalar in scalars(value):
        if isinstance(scalar, Ref):
            yield scalar.step
        elif isinstance(scalar, Mixed):
            yield from (part.step for part in scalar.parts if isinstance(part, Ref))


def map_references(value: Value, replace: Callable[[int], str | Ref]) -> Value:
    """Replace each reference by `replace(step)`, once: what comes in is never read for references again."""
    if isinstance(value, tuple):
        return tuple(_map_scalar(item, replace) for item in value)
    return _map_scalar(value, replace)


def _map_scalar(value: Scalar, replace: Callable[[int], str | Ref]) -> Scalar:
    if isinstance(value, Ref):
        return replace(value.step)
    if isinstance(value, Mixed):
        return join([replace(part.step) if isinstance(part, Ref) else part for part in value.parts])
    return value
