"""The writer over any language model: mail bodies, notes, summaries. What it is told is data, in writers.yaml.

What others wrote stands apart in the prompt, as material. That is a request to the model and no guarantee: what comes of
it is only ever a text, which is shown before it is used. Text that is longer than the model can read is summarized part by
part. Knows nothing of MLX.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import yaml

from tinyagent_mlx.errors import PlannerError
from tinyagent_mlx.parts import parts
from tinyagent_mlx.profile import fill
from tinyagent_mlx.writing import Task

LEAST_ROOM = 32  # tokens of a text: a model that can't read even these is of no use
LEVELS = 4  # of summaries of summaries; what is still too long then is cut
_MARKS = re.compile(r"<(/?)(?=material>)", re.IGNORECASE)
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # let a text look like another one


class Model(Protocol):
    """Text from a language model; see `streaming.TextModel`. `context` is how many tokens it can read."""

    context: int

    def count(self, text: str) -> int: ...

    def tokens(self, system: str, user: str) -> Sequence[int]: ...

    def stream(self, system: str, user: str, most: int) -> Iterator[str]: ...


@dataclass(frozen=True)
class Wording:
    """What a writer is told; see writers.yaml."""

    temperature: float
    context: int
    tokens: Mapping[str, int]
    stops: tuple[str, ...]
    role: str
    kinds: Mapping[str, str]
    write: tuple[str | Mapping[str, str], ...]
    summary: Mapping[str, str]


@lru_cache(1)
def wording() -> Wording:
    """Ours."""
    data = yaml.safe_load(Path(__file__).with_name("writers.yaml").read_text(encoding="utf-8"))
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    return Wording(**values)


class LanguageWriter:
    """`instructions` are what the user always wants, by tool. One text at a time: a second one waits for the first."""

    def __init__(
        self,
        model: Model,
        name: str,
        instructions: Mapping[str, tuple[str, ...]] | None = None,
        words: Wording | None = None,
    ):
        self.model, self.name, self.instructions = model, name, instructions or {}
        self.words = words or wording()
        self._turn = threading.Lock()

    @property
    def context(self) -> int:
        return min(self.model.context, self.words.context)

    def write(self, task: Task) -> Iterator[str]:
        """Yield the text that takes the place of the task's own words."""
        with self._turn:
            system = f"{self.words.role}\n\n{self.words.kinds[task.argument.written]}"
            most = min(self.words.tokens["text"], self.context // 4)
            empty = self._user(task, [""] * len(task.material))
            room = self.context - most - len(self.model.tokens(system, empty))
            material: list[str] = []
            for text in task.material:
                share = self._enough(room // (len(task.material) - len(material)))
                short = ""
                for piece in self._shortened(text, share):
                    short += piece
                    yield ""
                material.append(short)
                room -= self.model.count(short)
            yield from self._answer(system, self._user(task, material), most)

    def summarize(self, text: str) -> Iterator[str]:
        """Yield a summary of a text of any length."""
        with self._turn:
            most = min(self.words.tokens["summary"], self.context // 4)
            yield from self._summary(text, most)

    def _user(self, task: Task, material: Iterable[str]) -> str:
        """What is asked for, with the material."""
        always = self.instructions.get(task.tool.name, ())
        about = [{"name": name.replace("_", " "), "value": value} for name, value in task.about.items()]
        each: dict[str, list[dict[str, Any]]] = {
            "about": about,
            "material": [{"material": _held(text)} for text in material],
            "instruction": [{"instruction": one} for one in always],
        }
        there = {"words": bool(task.words), "instructions": bool(always), "material": bool(task.material)}
        out = ""
        for piece in self.words.write:
            kept = {"text": piece} if isinstance(piece, str) else piece
            if there.get(kept.get("when", ""), True):
                for values in (
                    each[kept["each"]] if "each" in kept else [{"request": task.request, "words": task.words}]
                ):
                    out += fill(kept["text"], **values)
        return out

    def _shortened(self, text: str, room: int) -> Iterator[str]:
        """A text that fits into `room` tokens: itself, or a summary of it."""
        if self.model.count(_held(text)) <= room:
            yield text
        else:
            yield from self._summary(text, min(self.words.tokens["summary"], room))

    def _summary(self, text: str, most: int) -> Iterator[str]:
        """Yield a summary, in `most` tokens at most; of a text that is too long, one of the summaries of its parts."""
        room, how = min(self._room(how, most) for how in ("whole", "joined")), "whole"
        for _ in range(LEVELS):
            if self.model.count(_held(text)) <= room:
                break
            summaries = yield from self._by_parts(text, room)
            text, how = "\n\n".join(filter(None, summaries)), "joined"
        text = parts(_held(text), room, self.model.count)[0]
        yield from self._answer(self._system(how), _material(text), most)

    def _by_parts(self, text: str, room: int) -> Generator[str, None, list[str]]:
        """The summaries of a text's parts; yields nothing to show, once for each token."""
        most = max(1, min(self.words.tokens["part"], room // 4))
        found = parts(_held(text), room - most, self.model.count)
        summaries = []
        for number, part in enumerate(found, 1):
            summary = ""
            for piece in self._answer(self._system("part", number=number, parts=len(found)), _material(part), most):
                summary += piece
                yield ""
            summaries.append(summary.strip())
        return summaries

    def _system(self, how: str, **values: int) -> str:
        return f"{self.words.role}\n\n{fill(self.words.summary[how], **values)}"

    def _room(self, how: str, most: int) -> int:
        """Tokens that a text may have in a prompt. Raises `PlannerError` when there are too few to be of use."""
        return self._enough(self.context - most - len(self.model.tokens(self._system(how), _material(""))))

    def _enough(self, room: int) -> int:
        if room < LEAST_ROOM:
            raise PlannerError(f"it reads {self.context} tokens at once, which are too few for this")
        return room

    def _answer(self, system: str, user: str, most: int) -> Iterator[str]:
        yield from _plain(until(self.model.stream(system, user, most), self.words.stops))


def until(pieces: Iterable[str], stops: Sequence[str]) -> Iterator[str]:
    """The pieces up to a stop text, without white space before the first word. What may become a stop is held back."""
    held, begun = "", False
    for piece in pieces:
        held += piece
        if not begun:
            held = held.lstrip()
            begun = bool(held)
        if found := [at for stop in stops if (at := held.find(stop)) >= 0]:
            yield held[: min(found)]
            return
        ready = len(held) - max((_overlap(held, stop) for stop in stops), default=0)
        yield held[:ready]
        held = held[ready:]
    yield held


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of a text a stop may begin with."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)


def _plain(pieces: Iterable[str]) -> Iterator[str]:
    """Without characters that steer a screen or turn the direction of text."""
    for piece in pieces:
        yield "".join(c for c in piece if c in "\n\t" or (unicodedata.category(c) != "Cc" and c not in _TURNING))


def _material(text: str) -> str:
    return f"<material>\n{_held(text)}\n</material>\n"


def _held(text: str) -> str:
    """Material that can't end its own marks."""
    return _MARKS.sub(r"‹\1", text)
