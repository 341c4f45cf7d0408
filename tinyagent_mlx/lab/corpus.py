"""The corpus: wordings with slots and the plans they stand for, as plain text in corpus/*.txt.

A block is a plan followed by wordings, one a line, `register | text`; a blank line ends it. In place of a plan stands
`refuse`, or `refuse missing` where another toolbox might serve the request:

    1. get_phone_number({person})
    2. send_sms(["$1"], {message})
    terse | text {person} {message}

A slot is a filler's name with an optional number. {aside} is a person who is named and stands in no argument. This module reads and splits; filling is `fill.py`'s.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rapidfuzz import fuzz, process

from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.plan import Plan, Step, parse_plan
from tinyagent_mlx.values import Mixed, Ref, Value, join

FOLDER = Path(__file__).parent / "corpus"
REGISTERS = (
    "terse", "polite", "chatty", "indirect", "question", "voice", "hurried", "nonnative", "british", "indian", "formal",
)  # fmt: skip
REFUSE, MISSING = "refuse", "refuse missing"
ASIDE = "aside"
NEAR_COPY = 90  # rapidfuzz ratio from which two wordings count as one

_SLOT = re.compile(r"\{(\w+)\}")
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARKED = re.compile(f"{_OPEN}(\\w+){_CLOSE}")


@dataclass(frozen=True)
class Wording:
    """One request with slots; `plan` holds the slots as marked text, `source` is file and line.

    `missing` says of a refusal that a tool could do it, and none of the shipped ones does.
    """

    text: str
    register: str
    plan: Plan
    source: str
    missing: bool = False
    values: Mapping[str, Sequence[str]] = field(
        default_factory=dict, compare=False
    )  # what may fill slots, beside the fillers

    @property
    def slots(self) -> tuple[str, ...]:
        return tuple(_SLOT.findall(self.text))

    @property
    def key(self) -> str:
        """The words alone: what tells two wordings apart."""
        return re.sub(r"\W+", " ", _SLOT.sub(" _ ", self.text).lower()).strip()


def read_corpus(folder: Path = FOLDER) -> list[Wording]:
    """Read every block of every file, in order; a wording that stands twice is kept once. Raises `ConfigError`."""
    wordings: dict[str, Wording] = {}
    for file in sorted(folder.glob("*.txt")):
        for wording in _read_file(file):
            wordings.setdefault(wording.key, wording)
    return list(wordings.values())


def _read_file(file: Path) -> Iterable[Wording]:
    block: list[tuple[int, str]] = []
    for number, line in enumerate([*file.read_text(encoding="utf-8").splitlines(), ""], 1):
        if line.startswith("#"):
            continue
        if line.strip():
            block.append((number, line))
        elif block:
            yield from _read_block(file, block)
            block = []


def _read_block(file: Path, block: list[tuple[int, str]]) -> Iterable[Wording]:
    lines = [line for _, line in block]
    refused = lines[0].strip() in (REFUSE, MISSING)
    count = 1 if refused else sum(bool(re.match(r"\d+\. ", line)) for line in lines)
    plan = Plan() if refused else parse_plan(mark("\n".join(lines[:count])))
    for number, line in block[count:]:
        register, bar, text = line.partition(" | ")
        source = f"{file.name}:{number}"
        if not bar or register.strip() not in REGISTERS:
            raise ConfigError(f"{source}: expected 'register | wording', got {line!r}")
        wording = Wording(text.strip(), register.strip(), plan, source, missing=lines[0].strip() == MISSING)
        if {s for s in wording.slots if not s.startswith(ASIDE)} != plan_slots(plan) or len(set(wording.slots)) != len(
            wording.slots
        ):
            raise ConfigError(f"{source}: the slots of {text!r} are not those of its plan")
        yield wording


def mark(plan: str) -> str:
    """Make slots into marked text: inside a string as they are, outside as a string of their own."""
    out, last = [], 0
    for literal in re.finditer(r'"(?:[^"\\]|\\.)*"', plan):
        out.append(_SLOT.sub(rf'"{_OPEN}\1{_CLOSE}"', plan[last : literal.start()]))
        out.append(_SLOT.sub(rf"{_OPEN}\1{_CLOSE}", literal[0]))
        last = literal.end()
    return "".join([*out, _SLOT.sub(rf'"{_OPEN}\1{_CLOSE}"', plan[last:])])


def marked(slot: str) -> str:
    """A slot as it stands in the plan of a `Wording`."""
    return f"{_OPEN}{slot}{_CLOSE}"


def _map_text(value: Value, change) -> Value:
    if isinstance(value, tuple):
        return tuple(_map_text(item, change) for item in value)  # type: ignore[misc]
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mixed):
        return join([change(part) if isinstance(part, str) else part for part in value.parts])
    return value


def plan_slots(plan: Plan) -> set[str]:
    """The names of the slots in a plan."""
    found: set[str] = set()

    def look(text: str) -> str:
        found.update(_MARKED.findall(text))
        return text

    for step in plan.steps:
        for value in step.arguments:
            _map_text(value, look)
    return found


def fill_plan(plan: Plan, values: Mapping[str, str]) -> Plan:
    """Put values in the place of slots."""

    def fill(text: str) -> str:
        return _MARKED.sub(lambda match: values[match[1]], text)

    return Plan(tuple(Step(s.id, s.tool, tuple(_map_text(v, fill) for v in s.arguments)) for s in plan.steps))


@dataclass(frozen=True)
class Split:
    train: list[Wording]
    valid: list[Wording]
    test: list[Wording]


def split(wordings: list[Wording], held: float = 0.04) -> Split:
    """Split by wording: `held` of them for validation and as many for test, chosen by hash.

    A training wording that is a near copy of a held one is left out, and so is a validation wording of a test one.
    """

    def draw(wording: Wording) -> float:
        return int(hashlib.sha256(wording.key.encode()).hexdigest()[:8], 16) / 0x1_0000_0000

    test = [w for w in wordings if draw(w) < held]
    valid = _far_from(test, [w for w in wordings if held <= draw(w) < 2 * held])
    train = _far_from([*test, *valid], [w for w in wordings if draw(w) >= 2 * held])
    return Split(train, valid, test)


def _far_from(held: list[Wording], others: list[Wording]) -> list[Wording]:
    if not held or not others:
        return others
    keys = [w.key for w in held]
    scores = process.cdist([w.key for w in others], keys, scorer=fuzz.ratio, score_cutoff=NEAR_COPY, workers=-1)
    return [wording for wording, row in zip(others, scores.max(axis=1), strict=True) if row < NEAR_COPY]


__all__ = ["REGISTERS", "Ref", "Split", "Wording", "fill_plan", "plan_slots", "read_corpus", "split"]
