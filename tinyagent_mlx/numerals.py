"""Bring words about times and numbers into one plain form: lower case, digits for number words, no outer marks.

"Half-past Four, p.m." becomes "half past 4 pm", "the twenty-first" "the 21th". Every ordinal word ends in "th", which
the readers of the plain form take. This module knows nothing of clocks, days or lengths.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

LONGEST = 120


def _numbered(words: str, first: int, step: int = 1) -> dict[str, int]:
    return {word: first + step * index for index, word in enumerate(words.split())}


_UNITS = _numbered("one two three four five six seven eight nine", 1)
_TENS = _numbered("twenty thirty forty fifty sixty seventy eighty ninety", 20, 10)
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_SMALL = {"zero": 0, **_UNITS, **_numbered(_TEENS, 10), **_TENS}
_SCALES = ("hundred", "thousand")
_UNITS_TH = _numbered("first second third fourth fifth sixth seventh eighth ninth", 1)
_TEENS_TH = "tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
_ORDINALS = {**_UNITS_TH, **_numbered(_TEENS_TH, 10), "twentieth": 20, "thirtieth": 30}

_FRACTIONS = {"½": "5", "¼": "25", "¾": "75"}
_CHARACTERS = str.maketrans(
    dict.fromkeys("\u2018\u2019", "'") | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
)

# In order: each pattern sees what the ones before it left.
_REWRITES = (
    (r"\bo ?'? ?clock\b", "oclock"),
    (r"(?<![a-z])([ap])[. ]{0,2}m\b\.?", r"\1m"),
    (r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", ""),
    (r"(?<=[0-9]) (?:to|until|till?) (?=[0-9])", "-"),  # "9 to 5" in digits is a range, "ten to five" is a time
    (r"'s?(?![a-z])|[\"`“”()\[\],;!?]|:(?= |$)", " "),
    (r"'", ""),
    (r"(?<=[a-z])\.|\.(?= |$)", " "),
    (r" +", " "),
    (r"(?:^| )-(?=[0-9])", " minus "),  # no time, and "friday - 3pm" is one
    (r" ?- ?", "-"),
    (r"(?<=[a-z])-|-(?=[a-z])|-$", " "),
    (r"(?<=[0-9]) ?ish\b", ""),
    (r"@", " at "),
    (r"\b(?:tmrw|tmr|tmw|tomoz|tomoro|2moro|2morrow)\b", "tomorrow"),
    (r"\b(?:2nite|tonite)\b", "tonight"),
    (r"\b(?:um+|uh+|erm?|please)\b", " "),
    (r"\bchristmas eve\b", "december 24"),
    (r"\bchristmas(?: day)?\b", "december 25"),
    (r"\bboxing day\b", "december 26"),
    (r"\bnew years? eve\b", "december 31"),
    (r"\bnew years? day\b", "january 1"),
    (r"\bvalentines? day\b", "february 14"),
    (r"\bhalloween\b", "october 31"),
    (r"\b(?:eod|end of (?:the )?(?:business |working |work )?day|close of business|cob)\b", "17:00"),
)


@cache
def _rewrites() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern), new) for pattern, new in _REWRITES)


def plain(text: str) -> str:
    """Give the plain form; "" for a text longer than `LONGEST` characters, which can be no time or number."""
    if len(text) > LONGEST:
        return ""
    text = re.sub("([0-9]*) ?([½¼¾])", lambda m: f" {m[1] or 0}.{_FRACTIONS[m[2]]} ", text)
    text = unicodedata.normalize("NFKC", text).translate(_CHARACTERS).lower()
    text = " ".join(text.split())
    for pattern, new in _rewrites():
        text = pattern.sub(new, text)
    return " ".join(_digits(text.split()))


def _digits(words: list[str]) -> list[str]:
    """Replace number words by digits: "seven forty five" gives 7 45, "twenty first" gives 21th."""
    out: list[str] = []
    at = 0
    while at < len(words):
        number, used = _number(words, at)
        last, following = words[at + used - 1], words[at + used] if at + used < len(words) else ""
        if used and last in _TENS and following in _UNITS_TH:
            out.append(f"{number + _UNITS_TH[following]}th")
            used += 1
        elif used:
            out.append(f"{number:02}" if words[at] in ("oh", "o") else str(number))
        else:
            ordinal = _ORDINALS.get(words[at])
            out.append(words[at] if ordinal is None else f"{ordinal}th")
            used = 1
        at += used
    return out


def _number(words: list[str], at: int) -> tuple[int, int]:
    """The number that starts at a word, and how many words it takes; 0 words where none starts."""
    following = words[at + 1] if at + 1 < len(words) else ""
    if words[at] in ("oh", "o") and at and following in _UNITS:  # "nine oh five"
        return _UNITS[following], 2
    value, used = (1, 1) if words[at] in ("a", "an") and following in _SCALES else _below_hundred(words, at)
    total, end = 0, at + used
    while used and end < len(words) and words[end] in _SCALES:
        total = (total + value) * 1000 if words[end] == "thousand" else total + value * 100
        end += 1
        joint = end < len(words) and words[end] == "and"
        value, more = _below_hundred(words, end + joint)
        end += more + joint if more else 0
    return total + value, end - at


def _below_hundred(words: list[str], at: int) -> tuple[int, int]:
    if at >= len(words):
        return 0, 0
    word, following = words[at], words[at + 1] if at + 1 < len(words) else ""
    if word in _TENS and following in _UNITS:
        return _TENS[word] + _UNITS[following], 2
    if word in _SMALL:
        return _SMALL[word], 1
    return (int(word), 1) if following in _SCALES and re.fullmatch("[0-9]{1,3}", word) else (0, 0)
