"""Lengths of time in plain words ("2 and a half hours", "1h 30m", "a week"). Knows nothing of clocks and calendars.

Months, days and seconds are kept apart because only seconds are always equally long: a day may have 23 hours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from functools import cache

_UNITS = (  # pattern, the part of a Length, how many of it
    (r"seconds?|secs?", "seconds", 1),
    (r"minutes?|mins?|m", "seconds", 60),
    (r"hours?|hrs?|h", "seconds", 3600),
    (r"days?", "days", 1),
    (r"weeks?|wks?", "days", 7),
    (r"fortnights?", "days", 14),
    (r"months?", "months", 1),
    (r"years?|yrs?", "months", 12),
)
_UNIT = "|".join(pattern for pattern, _, _ in _UNITS)
_HALVES = " and a half| and a quarter| and 3 quarters"
_AMOUNT = (
    r"[0-9]{1,6}(?:\.[0-9]{1,3})?|half (?:of )?an?|half|3 quarters of an?|3 quarters?"
    r"|(?:a )?quarter of an?|(?:a )?quarter|(?:a )?couple(?: of)?|an?"
)
_ITEM = (
    rf"(?:(?:^| | and )(?P<amount>{_AMOUNT})(?P<more>{_HALVES})? ?|^)(?P<unit>{_UNIT})(?P<after>{_HALVES})?(?![a-z])"
    r"|(?: and)? ?(?P<minutes>[0-5]?[0-9])(?: ?(?:minutes?|mins?|m))?$"
)
_EDGES = r"^(?:(?:for|lasting|about|around|approximately|roughly|another) )+|(?: (?:long|later|afterwards))+$"


@dataclass(frozen=True)
class Length:
    """A length of time; the parts add up, each may be negative."""

    months: int = 0
    days: int = 0
    seconds: int = 0

    def backwards(self) -> Length:
        return Length(-self.months, -self.days, -self.seconds)

    def as_timedelta(self) -> timedelta | None:
        """None when months are in it, which have no fixed length. Raises `OverflowError` past a million years."""
        return None if self.months else timedelta(days=self.days, seconds=self.seconds)


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(_EDGES), re.compile(_ITEM)


def parse(text: str) -> Length | None:
    """Read plain words as a length, all of them or not at all."""
    edges, item = _patterns()
    text = edges.sub("", text)
    total = {"months": Fraction(0), "days": Fraction(0), "seconds": Fraction(0)}
    at, part, scale = 0, "", 0
    while at < len(text):
        match = item.match(text, at)
        if match is None:
            return None
        if match["minutes"]:  # a number that follows hours: "1h30", "2 hours 15"
            if (part, scale) != ("seconds", 3600):
                return None
            part, scale, amount = "seconds", 60, Fraction(match["minutes"])
        else:
            part, scale = next((part, scale) for pattern, part, scale in _UNITS if re.fullmatch(pattern, match["unit"]))
            amount = _fraction(match["amount"]) + _rest(match["more"]) + _rest(match["after"])
        total[part] += scale * amount
        at = match.end()
    return _length(total) if part else None


def _fraction(amount: str | None) -> Fraction:
    if not amount or amount in ("a", "an"):
        return Fraction(1)
    if "quarter" in amount:
        return Fraction(3 if amount[0] == "3" else 1, 4)
    if "half" in amount:
        return Fraction(1, 2)
    return Fraction(2) if "couple" in amount else Fraction(amount)


def _rest(words: str | None) -> Fraction:
    if not words:
        return Fraction(0)
    return Fraction(1, 2) if "half" in words else Fraction(3 if "3" in words else 1, 4)


def _length(total: dict[str, Fraction]) -> Length | None:
    if total["months"].denominator != 1:
        return None
    days = int(total["days"])
    return Length(int(total["months"]), days, int(total["seconds"] + 86400 * (total["days"] - days)))
