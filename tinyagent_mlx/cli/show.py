"""Plans and outcomes as people and programs read them: a tree in the terminal, JSON for everything else."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from tinyagent_mlx.plan import Plan, Step, print_plan, print_value
from tinyagent_mlx.toolbox import Tool, Toolbox
from tinyagent_mlx.values import Value
from tinyagent_mlx.when import parse_iso

if TYPE_CHECKING:
    from tinyagent_mlx.agent import Planned
    from tinyagent_mlx.executor import Outcome

UNSURE = "The planner is not sure that this is what you meant"
ICONS = {"read": "○", "write": "✎", "send": "➤"}


def planned_json(planned: Planned, tools: Toolbox) -> dict[str, Any]:
    """What `plan --json` prints."""
    return {
        "query": planned.query,
        "plan": print_plan(planned.plan),
        "steps": [step_json(step, tools) for step in planned.plan.steps],
        "tools": list(planned.tools),
        "refused": planned.plan.refused,
        **({"unread": planned.end.unread} if planned.end.unread else {}),
        "confidence": None if planned.end.confidence is None else round(planned.end.confidence, 4),
        "prompt_tokens": planned.end.prompt_tokens,
        "generated_tokens": planned.end.generated_tokens,
        "forward_passes": planned.end.forward_passes,
        "seconds": round(planned.seconds, 4),
    }


def tell_unread(planned: Planned) -> None:
    """Say on stderr how much of the request was not read, if any."""
    if planned.end.unread:
        print(f"tinyagent: {planned.end.unread}", file=sys.stderr)


def step_json(step: Step, tools: Toolbox) -> dict[str, Any]:
    """A step with its arguments by name; references as in the plan's text."""
    values = tools[step.tool].bind(step.arguments)
    return {"id": step.id, "tool": step.tool, "args": {name: _plain(value, step.id) for name, value in values.items()}}


def _plain(value: Value, step: int) -> Any:
    from tinyagent_mlx.values import print_text

    if isinstance(value, tuple):
        return [_plain(item, step) for item in value]
    return value if isinstance(value, (bool, int)) else print_text(value, step)


def outcome_json(outcome: Outcome, tools: Toolbox) -> dict[str, Any]:
    """What `run --json` adds: how each step ended."""
    from tinyagent_mlx import events

    steps = []
    for ending in outcome.endings.values():
        row = step_json(ending.step, tools) | {"ended": type(ending).__name__.removeprefix("Step").lower()}
        if isinstance(ending, events.StepDone):
            row |= {"result": ending.result.value, "files": [str(file) for file in ending.result.files]}
            row |= {"note": ending.result.note} if ending.result.note else {}
        elif isinstance(ending, (events.StepFailed, events.StepUnknown)):
            row |= {"message": ending.message, "advice": ending.advice}
        elif isinstance(ending, events.StepSkipped):
            row |= {"because": ending.because}
        elif isinstance(ending, events.StepRefused) and ending.message:
            row |= {"message": ending.message}
        if written := outcome.written.get(ending.step.id):
            row |= {"written": written}
        steps.append(row)
    return {"ok": outcome.ok, "cancelled": outcome.cancelled, "outcome": steps}


def tree(plan: Plan, tools: Toolbox, title: str) -> Tree:
    """The plan with arguments in full; each step hangs under the last of the steps it waits for."""
    root = Tree(f"[bold]{escape(title)}")
    nodes: dict[int, Tree] = {}
    for step in plan.steps:
        waits = step.depends_on()
        parent = nodes[waits[-1]] if waits else root
        nodes[step.id] = parent.add(_step_text(step, tools))
    return root


def _step_text(step: Step, tools: Toolbox) -> str:
    tool = tools[step.tool]
    also = step.depends_on()[:-1]
    head = f"[bold]{step.id}. {ICONS[tool.effect]} {step.tool}[/] [dim]{escape(tool.app)}[/]"
    if also:
        head += f" [dim]after {', '.join(map(str, step.depends_on()))}[/]"
    lines = [head]
    for argument, value in zip(tool.arguments, step.arguments, strict=True):
        if value != argument.default or not _empty(value):
            lines.append(f"   {argument.name}: {escape(_readable(value, step.id, argument.type.name))}")
    return "\n".join(lines)


def _empty(value: Value) -> bool:
    return value in ("", (), 0, False)


def _readable(value: Value, step: int, kind: str) -> str:
    if kind == "datetime" and isinstance(value, str):
        moment = parse_iso(value)
        if moment:
            return moment.at.strftime("%a %d %b %Y" if moment.all_day else "%a %d %b %Y, %H:%M")
    return print_value(value, step)


def outgoing(tool: Tool, arguments: Mapping[str, Any]) -> str:
    """What a step would send, every argument whole, in characters that hide nothing."""
    lines = []
    for name, value in arguments.items():
        text = plain(", ".join(value) if isinstance(value, tuple) else str(value))
        if text and "\n" in text:
            lines += [f"{name}:", *(f"    {line}" for line in text.split("\n"))]
        elif text:
            lines.append(f"{name}: {text}")
    return "\n".join(lines)


def plain(text: str) -> str:
    """Text that can't steer a terminal: what does not print is spelled out, line ends apart."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def describe(step: Step, tools: Toolbox) -> str:
    """A step in a sentence, from its `summary` in tools.yaml."""
    tool = tools[step.tool]
    values = {name: _plain(value, step.id) for name, value in tool.bind(step.arguments).items()}
    words = {name: ", ".join(map(str, v)) if isinstance(v, (list, tuple)) else str(v) for name, v in values.items()}
    text = tool.summary.format_map(words) if tool.summary else step.tool.replace("_", " ")
    return text.strip().rstrip(":").strip()


def console(error: bool = False) -> Console:
    """A console that wraps long values, never cuts them, and obeys NO_COLOR."""
    return Console(stderr=error, highlight=False)
