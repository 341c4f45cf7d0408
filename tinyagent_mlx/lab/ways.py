"""Say a request another way: groups of wordings that ask for the same thing, and of words that mean the same.

A dozen examples say "play Bolero"; whoever asks later says "let me hear Bolero" or "Bolero, please". The groups, in
corpus/ways, were written for requests of any kind; no tool is named in them. Knows no models and no tools.

    actions.txt, questions.txt    play X | put X on | ! I'd like to hear X      X is what it is about, Y a second thing;
                                                                                ! cannot stand after "could you"
    words.txt                     photo | picture | pic
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus" / "ways"
BY_CLAUSES = 0.7  # how likely several clauses are said another way one by one
CHANGED = 0.25  # how likely a word of a group is changed
_JOINED = re.compile(r"\band\b|\bthen\b|[,;.] ", re.IGNORECASE)  # in what a wording is about: another clause may follow
_CLAUSES = re.compile(r"(,? and then |,? then |,? and |[.;] )", re.IGNORECASE)
_BEFORE = re.compile(
    r"^(?:(?:please|kindly|hey|ok|okay|so|now|just|(?:can|could|would|will) you|I want you to|I need you to|let's)\b[, ]*)+",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"(?:what|where|which|who|how|when|why|any|is|are|was|do|does|did|has|it|there|I|my|the|an?)\b", re.IGNORECASE
)
_AFTER = re.compile(r"(?:,? (?:please|now|thanks|for me))*[.!?]*$", re.IGNORECASE)


@dataclass(frozen=True)
class Way:
    """One wording of a group, with X and perhaps Y. `asked` where it can stand after "could you"."""

    text: str
    asked: bool

    @property
    def ends_open(self) -> bool:
        return self.text.endswith(("X", "Y"))

    @property
    def first(self) -> str:
        """The first word, "" where it is what the wording is about."""
        word = self.text.split()[0].lower()
        return "" if word.strip(",") in ("x", "y") else word

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Requests that are worded so; of thousands of ways few are ever asked for it."""
        text = re.escape(self.text).replace(r"\ ", " ")
        return re.compile(re.sub(r"\b([XY])\b", r"(?P<\1>.+?)", text), re.IGNORECASE)


Group = tuple[Way, ...]


class Ways:
    """Other ways to say wordings. `kept` are words that stay, since they tell plans apart, and `taken` what nothing becomes."""

    def __init__(
        self,
        groups: Iterable[Group],
        words: Iterable[tuple[str, ...]],
        kept: Collection[str] = (),
        taken: Collection[str] = (),
    ):
        self._ways: dict[str, list[tuple[int, Group]]] = defaultdict(
            list
        )  # places in groups by first word, "" for X and Y
        for group in groups:
            for place, way in enumerate(group):
                self._ways[way.first].append((place, group))
        self.kept, self.taken = {word.lower() for word in kept}, {word.lower() for word in taken}
        self._words: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for alike in words:
            for word in alike:
                self._words[word].append(alike)
        listed = sorted(self._words, key=len, reverse=True)
        some = "|".join(map(re.escape, listed)) or "(?!)"
        self._any_word = re.compile(rf"(?<![\w{{'])(?:{some})(?![\w}}'])", re.IGNORECASE)
        self._found: dict[str, list[tuple[Group, re.Match[str]]]] = {}

    def other(self, text: str, rng: random.Random) -> tuple[str, bool]:
        """The wording another way where a group knows it, and whether it can stand after "could you".

        Of several clauses each is said another way, or all of them as if they were one.
        """
        bare = _AFTER.sub("", _BEFORE.sub("", text))
        clauses = _CLAUSES.split(bare)  # with what stands between them
        if len(clauses) > 1 and rng.random() < BY_CLAUSES:
            first, may_be_asked = self._other(clauses[0], rng)
            rest = [
                part if at % 2 or len(part.split()) < 2 else self._other(part, rng, asked=True)[0]
                for at, part in enumerate(clauses[1:], start=1)
            ]
            said = "".join((first, *rest))
        else:
            said, may_be_asked = self._other(bare, rng)
        return said, may_be_asked and not _STATED.match(said)

    def _other(self, text: str, rng: random.Random, asked: bool = False) -> tuple[str, bool]:
        """One clause another way; `asked`: one that can stand after "could you"."""
        found = self._matching(text)
        if not found:
            return text, True
        group, match = rng.choice(found)
        about = match.groupdict()
        closed = any(_JOINED.search(thing) for thing in about.values())
        fitting = [way for way in group if (way.ends_open or not closed) and (way.asked or not asked)]
        if not fitting:
            return text, True
        way = rng.choice(fitting)
        return re.sub(r"\b[XY]\b", lambda m: about[m[0]], way.text), way.asked

    def _matching(self, text: str) -> list[tuple[Group, re.Match[str]]]:
        """The groups that word it so: those whose wording says most of it, and among these those where it stands first."""
        if text not in self._found:
            ways = [*self._ways.get(text.split()[0].lower(), ()), *self._ways[""]] if text.strip() else []
            found = [(place, group, match) for place, group in ways if (match := group[place].pattern.fullmatch(text))]
            ranks = [(sum(map(len, match.groups())), place) for place, _, match in found]
            best = min(ranks, default=None)
            self._found[text] = [
                (group, match) for rank, (_, group, match) in zip(ranks, found, strict=True) if rank == best
            ]
        return self._found[text]

    def words(self, text: str, rng: random.Random) -> str:
        """The wording with some of its words in other words; slots stay, and its first word, which is often a verb."""

        def change(match: re.Match[str]) -> str:
            word = match[0]
            if not match.start() or word.lower() in self.kept or rng.random() > CHANGED:
                return word
            others = [
                o for group in self._words[word.lower()] for o in group if o not in self.taken and o != word.lower()
            ]
            return rng.choice(others) if others else word

        return re.sub(r"\b(an?) (?=([a-z]))", _article, self._any_word.sub(change, text))


def _article(match: re.Match[str]) -> str:
    return "an " if match[2] in "aeio" else "a "


@cache
def groups() -> tuple[Group, ...]:
    """The shipped groups of wordings."""
    return tuple(
        tuple(Way(part.removeprefix("! "), not part.startswith("! ")) for part in parts)
        for file in ("actions.txt", "questions.txt")
        for parts in _lines(FOLDER / file)
    )


@cache
def words() -> tuple[tuple[str, ...], ...]:
    """The shipped groups of words."""
    return tuple(_lines(FOLDER / "words.txt"))


def _lines(file: Path) -> Iterable[tuple[str, ...]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            yield tuple(part.strip() for part in line.split("|"))
