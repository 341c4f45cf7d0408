"""Turn a user's example requests into wordings with slots, so that a few examples become many training requests.

A value of the plan that stands in the request becomes a slot; the other examples' values of the same argument, and the
corpus's fillers, take its place. This module knows nothing of models.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.lab import corpus
from tinyagent_mlx.lab.corpus import Wording
from tinyagent_mlx.plan import Plan, Step, print_plan
from tinyagent_mlx.toolbox import Argument, Example, Toolbox
from tinyagent_mlx.values import Mixed, Scalar, Value, join
from tinyagent_mlx.when import count, parse_iso, resolve
from tinyagent_mlx.words import split_words

LONGEST = 9  # words of a date or a number

# What fills a text argument of a shipped tool; another text is any short noun phrase.
_KINDS = {
    ("create_calendar_event", "title"): "title", ("create_calendar_event", "location"): "place",
    ("create_calendar_event", "notes"): "content", ("create_calendar_event", "calendar"): "calendar",
    ("open_and_get_file_path", "file_name"): "file", ("compose_new_email", "subject"): "subject",
    ("compose_new_email", "context"): "body", ("reply_to_email", "context"): "body", ("forward_email", "context"): "body",
    ("maps_open_location", "location"): "place", ("maps_show_directions", "start_location"): "place",
    ("maps_show_directions", "end_location"): "place", ("create_note", "name"): "note", ("create_note", "content"): "content",
    ("create_note", "folder"): "folder", ("open_note", "name"): "note", ("open_note", "folder"): "folder",
    ("append_note_content", "name"): "note", ("append_note_content", "content"): "content",
    ("append_note_content", "folder"): "folder", ("create_reminder", "name"): "task",
    ("create_reminder", "notes"): "content", ("create_reminder", "list_name"): "list", ("send_sms", "message"): "message",
    ("get_zoom_meeting_link", "topic"): "topic",
}  # fmt: skip
_OPEN_TYPES = ("text", "person", "email", "phone", "url", "datetime", "integer")

# What dates are read past, and what is no part of them.
_AROUND = frozenset(
    [
        "a",
        "and",
        "also",
        "at",
        "by",
        "for",
        "from",
        "my",
        "now",
        "on",
        "please",
        "so",
        "thanks",
        "that",
        "the",
        "then",
        "to",
        "um",
        "uh",
    ]
)
_UNIT = re.compile(r"\b(min|minute|hour|hr|sec|second|day)s?\b|\d\s?[hms]\b", re.IGNORECASE)

_FRAMES = (
    "could you {}", "can you {}?", "please {}", "I want you to {}", "hey, {}", "{} please", "would you {} for me?", "{} now",
    "ok, {}", "let's {}", "I'd like to {}", "quickly {}", "{}, thanks", "I need you to {}", "kindly {}", "so {}", "just {}",
    "go ahead and {}", "any chance you could {}?", "be so good and {}", "uh {}", "um, {}", "{} for me", "{}, would you?",
    "I was wondering if you could {}", "right, {}", "alright then, {}", "{} if you don't mind", "you may {}",
    "what I need: {}", "do me a favour and {}", "I must {}", "next thing, {}", "oh, {}", "{} when you get the chance",
)  # fmt: skip


# What people say around a request that has nothing to do with it.
_CONTEXTS = (
    "I'm in a hurry, {}", "before I forget, {}", "quick one: {}", "long day, {}", "my hands are full, {}", "guests are coming, {}",
    "it's getting late, {}", "sorry to bother you, but {}", "I've just come in, {}", "I'm about to leave, so {}",
    "hm, let me think, {}", "ha, well, {}", "I'm half asleep. {}", "the kids are asleep, {}", "my sister is here, {}",
    "I'm on the phone, {}", "good morning! {}", "hi there, {}", "oh no. {}", "great, and {}", "well then, {}", "listen, {}",
    "off to work now! {}", "I can't get up right now, {}", "while I make coffee, {}", "since it's Friday, {}", "lol {}", "yo {}",
    "{}, I'm in a rush", "{} while I finish this", "{} before I go", "{}, it's for my brother", "{} or I'll forget", "{}, ok?",
    "{}, as usual", "{}. That's all for now", "{}, they asked for it", "{}, it can't wait", "{} so that's done", "{}, cheers",
)  # fmt: skip


def in_words(example: Example, tools: Toolbox, now: datetime) -> Example:
    """The example with its moments in the request's words, as tools.yaml holds them, instead of ISO dates.

    A moment that no words of the request give stays as it is.
    """

    def change(value: Value, argument: Argument) -> Value:
        if argument.type.name == "datetime" and isinstance(value, str) and value:
            return words_of_moment(example.request, value, now) or value
        return value

    steps = []
    for step in example.plan.steps:
        arguments = zip(step.arguments, tools[step.tool].arguments, strict=True)
        steps.append(Step(step.id, step.tool, tuple(change(value, argument) for value, argument in arguments)))
    return Example(example.request, Plan(tuple(steps)))


def words_of_moment(request: str, iso: str, now: datetime) -> str:
    """The longest run of the request's words that means the moment, "" if none does."""
    wanted = parse_iso(iso)
    words = split_words(request)
    for length in range(min(LONGEST, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            text = request[words[start].start : words[start + length - 1].end]
            try:
                found = resolve(text, now)
            except PlanError:
                continue
            ends = {text.split()[0].lower(), text.split()[-1].lower()}
            if found == wanted and text[0].isalnum() and text[-1].isalnum() and not _AROUND & ends:
                return text
    return ""


@dataclass
class _Slots:
    """The slots of one wording: which words of the request each stands for."""

    request: str
    spans: dict[tuple[int, int], str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def put(self, words: str, kind: str) -> str | None:
        """The name of the slot for these words, None where they do not stand once in the request."""
        places = [m.span() for m in re.finditer(rf"(?<!\w){re.escape(words)}(?!\w)", self.request, re.IGNORECASE)]
        if len(places) != 1:
            return None
        span = places[0]
        if span in self.spans:
            return self.spans[span]
        if any(span[0] < end and start < span[1] for start, end in self.spans):
            return None
        self.numbers[kind] += 1
        name = kind if self.numbers[kind] == 1 else f"{kind}{self.numbers[kind]}"
        self.spans[span] = name
        return name

    def text(self) -> str:
        out, last = "", 0
        for (start, end), name in sorted(self.spans.items()):
            out += self.request[last:start] + f"{{{name}}}"
            last = end
        return out + self.request[last:]


def wording(example: Example, tools: Toolbox, source: str, values: Mapping[str, Sequence[str]]) -> Wording:
    """An example with slots where its plan's values stand. `values` may fill the slots of each kind."""
    slots = _Slots(example.request)

    def scalar(value: Scalar, kind: str) -> Scalar:
        words = _number_words(example.request, value) if type(value) is int else value
        if not isinstance(words, str) or not words:
            return value
        kind = "length" if kind == "integer" and _UNIT.search(words) else kind
        name = slots.put(words, kind)
        return value if name is None else corpus.marked(name)

    def whole(value: Value, step: Step, argument: Argument) -> Value:
        if argument.choices or argument.type.item.name not in _OPEN_TYPES or value == argument.default:
            return value
        if isinstance(value, tuple):
            return tuple(scalar(item, _kind(step.tool, argument, item)) for item in value)
        if isinstance(value, Mixed):
            return join([scalar(p, _kind(step.tool, argument, p)) if isinstance(p, str) else p for p in value.parts])  # type: ignore[misc]
        return scalar(value, _kind(step.tool, argument, value))

    steps = []
    for step in example.plan.steps:
        arguments = zip(step.arguments, tools[step.tool].arguments, strict=True)
        steps.append(Step(step.id, step.tool, tuple(whole(value, step, argument) for value, argument in arguments)))
    return Wording(slots.text(), "terse", Plan(tuple(steps)), source, values=values)


def _number_words(request: str, number: Scalar) -> str:
    """The longest run of words that says a number; "" if none does."""
    words = split_words(request)
    for length in range(min(6, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            text = request[words[start].start : words[start + length - 1].end]
            if count(text) == number and text.split()[0].lower() != "for":
                return text
    return ""


def _kind(tool: str, argument: Argument, value: Scalar) -> str:
    """The filler that gives values like this one."""
    kind = argument.type.item.name
    if kind == "text":
        return _KINDS.get((tool, argument.name), f"text_{tool}_{argument.name}".rstrip("0123456789"))
    if kind == "datetime":
        return _moment_kind(str(value))
    if kind == "integer":
        return "integer"
    return kind


def _moment_kind(words: str) -> str:
    """Whether words name a day, a time, both, or a length."""
    early = datetime(2026, 11, 23, 0, 1)
    try:
        found = resolve(words, early)
    except PlanError:
        return "length" if count(words) is not None else "when"
    if found.all_day:
        return "date"
    return "time" if found.at.date() == early.date() and len(words.split()) <= 3 else "when"


def wordings(example: Example, tools: Toolbox, values: Mapping[str, Sequence[str]]) -> list[Wording]:
    """An example as wordings with slots: as it stands, and with each other choice where it says one."""
    source = f"example: {print_plan(example.plan)[:40]}"
    return [wording(e, tools, source, values) for e in (example, *other_choices(example, tools))]


def other_choices(example: Example, tools: Toolbox) -> Iterator[Example]:
    """The example with each other choice, where the request says the one that its plan holds, and says it once."""
    for at, step in enumerate(example.plan.steps):
        for place, (value, argument) in enumerate(zip(step.arguments, tools[step.tool].arguments, strict=True)):
            said = re.compile(rf"(?<!\w){re.escape(str(value))}(?!\w)", re.IGNORECASE)
            if value not in argument.choices or len(said.findall(example.request)) != 1:
                continue
            for other in argument.choices:
                if other != value:
                    arguments = (*step.arguments[:place], other, *step.arguments[place + 1 :])
                    steps = (
                        *example.plan.steps[:at],
                        replace(step, arguments=arguments),
                        *example.plan.steps[at + 1 :],
                    )
                    yield Example(said.sub(str(other), example.request), Plan(steps))


def surrounded(text: str, rng: random.Random, may_be_asked: bool = True) -> str:
    """A wording in a frame of politeness, where it may stand in one, and beside small talk; or as it is."""
    return in_context(framed(text, rng) if may_be_asked else text, rng)


def framed(text: str, rng: random.Random) -> str:
    """A wording in a frame of politeness, or as it is."""
    return text if rng.random() < 0.4 else _framed(text, rng.choice(_FRAMES))


def in_context(text: str, rng: random.Random) -> str:
    """A wording beside something that has nothing to do with it, or, as a rule, as it is."""
    return text if rng.random() < 0.8 else _framed(text, rng.choice(_CONTEXTS))


def _framed(text: str, frame: str) -> str:
    return frame.format("\0").replace("\0", bare(lowered(text)))


def bare(text: str) -> str:
    """Without its full stop."""
    return re.sub(r"[.!?]+$", "", text)


def lowered(text: str) -> str:
    """As it stands within a sentence: a first word in capitals, or "I", stays."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def values(examples: Sequence[Example], tools: Toolbox) -> dict[str, tuple[str, ...]]:
    """What the examples put into each text argument of an own tool."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for example in examples:
        for step in example.plan.steps:
            for value, argument in zip(step.arguments, tools[step.tool].arguments, strict=True):
                for item in value if isinstance(value, tuple) else (value,):
                    if isinstance(item, str) and item and argument.type.item.name == "text" and not argument.choices:
                        found[_kind(step.tool, argument, item)][item] = None
    return {kind: tuple(items) for kind, items in found.items() if kind.startswith("text_")}
