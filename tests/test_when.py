"""When: tables of words and the moments that they mean, on Wednesday 25 November 2026 at 10:00 unless said."""

from __future__ import annotations

import contextlib
import random
import re
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.lab.fill import Filler
from tinyagent_mlx.plan import Plan, parse_plan
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.when import Moment, count, duration, parse_iso, resolve, resolve_plan

NOW = datetime(2026, 11, 25, 10, 0)
ROOT = Path(__file__).parent.parent


def table(rows: str) -> list[object]:
    """Rows of "words | meaning" as parameters with ids; a repeated row would hide another, so it is an error."""
    pairs = [tuple(part.strip() for part in row.split("|")) for row in rows.splitlines() if "|" in row]
    assert len({words for words, _ in pairs}) == len(pairs)
    return [pytest.param(words, meaning, id=words.replace(" ", "_")) for words, meaning in pairs]


def iso(words: str, now: datetime = NOW, start: str | None = None) -> str:
    return resolve(words, now, parse_iso(start) if start else None).iso()


@pytest.mark.parametrize(("words", "meaning"), table((ROOT / "tests/cases/when.txt").read_text(encoding="utf-8")))
def test_words_mean_a_moment(words: str, meaning: str) -> None:
    assert iso(words) == meaning


@pytest.mark.parametrize(
    ("now", "words", "meaning"),
    [
        ("2026-11-28 11:00:00", "this weekend", "2026-11-28"),
        ("2026-11-28 16:00:00", "the weekend at 3pm", "2026-11-29 15:00:00"),
        ("2026-11-29 11:00:00", "the weekend", "2026-11-29"),
        ("2026-11-29 11:00:00", "next weekend", "2026-12-05"),
        ("2026-11-29 11:00:00", "next week", "2026-11-30"),
        ("2026-11-30 11:00:00", "end of the month", "2026-11-30"),
        ("2026-11-30 11:00:00", "next week", "2026-12-07"),
        ("2026-12-31 23:30:00", "tomorrow", "2027-01-01"),
        ("2026-12-31 23:30:00", "in an hour", "2027-01-01 00:30:00"),
        ("2027-01-31 08:00:00", "in a month", "2027-02-28"),
        ("2027-01-31 08:00:00", "the 30th", "2027-03-30"),
        ("2026-11-25 15:00:00", "3pm", "2026-11-26 15:00:00"),
        ("2026-11-25 14:59:59", "3pm", "2026-11-25 15:00:00"),
        ("2026-11-25 00:30:00", "at 3", "2026-11-25 15:00:00"),
    ],
)
def test_what_is_next_depends_on_now(now: str, words: str, meaning: str) -> None:
    assert iso(words, datetime.fromisoformat(now)) == meaning


UNCLEAR = [
    *("", " ", ".", "the", "at", "on the", "a", "m", "later", "soon", "asap", "sometime", "this week", "may", "week"),
    *(
        "hour",
        "an hour",
        "3 hours",
        "30 minutes",
        "in 5",
        "for 3",
        "friday 15",
        "tomorrow or friday",
        "friday and saturday",
    ),
    *(
        "friday with Sam",
        "Sam on friday",
        "lunch with Sam at noon",
        "3 blind mice",
        "room 5",
        "monday moon",
        "june bug 5",
    ),
    *("9-10am", "9 - 10am", "3pm to 4pm", "from 9 to 5", "5 to 6", "9am 10am", "friday saturday", "tuesday tonight"),
    *(
        "5/3/2027",
        "5/3",
        "13/13/2027",
        "2027-02-30",
        "31 february",
        "the 32nd",
        "the 0th",
        "25:00",
        "9:75",
        "13 am",
        "at 25",
    ),
    *(
        "5 mar 27",
        "tomorrow friday today",
        "the the the friday of",
        "friday at",
        "before friday",
        "-5",
        "3.14159",
        "٣ pm",
    ),
    *("5pm EST", "2027-03-05T14:00:00Z", "every other friday", "in 3 days at 5 at 6", "in 9999 years", "yesteryear"),
    *("monday monday", "friday -1", "0 pm", "10 10 10", "noon noon", "tonight in the morning morning"),
]


@pytest.mark.parametrize("words", UNCLEAR, ids=[words.replace(" ", "_") or "empty" for words in UNCLEAR])
def test_unclear_words_are_refused_by_name(words: str) -> None:
    with pytest.raises(PlanError, match=re.escape(repr(words[:80]))):
        resolve(words, NOW)


def test_a_contradicting_weekday_is_refused_beside_a_counted_day() -> None:
    assert iso("tomorrow, thursday") == "2026-11-26"
    with pytest.raises(PlanError):
        resolve("tomorrow, friday", NOW)


FRIDAY_3PM, FRIDAY_9PM, FRIDAY = "2026-11-27 15:00:00", "2026-11-27 21:00:00", "2026-11-27"


@pytest.mark.parametrize(
    ("start", "words", "meaning"),
    [
        (FRIDAY_3PM, "4pm", "2026-11-27 16:00:00"),
        (FRIDAY_3PM, "4", "2026-11-27 16:00:00"),
        (FRIDAY_3PM, "until half past four", "2026-11-27 16:30:00"),
        (FRIDAY_3PM, "8", "2026-11-27 20:00:00"),
        (FRIDAY_3PM, "2pm", "2026-11-28 14:00:00"),
        (FRIDAY_9PM, "to 6", "2026-11-28 06:00:00"),
        (FRIDAY_9PM, "6am", "2026-11-28 06:00:00"),
        (FRIDAY_9PM, "midnight", "2026-11-28 00:00:00"),
        (FRIDAY_9PM, "12", "2026-11-28 00:00:00"),
        ("2026-11-27 09:00:00", "5", "2026-11-27 17:00:00"),
        ("2026-11-27 11:00:00", "12", "2026-11-27 12:00:00"),
        (FRIDAY_3PM, "an hour", "2026-11-27 16:00:00"),
        (FRIDAY_3PM, "for 30 minutes", "2026-11-27 15:30:00"),
        (FRIDAY_3PM, "90 min", "2026-11-27 16:30:00"),
        (FRIDAY_3PM, "1.5 hours", "2026-11-27 16:30:00"),
        (FRIDAY_3PM, "1h", "2026-11-27 16:00:00"),
        (FRIDAY_3PM, "two and a half hours", "2026-11-27 17:30:00"),
        (FRIDAY_3PM, "three quarters of an hour", "2026-11-27 15:45:00"),
        (FRIDAY_3PM, "two hours later", "2026-11-27 17:00:00"),
        (FRIDAY_3PM, "two days", "2026-11-29 15:00:00"),
        (FRIDAY_3PM, "17h30", "2026-11-27 17:30:00"),
        (FRIDAY_3PM, "friday at 5", "2026-11-27 17:00:00"),
        (FRIDAY_9PM, "friday at 11", "2026-11-27 23:00:00"),
        (FRIDAY_3PM, "saturday at 5", "2026-11-28 17:00:00"),
        (FRIDAY_3PM, "sunday", "2026-11-29"),
        (FRIDAY_3PM, "the 3rd", "2026-12-03"),
        (FRIDAY, "sunday", "2026-11-29"),
        (FRIDAY, "two days", "2026-11-29"),
        (FRIDAY, "4pm", "2026-11-27 16:00:00"),
        ("2026-12-28", "the 3rd", "2027-01-03"),
        ("2026-11-26 15:00:00", "tomorrow at 5", "2026-11-26 17:00:00"),
        (FRIDAY_3PM, "2026-11-27 18:00:00", "2026-11-27 18:00:00"),
    ],
)
def test_ends_follow_their_start(start: str, words: str, meaning: str) -> None:
    assert iso(words, start=start) == meaning


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (FRIDAY_3PM, "today at 4pm"),
        (FRIDAY_3PM, "0 minutes"),
        (FRIDAY, "an hour"),
        (FRIDAY_3PM, "in an hour"),
        (FRIDAY_3PM, "x"),
    ],
)
def test_an_end_that_is_not_after_its_start_is_refused(start: str, words: str) -> None:
    with pytest.raises(PlanError):
        resolve(words, NOW, parse_iso(start))


NEW_YORK, LONDON = ZoneInfo("America/New_York"), ZoneInfo("Europe/London")
SPRING, AUTUMN = datetime(2027, 3, 13, 22, 0, tzinfo=NEW_YORK), datetime(2026, 10, 31, 22, 0, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("now", "words", "meaning"),
    [
        (SPRING, "in five hours", "2027-03-14T04:00:00-04:00"),
        (AUTUMN, "in five hours", "2026-11-01T02:00:00-05:00"),
        (AUTUMN, "in 210 minutes", "2026-11-01T01:30:00-04:00"),
        (AUTUMN, "in four and a half hours", "2026-11-01T01:30:00-05:00"),
        (SPRING, "tomorrow at 9", "2027-03-14T09:00:00-04:00"),
        (AUTUMN, "tomorrow at 9", "2026-11-01T09:00:00-05:00"),
        (SPRING, "in 2 days", "2027-03-15T00:00:00-04:00"),
        (SPRING, "tomorrow at 2:30 am", "2027-03-14T03:30:00-04:00"),
        (datetime(2026, 6, 1, 9, 0, tzinfo=LONDON), "5 december at 9am", "2026-12-05T09:00:00+00:00"),
        (datetime(2026, 6, 1, 9, 0, tzinfo=LONDON), "2026-07-05 09:00:00", "2026-07-05T09:00:00+01:00"),
    ],
)
def test_time_zones_keep_real_and_wall_time_apart(now: datetime, words: str, meaning: str) -> None:
    moment = resolve(words, now)
    assert moment.at.isoformat() == meaning
    assert moment.at.tzinfo is now.tzinfo


def test_ends_are_real_time_across_the_hour_that_comes_twice() -> None:
    start = resolve("tomorrow at 00:30", AUTUMN)
    assert resolve("two hours", AUTUMN, start).at.isoformat() == "2026-11-01T01:30:00-05:00"
    assert resolve("1 day", AUTUMN, start).at.isoformat() == "2026-11-02T00:30:00-05:00"
    naive = Moment(datetime(2026, 11, 1, 0, 30))
    assert resolve("two hours", AUTUMN, naive) == resolve("two hours", AUTUMN, start)


def test_naive_stays_naive_and_microseconds_go() -> None:
    moment = resolve("in an hour", NOW.replace(second=30, microsecond=7))
    assert moment == Moment(datetime(2026, 11, 25, 11, 0, 30))


COUNTS = """
    30 | 30
    0 | 0
    -5 | -5
    1,500 | 1500
    thirty | 30
    one | 1
    forty five | 45
    forty-five | 45
    a hundred and twenty | 120
    two thousand five hundred | 2500
    an hour | 60
    1 hour | 60
    one hour | 60
    1h | 60
    2h | 120
    1h30 | 90
    1h 30m | 90
    an hour and a half | 90
    one and a half hours | 90
    1.5 hours | 90
    1½ hours | 90
    two and a half hours | 150
    two hours and fifteen minutes | 135
    half an hour | 30
    half hour | 30
    a quarter of an hour | 15
    three quarters of an hour | 45
    90 minutes | 90
    90 min | 90
    twenty mins | 20
    30-minute | 30
    30 - minute | 30
    for 30 minutes | 30
    a couple of hours | 120
    120 seconds | 2
    2 days | 2880
    90 seconds | None
    2 months | None
    a | None
    3rd | None
    first | None
    one two | None
    twenty twenty | None
    30 , | None
    30 minutes . | None
    minutes | None
    30 people | None
    12:30 | None
    noon | None
    99999999999999999999 | None
    ² | None
"""


@pytest.mark.parametrize(("words", "number"), table(COUNTS))
def test_counts(words: str, number: str) -> None:
    assert str(count(words)) == number


@pytest.mark.parametrize(
    ("words", "length"),
    [
        ("for 30 minutes", timedelta(minutes=30)),
        ("two days", timedelta(days=2)),
        ("90 seconds", timedelta(seconds=90)),
        ("a week and a half", timedelta(days=10, hours=12)),
        ("two months", None),
        ("until friday", None),
        ("30", None),
        ("", None),
    ],
)
def test_durations(words: str, length: timedelta | None) -> None:
    assert duration(words) == length


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-27 15:00:00", Moment(datetime(2026, 11, 27, 15))),
        (" 2026-11-27T15:30 ", Moment(datetime(2026, 11, 27, 15, 30))),
        ("2026-11-27", Moment(datetime(2026, 11, 27), all_day=True)),
        ("2026-11-27 24:00:00", None),
        ("2026-13-01", None),
        ("27-11-2026", None),
        ("0000-00-00", None),
        ("friday", None),
        ("", None),
    ],
)
def test_parse_iso(text: str, moment: Moment | None) -> None:
    assert parse_iso(text) == moment


def test_a_moment_writes_what_parse_iso_reads() -> None:
    timed, whole = Moment(datetime(987, 6, 5, 4, 3, 2)), Moment(datetime(2026, 11, 27), all_day=True)
    assert (timed.iso(), whole.iso()) == ("0987-06-05 04:03:02", "2026-11-27")
    assert (timed.components(), whole.components()) == ((987, 6, 5, 4, 3, 2), (2026, 11, 27))
    assert [parse_iso(moment.iso()) for moment in (timed, whole)] == [timed, whole]


def event(start: str, end: str) -> Plan:
    return parse_plan(f'1. create_calendar_event("friday lunch", "{start}", "{end}", "", [], "4pm", "")')


@pytest.mark.parametrize(
    ("start", "end", "resolved_start", "resolved_end"),
    [
        ("friday at 3pm", "4pm", "2026-11-27 15:00:00", "2026-11-27 16:00:00"),
        ("friday at 3pm", "for an hour", "2026-11-27 15:00:00", "2026-11-27 16:00:00"),
        ("friday at 3pm", "whenever", "2026-11-27 15:00:00", "whenever"),
        ("friday", "", "2026-11-27", ""),
        ("sometime", "4pm", "sometime", "4pm"),
        ("", "4pm", "", "2026-11-25 16:00:00"),
        ("2026-11-27 15:00:00", "an hour", "2026-11-27 15:00:00", "2026-11-27 16:00:00"),
    ],
)
def test_plans_are_resolved_step_by_step(
    shipped_tools: Toolbox, start: str, end: str, resolved_start: str, resolved_end: str
) -> None:
    assert resolve_plan(event(start, end), shipped_tools, NOW) == event(resolved_start, resolved_end)


def test_a_plan_changes_in_its_datetime_arguments_alone(shipped_tools: Toolbox) -> None:
    text = '1. get_email_address("May")\n2. get_zoom_meeting_link("noon", "{}", 60, ["$1"])\n3. fly_away("noon")'
    plan, expected = parse_plan(text.format("tomorrow at noon")), parse_plan(text.format("2026-11-26 12:00:00"))
    assert resolve_plan(plan, shipped_tools, NOW) == expected


def drawn(kind: str) -> list[str]:
    filler = Filler(random.Random(20261125), ["apple", "river", "stone", "lamp"])
    return [getattr(filler, kind)(index % 2 == 1) for index in range(300)]


@pytest.mark.parametrize("kind", ["date", "time", "moment"])
def test_what_the_training_data_says_resolves(kind: str) -> None:
    unclear = []
    for words in drawn(kind):
        try:
            resolve(words, NOW)
        except PlanError:
            unclear.append(words)
    assert len(unclear) <= 3, unclear


def test_lengths_of_the_training_data_count() -> None:
    unclear = [words for words in drawn("length") if count(words) is None]
    assert len(unclear) <= 3, unclear


VOCABULARY = (
    "friday mon march may 5 5th the at of in next last week month day hour 9999 99999999 to past half quarter am pm "
    "ago from now tonight every - / : . 0 -1 31 2027 two thousand an and a"
)


def noise(rng: random.Random) -> str:
    vocabulary = VOCABULARY.split()
    draw = rng.random()
    if draw < 0.3:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(40))).decode("latin-1")
    if draw < 0.5:
        return "".join(
            chr(rng.choice((rng.randrange(32, 127), rng.randrange(0x300, 0xD7FF)))) for _ in range(rng.randrange(60))
        )
    return " ".join(rng.choice(vocabulary) for _ in range(rng.randrange(1, 12)))


@pytest.mark.parametrize("now", [NOW, AUTUMN, datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59)], ids=str)
def test_noise_gives_a_moment_or_a_plan_error(now: datetime) -> None:
    rng = random.Random(str(now))
    for _ in range(400):
        words = noise(rng)
        assert count(words) is None or isinstance(count(words), int)
        assert duration(words) is None or isinstance(duration(words), timedelta)
        parse_iso(words)
        for start in (None, Moment(now)):
            with contextlib.suppress(PlanError):
                assert parse_iso(resolve(words, now, start).iso())


@pytest.mark.parametrize("words", ["the friday " * 50, "the morning " * 10 + "x", "10 " * 30, "a" * 10000, "9" * 5000])
def test_long_words_are_refused_at_once(words: str) -> None:
    began = time.perf_counter()
    with pytest.raises(PlanError):
        resolve(words, NOW)
    assert count(words) is None
    assert time.perf_counter() - began < 0.2


def test_a_phrase_takes_less_than_five_milliseconds() -> None:
    phrases = drawn("moment")
    resolve(phrases[0], NOW)
    began = time.perf_counter()
    for words in phrases:
        resolve(words, NOW)
    assert (time.perf_counter() - began) / len(phrases) < 0.005


def test_plain_words_load_neither_dateparser_nor_mlx() -> None:
    program = (
        "import sys; from datetime import datetime; from tinyagent_mlx.when import count, resolve;"
        "now = datetime(2026, 11, 25, 10); count('an hour');"
        "[resolve(words, now) for words in ('friday at 3pm', 'in two weeks', '5 March 2027', 'half past four')];"
        "print(sorted({'dateparser', 'mlx', 'networkx', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
