"""Bring words about times and numbers into one plain form: lower case, digits for number words, no outer marks.

"Half-past Four, p.m." becomes "half past 4 pm", "the twenty-first" "the 21th". Every ordinal word ends in "th", which
the readers of the plain form take. This module knows nothing of clocks, days or lengths.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

LONGEST = 120

UNITS = {name: number for number, name in enumerate("one two three four five six seven eight nine".split(), 1)}
TEENS = {
    name: number
    for number, name in enumerate(
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(), 10
    )
}
TENS = {name: 10 * n for n, name in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
SMALL = {"zero": 0, **UNITS, **TEENS, **TENS, "fourty": 40}
SCALES = {"hundred": 100, "thousand": 1000}
_UNIT_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth".split()
_UNIT_TH = {name: number for number, name in enumerate(_UNIT_ORDINALS, 1)}
ORDINALS = {
    **_UNIT_TH,
    **{name: 10 + number for number, name in enumerate("tenth eleventh twelfth thirteenth fourteenth fifteenth".split())},
    **{name: 16 + number for number, name in enumerate("sixteenth seventeenth eighteenth nineteenth".split())},
    "twentieth": 20,
    "thirtieth": 30,
}

_FRACTIONS = {"½": "5", "¼": "25", "¾": "75"}
_CHARACTERS = str.maketrans({"’": "'", "‘": "'", "–": "-", "—": "-", "−": "-", "‑": "-"})

# In order: each pattern sees what the ones before it left.
_REWRITES = (
    (r"\bo ?'? ?clock\b", "oclock"),
    (r"(?<![a-z])([ap])[. ]{0,2}m\b\.?", r"\1m"),
    (r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", ""),
    (r"(?<=[0-9]) (?:to|until|till?) (?=[0-9])", "-"),  # "9 to 5" in digits is a range, "ten to five" is a time
    (r"'s?(?![a-z])|[\"`“”()\[\],;!?]|:(?= |$)", " "),
    (r"'", ""),
    (r"(?<=[a-z])\.|\.(?= |$)", " "),
    (r" *- *", "-"),
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
        if not used:
            ordinal = ORDINALS.get(words[at])
            out.append(words[at] if ordinal is None else f"{ordinal}th")
            at += 1
            continue
        at += used
        # TENS is checked on the word itself: 20 that came from "twenty" may be followed by "first", a digit 20 not
        if number % 10 == 0 and words[at - 1] in TENS and at < len(words) and words[at] in _UNIT_TH:
            out.append(f"{number + _UNIT_TH[words[at]]}th")
            at += 1
        elif words[at - used] in ("oh", "o"):
            out.append(f"0{number}")
        else:
            out.append(str(number))
    return out


def _number(words: list[str], at: int) -> tuple[int, int]:
    """The number that starts at a word, and how many words it takes; 0 words where none starts."""
    if words[at] in ("oh", "o") and at and at + 1 < len(words) and words[at + 1] in UNITS:
        return UNITS[words[at + 1]], 2
    if words[at] in ("a", "an") and at + 1 < len(words) and words[at + 1] in SCALES:
        value, used = 1, 1
    else:
        value, used = _below_hundred(words, at)
    total, scaled = 0, False
    while used and at + used < len(words) and words[at + used] in SCALES:
        total, scaled = total + value * SCALES[words[at + used]], True
        used += 1
        step = 1 if at + used + 1 < len(words) and words[at + used] == "and" else 0
        value, more = _below_hundred(words, at + used + step)
        used += more + step if more else 0
    digits_only = used == 1 and not scaled and words[at].isdigit()
    return (0, 0) if digits_only else (total + value, used)


def _below_hundred(words: list[str], at: int) -> tuple[int, int]:
    if at >= len(words):
        return 0, 0
    word = words[at]
    if word in TENS and at + 1 < len(words) and words[at + 1] in UNITS:
        return TENS[word] + UNITS[words[at + 1]], 2
    if word in SMALL:
        return SMALL[word], 1
    followed = at + 1 < len(words) and words[at + 1] in SCALES
    return (int(word), 1) if followed and re.fullmatch("[0-9]{1,3}", word) else (0, 0)
