"""Plans and endings in words: what a step is given, how it stands, what happened and what to do. No widgets here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinyagent_mlx import events
from tinyagent_mlx.cli.show import ICONS, UNSURE
from tinyagent_mlx.executor import Outcome
from tinyagent_mlx.plan import Plan, Step, print_value
from tinyagent_mlx.toolbox import Argument, Tool, Toolbox
from tinyagent_mlx.values import Value
from tinyagent_mlx.when import parse_iso
from tui.fields import to_text

if TYPE_CHECKING:
    from tui.trail import Undone

MARKS = {
    "waiting": "·", "running": "▸", "done": "✓", "failed": "✗", "unknown": "?", "skipped": "–", "refused": "–",
    "cancelled": "–", "dropped": "–", "undone": "↶",
}  # fmt: skip
EFFECT_WORDS = {"read": "reads", "write": "writes", "send": "sends"}


def head(step: Step, tool: Tool) -> str:
    """A step's first line without its mark."""
    also = step.depends_on()
    after = f" · after {', '.join(map(str, also))}" if also else ""
    return f"{step.id}. {ICONS[tool.effect]} {tool.name}  {tool.app}{after}"


def arguments(step: Step, tool: Tool) -> list[tuple[str, str]]:
    """Each argument that says something: its name and its value in full."""
    pairs = zip(tool.arguments, step.arguments, strict=True)
    return [
        (a.name, readable(value, step.id, a))
        for a, value in pairs
        if value not in ("", (), 0, False) or value != a.default
    ]


def readable(value: Value, step: int, argument: Argument) -> str:
    """A value as people read it: dates as days, constants with their meaning, the rest as the plan writes it."""
    if argument.type.name == "datetime" and isinstance(value, str):
        return date_words(value) or print_value(value, step)
    text = print_value(value, step)
    if isinstance(value, (str, int)) and argument.choices.get(value):
        meaning = argument.choices[value]
        return text if meaning == str(value) else f"{text} ({meaning})"
    return text


def date_words(text: str) -> str:
    """ "Fri 27 Nov 2026, 15:00" for an ISO moment; "" for anything else."""
    moment = parse_iso(text)
    if not moment:
        return ""
    return moment.at.strftime("%a %d %b %Y" if moment.all_day else "%a %d %b %Y, %H:%M")


def approval_question(plan: Plan, tools: Toolbox, hopeless: set[int], doubtful: bool = False) -> str:
    """What an approval lets happen, counted; `hopeless` are the steps that failed already or wait for one that did.

    Of a doubtful plan the reads wait too.
    """
    effects = [tools[step.tool].effect for step in plan.steps if step.id not in hopeless]
    reads, writes, sends = effects.count("read") if doubtful else 0, effects.count("write"), effects.count("send")
    parts = []
    if reads:
        parts.append(f"{_steps(reads)} {'reads' if reads == 1 else 'read'}")
    if writes:
        parts.append(f"{_steps(writes)} {'writes' if writes == 1 else 'write'} on this machine")
    if sends:
        parts.append(f"{_steps(sends)} {'sends' if sends == 1 else 'send'} something out")
    lost = [str(k) for k in sorted(hopeless)]
    rest = f" Step {', '.join(lost)} can't be done: see above." if lost else ""
    unsure = f"{UNSURE}. " if doubtful else ""
    return f"{unsure}Carry out this plan? " + " and ".join(parts) + "." + rest


def undo_lines(undone: Sequence[Undone]) -> list[tuple[str, str]]:
    """What became of an undo, as lines with a style."""
    gone = ", ".join(f"step {one.step} ({one.text})" for one in undone if one.ok)
    lines = [("good", f"Undone: {gone}.")] if gone else []
    return lines + [("bad", f"Not undone: step {one.step}, {one.tool}: {one.text}") for one in undone if not one.ok]


def hopeless(plan: Plan, failed: set[int]) -> set[int]:
    """The steps of a plan that wait, directly or not, for one that failed."""
    lost: set[int] = set()
    for step in plan.steps:
        if not (failed | lost).isdisjoint(step.depends_on()):
            lost.add(step.id)
    return lost


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def ending_line(ending: events.Ending) -> str:
    """How a step ended, in one line or, for a result, in as many as it has."""
    match ending:
        case events.StepDone(_, result, _):
            return "\n".join([f"→ {result.value}", *map(str, result.files)])
        case events.StepFailed(_, message):
            return f"failed: {message}"
        case events.StepUnknown(_, message):
            return f"it may or may not have happened: {message}"
        case events.StepSkipped(_, because):
            return f"not done: step {because} gave no result"
        case events.StepRefused(_, message):
            return f"not done: {message or 'not approved'}"
        case _:
            return "not done: stopped before its turn"


def account(outcome: Outcome, tools: Toolbox) -> list[tuple[str, str]]:
    """What happened, what was not done and what to do, as lines with a style: "good", "bad", "dim" or ""."""
    plan = outcome.plan
    if plan.refused:
        if outcome.cancelled:
            return [("dim", "Stopped while it was planned. Nothing was done.")]
        return [
            ("", "None of the tools can do that, so nothing was done."),
            ("dim", "F3 shows the tools; try other words."),
        ]
    done = len(outcome.results())
    count = f"{done} of {len(plan.steps)} steps done" if len(plan.steps) > 1 else ("Done" if done else "Not done")
    lines = [("good" if outcome.ok else "", f"{'Stopped. ' if outcome.cancelled else ''}{count}.")]
    for ending in outcome.endings.values():
        lines += _trouble(ending, outcome, tools)
    return lines


def _trouble(ending: events.Ending, outcome: Outcome, tools: Toolbox) -> list[tuple[str, str]]:
    if not isinstance(ending, (events.StepFailed, events.StepUnknown)):
        return []
    step = ending.step
    what = "failed" if isinstance(ending, events.StepFailed) else "may or may not have happened"
    lines = [("bad", f"Step {step.id} ({sentence(step, tools)}) {what}: {ending.message}")]
    behind = sorted(
        k for k in hopeless(outcome.plan, {step.id}) if isinstance(outcome.endings.get(k), events.StepSkipped)
    )
    if behind:
        names = ", ".join(f"{k} ({sentence(_step(outcome.plan, k), tools)})" for k in behind)
        lines.append(("", f"Not done because of it: step{'s' if len(behind) > 1 else ''} {names}"))
    if isinstance(ending, events.StepFailed) and ending.choices:
        lines.append(("", "What to do: choose one below; Tab goes there."))
    elif ending.advice:
        lines.append(("", f"What to do: {ending.advice}"))
    return lines


def sentence(step: Step, tools: Toolbox) -> str:
    """A step in a sentence, dates as days."""
    tool = tools[step.tool]
    values = tool.bind(step.arguments)
    words = {name: (date_words(v) if isinstance(v, str) else "") or to_text(v, step.id) for name, v in values.items()}
    text = tool.summary.format_map(words) if tool.summary else tool.name.replace("_", " ")
    return text.strip().rstrip(":").strip()


def _step(plan: Plan, number: int) -> Step:
    return next(step for step in plan.steps if step.id == number)
