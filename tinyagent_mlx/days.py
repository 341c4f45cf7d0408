"""Days in plain words ("friday", "the 14th of march", "next week") and the dates that they may mean, in order.

Conventions, where English leaves it open: "next friday" is the coming friday; "next week" is its monday, "next month"
and "next year" their first day; "the weekend" is saturday (or today, at the weekend), "next weekend" is the one in the
next calendar week; the end of the week is friday; "friday week" is a week after the coming friday; a day without its
year or month is the next such day. Of two numbers and a slash only what can be read in one way counts ("12/25", never
"5/3"); with dots the day comes first. This module knows nothing of clocks.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, date, timedelta
from itertools import count, islice

from tinyagent_mlx.lengths import Length, parse

OPEN, DATED, EXACT, RELATIVE, WEEK = "open", "dated", "exact", "relative", "week"
_NEAR = timedelta(days=100)


@dataclass(frozen=True)
class Day:
    """A day as it was said.

    `find` gives the dates it may mean, from a base date on, the base included. `kind` says how they are used:
    open and dated, the first that is still ahead; exact, relative and week, the only one, counted from now. A weekday
    beside it filters an open day, chooses among dated ones that are near, is dropped beside an exact one, must agree
    with a relative one and refines a week. `today` says whether the base date counts where no time is said, `alone`
    whether the day may stand without a weekday.
    """

    find: Callable[[date], Iterable[date]]
    kind: str = RELATIVE
    today: bool = True
    alone: bool = True

    @property
    def fixed(self) -> bool:
        return self.kind in (EXACT, RELATIVE, WEEK)


@dataclass(frozen=True)
class Weekday:
    """A weekday as it was said, 0 is Monday; `later` rules out the base date itself ("next friday")."""

    number: int
    later: bool = False


def _all_days(base: date) -> Iterator[date]:
    return (base + timedelta(days=n) for n in count())


ANY_DAY = Day(_all_days, OPEN)


def on_weekday(weekday: Weekday, day: Day | None) -> Day:
    """The day that a weekday means, beside another day or alone."""
    if day is None:
        first = 1 if weekday.later else 0

        def each_week(base: date) -> Iterator[date]:
            start = base + timedelta(days=first)
            start += timedelta(days=(weekday.number - start.weekday()) % 7)
            return (start + timedelta(days=7 * n) for n in count())

        return Day(each_week, OPEN, today=False)
    found = day.find
    if day.kind == WEEK:
        return Day(lambda base: (monday + timedelta(days=weekday.number) for monday in found(base)), RELATIVE)
    if day.kind == DATED:
        return Day(lambda base: _preferred(found(base), weekday.number), DATED)
    if day.kind == EXACT:
        return day
    return Day(lambda base: (at for at in islice(found(base), 14) if at.weekday() == weekday.number), day.kind)


def _preferred(dates: Iterable[date], weekday: int) -> Iterator[date]:
    """The near dates on a weekday; where there are none the weekday was a slip, and the date counts."""
    near: list[date] = []
    for at in dates:
        if near and at - near[0] > _NEAR:
            break
        near.append(at)
    return iter([at for at in near if at.weekday() == weekday] or near)


def shifted(at: date, length: Length) -> date:
    """A date some months and days later; the last day of a month stays in the month. Raises `ValueError` past 9999."""
    months = at.year * 12 + at.month - 1 + length.months
    year, month = divmod(months, 12)
    last = calendar.monthrange(year, month + 1)[1] if 1 <= year <= MAXYEAR else 1
    return date(year, month + 1, min(at.day, last)) + timedelta(days=length.days)


WEEKDAY = (
    r"mon(?:day)?s?|tue(?:s|sday)?s?|wed(?:s|nesday)?s?|thu(?:r|rs|rsday)?s?"
    r"|fri(?:day)?s?|sat(?:urday)?s?|sun(?:day)?s?"
)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTH = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?"
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_YEAR = r"(?P<year>(?:19|20|21)[0-9]{2}|20 [2-9][0-9])"
_TH = r"(?:st|nd|rd|th)"


def weekday_number(word: str) -> int:
    return _WEEKDAYS.index(word[:3])


def month_number(word: str) -> int:
    """1 to 12."""
    return MONTHS.index(word[:3]) + 1


def _relative(days: int) -> Day:
    return Day(lambda base: (base + timedelta(days=days),))


TODAY = _relative(0)


def _exact(year: int, month: int, day: int) -> Day | None:
    try:
        at = date(year, month, day)
    except ValueError:
        return None
    return Day(lambda base: (at,), EXACT)


def _yearly(month: int, day: int) -> Day:
    def find(base: date) -> Iterator[date]:
        for year in range(base.year, min(base.year + 9, MAXYEAR + 1)):  # nine years hold a February 29
            if day <= calendar.monthrange(year, month)[1] and (at := date(year, month, day)) >= base:
                yield at

    return Day(find, DATED)


def _monthly(day: int, kind: str = DATED) -> Day:
    def find(base: date) -> Iterator[date]:
        for number in range(base.year * 12 + base.month - 1, base.year * 12 + base.month + 24):
            year, month = divmod(number, 12)
            if day <= calendar.monthrange(year, month + 1)[1] and (at := date(year, month + 1, day)) >= base:
                yield at

    return Day(find, kind)


def _month_start(base: date, months: int) -> date:
    return shifted(base.replace(day=1), Length(months=months))


def _monday(base: date, weeks: int) -> date:
    return base + timedelta(days=7 * weeks - base.weekday())


def _is_weekday(at: date) -> bool:
    return at.weekday() < 5


def _week(weeks: int, alone: bool = True) -> Day:
    return Day(lambda base: (_monday(base, weeks),), WEEK, alone=alone)


def _weekend(next_week: bool) -> Day:
    if next_week:
        return Day(lambda base: (_monday(base, 1) + timedelta(days=n) for n in (5, 6)), OPEN)
    return Day(lambda base: (at for at in _all_days(base) if at.weekday() >= 5), OPEN)


def _month_day(match: re.Match[str]) -> Day | None:
    month, day = month_number(match["month"]), int(match["day"])
    if year := match.groupdict().get("year"):
        return _exact(int(year.replace(" ", "")), month, day)
    return _yearly(month, day) if 1 <= day <= 31 else None


def _day_of_month(match: re.Match[str]) -> Day | None:
    day = int(match["day"])
    if not 1 <= day <= 31:
        return None
    if not match.groupdict().get("which"):
        return _monthly(day)
    return Day(lambda base: (at for at in (_month_start(base, 1) + timedelta(days=day - 1),) if at.day == day))


def _slashed(match: re.Match[str]) -> Day | None:
    first, second = int(match["first"]), int(match["second"])
    if first <= 12 and second <= 12 and first != second:
        return None
    month, day = (first, second) if first <= 12 else (second, first)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return _exact(_full_year(match["year"]), month, day) if match["year"] else _yearly(month, day)


def _dotted(match: re.Match[str]) -> Day | None:
    return _exact(_full_year(match["year"]), int(match["month"]), int(match["day"]))


def _full_year(year: str) -> int:
    return int(year) + (2000 if len(year) == 2 else 0)


def _iso(match: re.Match[str]) -> Day | None:
    return _exact(int(match["year"]), int(match["month"]), int(match["day"]))


def _counted(match: re.Match[str]) -> Day | None:
    """ "in 3 days", "2 weeks from friday", "3 days ago"."""
    length, anchor = parse(match["length"]), match.groupdict().get("anchor")
    if length is None or length.seconds:
        return None
    if match[0].endswith(" ago"):
        length = length.backwards()
    steps = length
    if anchor in (None, "now", "today", "tomorrow"):
        ahead = 1 if anchor == "tomorrow" else 0
        return Day(lambda base: (shifted(base + timedelta(days=ahead), steps),))
    weekday = on_weekday(Weekday(weekday_number(anchor), later=True), None)
    return Day(lambda base: (shifted(next(iter(weekday.find(base))), steps),))


def _weekday_week(match: re.Match[str]) -> Day:
    if match["day"] in ("today", "tomorrow"):
        return _relative(7 if match["day"] == "today" else 8)
    weekday = on_weekday(Weekday(weekday_number(match["day"]), later=True), None)
    return Day(lambda base: (next(iter(weekday.find(base))) + timedelta(days=7),))


def _edge(match: re.Match[str]) -> Day:
    """ "the end of the month", "the start of next week", "end of march"."""
    end, later, unit = match["edge"] in ("end", "last day"), 1 if match["which"] else 0, match["unit"]
    day = timedelta(days=1)
    if unit == "week":
        return Day(lambda base: (_monday(base, later) + timedelta(days=4 if end else 0),))
    if unit == "month":
        return Day(lambda base: (_month_start(base, later + 1) - day if end else _month_start(base, later),))
    if unit == "year":
        return Day(lambda base: (date(base.year + later, 12, 31) if end else date(base.year + later, 1, 1),))
    month = month_number(unit)
    if not end:
        return _yearly(month, 1)

    def last_days(base: date) -> Iterator[date]:
        ends = (date(year, month, calendar.monthrange(year, month)[1]) for year in range(base.year, base.year + 3))
        return (at for at in ends if at >= base)

    return Day(last_days, DATED)


def _nth_weekday(match: re.Match[str]) -> Day:
    """ "the first monday of december", "the last friday of the month"."""
    number, unit = weekday_number(match["weekday"]), match["unit"]
    nth = 0 if match["nth"] == "last" else int(match["nth"][0])

    def in_month(first: date) -> date | None:
        days = [first + timedelta(days=n) for n in range(calendar.monthrange(first.year, first.month)[1])]
        fitting = [at for at in days if at.weekday() == number]
        return fitting[nth - 1] if nth <= len(fitting) else None

    if unit == "month":
        months = 1 if match["which"] else 0
        return Day(lambda base: filter(None, (in_month(_month_start(base, months)),)))
    month = month_number(unit)

    def find(base: date) -> Iterator[date]:
        for year in range(base.year, min(base.year + 9, MAXYEAR + 1)):
            at = in_month(date(year, month, 1))
            if at and at >= base:
                yield at

    return Day(find, DATED)


def _weekday(match: re.Match[str]) -> Weekday:
    words = f"{match['before']} {match['after']}"
    return Weekday(weekday_number(match["weekday"]), "next" in words or "following" in words)


Reader = Callable[[re.Match[str]], Day | Weekday | None]

_DD = r"(?P<day>[0-9]{1,2})"
_AGE = r"(?P<length>(?:[0-9]{1,4} |an? |(?:a )?couple (?:of )?)?(?:days?|weeks?|wks?|fortnights?|months?|years?|yrs?))"
_NAMED = rf"(?:the |this )?(?P<which>next )?(?P<unit>week|month|year|{MONTH})"

# The reader of a match gives None where the numbers are no day. Of two that match, the longer wording stands first.
DAYS: tuple[tuple[str, Reader], ...] = (
    (r"(?:the )?day after tomorrow", lambda m: _relative(2)),
    (rf"(?P<day>today|tomorrow|{WEEKDAY}) week", _weekday_week),
    (rf"(?:in )?{_AGE} (?:from|after|on) (?:(?:next|this|coming) )?(?P<anchor>now|today|tomorrow|{WEEKDAY})", _counted),
    (rf"in {_AGE}(?: time)?", _counted),
    (rf"{_AGE} ago", _counted),
    (r"today", lambda m: TODAY),
    (r"tomorrow", lambda m: _relative(1)),
    (r"yesterday", lambda m: _relative(-1)),
    (r"(?:the )?week after next", lambda m: _week(2)),
    (r"(?:the )?(?:next|following) week", lambda m: _week(1)),
    (r"this week", lambda m: _week(0, alone=False)),
    (r"(?:the )?next weekend", lambda m: _weekend(next_week=True)),
    (r"(?:(?:this|the) )?(?:coming )?weekend", lambda m: _weekend(next_week=False)),
    (r"(?:the )?next month", lambda m: Day(lambda base: (_month_start(base, 1),))),
    (r"(?:the )?next year", lambda m: Day(lambda base: (date(base.year + 1, 1, 1),))),
    (rf"(?:the )?(?P<edge>end|last day|start|beginning|1th day) of {_NAMED}", _edge),
    (rf"(?:the )?(?P<nth>[1-5]{_TH}|last) (?P<weekday>{WEEKDAY}) (?:of|in) {_NAMED}", _nth_weekday),
    (rf"(?P<year>[0-9]{{4}})([-/.])(?P<month>[0-9]{{1,2}})\2{_DD}", _iso),
    (r"(?P<first>[0-9]{1,2})/(?P<second>[0-9]{1,2})(?:/(?P<year>[0-9]{4}|[0-9]{2}))?", _slashed),
    (rf"{_DD}\.(?P<month>[0-9]{{1,2}})\.(?P<year>[0-9]{{4}}|[0-9]{{2}})", _dotted),
    (rf"(?P<month>{MONTH}) (?:the )?{_DD}{_TH}? {_YEAR}", _month_day),
    (rf"(?P<month>{MONTH}) (?:the )?{_DD}{_TH}?", _month_day),
    (rf"(?:the )?{_DD}{_TH}?(?: of)? (?P<month>{MONTH}) {_YEAR}", _month_day),
    (rf"(?:the )?{_DD}{_TH}?(?: of)? (?P<month>{MONTH})", _month_day),
    (rf"(?:the )?{_DD}{_TH} of (?:the |this )?(?P<which>next )?month", _day_of_month),
    (rf"(?:the )?{_DD}{_TH}", _day_of_month),
    (rf"the {_DD}", _day_of_month),
    (r"(?:every|each) day|daily", lambda m: ANY_DAY),
    (r"(?:(?:every|each) )?(?:week|work)days?", lambda m: Day(lambda base: filter(_is_weekday, _all_days(base)), OPEN)),
    (
        rf"(?:(?P<before>(?:the )?(?:this coming|next|following|coming|this)|every|each|the) )?(?P<weekday>{WEEKDAY})"
        r"(?: (?P<after>next|following|coming)(?! week| month| year))?",
        _weekday,
    ),
)
