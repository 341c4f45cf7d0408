"""A training's checkpoint: model, optimizer and what else is needed to go on, in one file and one rename."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_unflatten

from tinyagent_mlx.weights import flat, read_arrays

FILE = "checkpoint.safetensors"


def save(
    folder: Path, model: nn.Module, rule: optim.Optimizer, step: int, more: Mapping[str, mx.array] | None = None
) -> None:
    """Write a checkpoint, so that a killed run leaves the last whole one. `more` are arrays by name, with a dot in it."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "part.safetensors"
    arrays = {f"model.{name}": value for name, value in flat(model.parameters()).items()}
    arrays |= {f"rule.{name}": value for name, value in flat(rule.state).items()}
    mx.save_safetensors(str(part), arrays | dict(more or {}), {"step": str(step)})
    part.rename(folder / FILE)


def resume(folder: Path, model: nn.Module, rule: optim.Optimizer) -> tuple[int, dict[str, mx.array]]:
    """Load the last checkpoint, if there is one; gives the step to go on from, and all its arrays."""
    file = folder / FILE
    if not file.exists():
        return 0, {}
    arrays, metadata = read_arrays(file)
    model.load_weights(list(part(arrays, "model.").items()))
    rule.init(model.trainable_parameters())
    rule.state = tree_unflatten(list(part(arrays, "rule.").items()))
    return int(metadata["step"]), arrays


def part(arrays: Mapping[str, mx.array], prefix: str) -> dict[str, mx.array]:
    """The arrays whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def reached(folder: Path) -> int:
    """The step of the last checkpoint, 0 where there is none."""
    file = folder / FILE
    return int(read_arrays(file)[1]["step"]) if file.exists() else 0
