"""A run and its steps as they are read back from the history: facts, and what can be said of them now.

Whether a program still lives is told to this module; it knows nothing of files and writes nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any

from tinyagent_mlx.errors import HistoryError
from tinyagent_mlx.plan import Plan, parse_plan

KILLED = "was running when the program was killed"
UNWRITTEN = "ran, and how it ended could not be written down"


@dataclass(frozen=True)
class StepRecord:
    """A step, or one of several attempts at a read whose arguments were edited. Times are ISO 8601, "" where not yet.

    `state` is done, failed, unknown, skipped, refused or cancelled; replaced when an edit of the plan stopped it to run it
    anew; running or waiting while its program lives; or not started. `script` is the SHA-256 of the tool's script as it was then. `undo_started` without `undone` says that an
    undo was cut off.
    """

    number: int
    attempt: int
    tool: str
    effect: str
    call: str
    arguments: dict[str, Any]
    script: str
    started: str
    ended: str
    state: str
    seconds: float | None
    value: str
    handle: str
    files: tuple[str, ...]
    message: str
    advice: str
    undo_started: str
    undone: str
    undo_text: str


@dataclass(frozen=True)
class RunRecord:
    """A request. `approval` is "" while nothing was asked, then asked, approved, approved beforehand, refused or not
    needed; `approved_plan` is what an edit made of the plan, None without one, under the numbers of `steps`.

    `plan` is what was planned, as far as it came; `planned` says that it is whole. `place` names the desktop. `running`
    says that its program lives and is at it; with neither that nor `ended`, the program was killed. `fault` is what
    broke it off.
    """

    id: int
    query: str
    now: str
    place: str
    began: str
    ended: str
    plan: str
    planned: bool
    approval: str
    asked: str
    answered: str
    approved_plan: str | None
    running: bool
    fault: str
    steps: tuple[StepRecord, ...]

    @property
    def last(self) -> dict[int, StepRecord]:
        """The last attempt at each step, by its number."""
        return {step.number: step for step in self.steps}

    @property
    def state(self) -> str:
        """The run in a word or two."""
        if not self.ended:
            return "running" if self.running else "killed"
        states = {step.state for step in self.last.values()}
        if "unknown" in states:
            return "unknown"
        if self.fault or "failed" in states:
            return "failed"
        if self.approval == "refused":
            return "not approved"
        if any(step.state == "refused" and step.message for step in self.last.values()):
            return "held back"
        if not self.planned or "cancelled" in states or "not started" in states:
            return "stopped"
        return "done" if self.steps else "no plan"

    @property
    def cut_off(self) -> tuple[StepRecord, ...]:
        """The steps that were running when the program was killed."""
        return tuple(step for step in self.steps if step.message == KILLED and step.state == "unknown")

    def as_json(self) -> dict[str, Any]:
        """All that is known of it, for programs."""
        return {"id": self.id, "state": self.state, **asdict(self)}

    def case_ids(self) -> Iterator[str]:
        """Ids for a case, the first the best."""
        name = f"history-{self.began[:10]}-{self.id}"
        yield name
        yield from (f"{name}-{number}" for number in count(2))

    def accepted(self) -> Plan:
        """The plan that was approved, or that needed no approval, numbered from 1. Raises `HistoryError` without one."""
        if self.approval not in ("approved", "approved beforehand", "not needed"):
            raise HistoryError(f"request {self.id}: its plan was not approved; say which plan is right")
        text = self.plan if self.approved_plan is None else self.approved_plan
        lines = {int(line.partition(".")[0]): line for line in text.splitlines()}
        whole = [lines.get(number, f"{number}. left_out()") for number in range(1, max(lines, default=0) + 1)]
        kept = [step for step in parse_plan("\n".join(whole)).steps if step.id in lines]  # an edit leaves gaps
        ids = {step.id: number for number, step in enumerate(kept, 1)}
        return Plan(tuple(step.renumbered(ids) for step in kept))


def run_record(row: sqlite3.Row, running: bool, steps: tuple[StepRecord, ...]) -> RunRecord:
    return RunRecord(
        id=row["id"],
        query=row["query"],
        now=row["now"],
        place=row["place"],
        began=row["began"],
        ended=row["ended"] or "",
        plan="\n".join(step.call for step in steps if step.attempt == 1) if row["plan"] is None else row["plan"],
        planned=row["plan"] is not None,
        approval=row["approval"],
        asked=row["asked"] or "",
        answered=row["answered"] or "",
        approved_plan=row["approved_plan"],
        running=running,
        fault=row["fault"],
        steps=steps,
    )


def step_record(row: sqlite3.Row, run: sqlite3.Row, running: bool) -> StepRecord:
    state, message = row["ending"], row["message"]
    if not state and row["started"]:
        state = "running" if running else "unknown"
        message = "" if running else UNWRITTEN if run["ended"] else KILLED
    elif not state:
        state = "waiting" if running else "not started"
    return StepRecord(
        number=row["number"],
        attempt=row["attempt"],
        tool=row["tool"],
        effect=row["effect"],
        call=row["call"],
        arguments=json.loads(row["arguments"]),
        script=row["script"],
        started=row["started"] or "",
        ended=row["ended"] or "",
        state=state,
        seconds=row["seconds"],
        value=row["value"],
        handle=json.loads(row["handle"]),
        files=tuple(json.loads(row["files"])),
        message=message,
        advice=row["advice"],
        undo_started=row["undo_started"] or "",
        undone=row["undone"] or "",
        undo_text=row["undo_text"],
    )
