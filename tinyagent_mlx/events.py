"""What happens to a plan, told to whoever listens: front ends draw these, the executor emits them.

Each step ends in exactly one of done, failed, unknown, skipped, refused or cancelled.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyagent_mlx.desktop.base import Result
from tinyagent_mlx.plan import Plan, Step


@dataclass(frozen=True)
class StepPlanned:
    """The planner has said a step; reads may already start."""

    step: Step


@dataclass(frozen=True)
class PlanReady:
    """The planner has ended; what must be approved is now asked for. `doubtful`: that is the whole plan, reads and all."""

    plan: Plan
    doubtful: bool = False


@dataclass(frozen=True)
class StepStarted:
    step: Step


@dataclass(frozen=True)
class StepWriting:
    """A writer is at what the step gives: the next piece of the text, which is told whole when the step is done."""

    step: Step
    piece: str


@dataclass(frozen=True)
class StepWritten:
    """The text that an argument of the step is carried out with; `note` says who wrote it, or why nobody did."""

    step: Step
    argument: str
    text: str
    note: str


@dataclass(frozen=True)
class StepDone:
    step: Step
    result: Result
    seconds: float


@dataclass(frozen=True)
class StepFailed:
    """The step was tried and did not happen; `choices` when what it names exists more than once."""

    step: Step
    message: str
    advice: str
    seconds: float
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepUnknown:
    """A write was cut off: it may or may not have happened, and is never tried again by itself."""

    step: Step
    message: str
    advice: str


@dataclass(frozen=True)
class StepSkipped:
    """Not tried, because step `because` gave no result."""

    step: Step
    because: int


@dataclass(frozen=True)
class StepRefused:
    """Not tried, because it was not approved, or was held back for the reason in `message`."""

    step: Step
    message: str = ""


@dataclass(frozen=True)
class StepCancelled:
    """Not tried, because the run was stopped before its turn."""

    step: Step


Ending = StepDone | StepFailed | StepUnknown | StepSkipped | StepRefused | StepCancelled
Event = StepPlanned | PlanReady | StepStarted | StepWriting | StepWritten | Ending
