"""When a request means: words about time become moments, counts and lengths, all against one fixed *now*.

What words mean is decided by the rules of `clock.py`, `days.py` and `lengths.py`, which take all of the words or none.
dateparser is asked only for a few written forms that it reads whole. Naive moments go in and come out; where *now*
has a time zone, lengths below a day are real time and everything else is wall time in that zone. An hour without am or
pm that ends something is the first such hour after its start. This module knows nothing of models and desktops.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from tinyagent_mlx.clock import CLOCKS, PARTS, Clock, part_clock
from tinyagent_mlx.days import ANY_DAY, DAYS, MONTH, MONTHS, TODAY, WEEKDAY, Day, Weekday, on_weekday, shifted
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.lengths import Length, parse
from tinyagent_mlx.numerals import plain

if TYPE_CHECKING:
    from tinyagent_mlx.plan import Plan, Step
    from tinyagent_mlx.toolbox import Toolbox
    from tinyagent_mlx.values import Value


@dataclass(frozen=True)
class Moment:
    """A moment, or a whole day: then `at` is its first moment."""

    at: datetime
    all_day: bool = False

    def iso(self) -> str:
        """ "YYYY-MM-DD HH:MM:SS" in wall time, or "YYYY-MM-DD" for a whole day."""
        text = self.at.replace(microsecond=0, tzinfo=None).isoformat(" ")
        return text[:10] if self.all_day else text

    def components(self) -> tuple[int, ...]:
        """Year, month and day, and unless it is a whole day hour, minute and second."""
        at = self.at
        day = (at.year, at.month, at.day)
        return day if self.all_day else (*day, at.hour, at.minute, at.second)


_ISO = r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T]([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?)?"


def parse_iso(text: str) -> Moment | None:
    """Read what `Moment.iso` writes, also with a T in the middle and without seconds."""
    match = re.fullmatch(_ISO, text.strip())
    if match is None:
        return None
    try:
        return Moment(datetime(*(int(part) for part in match.groups(default="0"))), match[4] is None)  # type: ignore[arg-type]
    except ValueError:
        return None


_COUNT = r"[+-]?[0-9]{1,9}|[0-9]{1,3}(?:,[0-9]{3}){1,2}"
_COUNT_START = (
    r"[0-9½¼¾]|(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    r"|(?:twen|thir|for|four|fif|six|seven|eigh|nine)ty|a|an|half|quarter|couple|for|about|around|lasting|another)\b"
)


@lru_cache(maxsize=4096)
def count(words: str) -> int | None:
    """Read an integer in digits or words, or a length of time in whole minutes; None for anything else."""
    text = words.strip()
    if re.fullmatch(_COUNT, text):
        return int(text.replace(",", ""))
    # Marks at the edges are refused: training looks for the span of a request that says a number, and no more.
    if not re.match(_COUNT_START, text, re.IGNORECASE) or not re.search(r"[\w½¼¾]$", text):
        return None
    simple = plain(text)
    if re.fullmatch("[0-9]{1,9}", simple):
        return int(simple)
    length = duration(words)
    seconds = length.total_seconds() if length is not None else 1
    return None if seconds % 60 else int(seconds // 60)


def duration(words: str) -> timedelta | None:
    """Read a length of time ("an hour and a half"); None for other words and for months, which have no fixed length."""
    length = parse(plain(words))
    try:
        return length.as_timedelta() if length else None
    except OverflowError:
        return None


def resolve(words: str, now: datetime, start: Moment | None = None) -> Moment:
    """Say which moment the words of a request mean. With `start` they say when that ends, as a time or as a length.

    Raises `PlanError` when they do not say it or may say two things, and for an end that is not after its start.
    """
    now = now.replace(microsecond=0)
    try:
        moment = _moment(words, now, _in_zone(start, now.tzinfo))
    except (ValueError, OverflowError) as error:
        raise PlanError(f"{words[:80]!r} is out of the calendar") from error
    if moment is None:
        raise PlanError(f"{words[:80]!r} says no clear time")
    return moment


def resolve_plan(plan: Plan, toolbox: Toolbox, now: datetime) -> Plan:
    """Replace the words of datetime arguments by ISO text.

    Of one step the first is the start and later ones end it. What is unclear stays, and so does an unclear start's end.
    """
    return replace(plan, steps=tuple(_resolve_step(step, toolbox, now) for step in plan.steps))


def _resolve_step(step: Step, toolbox: Toolbox, now: datetime) -> Step:
    if step.tool not in toolbox:
        return step
    values: list[Value] = list(step.arguments)
    start: Moment | None = None
    for index, (argument, value) in enumerate(zip(toolbox[step.tool].arguments, values, strict=False)):
        if argument.type.name != "datetime" or not isinstance(value, str) or not value.strip():
            continue
        try:
            moment = resolve(value, now, start)
        except PlanError:
            if start is None:
                break
            continue
        values[index] = moment.iso()
        start = start or moment
    return replace(step, arguments=tuple(values))


def _wall(at: datetime, zone: tzinfo | None) -> datetime:
    """Wall time in a zone; a time that the clock skips in spring comes out as the one that it shows instead."""
    return at.replace(tzinfo=zone).astimezone(UTC).astimezone(zone) if zone else at.replace(tzinfo=None)


def _in_zone(moment: Moment | None, zone: tzinfo | None) -> Moment | None:
    if moment is None or moment.at.tzinfo is zone:
        return moment
    return replace(moment, at=_wall(moment.at, zone))


def _after(one: datetime, other: datetime) -> bool:
    """Whether a moment is later in real time: datetimes of one zone compare by the wall, which autumn shows twice."""
    if one.tzinfo is None or other.tzinfo is None:
        return one > other
    return one.astimezone(UTC) > other.astimezone(UTC)


def _later(at: datetime, length: Length) -> datetime:
    """A moment some time later: months and days by the wall, seconds in real time."""
    if length.months or length.days:
        at = _wall(datetime.combine(shifted(at.date(), length), at.time()), at.tzinfo)
    seconds = timedelta(seconds=length.seconds)
    return (at.astimezone(UTC) + seconds).astimezone(at.tzinfo) if at.tzinfo else at + seconds


def _moment(words: str, now: datetime, start: Moment | None) -> Moment | None:
    if iso := parse_iso(words):
        return _in_zone(iso, now.tzinfo)
    text = plain(_with_months(words))
    text = re.sub(r" (?:sharp|exactly|on the dot)$", "", text)
    if start:
        text = re.sub(r"^(?:until|till?|to|through|and|ending|ends|finishing) (?:(?:at|on) )?", "", text)
        if length := _length(text):
            return _end_of(start, length)
    if text in ("now", "right now"):
        return Moment(now)
    moment = _ask_dateparser(words, now) or _from_now(text, now)
    if moment is None and not re.fullmatch(_TWO_WAYS, text):
        reading = _read(text, 0, Reading(), set())
        moment = _settle(reading, now, start) if reading else None
    if moment and start and not _ends(moment, start):
        raise PlanError(f"{words[:80]!r} is not after the start, {start.iso()}")
    return moment


# "24.12." is a day of no year, and so is "24.12" after "on" or before a time, or where it can be no time. After "at", and beside another
# day, it is a time at the end of a sentence.
_DOTTED = re.compile(
    r"(?P<on>\bon )?(?<![0-9.:])(?P<day>3[01]|[12]?[0-9]|0[1-9])\. ?(?P<month>1[0-2]|0?[1-9])"
    r"(?:(?P<end>\.)(?![0-9])|(?![0-9:.]))",
    re.IGNORECASE,
)
_OF_A_TIME = re.compile(
    r"\b(?:at|by|around|about|circa|until|till?|before|after|from|to)(?: (?:around|about))? $", re.IGNORECASE
)
_OTHER_DAY = re.compile(rf"\b(?:today|tonight|tomorrow|{WEEKDAY})\b", re.IGNORECASE)


def _with_months(words: str) -> str:
    """With a month's name in days of two numbers."""

    def named(match: re.Match[str]) -> str:
        before, after = words[: match.start()], words[match.end() :]
        sure = match["on"] or match["end"] or int(match["day"]) > 23 or re.match(r" (?:at )?[0-9]", after)
        if not sure or _OF_A_TIME.search(before) or _OTHER_DAY.search(before + after):
            return match[0]
        return f"{match['day']} {MONTHS[int(match['month']) - 1]}"

    return _DOTTED.sub(named, words)


def _length(text: str) -> Length | None:
    return None if re.match("(?:1[3-9]|2[0-3])h", text) else parse(text)  # "from 14h to 16h"


def _end_of(start: Moment, length: Length) -> Moment | None:
    if start.all_day and length.seconds:
        return None  # an hour of a whole day could be any
    end = Moment(_later(start.at, length), start.all_day)
    return end if _after(end.at, start.at) else None


def _ends(moment: Moment, start: Moment) -> bool:
    if moment.all_day or start.all_day:
        return moment.at.date() >= start.at.date()
    return _after(moment.at, start.at)


def _from_now(text: str, now: datetime) -> Moment | None:
    """ "in 2 hours", "half an hour from now", "20 minutes ago", "in 2 weeks and 3 days"."""
    match = re.fullmatch(r"in (?:the next )?(?P<ahead>.+?)(?: time)?|(?P<from>.+) from now|(?P<ago>.+) ago", text)
    length = parse(match["ahead"] or match["from"] or match["ago"]) if match else None
    if match is None or length is None:
        return None
    at = _later(now, length.backwards() if match["ago"] else length)
    return Moment(at) if length.seconds else _whole_day(at.date(), now.tzinfo)


def _whole_day(at: date, zone: tzinfo | None) -> Moment:
    return Moment(_wall(datetime.combine(at, time()), zone), all_day=True)


@dataclass(frozen=True)
class Reading:
    """What the words say: each part at most once."""

    day: Day | None = None
    weekday: Weekday | None = None
    clock: Clock | None = None
    part: str = ""

    def extended(self, piece: Day | Weekday | Clock | str) -> Reading | None:
        """With one more piece; None where such a piece is there already."""
        if isinstance(piece, Day):
            today_again = piece is self.day is TODAY  # "today, this evening"
            return replace(self, day=piece) if self.day is None or today_again else None
        if isinstance(piece, Weekday):
            return replace(self, weekday=piece) if self.weekday is None else None
        if isinstance(piece, Clock):
            return replace(self, clock=piece) if self.clock is None else None
        part, this = piece.split("/")
        if self.part or (this and self.day not in (None, TODAY)):
            return None
        return replace(self, part=part, day=TODAY if this else self.day)


_PART = "|".join(PARTS)
_PARTS = (
    (r"tonight", lambda m: "night/this"),
    (rf"this (?P<part>{_PART})", lambda m: f"{m['part']}/this"),
    (rf"(?:(?:in|on|during) the |(?:in|at|the|every|each) )?(?P<part>{_PART})s?", lambda m: f"{m['part']}/"),
    (r"1th thing(?: in the morning)?", lambda m: "morning/"),
)
_GLUE = r"(?:at|on|by|from|around|about|approximately|roughly|exactly|circa|starting|beginning|for|of|the) "


@cache
def _rules() -> tuple[tuple[re.Pattern[str], Any], ...]:
    """Every pattern with its reader; compiled at the first use, for a quick import."""
    return tuple((re.compile(rf"(?:{pattern})(?= |$)"), read) for pattern, read in (*DAYS, *_PARTS, *CLOCKS))


@cache
def _glue() -> re.Pattern[str]:
    return re.compile(_GLUE)


def _read(text: str, at: int, reading: Reading, dead: set[tuple[int, Reading]]) -> Reading | None:
    """Read all words from `at` on, the likeliest way that fits; `dead` keeps what was tried, so that it ends soon."""
    if (at, reading) in dead:
        return None
    for pattern, read in _rules():
        match = pattern.match(text, at)
        piece = read(match) if match else None
        further = reading.extended(piece) if piece else None
        if match is None or further is None:
            continue
        whole = further if match.end() == len(text) else _read(text, match.end() + 1, further, dead)
        if whole:
            return whole
    glue = _glue().match(text, at)
    whole = _read(text, glue.end(), reading, dead) if glue else None
    dead.add((at, reading))
    return whole


def _settle(reading: Reading, now: datetime, start: Moment | None) -> Moment | None:
    """The first moment that a reading allows; None where there is none."""
    day = reading.day or ANY_DAY
    if reading.weekday:
        day = on_weekday(reading.weekday, reading.day)
    elif not day.alone:
        return None
    origin = start.at if start else now
    base = now if day.fixed else origin
    clock = reading.clock or (part_clock(reading.part) if reading.part else None)
    for at in islice(day.find(base.date()), 40):
        if clock is None:
            if day.fixed or day.today or at > base.date():
                return _whole_day(at, now.tzinfo)
            continue
        hours = clock.hours(reading.part)
        if day is ANY_DAY and start:
            hours = tuple(sorted(hours))
        elif at != origin.date() or not (day.fixed or start or clock.half == "midnight"):
            hours = hours[:1]
        moments = [_at_clock(at, days, clock, hour, now.tzinfo) for days, hour in hours]
        ahead = next((moment for moment in moments if _after(moment, origin)), None)
        if ahead or day.fixed:
            return Moment(ahead or moments[0])
    return None


def _at_clock(at: date, days: int, clock: Clock, hour: int, zone: tzinfo | None) -> datetime:
    return _wall(datetime.combine(at + timedelta(days=days), time(hour, clock.minute, clock.second)), zone)


# Forms that dateparser reads whole and the rules do not: "last friday", "5-Mar-27", "2027 March 5".
_WRITTEN = (
    rf"last (?:{WEEKDAY}|week|month|year)"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th)?[-/. ]?(?:{MONTH})(?:[-/.]'?[0-9]{{2}}| '[0-9]{{2}}|[-/.]?[0-9]{{4}})"
    rf"|[0-9]{{4}}[-/. ]?(?:{MONTH})[-/. ]?[0-9]{{1,2}}"
)
_DATEPARSER = {
    "PREFER_DATES_FROM": "future",
    "RETURN_AS_TIMEZONE_AWARE": False,
    "PARSERS": ["relative-time", "absolute-time"],
}
# "5 mar 27" is a time and a day, or a day and a year.
_TWO_WAYS = rf"(?:(?:on|the|{WEEKDAY}) )*[0-9]{{1,2}} (?:{MONTH}) (?:1[3-9]|2[0-9]|3[01])"


def _ask_dateparser(words: str, now: datetime) -> Moment | None:
    text = " ".join(words.lower().split()).strip(".,;!? ")
    if len(text) > 40 or not re.fullmatch(_WRITTEN, text):
        return None
    import dateparser  # half a second, seldom needed

    settings = {**_DATEPARSER, "RELATIVE_BASE": now.replace(tzinfo=None)}
    found = dateparser.parse(text.replace("'", ""), languages=["en"], settings=settings)
    return _whole_day(found.date(), now.tzinfo) if found else None
