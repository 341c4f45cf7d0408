"""The planner's prompt: a pure function of tools, request and moment. It knows nothing of models and tokenizers.

What never changes stands first (the plan language, the common rules), then what retrieval chose (tools, examples),
then the moment and the request: a model's memory of the beginning serves every request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tinyagent_mlx.grammar import MORE
from tinyagent_mlx.plan import END, Plan, print_plan
from tinyagent_mlx.toolbox import Argument, Example, Tool, Toolbox

MAX_EXAMPLES = 3
MAX_DECLARED = 2  # without the request's nearness to choose by
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")  # in no locale's words


@dataclass(frozen=True)
class Profile:
    """A layout of the prompt: what a trained model expects around the same text.

    `frame` holds `{instructions}`, `{now}` and `{request}`; the plan's first line follows right after it. `intro` and
    `missing` explain the plan language and the way to more tools; `notes` shows the rules and what tools and arguments
    are for, which a model that was trained on these tools alone does without; `examples` is how many are shown at most.
    """

    name: str = "plain"
    frame: str = "{instructions}\n\nNow: {now}\nRequest: {request}\nPlan:\n"
    intro: str = (
        "Plan the request as numbered calls, one a line. "
        '"$k" is the result of line k. Names, times and addresses are words of the request. '
        f"The last line is join(){END}, alone when nothing fits."
    )
    missing: str = f'When a tool is missing, the line is "{MORE}".'
    notes: bool = True
    examples: int = MAX_EXAMPLES


PLAIN = Profile()
ALPACA = Profile(
    name="alpaca",
    frame="### Instruction:\n{instructions}\n\nNow: {now}\n\n### Input:\n{request}\n\n### Response:\n",
)
BRIEF = Profile(
    name="brief", frame="{instructions}\n\nRequest: {request}\nPlan:\n", intro="", missing=MORE, notes=False
)  # for a small model of our own: it knows the tools, and dates stay words of the request
PROFILES = {profile.name: profile for profile in (PLAIN, ALPACA, BRIEF)}


class Examples(Protocol):
    """Chooses what a prompt shows; see `Declared` and `nearness.NearestExamples`."""

    def choose(self, request: str, tools: Toolbox, most: int) -> Sequence[Example]: ...


class Declared:
    """The examples of tools.yaml that show many of the tools at hand, whatever the request."""

    def choose(self, request: str, tools: Toolbox, most: int) -> Sequence[Example]:
        return choose_examples(tools, min(most, MAX_DECLARED))


def planner_prompt(
    tools: Toolbox,
    request: str,
    now: datetime,
    more: bool = False,
    profile: Profile = PLAIN,
    examples: Sequence[Example] | None = None,
) -> str:
    """Write the prompt for the tools at hand; `more` tells that there are others to ask for.

    `examples` are those to show, in order; None leaves it to `Declared`.
    """
    show = tool_block if profile.notes else _bare
    blocks = [profile.intro, _listed("Rules:", tools.rules) if profile.notes else ""]
    blocks.append("\n".join(["Tools:", *map(show, tools), *([profile.missing] if more else [])]))
    shown = Declared().choose(request, tools, profile.examples) if examples is None else examples
    blocks.extend(map(_example, shown))
    instructions = "\n\n".join(block for block in blocks if block)
    moment = f"{_DAYS[now.weekday()]} {now:%Y-%m-%d %H:%M}"
    return profile.frame.format(instructions=instructions, now=moment, request=" ".join(request.split()))


def tool_block(tool: Tool) -> str:
    """A tool as the prompt shows it: its signature with a note on each argument, what it does, its rules."""
    arguments = "; ".join(map(_argument, tool.arguments))
    return "\n  ".join([f"{tool.name}({arguments}) -> {tool.returns}", tool.description, *tool.rules])


def _bare(tool: Tool) -> str:
    """A tool by its names alone."""
    return f"{tool.name}({', '.join(argument.name for argument in tool.arguments)})"


def _argument(argument: Argument) -> str:
    """Name, type unless it is text, description, choices: short, for most of the prompt is this."""
    kind = "" if argument.type.name == "text" else f"{argument.type.name}, "
    choices = "".join(f", {value!r} {meaning}" for value, meaning in argument.choices.items())
    return f"{argument.name}: {kind}{argument.description}{choices}"


def choose_examples(tools: Toolbox, most: int) -> tuple[Example, ...]:
    """Few examples that show many of the tools, and none that is not at hand; the ones with most tools first."""
    known = [
        (example, used)
        for tool in tools
        for example in tool.examples
        if (used := {step.tool for step in example.plan.steps}) and used <= set(tools.names)
    ]
    chosen: list[Example] = []
    shown: set[str] = set()
    while len(chosen) < most and (new := max((len(used - shown) for _, used in known), default=0)):
        example, used = next((example, used) for example, used in known if len(used - shown) == new)
        chosen.append(example)
        shown |= used
    return tuple(chosen)


def _example(example: Example) -> str:
    return f"Request: {' '.join(example.request.split())}\nPlan:\n{print_plan(Plan(example.plan.steps), join=True)}"


def _listed(title: str, lines: tuple[str, ...]) -> str:
    return "\n".join([title, *(f"- {line}" for line in lines)]) if lines else ""
