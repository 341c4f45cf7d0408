"""Fill slots with open values: names, titles, messages, addresses, dates and times in all spoken and written forms.

Half of what is said comes from lists that people wrote (corpus/fillers), the rest is mixed anew from an open dictionary,
so that a model learns the frame around a value and not the value.
"""

from __future__ import annotations

import random
import re
from functools import cached_property
from pathlib import Path

FILLERS = Path(__file__).parent / "corpus" / "fillers"

_LISTS = {
    "title": "titles", "topic": "titles", "subject": "subjects", "note": "note_names", "folder": "folders",
    "list": "lists", "task": "tasks", "message": "messages", "content": "contents", "calendar": "calendars",
    "file": "files", "pdf": "pdfs", "place": "places",
}  # fmt: skip
_LENGTHS = {
    "title": (1, 5), "topic": (1, 5), "subject": (1, 6), "note": (1, 4), "folder": (1, 2), "list": (1, 2),
    "task": (2, 7), "message": (2, 14), "content": (2, 14), "body": (3, 18), "calendar": (1, 2),
}  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
BARE = 0.3  # of the times after "at" and the like are an hour alone
_BEFORE_HOURS = re.compile(r"(?:^|\s)(?:at|@|by|to|until|till?|from|frm|and|between)\s+$", re.IGNORECASE)
_NUMBERS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
_DOMAINS = ("com", "org", "net", "io", "co.uk", "in", "edu", "de", "fr", "dev", "ng", "com.au", "co")


class Filler:
    """Draw values; the same seed and lists give the same values."""

    def __init__(self, rng: random.Random, dictionary: list[str], folder: Path = FILLERS):
        self.rng, self.dictionary, self.folder = rng, dictionary, folder

    @cached_property
    def lists(self) -> dict[str, list[str]]:
        return {
            file.stem: [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
            for file in sorted(self.folder.glob("*.txt"))
        }

    def value(self, slot: str, spoken: bool, after: str = "") -> str:
        """A value for a slot; `spoken` gives it as a transcript would. `after` is the wording's text before the slot."""
        kind = re.sub(r"\d+$", "", slot)
        if kind in ("time", "end") and _BEFORE_HOURS.search(after) and self.rng.random() < BARE:
            value = self.hour(spoken)
        else:
            value = self._draw(kind, spoken)
        if spoken and kind not in ("email", "phone", "url"):
            value = re.sub(r"[,;!?\"“”()]|(?<!\w)-|-(?!\w)|\.(?=\s|$)", "", value).lower()
            value = re.sub(r"\s+", " ", value).strip() or "this"
        return value

    def _draw(self, kind: str, spoken: bool) -> str:
        match kind:
            case "person" | "aside":
                return self.person()
            case "email":
                return self.email()
            case "phone":
                return self.phone()
            case "when":
                return self.moment(spoken)
            case "date":
                return self.date(spoken)
            case "time" | "end":
                return self.time(spoken)
            case "length":
                return self.length(spoken)
            case "integer":
                return self.integer(spoken)
            case "url":
                return self.url(spoken)
            case _ if kind == "name_of_thing" or kind.startswith("text"):
                return self._thing()
            case "body":
                name = self.rng.choices(("bodies", "described", "messages"), (5, 4, 1))[0]
                return self._text(name, kind)
            case "message" | "content" if self.rng.random() < 0.12:
                return self._text("described", kind)
        return self._text(_LISTS[kind], kind)

    def _text(self, name: str, kind: str) -> str:
        rng = self.rng
        value = rng.choice(self.lists[name])
        draw = rng.random()
        if kind in ("file", "pdf"):
            return value if draw < 0.5 else self.file(kind)
        if kind == "place" and draw < 0.3:
            return self.address() if draw < 0.15 else " ".join(self._words(1, 3)).title()
        if draw < 0.5 or kind == "place":
            return value
        if draw < 0.75 or kind not in _LENGTHS:
            return self._replaced(value)
        words = self._words(*_LENGTHS[kind])
        text = " ".join(words)
        return (
            text.title()
            if kind in ("title", "topic", "subject", "note", "folder", "list") and rng.random() < 0.5
            else text
        )

    def _replaced(self, value: str) -> str:
        words = value.split(" ")
        for index, word in enumerate(words):
            if len(word) > 3 and word.isalpha() and self.rng.random() < 0.4:
                new = self._word()
                words[index] = new.capitalize() if word[0].isupper() else new
        return " ".join(words)

    def _words(self, low: int, high: int) -> list[str]:
        return [self._word() for _ in range(self.rng.randint(low, high))]

    def _word(self) -> str:
        return self.rng.choice(self.dictionary) if self.rng.random() < 0.9 else self.made_up()

    def made_up(self) -> str:
        """A word that stands in no dictionary."""
        rng = self.rng
        syllables = [rng.choice("bcdfghjklmnprstvwyz") + rng.choice("aeiou") for _ in range(rng.randint(1, 3))]
        return "".join(syllables) + rng.choice(("", "n", "r", "s", "l", "k"))

    def person(self) -> str:
        rng = self.rng
        first = rng.choice(self.lists["first_names"]) if rng.random() < 0.85 else self.made_up().capitalize()
        last = rng.choice(self.lists["last_names"]) if rng.random() < 0.85 else self.made_up().capitalize()
        draw = rng.random()
        if draw < 0.55:
            return first
        if draw < 0.78:
            return f"{first} {last}"
        if draw < 0.95:
            return rng.choice(self.lists["kin"])
        return f"{rng.choice(('Dr', 'Dr.', 'Mr', 'Mrs', 'Ms', 'Professor', 'Coach', 'Aunt', 'Uncle'))} {last}"

    def email(self) -> str:
        rng = self.rng
        first = _ascii(rng.choice(self.lists["first_names"])) or "sam"
        last = _ascii(rng.choice(self.lists["last_names"])) or "lee"
        word = rng.choice(self.dictionary) if rng.random() < 0.7 else self.made_up()
        local = rng.choice(
            (first, f"{first}.{last}", f"{first[0]}{last}", f"{first}_{last}", word, f"{first}{rng.randint(1, 99)}")
        )
        host = rng.choice((word, last, self.made_up(), "gmail", "example", "outlook", "stanford", "company"))
        address = f"{local}@{host}.{rng.choice(_DOMAINS)}"
        return address if rng.random() < 0.8 else address.replace(first, first.capitalize(), 1)

    def phone(self) -> str:
        rng = self.rng

        def digits(count: int) -> str:
            return "".join(rng.choice("0123456789") for _ in range(count))

        return rng.choice((
            f"555-{digits(4)}", f"{digits(3)}-{digits(3)}-{digits(4)}", f"+1 {digits(3)} {digits(3)} {digits(4)}",
            f"+44 7{digits(3)} {digits(6)}", f"+91 9{digits(4)} {digits(5)}", f"0{digits(3)} {digits(6)}", f"({digits(3)}) {digits(3)}-{digits(4)}",
            f"+{rng.randint(1, 99)}{digits(9)}", f"9{digits(9)}", f"+49 30 {digits(6)}",
        ))  # fmt: skip

    def file(self, kind: str) -> str:
        rng = self.rng
        words = self._words(1, 3)
        style = rng.random()
        if style < 0.35:
            stem = "_".join(words)
        elif style < 0.6:
            stem = "".join(word.capitalize() for word in words)
        else:
            stem = " ".join(words).capitalize() if rng.random() < 0.5 else " ".join(words)
        if rng.random() < 0.15:
            stem += f" {rng.randint(1, 2030)}" if " " in stem else f"_v{rng.randint(1, 9)}"
        ending = (
            "pdf"
            if kind == "pdf"
            else rng.choice(["pdf", "docx", "xlsx", "pptx", "txt", "key", "png", "jpg", "csv", "zip", "md", "pages"])
        )
        if rng.random() < 0.75:
            return f"{stem}.{ending}"
        return f"the {' '.join(words)} {rng.choice(('file', 'document', 'report', 'pdf', 'spreadsheet', 'paper', 'slides'))}"

    def _thing(self) -> str:
        """Any short noun phrase: a title, a note's name, a list's, or new words."""
        draw = self.rng.random()
        if draw < 0.6:
            kind = self.rng.choice(("title", "note", "list", "topic"))
            return self._text(_LISTS[kind], kind)
        words = self._words(1, 3)
        return " ".join(words).title() if draw < 0.75 else " ".join(words)

    def integer(self, spoken: bool) -> str:
        rng = self.rng
        number = rng.choice((rng.randint(1, 12), rng.randint(1, 20), rng.randint(2, 100), rng.randint(10, 500)))
        if number <= 20 and (spoken or rng.random() < 0.25):
            return _NUMBERS[number]
        return str(number)

    def url(self, spoken: bool) -> str:
        rng = self.rng
        host = f"{rng.choice(self.dictionary)}.{rng.choice(_DOMAINS)}"
        path = "/".join(rng.choice(self.dictionary) for _ in range(rng.randint(0, 2)))
        link = f"{rng.choice(('', '', 'www.', 'app.', 'docs.'))}{host}" + (f"/{path}" if path else "")
        if spoken and rng.random() < 0.5:
            return link.replace(".", " dot ").replace("/", " slash ")
        return link if spoken or rng.random() < 0.6 else f"https://{link}"

    def address(self) -> str:
        rng = self.rng
        street = self._word().capitalize()
        kind = rng.choice(("Street", "Road", "Avenue", "Lane", "St", "Rd", "Boulevard", "Way", "Court", "Place"))
        town = f", {self._word().capitalize()}" if rng.random() < 0.35 else ""
        return f"{rng.randint(1, 2400)} {street} {kind}{town}"

    def hour(self, spoken: bool) -> str:
        """An hour as most people say it: "3", where "at" stands before it."""
        hour = self.rng.randint(1, 12)
        return _NUMBERS[hour] if self.rng.random() < (0.7 if spoken else 0.12) else str(hour)

    def time(self, spoken: bool) -> str:
        rng = self.rng
        hour, minute = rng.randint(1, 12), rng.choice((0, 0, 0, 0, 30, 30, 15, 45, rng.randint(0, 11) * 5))
        half = "am" if 8 <= hour <= 11 else "pm"
        if rng.random() < 0.15:
            half = "am" if half == "pm" else "pm"
        if spoken or rng.random() < 0.12:
            return self._spoken_time(hour, minute, half)
        digits = f"{hour}:{minute:02}" if minute or rng.random() < 0.25 else f"{hour}"
        style = rng.random()
        if style < 0.62:
            return digits + rng.choice(("", "", " ")) + rng.choice((half, half, half, half.upper(), f"{half[0]}.m."))
        if style < 0.75:
            return f"{(hour % 12) + (12 if half == 'pm' else 0):02}:{minute:02}"
        if style < 0.85:
            return digits if minute else f"{hour} o'clock"
        if style < 0.9:
            return rng.choice(("noon", "midnight", "12 noon"))
        return (
            digits
            + " "
            + {"am": "in the morning", "pm": "in the afternoon" if hour < 6 or hour == 12 else "in the evening"}[half]
        )

    def _spoken_time(self, hour: int, minute: int, half: str) -> str:
        rng, name = self.rng, _NUMBERS[hour]
        following = _NUMBERS[hour % 12 + 1]
        if minute == 30:
            return rng.choice((f"half past {name}", f"{name} thirty", f"{name} thirty {half}", f"half {name}"))
        if minute == 15:
            return rng.choice((f"quarter past {name}", f"a quarter past {name}", f"{name} fifteen"))
        if minute == 45:
            return rng.choice((f"quarter to {following}", f"{name} forty five", f"a quarter to {following}"))
        if minute in (5, 10, 20):
            return f"{_NUMBERS[minute]} past {name}"
        if minute:
            return f"{hour}:{minute:02} {half}"
        return rng.choice(
            (
                f"{name} {half}",
                f"{hour} {half}",
                f"{name} o'clock",
                f"{hour}{half}",
                f"{name} in the {'morning' if half == 'am' else 'afternoon'}",
            )
        )

    def date(self, spoken: bool) -> str:
        rng = self.rng
        day, month, weekday = rng.randint(1, 28), rng.choice(_MONTHS), rng.choice(_DAYS)
        weekday = weekday if spoken or rng.random() < 0.4 else weekday.capitalize()
        if not spoken and rng.random() < 0.1:
            weekday = weekday[:3]
        ordinal = f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"
        draw = rng.random()
        if not spoken and rng.random() < 0.06:
            return rng.choice(("tmrw", "tmr", "tmrw", "tues", "thurs", "weds", "sat", "sun", "mon"))
        if draw < 0.24:
            return weekday
        if draw < 0.38:
            return f"{rng.choice(('next', 'this', 'next', 'coming'))} {weekday}"
        if draw < 0.62:
            return rng.choice(("tomorrow", "tomorrow", "tomorrow", "today", "the day after tomorrow", "tonight"))
        if draw < 0.72:
            return rng.choice((f"the {ordinal}", f"the {ordinal} of {month}", f"{month} {ordinal}"))
        if draw < 0.86:
            return rng.choice(
                (
                    f"{month} {day}",
                    f"{day} {month}",
                    f"{month[:3]} {day}",
                    f"{day} {month[:3]}",
                    f"{weekday} the {ordinal}",
                    f"{weekday} {day} {month}",
                )
            )
        if draw < 0.92 and not spoken:
            year = rng.randint(2025, 2029)
            number = _MONTHS.index(month) + 1
            return rng.choice((f"{year}-{number:02}-{day:02}", f"{month} {day}, {year}", f"{day} {month} {year}"))
        number_of = rng.randint(2, 6)
        return rng.choice(
            (
                f"in {_NUMBERS[number_of] if spoken else number_of} days",
                "next week",
                "in a week",
                f"in {_NUMBERS[number_of]} weeks",
                "this weekend",
                "the weekend",
                "the end of the month",
                "next month",
            )
        )

    def moment(self, spoken: bool) -> str:
        rng = self.rng
        date, time = self.date(spoken), self.time(spoken)
        draw = rng.random()
        if draw < 0.06:
            count = rng.choice((2, 3, 5, 10, 15, 20, 30, 45))
            number = _NUMBERS[count] if count <= 20 and (spoken or rng.random() < 0.4) else str(count)
            return rng.choice(
                (f"in {number} minutes", f"in {rng.choice(('an hour', 'two hours', 'half an hour', '3 hours'))}")
            )
        if draw < 0.5:
            return f"{date} at {self.hour(spoken) if rng.random() < BARE else time}"
        if draw < 0.68:
            return f"{date} {time}"
        if draw < 0.76:
            return f"{time} on {date}"
        if draw < 0.84:
            return f"{time} {date}"
        if draw < 0.9:
            return f"{rng.choice(('tomorrow', _choice(rng, _DAYS)))} {rng.choice(('morning', 'afternoon', 'evening'))} at {time}"
        if draw < 0.92:
            return f"{rng.choice(('tomorrow', 'today', _choice(rng, _DAYS)))} {self.hour(spoken)}"
        if draw < 0.96:
            return f"{date}, {time}"
        return (
            f"{rng.choice(('tomorrow', 'this', _choice(rng, _DAYS)))} {rng.choice(('morning', 'afternoon', 'evening'))}"
        )

    def length(self, spoken: bool) -> str:
        rng = self.rng
        minutes = rng.choice((10, 15, 20, 25, 30, 40, 45, 50, 60, 75, 90, 120))
        if minutes % 60 == 0 and rng.random() < 0.8:
            hours = minutes // 60
            return (
                rng.choice(("an hour", "one hour", "1 hour", "1h"))
                if hours == 1
                else rng.choice(("two hours", "2 hours", "2h"))
            )
        if minutes == 90:
            return rng.choice(("an hour and a half", "90 minutes", "1.5 hours", "one and a half hours"))
        if minutes == 30 and rng.random() < 0.4:
            return "half an hour"
        if minutes == 45 and rng.random() < 0.15:
            return "three quarters of an hour"
        unit = rng.choice(("minutes", "minutes", "min", "mins")) if not spoken else "minutes"
        number = _NUMBERS[minutes] if minutes <= 20 and (spoken or rng.random() < 0.2) else str(minutes)
        return f"{number} {unit}"


def _choice(rng: random.Random, values: tuple[str, ...]) -> str:
    return rng.choice(values)


def _ascii(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())
