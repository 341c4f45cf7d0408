"""The seam between a step and who writes its text: what is to be written, the text as it comes, and who is shown it.

A writer only gives text. Which tool is called, and to whom anything goes, is settled in the plan before; a text takes the
place of one argument's words, and only once it was accepted. Knows nothing of models, screens and running.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from tinyagent_mlx.background import in_thread
from tinyagent_mlx.desktop.base import Result
from tinyagent_mlx.plan import Step
from tinyagent_mlx.toolbox import Argument, Tool
from tinyagent_mlx.values import Ref, Value, map_references, references

ALONE = ("mail",)  # written even where the request has no words for it, from what else the step says
NOTHING = "it wrote nothing"


@dataclass(frozen=True)
class Task:
    """One text to be written. `words` are the request's own, with [1], [2]… where results stand, which are the `material`;
    `own` is both together: what is used where nobody writes. `about` are the step's other texts, by name.
    """

    step: Step
    tool: Tool
    argument: Argument
    request: str
    words: str
    own: str
    about: Mapping[str, str] = field(default_factory=dict)
    material: tuple[str, ...] = ()


class Writer(Protocol):
    """Yields pieces of text, empty ones while it works at something that is not shown. May raise anything.

    Both run in a thread of their own, and stop where they are when nobody draws from them any more.
    """

    name: str

    def write(self, task: Task) -> Iterator[str]: ...

    def summarize(self, text: str) -> Iterator[str]: ...


class Draft:
    """A text as it is written. Its pieces are drawn once; then `text` is all of it, or `trouble` says why there is none.

    Whoever stops drawing stops the writer; what is written by then stays, and `ended` is not set.
    """

    def __init__(self, pieces: Iterator[str], writer: str, task: Task | None = None):
        self.writer, self.task = writer, task
        self.text = self.trouble = ""
        self.ended = False
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[str]:
        try:
            async for piece in in_thread(self._pieces):
                self.text += piece
                if piece:
                    yield piece
        except Exception as error:  # a model may raise anything, and the request's own words are there
            self.trouble = (str(error).splitlines() or [type(error).__name__])[0]
        self.ended = True
        if not self.trouble and not self.text.strip():
            self.trouble = NOTHING

    def judged(self, text: str) -> tuple[str, str]:
        """The text that counts where `text` was accepted, and where it comes from: after a trouble the request's own."""
        assert self.task
        name, own = self.task.argument.name, self.task.own
        if self.trouble:
            return own, f"{name} is in the words of the request, for {self.writer} failed: {self.trouble}"
        if text == own:
            return own, f"{name} is in the words of the request"
        edited = "" if text == self.text.strip() else " and edited"
        return text, f"{name} was written by {self.writer}{edited}"


Accept = Callable[[Draft], Awaitable[str | None]]


@dataclass(frozen=True)
class Desk:
    """Who writes for a request. `accept` draws the draft, shows it, and gives the text to use, or None for a no."""

    writer: Writer
    accept: Accept
    request: str = ""

    async def summarized(self, result: Result, tell: Callable[[str], None]) -> Result:
        """A result with the writer's summary of its text, or the one that it has where the writer fails."""
        draft = Draft(self.writer.summarize(result.text), self.writer.name)
        async for piece in draft:
            tell(piece)
        if draft.trouble:
            return replace(result, note=f"in its own sentences, for {draft.writer} failed: {draft.trouble}")
        return replace(result, value=draft.text.strip(), note=f"written by {draft.writer}")

    def drafts(
        self, step: Step, tool: Tool, arguments: Mapping[str, Any], results: Mapping[int, str]
    ) -> Iterator[Draft]:
        """The texts that may be written for a step whose inputs are in. What the plan leaves empty stays empty, but for a
        mail that has a subject."""
        values = tool.bind(step.arguments)
        about = {
            a.name: str(arguments[a.name])
            for a in tool.arguments
            if a.type.name == "text" and not a.written and arguments[a.name] and not any(references(values[a.name]))
        }
        for argument in tool.arguments:
            own = arguments[argument.name]
            if argument.written and (own.strip() or (about and argument.written in ALONE)):
                words, material = _apart(values[argument.name], results)
                task = Task(step, tool, argument, self.request, words, own, about, material)
                yield Draft(self.writer.write(task), self.writer.name, task)


def _apart(value: Value, results: Mapping[int, str]) -> tuple[str, tuple[str, ...]]:
    """The literal words of a text argument, with [1] for the first result in it, and those results."""
    numbers = list(dict.fromkeys(references(value)))
    words = map_references(value, lambda k: f"[{numbers.index(k) + 1}]")
    return "" if isinstance(value, Ref) else str(words), tuple(results[k] for k in numbers)
