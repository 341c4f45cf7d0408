"""The seam between a request and a plan. A planner yields checked steps as it decides them, then a `PlanEnd`.

Two stand behind it: `pointing.py`, the shipped default, and `language.py`, any mlx-lm model under a grammar.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from tinyagent_mlx.earlier import Earlier
from tinyagent_mlx.plan import Step
from tinyagent_mlx.toolbox import Toolbox


@dataclass(frozen=True)
class PlanEnd:
    """What a plan cost: tokens read and written, passes of the network; `confidence` from 0 to 1 where it is known.

    `unread` says how much of a request that is too long was not read, "" where all of it was: such a plan is not carried out.
    """

    prompt_tokens: int
    generated_tokens: int
    forward_passes: int
    confidence: float | None = None
    unread: str = ""


class Planner(Protocol):
    """`tools` are all that may be called, `retrieved` those that the retriever chose for this request.

    No step before the `PlanEnd` means that the request is refused. Datetimes may still be words of the request.
    A plan whose confidence is less than `ask_below` is asked about whole, reads and all; 0 where none is known.
    """

    name: str
    ask_below: float

    def plan(
        self, text: str, tools: Toolbox, retrieved: tuple[str, ...], now: datetime
    ) -> Iterator[Step | PlanEnd]: ...


@runtime_checkable
class Limited(Planner, Protocol):
    """A planner that reads no more than so much of a request."""

    def unread(self, text: str) -> str:
        """What to say of a request whose end is not read, "" where all of it is."""
        ...


@runtime_checkable
class Continuing(Planner, Protocol):
    """A planner that reads what became of earlier steps, and goes on from them; one that can't plans from the start."""

    def go_on(
        self, text: str, tools: Toolbox, retrieved: tuple[str, ...], now: datetime, earlier: Earlier
    ) -> Iterator[Step | PlanEnd]:
        """Plan steps that are numbered after the earlier ones, and may name those that were done."""
        ...

    def wants_more(self, text: str, now: datetime, earlier: Earlier) -> bool:
        """Judge whether another plan could help: the joiner of LLMCompiler."""
        ...
