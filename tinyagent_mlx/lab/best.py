"""Measure a model while mlx-lm trains its adapters, keep the best ones, and leave checkpoints to go on from.

Knows nothing of how success is measured.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_unflatten
from mlx_lm.tuner.callbacks import TrainingCallback

from tinyagent_mlx.lab import checkpoints
from tinyagent_mlx.lab.train_language import Say
from tinyagent_mlx.weights import flat, read_arrays

BEST = "adapters.safetensors"


def peak() -> str:
    """The most memory that was filled so far, in words: MLX's arrays, and on a CPU they are part of the process."""
    unit = 1 if sys.platform == "darwin" else 1024
    process = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return f"peak memory {mx.get_peak_memory() / 1e9:.2f} GB of arrays, {process / 1e9:.2f} GB of the process"


class Best(TrainingCallback):
    """Measures every so many steps, from step 0 on, and keeps the adapters of the best measurement; of equals the first.

    `measure` gives the success of the model as it is, from 0 to 1; without it the last adapters are kept. Each measurement
    leaves a checkpoint. Those from step `since` on are of a model that computes otherwise: only they count there.
    """

    def __init__(
        self, model: nn.Module, rule: optim.Optimizer, measure: Callable[[], float] | None, every: int, last: int,
        folder: Path, say: Say, since: int = 0,
    ):  # fmt: skip
        self.model, self.rule, self.measure, self.every, self.last = model, rule, measure, every, last
        self.folder, self.say, self.since = folder, say, since
        self.found: list[tuple[int, float]] = []
        self.start = 0

    @property
    def step(self) -> int:
        """The step whose adapters are kept."""
        counted = self._counted(self.found[-1][0])
        return counted[-1][0] if self.measure is None else max(counted, key=lambda pair: pair[1])[0]

    @property
    def best(self) -> float:
        return dict(self.found)[self.step]

    def _counted(self, step: int) -> list[tuple[int, float]]:
        return [pair for pair in self.found if (pair[0] >= self.since) == (step >= self.since)]

    def resume(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        file = self.folder / checkpoints.FILE
        if not file.is_file():
            return
        arrays, metadata = read_arrays(file)
        self.model.load_weights(list(checkpoints.part(arrays, "model.").items()), strict=False)
        self.rule.state = tree_unflatten(list(checkpoints.part(arrays, "rule.").items()))
        self.found = [(step, value) for step, value in json.loads(metadata["found"])]
        self.start = self.found[-1][0]

    def look(self, step: int) -> None:
        """Measure the model after `step` steps."""
        value = self.measure() if self.measure else 0.0
        self.found.append((step, value))
        better = self.step == step
        if better:
            mx.save_safetensors(str(self.folder / BEST), flat(self.model.trainable_parameters()))
        self._save()
        if self.measure:
            self.say(f"step {step}/{self.last}  validation success {value:.3f}{'  (best)' if better else ''}")

    def on_train_loss_report(self, train_info: dict) -> None:
        """Called by mlx-lm after a step that is a multiple of its reports, and after the last one."""
        step = self.start + train_info["iteration"]
        pace = train_info["iterations_per_second"]
        self.say(f"step {step}/{self.last}  loss {train_info['train_loss']:.3f}  {1 / pace:.2f} s a step  {peak()}")
        done = self.found[-1][0]
        if step != self.since and (step // self.every > done // self.every or step == self.last):
            self.look(step)

    def _save(self) -> None:
        """Adapters, the optimizer's state and the measurements, in one rename."""
        part = self.folder / "part.safetensors"
        arrays = {f"model.{name}": value for name, value in flat(self.model.trainable_parameters()).items()}
        arrays |= {f"rule.{name}": value for name, value in flat(self.rule.state).items()}
        mx.save_safetensors(str(part), arrays, {"found": json.dumps(self.found)})
        part.rename(self.folder / checkpoints.FILE)
