"""Generate training rows: draw wordings, fill their slots, join some into longer requests, roughen the text.

Everything is drawn from a seeded generator: the same corpus, seed and count give the same rows. Each row is checked:
its plan against the toolbox, and every word of its arguments against the request.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyagent_mlx.check import check_plan
from tinyagent_mlx.decisions import Layout
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.lab.corpus import Wording, fill_plan
from tinyagent_mlx.lab.fill import Filler
from tinyagent_mlx.lab.oracle import Oracle
from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.toolbox import Argument, Toolbox
from tinyagent_mlx.values import Ref, Value, map_references

_LOOKUPS = ("get_phone_number", "get_email_address", "open_and_get_file_path")
_SLOT = re.compile(r"\{(\w+)\}")
_CONNECTORS = (
    " and ", " and then ", ", then ", ", and ", ". Then ", ". Also ", "; ", ", also ", ". After that, ", " and also ",
    ". And ", ". Next, ", " plus ", ". Once that's done, ", ". Oh and ", " - also ", ", after that ", ". Additionally, ",
    ". Finally, ", ". While you're at it, ", ", and finally ", "\n", ". ", ". Afterwards ", " and when that's done ",
)  # fmt: skip
_SPOKEN_CONNECTORS = (
    " and ", " and then ", " then ", " also ", " and um ", " oh and ", " after that ", " and also ", " plus ", " ok then ",
    " next ", " and uh ", " once thats done ",
)  # fmt: skip
_OPENERS = (
    "please ",
    "hey, ",
    "ok ",
    "hi, ",
    "so ",
    "can you ",
    "could you ",
    "quick one: ",
    "right, ",
    "I need you to ",
    "pls ",
)
_SPOKEN_OPENERS = ("um ", "uh ", "hey ", "okay so ", "so ", "right ", "please ", "yeah ", "hey assistant ", "computer ")
_CLOSERS = (" please", ", thanks", " thanks", ", please", " for me", ", cheers", " thx", " asap", ". Thank you!")
_SPOKEN_CLOSERS = (" please", " thanks", " for me", " thank you", " okay", " if you can")


@dataclass(frozen=True)
class Mix:
    """Shares of the kinds of rows; the first four add up to one."""

    refusals: float = 0.15
    singles: float = 0.30
    multiples: float = 0.25
    composed: float = 0.30
    asked: float = 0.6  # of the single wordings, also within longer requests, where new tools are asked for
    joined: float = 0.0  # of the refusals: two of them in one request, for data that must not repeat itself
    lengths: tuple[int, ...] = (5, 4, 2, 1)  # weights of 2, 3, 4, … wordings in a composed request
    formal: float = 0.0  # of the composed requests: formal wordings alone


@dataclass(frozen=True)
class Row:
    """A request, its plan with datetimes and numbers in the request's words, and the spans of its slots."""

    request: str
    plan: Plan
    spans: tuple[tuple[int, int], ...]
    register: str
    sources: tuple[str, ...]

    def graded(self, tools: Toolbox) -> Plan:
        """The plan as a case holds it: numbers as numbers, spoken links as links."""

        def graded(step: Step) -> Step:
            arguments = zip(tools[step.tool].arguments, step.arguments, strict=True)
            return Step(step.id, step.tool, tuple(_graded(argument, value) for argument, value in arguments))

        return Plan(tuple(map(graded, self.plan.steps)))


def _graded(argument: Argument, value: Value) -> Value:
    said = isinstance(value, str) and value != argument.default and argument.type.name in ("integer", "url")
    return argument.type.from_words(str(value)) if said else value


class Generator:
    """Draw rows from wordings. `rows` is endless.

    `asked` are wordings that fill `mix.asked` of the places where a wording of one intent is drawn: new tools' own.
    """

    def __init__(
        self, wordings: Sequence[Wording], tools: Toolbox, dictionary: list[str], seed: int, mix: Mix | None = None,
        asked: Sequence[Wording] = (),
    ):  # fmt: skip
        self.rng = random.Random(seed)
        self.tools, self.mix = tools, mix or Mix()
        self.oracle = Oracle(Layout(tools))
        self.filler = Filler(self.rng, dictionary)
        self.refusals = [w for w in wordings if w.plan.refused]
        served = [w for w in wordings if not w.plan.refused]
        self.singles = [w for w in served if _intents(w.plan) == 1]
        self.multiples = [w for w in served if _intents(w.plan) > 1]
        self.formal = [w for w in self.singles if w.register == "formal"] or self.singles
        self._by_tool = _by_last_tool(self.singles)
        self.asked = list(asked)

    def rows(self) -> Iterator[Row]:
        """Yield rows that check; those that do not are dropped without a word."""
        while True:
            try:
                row = self._draw()
                self.oracle.decisions(row.request, row.plan, row.spans)
                check_plan(row.graded(self.tools), self.tools)
            except PlanError:
                continue
            yield row

    def _draw(self) -> Row:
        mix = self.mix
        kinds = ("refusal", "single", "multiple", "composed")
        kind = self.rng.choices(kinds, (mix.refusals, mix.singles, mix.multiples, mix.composed))[0]
        if kind == "refusal" and self.refusals:
            joined = (
                mix.joined and self.rng.random() < mix.joined
            )  # no draw where nothing is joined: rows stay the same
            return self.fill([self.rng.choice(self.refusals) for _ in range(2 if joined else 1)])
        if kind == "multiple" and self.multiples:
            return self.fill([self.rng.choice(self.multiples)])
        if kind == "composed":
            return self._compose()
        return self.fill([self._single()])

    def _single(self) -> Wording:
        """A one-intent wording, each tool as likely as any other."""
        if self.asked and self.rng.random() < self.mix.asked:
            return self.rng.choice(self.asked)
        return self.rng.choice(self._by_tool[self.rng.choice(sorted(self._by_tool))])

    def _compose(self) -> Row:
        lengths = self.mix.lengths
        number = self.rng.choices(range(2, 2 + len(lengths)), lengths)[0]
        if self.mix.formal and self.rng.random() < self.mix.formal:
            return self.fill(self.rng.choices(self.formal, k=number))
        wordings = [self._single() for _ in range(number)]
        if self.multiples and number > 2 and self.rng.random() < 0.3:
            wordings = [self.rng.choice(self.multiples), wordings[0]]
        return self.fill(wordings)

    def fill(self, wordings: list[Wording]) -> Row:
        """One request of these wordings, with new values. Its plan is not checked."""
        spoken = wordings[0].register == "voice" or self.rng.random() < 0.04
        text = _Text(self.rng, spoken, hurried=wordings[0].register == "hurried")
        plan = Plan()
        people: list[str] = []
        for index, wording in enumerate(wordings):
            values = {slot: self._value(wording, slot, spoken) for slot in wording.slots}
            self._share_people(values, people)
            text.add(wording.text, values, first=index == 0)
            plan = _append(plan, fill_plan(wording.plan, values))
        request, spans = text.finish()
        return Row(request, plan, spans, wordings[0].register, tuple(w.source for w in wordings))

    def _value(self, wording: Wording, slot: str, spoken: bool) -> str:
        own = wording.values.get(re.sub(r"\d+$", "", slot))
        if own and self.rng.random() < 0.6:
            value = self.rng.choice(own)
            return value.lower() if spoken else value
        return self.filler.value(slot, spoken, wording.text.partition(f"{{{slot}}}")[0])

    def _share_people(self, values: dict[str, str], people: list[str]) -> None:
        """In a composed request, somebody named before is sometimes named again."""
        mine = [slot for slot in values if slot.startswith("person")]
        if people and mine and self.rng.random() < 0.25:
            name = self.rng.choice(people)
            if name not in values.values():
                values[mine[0]] = name
        people.extend(values[slot] for slot in mine)


def _intents(plan: Plan) -> int:
    """Steps whose result nobody takes."""
    taken = {k for step in plan.steps for k in step.depends_on()}
    return sum(step.id not in taken for step in plan.steps)


def _by_last_tool(wordings: Sequence[Wording]) -> dict[str, list[Wording]]:
    out: dict[str, list[Wording]] = {}
    for wording in wordings:
        out.setdefault(wording.plan.steps[-1].tool, []).append(wording)
    return out


def _append(plan: Plan, more: Plan) -> Plan:
    """Put `more` behind `plan`; a lookup that was made before is used again."""
    steps = list(plan.steps)
    ids: dict[int, int] = {}
    for step in more.steps:
        arguments = tuple(map_references(value, lambda k: Ref(ids[k])) for value in step.arguments)
        twin = next((s for s in steps if s.tool == step.tool and s.arguments == arguments), None)
        if twin and step.tool in _LOOKUPS:
            ids[step.id] = twin.id
            continue
        ids[step.id] = len(steps) + 1
        steps.append(Step(len(steps) + 1, step.tool, arguments))
    return Plan(tuple(steps))


class _Text:
    """A request in the making: literal pieces may be roughened, slot values stay as they are and know their spans."""

    def __init__(self, rng: random.Random, spoken: bool, hurried: bool):
        self.rng, self.spoken = rng, spoken
        self.typos = rng.random() < (0.5 if hurried else 0.06) and not spoken
        self.lower = spoken or rng.random() < 0.22
        self.pieces: list[tuple[str, bool]] = []  # (text, is a slot's value)

    def add(self, wording: str, values: dict[str, str], first: bool) -> None:
        rng = self.rng
        if not first:
            wording = re.sub(r"[.!?]+$", "", wording) if self.spoken else wording
            connector = rng.choice(_SPOKEN_CONNECTORS if self.spoken else _CONNECTORS)
            self._trim(connector)
            self.pieces.append((connector, False))
            if not connector.rstrip().endswith(".") and rng.random() < 0.8:
                wording = _lower_first(wording)
        parts = re.split(r"(\{\w+\})", wording)
        for part in parts:
            slot = _SLOT.fullmatch(part)
            if slot:
                self.pieces.append((values[slot[1]], True))
            elif part:
                self.pieces.append((self._roughen(part), False))

    def _trim(self, connector: str) -> None:
        """Drop the full stop before a connector that goes on or brings its own."""
        text, is_value = self.pieces[-1]
        if not is_value:
            self.pieces[-1] = (text.rstrip(" .!") if self.rng.random() < 0.9 else text, False)

    def _roughen(self, text: str) -> str:
        if self.spoken:
            text = re.sub(r"[.,;!?:\"“”()]|(?<=\w)'(?=\w)|\s-\s", lambda m: " " if m[0].startswith(" ") else "", text)
        if self.lower:
            text = text.lower()
        if self.typos:
            text = re.sub(r"\b[A-Za-z]{4,}\b", self._typo, text)
        return text

    def _typo(self, match: re.Match[str]) -> str:
        word, rng = match[0], self.rng
        if rng.random() > 0.12:
            return word
        at = rng.randrange(1, len(word) - 1)
        return rng.choice((
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
        ))  # fmt: skip

    def finish(self) -> tuple[str, tuple[tuple[int, int], ...]]:
        """The request and the character spans of its slots."""
        rng, pieces = self.rng, self.pieces
        if rng.random() < 0.06:
            opener = rng.choice(_SPOKEN_OPENERS if self.spoken else _OPENERS)
            if not pieces[0][1]:
                pieces[0] = (_lower_first(pieces[0][0]), False)
            pieces.insert(0, (opener, False))
        text, is_value = pieces[-1]
        if not is_value and (self.spoken or rng.random() < 0.35):
            pieces[-1] = (re.sub(r"[.!?]+$", "", text), False)
        if rng.random() < 0.06:
            pieces.append((rng.choice(_SPOKEN_CLOSERS if self.spoken else _CLOSERS), False))
        elif is_value and not self.spoken and rng.random() < 0.35:
            pieces.append((rng.choice(".. .!?")[0], False))
        out, spans = "", []
        for text, is_value in pieces:
            if is_value:
                spans.append((len(out), len(out) + len(text)))
            out += text
        return out, tuple(spans)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() or (text[1:2] == " " and text[:1] != "I") else text


def vocabulary(base: Path) -> list[str]:
    """The pieces of the tokenizer in folder `base`, in order of their numbers."""
    pieces = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    return sorted(pieces, key=pieces.__getitem__)


def open_dictionary(vocabulary: Sequence[str]) -> list[str]:
    """Whole alphabetic words of a WordPiece vocabulary, three letters and longer, in order."""
    return [word for word in vocabulary if word.isalpha() and word.isascii() and len(word) >= 3]
