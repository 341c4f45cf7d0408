"""Join own tools with shipped ones where a result passes between them.

What an own tool gives goes on in a second clause ("find the lighthouse photo and email it to Ines") or as the object of the
first ("email Ines the lighthouse photo"); where an own tool takes what any step may give, a shipped one gives it before
("summarize lease.pdf and translate it") or by its name ("translate the summary of lease.pdf"). This module knows wordings,
no models.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from tinyagent_mlx.lab.corpus import Wording, mark, marked, plan_slots
from tinyagent_mlx.lab.own import bare, lowered
from tinyagent_mlx.plan import Plan, Step, parse_plan
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.values import Ref, Value, map_references

GIVES = ("text", "url", "file_path")  # what a later step may take


@dataclass(frozen=True)
class Ending:
    """What a shipped tool makes of a result: the plan, which takes it for $0 in its last step, and ways to ask for it.

    `clauses` follow a request that gives the result; in `objects` it stands as a noun phrase, in `questions` as a question.
    """

    plan: str
    clauses: tuple[str, ...]
    objects: tuple[str, ...]
    questions: tuple[str, ...] = ()

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        return parse_plan(mark(self.plan)).steps


_TEXT = (
    Ending(
        '1. get_phone_number({person9})\n2. send_sms(["$1"], "$0")',
        (" and text it to {person9}", " and send it to {person9} by text", ", then text {person9} the answer",
         " and message it to {person9}", ", {person9} should get it as a text", " and let {person9} know by sms"),
        ("text {person9} {}", "send {person9} {} by text", "message {} to {person9}", "{person9} wants {} in a text",
         "let {person9} have {} as a text message"),
        ("text {person9} {}", "tell {person9} by text {}", "send {person9} a message saying {}", "sms {person9} {}",
         "{person9} asked {}, text back", "let {person9} know by text {}"),
    ),
    Ending(
        '1. get_email_address({person9})\n2. compose_new_email(["$1"], [], "", "$0", [])',
        (" and email it to {person9}", " and mail it to {person9}", ", then send it to {person9} by email",
         ", {person9} wants it in an email"),
        ("email {person9} {}", "mail {} to {person9}", "send {person9} {} by email", "draft an email to {person9} with {}"),
        ("email {person9} {}", "write {person9} an email saying {}", "let {person9} know by email {}"),
    ),
    Ending(
        '1. compose_new_email([{email9}], [], "", "$0", [])',
        (" and email it to {email9}", ", then send it to {email9}", ", it should go to {email9}"),
        ("email {} to {email9}", "send {} to {email9}", "write to {email9} with {}"),
        ("tell {email9} {}", "write {email9} an email saying {}"),
    ),
    Ending(
        '1. append_note_content({note9}, "$0", "")',
        (" and add it to my {note9} note", " and put it in the note {note9}", ", it belongs in my {note9} note",
         " and append that to my note {note9}"),
        ("add {} to my {note9} note", "put {} in my note {note9}", "{} goes into my {note9} note", "append {} to {note9}",
         "{} at the end of my {note9} note"),
        ("write in my {note9} note {}", "add to my {note9} note {}", "put in the note {note9} {}"),
    ),
    Ending(
        '1. create_note({note9}, "$0", "")',
        (" and save it in a new note called {note9}", ", make a note named {note9} of it", " and keep it as a new note {note9}"),
        ("make a note called {note9} with {}", "save {} in a new note {note9}", "keep {} in a new note called {note9}",
         "put {} down in a new note named {note9}"),
        ("make a note called {note9} that says {}", "start a note {note9} with {}"),
    ),
)  # fmt: skip
_FILE = (
    Ending(
        '1. get_email_address({person9})\n2. compose_new_email(["$1"], [], "", "", ["$0"])',
        (" and email it to {person9}", " and send it to {person9} by email", ", then mail it to {person9}",
         " and attach it to an email to {person9}", ", {person9} needs it by email"),
        ("email {person9} {}", "mail {} to {person9}", "send {person9} {} by email", "{person9} needs {} by email",
         "attach {} to an email to {person9}", "get {} to {person9} by email"),
    ),
    Ending(
        '1. compose_new_email([{email9}], [], "", "", ["$0"])',
        (" and email it to {email9}", ", then mail it to {email9}", " and attach it to a mail to {email9}"),
        ("email {} to {email9}", "mail {} to {email9}", "send {email9} {}"),
    ),
    Ending(
        '1. reply_to_email([], "", ["$0"])',
        (" and attach it to my reply", " and reply to this email with it", ", then answer this mail with it attached"),
        ("reply to this email with {}", "attach {} to my reply", "answer this mail with {} attached"),
    ),
)  # fmt: skip
_ENDINGS = {"text": _TEXT, "url": _TEXT, "file_path": _FILE}
BETWEEN = (" and ", ", then ", " and then ", ", ", ". Then ")

# What a result is called when it is taken up.
_PRONOUNS = ("it", "it", "it", "that", "this")
_CALLED = {
    "open_note": ("the note", "that note"), "summarize_pdf": ("the summary", "that summary"),
    "get_zoom_meeting_link": ("the link", "that link"), "maps_show_directions": ("the route", "that route", "the directions"),
    "maps_open_location": ("the map", "that map"), "open_and_get_file_path": ("the file", "that file"),
}  # fmt: skip
_TAKEN = "\ue002"  # where a result is taken up, in a wording of `taking`

_THING = re.compile(
    r"(?:(?:find|get|show|see|tell|fetch|give|list|grab|take|bring up|pull up|look up|dig out|open|read)(?: me)?|(?:where|what)(?:'s| is| are))"
    r" ((?:the|my|a|an|this|that|all|our|every|today's|tomorrow's|yesterday's)\b.+)",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"((?:what|which|who|how|where|when)\b.+)", re.IGNORECASE)

# What shipped tools give, by name.
_NAMED = (
    (
        '1. open_note({note8}, "")',
        "my {note8} note", "the {note8} note", "what my {note8} note says", "what's in my {note8} note",
        "the text of my note {note8}", "everything in the note {note8}", "my note called {note8}",
    ),
    (
        '1. open_and_get_file_path({file8})\n2. summarize_pdf("$1")',
        "the summary of {file8}", "a summary of {file8}", "a short version of {file8}", "the gist of {file8}",
        "what {file8} says in short",
    ),
    (
        "1. get_zoom_meeting_link({topic8}, {when8}, 60, [])",
        "a zoom link for the {topic8} {when8}", "a new zoom link for {topic8} {when8}",
        "the link to a zoom call about {topic8} {when8}", "a link to a zoom meeting on {topic8} {when8}",
    ),
    (
        '1. maps_show_directions("", {place8}, "d")',
        "the way to {place8}", "the directions to {place8}", "the route to {place8}",
    ),
    (
        '1. maps_show_directions({place7}, {place8}, "d")',
        "the directions from {place7} to {place8}", "the route from {place7} to {place8}",
    ),
    (
        '1. maps_show_directions({place7}, {place8}, "r")',
        "the train route from {place7} to {place8}", "the way from {place7} to {place8} by bus",
    ),
    ("1. maps_open_location({place8})", "the map of {place8}", "where {place8} is on the map", "{place8} on the map"),
    ("1. get_phone_number({person8})", "{person8}'s number", "the phone number of {person8}", "{person8}'s phone number"),
    ("1. get_email_address({person8})", "{person8}'s email address", "the address of {person8}'s email"),
)  # fmt: skip


def passed_on(wordings: Sequence[Wording], tools: Toolbox, names: Sequence[str]) -> Iterator[Wording]:
    """Own wordings whose result a shipped tool takes."""
    for wording, endings in _giving(wordings, tools, names):
        for ending in endings:
            plan = _joined(wording.plan, ending.steps)
            for clause in ending.clauses:
                yield replace(wording, text=bare(wording.text) + clause, plan=plan)


def _giving(
    wordings: Sequence[Wording], tools: Toolbox, names: Sequence[str]
) -> Iterator[tuple[Wording, list[Ending]]]:
    """Own wordings that give a result, each with what the tools can make of it."""
    for wording in wordings:
        last = wording.plan.steps[-1]
        endings = _ENDINGS.get(tools[last.tool].returns, ()) if last.tool in names else ()
        if fitting := [ending for ending in endings if all(step.tool in tools for step in ending.steps)]:
            yield wording, fitting


def _joined(plan: Plan, ending: tuple[Step, ...]) -> Plan:
    """The lookups of the ending, the plan, and the ending's last step, which takes the plan's last result for $0."""
    before = len(ending) - 1
    steps = [*ending[:-1]]
    steps += [Step(s.id + before, s.tool, tuple(_shifted(value, before) for value in s.arguments)) for s in plan.steps]
    last, result = ending[-1], len(plan.steps) + before
    arguments = tuple(_taking(value, result) for value in last.arguments)
    return Plan((*steps, Step(result + 1, last.tool, arguments)))


def _shifted(value: Value, by: int) -> Value:
    return map_references(value, lambda k: Ref(k + by))


def _taking(value: Value, result: int) -> Value:
    """A value with the text "$0" as a reference."""
    if isinstance(value, tuple):
        return tuple(_taking(item, result) for item in value)  # type: ignore[misc]
    return Ref(result) if value == "$0" else value


def told(wordings: Sequence[Wording], tools: Toolbox, names: Sequence[str], rng: random.Random) -> Iterator[Wording]:
    """Own wordings that ask for a thing, as the object of a shipped tool's: a random one for each tool that may take it."""
    for wording, endings in _giving(wordings, tools, names):
        text = bare(wording.text)
        alone = sum(step.tool in names for step in wording.plan.steps) == 1
        thing, question = alone and _THING.fullmatch(text), _QUESTION.fullmatch(text)
        for ending in endings:
            found = [(frame, thing[1]) for frame in ending.objects if thing]
            found += [(frame, question[1]) for frame in ending.questions if question]
            if found:
                frame, said = rng.choice(found)
                yield replace(
                    wording, text=frame.replace("{}", lowered(said)), plan=_joined(wording.plan, ending.steps)
                )


def named(wordings: Sequence[Wording], tools: Toolbox, names: Sequence[str], rng: random.Random) -> Iterator[Wording]:
    """Own wordings that name what a shipped tool gives where they take it: a random one for each tool that gives it."""
    for wording, slot, place in _takers(wordings, tools, names):
        if f'"{{{slot}}}"' in wording.text:
            continue
        step = wording.plan.steps[0]
        takes = tools[step.tool].arguments[place].type.takes_reference_to
        for text, *phrases in _NAMED:
            giver = parse_plan(mark(text))
            if all(s.tool in tools for s in giver.steps) and takes(tools[giver.steps[-1].tool].returns):
                number = len(giver.steps)
                arguments = tuple(Ref(number) if n == place else v for n, v in enumerate(step.arguments))
                plan = Plan((*giver.steps, Step(number + 1, step.tool, arguments)))
                yield replace(wording, text=wording.text.replace(f"{{{slot}}}", rng.choice(phrases), 1), plan=plan)


def taking(
    wordings: Sequence[Wording], givers: Sequence[Wording], tools: Toolbox, names: Sequence[str]
) -> Iterator[tuple[Wording, list[Wording]]]:
    """Own wordings that take up what a step before gives, each with the shipped wordings that may stand before it; `after`
    joins the two."""
    for wording, slot, place in _takers(wordings, tools, names):
        step = wording.plan.steps[0]
        takes = tools[step.tool].arguments[place].type.takes_reference_to
        gives = {tool.name for tool in tools if tool.returns in GIVES and takes(tool.returns)}
        fitting = [giver for giver in givers if giver.plan.steps[-1].tool in gives]
        if fitting:
            arguments = tuple("$0" if n == place else v for n, v in enumerate(step.arguments))
            plan = Plan((Step(1, step.tool, arguments),))
            yield replace(wording, text=wording.text.replace(f"{{{slot}}}", _TAKEN, 1), plan=plan), fitting


def _takers(wordings: Sequence[Wording], tools: Toolbox, names: Sequence[str]) -> Iterator[tuple[Wording, str, int]]:
    """Own wordings of one step, with each slot that may be a result, and the place of its argument.

    An argument that takes its words from the request takes a result only where an example shows one.
    """
    shown = {
        (step.tool, place)
        for name in names
        for example in tools[name].examples
        for step in example.plan.steps
        for place, value in enumerate(step.arguments)
        if step.tool in names and isinstance(value, Ref)
    }
    for wording in wordings:
        if len(wording.plan.steps) != 1 or wording.plan.steps[0].tool not in names:
            continue
        step = wording.plan.steps[0]
        for place, (value, argument) in enumerate(zip(step.arguments, tools[step.tool].arguments, strict=True)):
            slot = next((s for s in wording.slots if value == marked(s)), None)
            if slot and not (argument.extractive and (step.tool, place) not in shown):
                yield wording, slot, place


def after(giver: Wording, taker: Wording, rng: random.Random) -> Wording:
    """A wording of `taking()` behind one that gives the result."""
    names = {slot: f"{slot}8" for slot in taker.slots}
    called = rng.choice([*_PRONOUNS, *_CALLED.get(giver.plan.steps[-1].tool, ())])
    text = re.sub(r"\{(\w+)\}", lambda m: f"{{{names[m[1]]}}}", taker.text).replace(_TAKEN, called)
    step = taker.plan.steps[0]
    count = len(giver.plan.steps)
    renamed = tuple(_renamed(_taking(value, count), names) for value in step.arguments)
    plan = Plan((*giver.plan.steps, Step(count + 1, step.tool, renamed)))
    found = replace(
        taker,
        text=bare(giver.text) + rng.choice(BETWEEN) + text[:1].lower() + text[1:],
        plan=plan,
        register=giver.register,
    )
    assert plan_slots(plan) <= set(found.slots)
    return found


def _renamed(value: Value, names: dict[str, str]) -> Value:
    if isinstance(value, tuple):
        return tuple(_renamed(item, names) for item in value)  # type: ignore[misc]
    for slot, name in names.items():
        if value == marked(slot):
            return marked(name)
    return value
