"""Check a plan against a toolbox: known tools, arity, types, choices, and references to steps that return the right type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.values import Mixed, Ref, Value, references, scalars

if TYPE_CHECKING:
    from tinyagent_mlx.toolbox import Argument, Tool, Toolbox


def check_plan(plan: Plan, tools: Toolbox | Mapping[str, Tool]) -> None:
    """Raise `PlanError` for the first step at fault."""
    returns: dict[int, str] = {}
    for number, step in enumerate(plan.steps, 1):
        if step.id != number:
            raise PlanError(f"step {step.id}: expected step {number}")
        check_step(step, tools, returns)
        returns[step.id] = tools[step.tool].returns


def check_step(step: Step, tools: Toolbox | Mapping[str, Tool], returns: Mapping[int, str]) -> None:
    """Check one step; `returns` holds the return type of each earlier step."""
    if step.tool not in tools:
        raise PlanError(f"step {step.id}: no tool is called {step.tool!r}")
    tool = tools[step.tool]
    if len(step.arguments) != len(tool.arguments):
        raise PlanError(f"step {step.id}: {tool.name} takes {len(tool.arguments)} arguments, got {len(step.arguments)}")
    for argument, value in zip(tool.arguments, step.arguments, strict=True):
        problem = argument_problem(argument, value, returns)
        if problem:
            raise PlanError(f"step {step.id}: {tool.name}, argument {argument.name} {problem}")


def argument_problem(argument: Argument, value: Value, returns: Mapping[int, str]) -> str | None:
    """Say what is wrong with one argument's value, or None."""
    form = argument.type.check(value)
    if form:
        return form
    for k in references(value):
        if k not in returns:
            return f"refers to step {k}, which is no earlier step"
    for scalar in scalars(value):
        if isinstance(scalar, Ref) and not argument.type.item.takes_reference_to(returns[scalar.step]):
            return f"takes no {returns[scalar.step]}, which is what step {scalar.step} returns"
        if (
            argument.choices
            and not isinstance(scalar, (Ref, Mixed))
            and scalar not in (*argument.choices, argument.default)
        ):
            return f"is {scalar!r}, expected one of {', '.join(map(repr, argument.choices))}"
    return None
