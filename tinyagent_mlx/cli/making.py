"""`tinyagent tools new`: a few questions, or flags, become an entry in the user's own tools file and a script to go on from."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from tinyagent_mlx import ownfile
from tinyagent_mlx.argtypes import RETURNS, TYPES, ArgType
from tinyagent_mlx.cli import setup
from tinyagent_mlx.draft import Draft, DraftArgument
from tinyagent_mlx.errors import PlanError, UsageError
from tinyagent_mlx.plan import JOIN, Plan, Step, parse_written, print_plan
from tinyagent_mlx.toolbox import EFFECTS
from tinyagent_mlx.toolfile import NAME, near
from tinyagent_mlx.values import Value

Answer = TypeVar("Answer")
Asker = Callable[[str], str]
"""Shows a question and gives the answer's line. Raises `EOFError` when there are no more answers."""

_NOTHING = ("file_path", "list[file_path]")  # only an earlier step's result can stand there


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="what a plan calls it, as in play_song")
    parser.add_argument("--app", help="the program it drives")
    parser.add_argument("--description", metavar="TEXT", help="what it does, in a sentence")
    parser.add_argument(
        "--argument",
        action="append",
        metavar="NAME[:TYPE[:TEXT[:CHOICES]]]",
        help="an argument, in order; choices are written slow=by ship,fast=by air, the usual one first",
    )
    parser.add_argument("--returns", help=f"one of {', '.join(RETURNS)}")
    parser.add_argument("--effect", help=f"one of {', '.join(EFFECTS)}")
    parser.add_argument(
        "--example",
        nargs=2,
        action="append",
        metavar=("REQUEST", "PLAN"),
        help="a request and its plan; may be repeated",
    )
    parser.add_argument("--yes", action="store_true", help="ask nothing: what no flag says gets a usual value")


def call(options: argparse.Namespace, asker: Asker = input) -> int:
    """Ask, write, and say what to do next."""
    sources, own = setup.writable(options)
    draft = _draft(options, _Questions(asker, options.yes))
    made = ownfile.add([draft], sources, own, explained=True)
    print(f"{own.file}: {draft.name} is at its end")
    script = own.scripts / draft.script_name
    print(f"{script}: {'to be written: it says where' if script in made else 'was there before and is used as it is'}")
    print(f'Next: tinyagent tools check --watch, and tinyagent tools try {draft.name} "a request"')
    return 0


class _Questions:
    """Asks until an answer is good; with `silent`, takes the usual answer."""

    def __init__(self, asker: Asker, silent: bool):
        self._asker, self.silent = asker, silent

    def ask(self, question: str, usual: str, read: Callable[[str], Answer]) -> Answer:
        """Ask for what `read` makes of the answer; it raises `UsageError` or `PlanError` for one that is none."""
        while True:
            answer = (
                usual if self.silent else self._line(f"{question} [{usual}]: " if usual else f"{question}: ") or usual
            )
            try:
                return read(answer)
            except (UsageError, PlanError) as error:
                if self.silent:
                    raise
                print(error)

    def _line(self, question: str) -> str:
        try:
            return self._asker(question).strip()
        except EOFError as error:
            raise UsageError("the questions were not answered to the end; --yes asks none") from error


def _draft(options: argparse.Namespace, questions: _Questions) -> Draft:
    def given(flag: str | None, question: str, usual: str, read: Callable[[str], Answer]) -> Answer:
        return read(flag) if flag is not None else questions.ask(question, usual, read)

    name = tool_name(options.name)
    words = name.replace("_", " ")
    app = given(options.app, "Which program does it drive?", "Finder", app_name)
    sentence = f"{words[:1].upper()}{words[1:]}."
    description = given(options.description, "What does it do, in a sentence?", sentence, _some_text)
    if options.argument is None:
        arguments = () if questions.silent else tuple(_asked_arguments(questions))
    else:
        arguments = tuple(argument(text) for text in options.argument)
    twice = next((a.name for n, a in enumerate(arguments) if a.name in [b.name for b in arguments[:n]]), "")
    if twice:
        raise UsageError(f"--argument {twice}: two arguments have this name")
    returns = given(options.returns, f"What does it give back? {'/'.join(RETURNS)}", "status", _one_of(RETURNS))
    effect = given(options.effect, f"Does it {'/'.join(EFFECTS)}?", "write", _one_of(EFFECTS))
    draft = Draft(name, app, description, arguments, returns, effect)
    if options.example is not None:
        examples = tuple((_some_text(request), _plan_text(plan)) for request, plan in options.example)
    else:
        examples = () if questions.silent else tuple(_asked_examples(questions, draft))
    return Draft(name, app, description, arguments, returns, effect, examples)


def _asked_arguments(questions: _Questions) -> Iterator[DraftArgument]:
    """What the user names, until they name nothing."""
    names: list[str] = []

    def fresh(text: str) -> str:
        if text in names:
            raise UsageError(f"there is an argument {text!r} already")
        return _argument_name(text) if text else ""

    while name := questions.ask("An argument (Enter: no more)", "", fresh):
        names.append(name)
        kind = questions.ask(f"  Its type? {' '.join(TYPES)}", "text", _type)
        label = name.replace("_", " ")
        description = questions.ask("  What is it?", label, _some_text)
        choices: dict[str, str] = {}
        if kind.item.name == "choice":
            choices = questions.ask("  Its choices, the usual one first, as in slow=by ship,fast=by air?", "", _choices)
        yield _argument(name, kind, description, choices)


def _asked_examples(questions: _Questions, draft: Draft) -> Iterator[tuple[str, str]]:
    """Requests, and for each the words that become values."""
    while request := questions.ask("A request for it, as you would say it (Enter: no more)", "", str):
        values = []
        for argument in draft.arguments:
            empty = argument.type.empty if argument.default is None else argument.default
            if argument.type.name in _NOTHING:
                values.append(empty)
                continue

            def read(text: str, argument: DraftArgument = argument, empty: Value = empty) -> Value:
                return value_of(text, argument) if text else empty

            values.append(questions.ask(f"  Which words of it are the {argument.label}? (Enter: none)", "", read))
        yield request, print_plan(Plan((Step(1, draft.name, tuple(values)),)))


def value_of(text: str, argument: DraftArgument) -> Value:
    """The value that an answer names. Raises `PlanError` or `UsageError` when it names none."""
    kind = argument.type
    if kind.is_list:
        parts = [part.strip() for part in re.split(r",|\band\b", text) if part.strip()]
        return tuple(value_of(part, DraftArgument(argument.name, kind.item, "", argument.choices)) for part in parts)  # type: ignore[misc]
    if argument.choices:
        return _one_of(tuple(argument.choices))(text)
    if kind.python is bool:
        return _one_of(("yes", "no"))(text) == "yes"
    value = kind.from_words(text)
    if problem := kind.check(value):
        raise PlanError(f"{argument.label} {problem}")
    return value


# What flags and answers must be


def tool_name(text: str) -> str:
    if text == JOIN:
        raise UsageError(f"{text!r} ends a plan and can be no tool")
    return _argument_name(text)


def _argument_name(text: str) -> str:
    if not re.fullmatch(NAME, text):
        raise UsageError(f"the name {text!r}: expected lower-case letters, digits and underscores, a letter first")
    return text


def app_name(text: str) -> str:
    """A program's name, which the script will address in literal text."""
    if not text.strip() or re.search(r'["\\\x00-\x1f\x7f-\x9f]', text):
        raise UsageError(f"the program {text!r}: expected its name, as in Music")
    return text.strip()


def _some_text(text: str) -> str:
    words = " ".join(text.split())
    if not words:
        raise UsageError("expected some words")
    return words


def _one_of(allowed: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise UsageError(f"{text!r} is none of {', '.join(allowed)}{near(text, allowed)}")
        return text

    return read


def _type(text: str) -> ArgType:
    return TYPES[_one_of(tuple(TYPES))(text)]


def _choices(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not pairs:
        raise UsageError("a choice needs choices, as in slow=by ship,fast=by air")
    return {choice.strip(): meaning.strip() or choice.strip() for choice, _, meaning in pairs}


def argument(text: str) -> DraftArgument:
    """An argument as --argument writes it: name, type, what it is, and choices, with colons between them."""
    name, kind, description, choices = (*text.split(":", 3), "", "", "", "")[:4]
    found = _type(kind.strip() or "text")
    constants = _choices(choices) if found.item.name == "choice" else {}
    if choices and not constants:
        raise UsageError(f"--argument {name}: a {found.name} has no choices")
    label = name.strip().replace("_", " ")
    return _argument(_argument_name(name.strip()), found, description.strip() or label, constants)


def _argument(name: str, kind: ArgType, description: str, choices: dict[str, str]) -> DraftArgument:
    usual = next(iter(choices)) if choices and not kind.is_list else None
    return DraftArgument(name, kind, _some_text(description), choices, usual)


def _plan_text(text: str) -> str:
    try:
        return print_plan(parse_written(text))
    except PlanError as error:
        raise UsageError(f"--example: the plan {text!r}: {error}") from error
