"""The planner's prompt: a pure function of tools, request and moment. It knows nothing of models and tokenizers.

What never changes stands first (the plan language, the common rules), then what retrieval chose (tools, examples),
then the moment and the request: a model's memory of the beginning serves every request.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tinyagent_mlx.grammar import MORE
from tinyagent_mlx.plan import END, Plan, print_plan
from tinyagent_mlx.toolbox import Argument, Example, Tool, Toolbox

MAX_EXAMPLES = 2
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")  # in no locale's words


@dataclass(frozen=True)
class Profile:
    """A layout of the prompt: what a trained model expects around the same text.

    `frame` holds `{instructions}`, `{now}` and `{request}`; the plan's first line follows right after it. `intro` and
    `missing` explain the plan language and the way to more tools; `examples` is how many are shown at most.
    """

    name: str = "plain"
    frame: str = "{instructions}\n\nNow: {now}\nRequest: {request}\nPlan:\n"
    intro: str = (
        "Plan the request as numbered calls, one a line. "
        '"$k" is the result of line k. Names, times and addresses are words of the request. '
        f"The last line is join(){END}, alone when nothing fits."
    )
    missing: str = f'When a tool is missing, the line is "{MORE}".'
    examples: int = MAX_EXAMPLES


PLAIN = Profile()
ALPACA = Profile(
    name="alpaca",
    frame="### Instruction:\n{instructions}\n\nNow: {now}\n\n### Input:\n{request}\n\n### Response:\n",
)
PROFILES = {profile.name: profile for profile in (PLAIN, ALPACA)}


def planner_prompt(tools: Toolbox, request: str, now: datetime, more: bool = False, profile: Profile = PLAIN) -> str:
    """Write the prompt for the tools at hand; `more` tells that there are others to ask for."""
    blocks = [profile.intro, _listed("Rules:", tools.rules)]
    blocks.append("\n".join(["Tools:", *map(tool_block, tools), *([profile.missing] if more else [])]))
    blocks.extend(_example(example) for example in choose_examples(tools, profile.examples))
    instructions = "\n\n".join(block for block in blocks if block)
    moment = f"{_DAYS[now.weekday()]} {now:%Y-%m-%d %H:%M}"
    return profile.frame.format(instructions=instructions, now=moment, request=" ".join(request.split()))


def tool_block(tool: Tool) -> str:
    """A tool as the prompt shows it: its signature with a note on each argument, what it does, its rules."""
    arguments = "; ".join(map(_argument, tool.arguments))
    return "\n  ".join([f"{tool.name}({arguments}) -> {tool.returns}", tool.description, *tool.rules])


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
    return f"Request: {example.request}\nPlan:\n{print_plan(Plan(example.plan.steps), join=True)}"


def _listed(title: str, lines: tuple[str, ...]) -> str:
    return "\n".join([title, *(f"- {line}" for line in lines)]) if lines else ""
