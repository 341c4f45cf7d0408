"""A tool that is being made: its entry for tools.yaml and the script it starts with, as text that people go on from.

The script takes its values from argv in the order and form that the argument types give them. Nothing is read or written
here, and nothing checked: the reader of tools.yaml and the linter do that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from textwrap import dedent

from tinyagent_mlx.argtypes import RETURNS, TYPES, ArgType
from tinyagent_mlx.plan import print_value
from tinyagent_mlx.toolbox import EFFECTS
from tinyagent_mlx.values import Value
from tinyagent_mlx.yamledit import scalar

TIMEOUT = 30
SPARE = 5  # seconds by which the script gives up before the tool does
_SCALARS = " ".join(name for name in TYPES if not TYPES[name].is_list)

_HANDLERS = {
    "nextText": """\
        on nextText()
            set givenCount to givenCount + 1
            return item givenCount of givenValues
        end nextText
        """,
    "nextList": """\
        on nextList()
            set theItems to {}
            repeat ((nextText()) as integer) times
                set end of theItems to nextText()
            end repeat
            return theItems
        end nextList
        """,
    "nextMoments": """\
        on nextMoments()
            set theItems to {}
            repeat ((nextText()) as integer) times
                set end of theItems to nextMoment()
            end repeat
            return theItems
        end nextMoments
        """,
    "nextMoment": """\
        -- {date, whether it is a whole day}, or missing value. Built from numbers: no date is ever read from text.
        on nextMoment()
            set theParts to nextList()
            if (count of theParts) is 0 then return missing value
            set theMoment to current date
            set day of theMoment to 1 -- first of all, or a 31st would roll over while the month changes
            set year of theMoment to (item 1 of theParts) as integer
            set month of theMoment to (item 2 of theParts) as integer
            set day of theMoment to (item 3 of theParts) as integer
            set time of theMoment to 0
            if (count of theParts) is 3 then return {theMoment, true}
            set theHours to 3600 * ((item 4 of theParts) as integer)
            set time of theMoment to theHours + 60 * ((item 5 of theParts) as integer) + ((item 6 of theParts) as integer)
            return {theMoment, false}
        end nextMoment
        """,
}
_FORMS = {
    "datetime": "0 for none, or 3 or 6 and then year, month, day, hour, minute, second",
    "boolean": '"true" or "false"',
}


@dataclass(frozen=True)
class DraftArgument:
    """An argument as it will stand in the entry; `default` is None where the type's empty value will do."""

    name: str
    type: ArgType
    description: str
    choices: Mapping[str, str] = field(default_factory=dict)
    default: Value | None = None

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")

    @property
    def variable(self) -> str:
        """What the script calls it; the article keeps it from being a word of AppleScript's."""
        return f"the_{self.name}"

    @property
    def extractive(self) -> bool:
        return self.type.item.name != "boolean"


@dataclass(frozen=True)
class Draft:
    """A tool to be written down. `examples` are requests with the texts of their plans; `call` are the script's lines for
    the application, none where they are still to be written; `notes` are said above the entry."""

    name: str
    app: str
    description: str
    arguments: tuple[DraftArgument, ...] = ()
    returns: str = "status"
    effect: str = "write"
    examples: tuple[tuple[str, str], ...] = ()
    call: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def script_name(self) -> str:
        return f"{self.name}.applescript"

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")

    @property
    def summary(self) -> str:
        words = self.label[:1].upper() + self.label[1:]
        return f"{words}: {{{self.arguments[0].name}}}" if self.arguments else words


def entry(draft: Draft, explained: bool) -> str:
    """The entry for the list of tools, each line ended; `explained` says what each key is for."""
    return "".join(f"{line}\n" for line in _entry(draft, explained))


def _entry(draft: Draft, explained: bool) -> Iterator[str]:
    def say(*lines: str) -> Iterator[str]:
        yield from (f"  # {line}" for line in lines if explained)

    yield from (f"# {_one_line(note)}" for note in draft.notes)
    yield f"- name: {scalar(draft.name)}"
    yield from say("the program it drives: steps of one app run one after another, apps run side by side")
    yield f"  app: {scalar(draft.app)}"
    yield from say("what it does, in a sentence: this is what the planner finds the tool by")
    yield f"  description: {scalar(draft.description)}"
    yield from say(f"types: {_SCALARS}, and list[...] of them", "from: request  only words of the request fill it")
    yield "  arguments:" if draft.arguments else "  arguments: []"
    yield from (f"    - {_argument(argument)}" for argument in draft.arguments)
    yield from say(f'what "$1" stands for in later steps: {" ".join(RETURNS)}')
    yield f"  returns: {draft.returns}"
    yield from say(f"{', '.join(EFFECTS)}: a read runs at once; a write asks first; a send asks and leaves the machine")
    yield f"  effect: {draft.effect}"
    yield f"  script: {draft.script_name}"
    yield from say("the script that undoes a step; it is given line 1 of what the script prints", "inverse: FILE")
    yield f"  timeout: {TIMEOUT}"
    yield f"  summary: {scalar(draft.summary)}"
    yield from _examples(draft)


def _argument(argument: DraftArgument) -> str:
    parts = [f"name: {scalar(argument.name)}", f"type: {scalar(argument.type.name)}"]
    parts.append(f"description: {scalar(argument.description)}")
    if argument.choices:
        meanings = ", ".join(f"{scalar(choice)}: {scalar(text)}" for choice, text in argument.choices.items())
        parts.append(f"choices: {{{meanings}}}")
    if argument.default is not None:
        parts.append(f"default: {scalar(argument.default) if isinstance(argument.default, str) else argument.default}")
    if argument.extractive:
        parts.append("from: request")
    return f"{{{', '.join(parts)}}}"


def _examples(draft: Draft) -> Iterator[str]:
    """The examples and room for more, without the sign of a comment when there are some."""
    if draft.examples:
        yield "  # more of these, a dozen in all, make the planner surer of it"
        yield "  examples:"
        for request, plan in draft.examples:
            yield f"    - request: {scalar(request)}"
            yield "      plan: |"
            yield from (f"        {line}" for line in plan.splitlines())
        return
    call = ", ".join(_sample(argument) for argument in draft.arguments)
    file = any(argument.type.item.name == "file_path" for argument in draft.arguments)
    steps = ['open_and_get_file_path("budget.xlsx")'] if file else []
    yield "  # Requests as you would say them, a dozen or so, make the planner surer of it: take the # away and go on."
    yield "  # examples:"
    yield f"  #   - request: {draft.label} …"
    yield "  #     plan: |"
    yield from (f"  #       {n}. {step}" for n, step in enumerate((*steps, f"{draft.name}({call})"), 1))


def _sample(argument: DraftArgument) -> str:
    """What may stand for an argument in the example that shows how examples are written."""
    kind = argument.type
    if kind.item.name == "file_path":
        return '["$1"]' if kind.is_list else '"$1"'
    if argument.default is not None:
        return print_value(argument.default, 1)
    open_ended = kind.is_open and not kind.is_list
    return f'"the {argument.label}"' if open_ended else print_value(kind.empty, 1)


def script(draft: Draft) -> str:
    """The script: values out of argv, the application's part, what it prints."""
    told = draft.call or (
        "-- Write here what it does; the values above are ready. Then take the next line out.",
        f'error "{draft.script_name} is not written yet" number 20004',
    )
    result = "the value" if draft.returns != "status" else "a sentence"
    parts = [
        f"-- {_one_line(draft.description)}",
        f"-- Arguments: {'; '.join(_form(argument) for argument in draft.arguments) or 'none'}.",
        f"-- Prints: line 1 what its inverse needs to undo it (empty: nothing), then {result}.",
        _errors(told),
        *_globals(draft),
        "",
        "on run argv",
        *(f"\t{line}" for line in _values(draft)),
        f"\twith timeout of {TIMEOUT - SPARE} seconds",
        f"\t\ttell application {quoted(draft.app)}",
        *(f"\t\t\t{line}" for line in told),
        "\t\tend tell",
        "\tend timeout",
        f"\treturn linefeed & {'itsResult' if draft.call and draft.returns != 'status' else chr(34) + 'Done' + chr(34)}",
        "end run",
        *_handlers(draft),
    ]
    kept = (part for n, part in enumerate(parts) if part or n != 3)
    return "\n".join(kept) + "\n"


def _errors(told: tuple[str, ...]) -> str:
    texts = [line.partition('error "')[2].partition('"')[0] for line in told if 'error "' in line]
    return f"-- Errors: 20004 {', '.join(texts)}." if texts else ""


def _form(argument: DraftArgument) -> str:
    form = _FORMS.get(argument.type.item.name, "")
    form = "how many, then each" + (f": {form}" if form else "") if argument.type.is_list else form
    return argument.label + (f" ({form})" if form else "")


def _long(draft: Draft) -> bool:
    """Whether a value takes more than one place in argv, so that the others have no fixed ones."""
    return any(argument.type.is_list or argument.type.name == "datetime" for argument in draft.arguments)


def _globals(draft: Draft) -> tuple[str, ...]:
    return ("", "property givenValues : {}", "property givenCount : 0") if _long(draft) else ()


def _values(draft: Draft) -> Iterator[str]:
    if _long(draft):
        yield "set givenValues to argv"
        yield "set givenCount to 0"
    for number, argument in enumerate(draft.arguments, 1):
        text = "nextText()" if _long(draft) else f"item {number} of argv"
        yield f"set {argument.variable} to {_value(argument.type, text)}"


def _value(kind: ArgType, text: str) -> str:
    if kind.is_list:
        return "nextMoments()" if kind.item.name == "datetime" else "nextList()"
    forms = {"datetime": "nextMoment()", "integer": f"({text}) as integer", "boolean": f'({text}) is "true"'}
    return forms.get(kind.name, text)


def _handlers(draft: Draft) -> Iterator[str]:
    """The handlers that the values call, and those that these call."""
    kinds = {argument.type.name for argument in draft.arguments}
    wanted = {"nextText", "nextList"} if _long(draft) else set()
    wanted |= {"nextMoment"} if {"datetime", "list[datetime]"} & kinds else set()
    wanted |= {"nextMoments"} if "list[datetime]" in kinds else set()
    yield from (
        "\n" + dedent(text).rstrip().replace("    ", "\t") for name, text in _HANDLERS.items() if name in wanted
    )


def quoted(text: str) -> str:
    """A text as AppleScript writes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _one_line(text: str) -> str:
    """A text for a comment: one line, nothing in it that ends one or that AppleScript's linter takes for more."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029¬]+", " ", text).strip()
