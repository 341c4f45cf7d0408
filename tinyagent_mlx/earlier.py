"""What was tried of a request before it is planned again, and how the new steps go on from it. Plain data.

Numbering goes on: after steps 1 to n the new ones begin at n + 1, and "$k" may name an earlier step that was done. To be
carried out, new steps become a plan of their own: `carry_on` puts results in the place of references to earlier steps,
leaves out what was done already, and numbers from 1. What may have happened is never tried again.

Text that others may have written is never shown to whatever plans: it is only said how long it is, and "$k" stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.values import Ref, map_references

LONGEST = 200  # characters of a result, or of a reason, that are shown


@dataclass(frozen=True)
class Tried:
    """A step and what became of it: its `result` when it was done, or else `why` not. `foreign`: others may have written
    the result; `unclear`: it may have happened all the same."""

    step: Step
    result: str | None = None
    why: str = ""
    foreign: bool = False
    unclear: bool = False

    @property
    def told(self) -> str:
        """The result or the reason in one short line."""
        if self.foreign:
            return f"a text of {len(self.result or '')} characters"
        return " ".join((self.why if self.result is None else self.result).split())[:LONGEST]


@dataclass(frozen=True)
class Earlier:
    """Every step so far, numbered from 1 without gaps; `note` is what the user wants otherwise. The last try began with
    step `since`."""

    tried: tuple[Tried, ...] = ()
    note: str = ""
    since: int = 1

    @property
    def results(self) -> dict[int, str]:
        """Of the steps that were done."""
        return {one.step.id: one.result for one in self.tried if one.result is not None}

    @property
    def foreign(self) -> tuple[str, ...]:
        """The results that others may have written."""
        return tuple(one.result for one in self.tried if one.foreign and one.result is not None)

    @property
    def failed(self) -> bool:
        """Whether the last try left something to mend; what may have happened is the user's to look at first."""
        open_steps = any(one.result is None for one in self.tried if one.step.id >= self.since)
        return open_steps and not any(one.unclear for one in self.tried)

    def after(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """Steps that were numbered from 1, numbered after these."""
        ids = {step.id: len(self.tried) + number for number, step in enumerate(steps, 1)}
        return tuple(step.renumbered(ids) for step in steps)

    def then(self, steps: Iterable[Step], endings: dict[int, Tried], carried: CarriedOn) -> Earlier:
        """These and the new steps; `endings` are what became of those that were carried out, by their own numbers."""
        known = {one.step.id: one for one in self.tried}
        for step in steps:
            if step.id in carried.same:
                known[step.id] = replace(known[carried.same[step.id]], step=step)
            elif step.id in carried.ids:
                found = endings[carried.ids[step.id]]
                foreign = found.foreign or any(known[k].foreign for k in step.depends_on())
                known[step.id] = replace(found, step=step, foreign=foreign and found.result is not None)
            else:
                known[step.id] = Tried(step, why="left out: it may have happened already", unclear=True)
        return Earlier(tuple(known[number] for number in sorted(known)), since=len(self.tried) + 1)


@dataclass(frozen=True)
class CarriedOn:
    """A plan to carry out. `ids` are its numbers by those that go on; `same` says which earlier step a new one repeats."""

    plan: Plan
    ids: dict[int, int]
    same: dict[int, int]


def carry_on(steps: Iterable[Step], earlier: Earlier) -> CarriedOn:
    """Make a plan of steps that go on from earlier ones. A step that repeats one which was done stands for its result; one
    that repeats what may have happened is left out, and so is what depends on it."""
    results, ids, same = dict(earlier.results), dict[int, int](), dict[int, int]()
    before = {_call(one.step, results): one for one in earlier.tried if one.result is not None or one.unclear}
    kept: list[Step] = []
    for step in steps:
        if any(k not in results and k not in ids for k in step.depends_on()):
            continue
        found = before.get(_call(step, results))
        if found and found.result is not None:
            same[step.id], results[step.id] = found.step.id, found.result
        elif not found:
            ids[step.id] = len(kept) + 1
            arguments = tuple(map_references(value, lambda k: results.get(k, Ref(ids.get(k, k)))) for value in step.arguments)  # fmt: skip
            kept.append(Step(ids[step.id], step.tool, arguments))
    return CarriedOn(Plan(tuple(kept)), ids, same)


def _call(step: Step, results: dict[int, str]) -> tuple[object, ...]:
    """A call without its number, results in the place of references."""
    return step.tool, *(map_references(value, lambda k: results.get(k, Ref(k))) for value in step.arguments)
