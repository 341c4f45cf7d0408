"""What is still to be done after a run that did not do everything: nothing that was done is done twice.

Knows nothing of widgets. Steps that were done give their results as values; steps whose outcome is unknown, or that were
not approved, are left out with all that waits for them.
"""

from __future__ import annotations

from tinyagent_mlx.events import StepCancelled, StepDone, StepFailed, StepSkipped
from tinyagent_mlx.executor import Outcome
from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.values import Ref, Scalar, Value, map_references


def still_to_do(outcome: Outcome) -> Plan:
    """The steps that failed, were stopped before their turn or were skipped for such a step; renumbered from 1."""
    done = {k: ending.result.value for k, ending in outcome.endings.items() if isinstance(ending, StepDone)}
    wanted: list[Step] = []
    for step in outcome.plan.steps:
        ending = outcome.endings.get(step.id)
        known = {*done, *(other.id for other in wanted)}
        if isinstance(ending, (StepFailed, StepSkipped, StepCancelled)) and known.issuperset(step.depends_on()):
            wanted.append(step)
    ids = {step.id: number for number, step in enumerate(wanted, 1)}

    def place(k: int) -> str | Ref:
        return done[k] if k in done else Ref(ids[k])

    return Plan(
        tuple(
            Step(ids[step.id], step.tool, tuple(map_references(value, place) for value in step.arguments))
            for step in wanted
        )
    )


def with_choice(outcome: Outcome, failed: StepFailed, choice: str) -> Plan:
    """What is still to be done, with one of an ambiguous step's choices in the place of the words that were unclear."""
    step = failed.step
    at = _unclear(step, failed.message)
    if at is None:
        return still_to_do(outcome)
    arguments = tuple(_put(value, at[1], choice) if n == at[0] else value for n, value in enumerate(step.arguments))
    changed = Step(step.id, step.tool, arguments)
    steps = tuple(changed if other.id == step.id else other for other in outcome.plan.steps)
    return still_to_do(Outcome(Plan(steps), outcome.endings, outcome.cancelled))


def _unclear(step: Step, message: str) -> tuple[int, Scalar] | None:
    """The argument that the message is about: the longest text that it repeats, else the first that is not empty."""
    texts = [
        (n, item)
        for n, value in enumerate(step.arguments)
        for item in (value if isinstance(value, tuple) else (value,))
        if isinstance(item, str) and item
    ]
    named = [pair for pair in texts if str(pair[1]).casefold() in message.casefold()]
    if named:
        return max(named, key=lambda pair: len(str(pair[1])))
    return texts[0] if texts else None


def _put(value: Value, old: Scalar, new: str) -> Value:
    if isinstance(value, tuple):
        return tuple(new if item == old else item for item in value)
    return new
