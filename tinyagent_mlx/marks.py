"""The marks at a request's end that belong to the text before them: "the password is hunter2!", "are you coming?", a smiley.

The planner points at words, and what it learnt from leaves the last marks out. They are put back where the text is the user's own to
others or to themselves (what a writer might write, or what is sent), never into a name that something is looked up by. Knows plans
and tools, no network.
"""

from __future__ import annotations

import re
from dataclasses import replace

from tinyagent_mlx.plan import Step
from tinyagent_mlx.toolbox import Argument, Tool
from tinyagent_mlx.values import Mixed, Value, join

_WHO = r"(?:you|i|we|he|she|it|they|there|this|that|these|those|the|your|my|our|his|her|their|any|anyone|anybody|everyone|everybody)"
_ASKING = re.compile(
    rf"(?:(?:are|is|am|was|were|do|does|did|can|could|will|would|shall|should|may|might|have|has|had)(?:n['’]t)? {_WHO}"
    r"|(?:what|where|when|who|whom|whose|why|which|how)(?:['’]s|['’]re)?)\b",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"(?:(?:please|hey|hi|ok|so)[, ]+)*(?:can|could|would|will|may|might|do|did|is|are|any)\b", re.IGNORECASE
)
_GLUED = re.compile(r"[$%&#@!?*+=/_~^|\\](?=\S*\w)\S*")


def with_marks(step: Step, tool: Tool, request: str) -> Step:
    """The step with the marks that end the request, where its text stands right before them."""
    arguments = zip(tool.arguments, step.arguments, strict=True)
    values = tuple(_ended(value, request) if _is_own_text(tool, a) else value for a, value in arguments)
    return replace(step, arguments=values)


def _is_own_text(tool: Tool, argument: Argument) -> bool:
    return argument.type.name == "text" and not argument.choices and bool(argument.written or tool.effect == "send")


def _ended(value: Value, request: str) -> Value:
    if isinstance(value, Mixed):
        *before, last = value.parts
        return join([*before, _marked(last, request)]) if isinstance(last, str) else value
    return _marked(value, request) if isinstance(value, str) and value else value


def _marked(text: str, request: str) -> str:
    body = request.rstrip().rstrip(".")
    at = body.lower().rfind(text.lower())
    if at < 0 or (at and body[at - 1].isalnum() and text[0].isalnum()):
        return text
    rest = body[at + len(text) :]
    if more := _GLUED.match(rest):  # a password, which words cut in two
        return text + more[0].rstrip(".,;:")
    return text + rest if rest and _are_marks(rest, text, request) else text


def _are_marks(marks: str, text: str, request: str) -> bool:
    """No words, no quotes and brackets, which would have to be closed, and no full stop, which ends the request. A question mark is
    the text's only where the text asks and the request does not: that of "can you text Ines that I'm late?" is the request's."""
    if any(c.isalnum() or c in "\"'“”‘’«»()[]{}.,;:" for c in marks):
        return False
    return "?" not in marks or bool(_ASKING.match(text) and not _ASKED.match(request.lstrip()))
