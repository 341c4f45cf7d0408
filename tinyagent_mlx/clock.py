"""Times of day in plain words ("half past 4", "18:30", "7 pm", "noon") and what hour they may mean.

Conventions, where English leaves it open: an hour from 1 to 6 without am or pm is in the afternoon, from 7 to 11 in the
morning, 12 is noon; "half 4" is 4:30; a part of the day ("evening") decides the half where am or pm is not said;
"night" goes on until 5, so that "friday night at 1" is on Saturday. This module knows nothing of days.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

PARTS = {"morning": 9, "afternoon": 15, "evening": 19, "night": 20}  # the hour that a part of the day alone means

_HALF = r"(?: ?(?P<half>am|pm)| (?:in the|at) (?P<part>morning|afternoon|evening|night))?"
_OCLOCK = r"(?: ?oclock)?"
_SECONDS = r"(?:[:.](?P<second>[0-9]{2}))?(?: (?:h|hrs|hours|oclock))?"
_COUNT = r"(?P<count>half|(?:a )?quarter|[0-9]{1,2}(?P<minutes> ?(?:minutes?|mins?))?)"
_NOON = r"noon|midday|mid day|midnight"


@dataclass(frozen=True)
class Clock:
    """A time of day as it was said; `half` is "am", "pm", a part of the day, "24", "midnight" or "" when open."""

    hour: int
    minute: int = 0
    second: int = 0
    half: str = ""

    def hours(self, part: str) -> tuple[tuple[int, int], ...]:
        """Each (days later, hour) that may be meant on a day, the likeliest first; `part` is the part of the day."""
        night = part == "night" and self.half in ("am", "24", "midnight") and self.hour % 12 < 5
        match self.half or part:
            case "midnight":
                return ((1, 0),) if night else ((0, 0), (1, 0))
            case "24":
                return ((1, self.hour),) if night and self.hour < 5 else (divmod(self.hour, 24),)
            case "am" | "morning":
                return ((int(night), self.hour % 12),)
            case "pm" | "afternoon":
                return ((0, 12 + self.hour % 12),)
            case "evening":
                return ((1, 0),) if self.hour == 12 else ((0, 12 + self.hour),)
            case "night":
                return ((1, self.hour % 12),) if self.hour % 12 < 5 else ((0, 12 + self.hour),)
        early, late = self.hour, self.hour + 12
        if self.hour == 12:
            return ((0, 12), (1, 0))
        return ((0, late), (0, early)) if self.hour <= 6 else ((0, early), (0, late))


def part_clock(part: str) -> Clock:
    """What a part of the day means where no time is said."""
    return Clock(PARTS[part], half="24")


def _clock(match: re.Match[str], hour: int, minute: int = 0, second: int = 0, written: bool = False) -> Clock | None:
    """A clock from its numbers; `written` says that the digits show the 24-hour form ("06:30"). None out of range."""
    half = match["half"] or match["part"] or ""
    if not (0 <= hour <= 24 and minute < 60 and second < 60) or (hour == 24 and (minute or second)):
        return None
    if hour > 12 or hour == 0 or (written and not half):
        if (half in ("am", "morning") and hour > 12) or (half == "pm" and hour == 0):
            return None
        half = "24"
    return Clock(hour, minute, second, half)


def _digits(match: re.Match[str]) -> Clock | None:
    hour = match["hour"]
    return _clock(match, int(hour), int(match["minute"]), int(match["second"] or 0), written=hour[0] == "0")


def _spaced(match: re.Match[str]) -> Clock | None:
    return _clock(match, int(match["hour"]), int(match["minute"]))


def _military(match: re.Match[str]) -> Clock | None:
    return _clock(match, int(match["hour"]), int(match["minute"]), written=not match["half"])


def _relative(match: re.Match[str]) -> Clock | None:
    """ "10 past 6", "quarter to 5", "half past noon"."""
    count, digits = match["count"], re.match("[0-9]+", match["count"])
    minutes = int(digits[0]) if digits else 30 if count == "half" else 15
    if digits and not match["minutes"] and minutes % 5:
        return None  # "3 to 4" is no 3:57
    named = {"noon": 12, "midday": 12, "mid day": 12, "midnight": 24}
    hour = named.get(match["hour"]) or int(match["hour"])
    later = match["side"] in ("past", "after")
    if not 0 < minutes < 60 or hour > 24 or (count == "half" and not later):
        return None
    total = hour * 60 + (minutes if later else -minutes)
    if match["hour"] in named:
        return Clock(total // 60 % 24, total % 60, half="midnight" if total >= 1440 else "24")
    return _clock(match, total // 60 or 12, total % 60)


def _named(match: re.Match[str]) -> Clock | None:
    return Clock(0, half="midnight") if "midnight" in match[0] else Clock(12, half="24")


def _bare(match: re.Match[str]) -> Clock | None:
    hour = int(match["hour"])
    sure = match["half"] or match["part"] or match["oclock"] or match["at"] is not None
    return _clock(match, hour) if sure or 1 <= hour <= 12 else None


def _continental(match: re.Match[str]) -> Clock | None:
    return Clock(int(match["hour"] or match["early"]), half="24")


def _half_hour(match: re.Match[str]) -> Clock | None:
    return _clock(match, int(match["hour"]), 30) if 1 <= int(match["hour"]) <= 12 else None


Reader = Callable[[re.Match[str]], Clock | None]

# The reader of a full match gives None where the numbers are no time.
CLOCKS: tuple[tuple[str, Reader], ...] = (
    (rf"(?P<hour>[0-9]{{1,2}})[:.h](?P<minute>[0-9]{{2}}){_SECONDS}{_HALF}", _digits),
    (rf"{_COUNT} (?P<side>past|after|to|before|till?|of) (?P<hour>[0-9]{{1,2}}|{_NOON}){_OCLOCK}{_HALF}", _relative),
    (rf"half (?P<hour>[0-9]{{1,2}}){_HALF}", _half_hour),
    (rf"(?P<hour>[0-9]{{1,2}}) (?P<minute>[0-9]{{2}}){_HALF}", _spaced),
    (r"(?P<hour>[0-9]{1,2})(?P<minute>[0-9]{2}) ?(?P<half>am|pm)(?P<part>)", _military),
    (r"(?P<hour>[0-9]{2})(?P<minute>[0-9]{2}) ?(?:h|hrs|hours)(?P<half>)(?P<part>)", _military),
    (r"(?<=\bat )(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<half>)(?P<part>)", _military),
    # after a day only: "wed 445", "friday 1430"
    (r"(?<=[a-z] )(?P<hour>[1-9]|1[0-2])(?P<minute>[0-5][05])(?P<half>)(?P<part>)", _spaced),
    (r"(?<=[a-z] )(?P<hour>[01][0-9]|2[0-3])(?P<minute>[0-5][05])(?P<half>)(?P<part>)", _military),
    (rf"(?:12(?::00)? )?(?:{_NOON})|lunch ?time|lunch", _named),
    (r"(?P<hour>1[3-9]|2[0-3])h|(?<=\bat )(?P<early>[0-9]|0[0-9]|1[0-2])h", _continental),
    # "for 3" may be people, "the 3" is a day
    (rf"(?P<at>(?<=\bat ))?(?<!for )(?<!the )(?P<hour>[0-9]{{1,2}})(?P<oclock> ?oclock)?{_HALF}", _bare),
)
