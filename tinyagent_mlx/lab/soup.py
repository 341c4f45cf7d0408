"""Train to several ends from where one training stands, and take the mean of their weights: a model soup.

A dozen examples leave many plans undecided, and which way these fall depends on the batches that happened to come last. The
mean of ends that saw other batches falls less often on the wrong side (Wortsman et al. 2022, arXiv:2203.05482), and costs
nothing to run. Knows how to go on after a stop, and nothing of what is learnt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx

from tinyagent_mlx.lab import checkpoints
from tinyagent_mlx.lab.batches import POOL, Batches
from tinyagent_mlx.lab.train_planner import Bonus, Progress, Recipe, Tell, fit
from tinyagent_mlx.pointer import PointerModel
from tinyagent_mlx.weights import flat

ENDS = 2
TRUNK = 0.4  # of all steps come before the ends part


@dataclass(frozen=True)
class Course:
    """How the steps of a training are shared out: so many in the `trunk`, and in each of the `ends`; too few steps make one trunk
    without ends."""

    trunk: int
    ends: tuple[int, ...]

    @classmethod
    def of(cls, steps: int) -> Course:
        """Share out so many steps. The trunk has a whole number of pools, since other data may follow."""
        trunk = int(steps * TRUNK) // POOL * POOL
        if not trunk:
            return cls(steps, ())
        each, left = divmod(steps - trunk, ENDS)
        return cls(trunk, tuple(each + (end < left) for end in range(ENDS)))

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.trunk + sum(self.ends)

    @property
    def path(self) -> int:
        """Steps from the beginning to the longest end: the learning rates fall over these."""
        return self.trunk + max(self.ends, default=0)

    def made(self, out: Path) -> int:
        """The steps that the checkpoints below a folder have made."""
        after = (checkpoints.reached(folder) - self.trunk for folder in self._folders(out))
        return checkpoints.reached(out) + sum(max(0, steps) for steps in after)

    def fit_trunk(self, model: PointerModel, recipe: Recipe, batches: Batches, tell: Tell, bonus: Bonus | None) -> bool:
        """Train a model in place to where the ends part, from the last checkpoint on; False when `tell` stopped it."""
        path = replace(recipe, steps=self.path)
        return fit(model, path, batches, self._told(tell, 0), self.trunk, bonus) == self.trunk

    def fit_ends(
        self, model: PointerModel, recipe: Recipe, batches: Callable[[int], Batches], tell: Tell, bonus: Bonus | None
    ) -> bool:
        """Train each end from the trunk's checkpoint on, with the `batches` of its seed, and give the model their mean; False
        when `tell` stopped it."""
        found: list[dict[str, mx.array]] = []
        for number, (steps, folder) in enumerate(zip(self.ends, self._folders(Path(recipe.out)), strict=True)):
            checkpoints.begin(folder, Path(recipe.out))
            seed, last = recipe.seed * ENDS + number, self.trunk + steps
            path = replace(recipe, out=str(folder), seed=seed, steps=self.path)
            if fit(model, path, batches(seed), self._told(tell, sum(self.ends[:number])), last, bonus) < last:
                return False
            found.append(flat(model.parameters()))
        if found:
            model.load_weights([(name, mx.stack([each[name] for each in found]).mean(axis=0)) for name in found[0]])
        return True

    def _folders(self, out: Path) -> list[Path]:
        return [out / f"end-{number}" for number in range(len(self.ends))]

    def _told(self, tell: Tell, before: int) -> Tell:
        """Progress in steps of the whole training, of which so many were made `before` by other ends."""

        def told(progress: Progress) -> bool | None:
            return tell(replace(progress, step=progress.step + before, steps=self.steps))

        return told
