"""The steps of `train_language.fit` in PyTorch: same rows, same loss, same checkpoints, several times faster on a CPU.

A checkpoint holds the optimizer's state as MLX names it, so that either goes on from the other's. Needs PyTorch, which
is no dependency: `tinyagent train language --engine torch`.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from pathlib import Path

import torch

import mlx.core as mx
import numpy as np
from mlx_lm.models.llama import Model

from tinyagent_mlx.lab import checkpoints, llama_twin
from tinyagent_mlx.lab.lessons import Lessons
from tinyagent_mlx.lab.recipes import LanguageRecipe
from tinyagent_mlx.lab.train_planner import Progress, Tell
from tinyagent_mlx.weights import read_arrays

BETAS, SMALLEST = (0.9, 0.95), 1e-8
MEANT = 20  # losses of a progress line


class Rule:
    """AdamW as MLX computes it, without bias correction, at the rates of `train_language.optimizer`."""

    def __init__(self, twin: llama_twin.Llama, recipe: LanguageRecipe):
        self.recipe, self.named = recipe, dict(twin.named_parameters())
        self.weights = list(self.named.values())
        self.means = [torch.zeros_like(weight) for weight in self.weights]
        self.squares = [torch.zeros_like(weight) for weight in self.weights]

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        recipe = self.recipe
        if step < recipe.warmup:
            return recipe.lr * step / recipe.warmup
        done = min(1.0, (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup))
        return recipe.lr * (recipe.floor + (1 - recipe.floor) * (1 + math.cos(math.pi * done)) / 2)

    @torch.no_grad()
    def update(self, step: int) -> None:
        rate, (first, second) = self.rate(step), BETAS
        gradients = [weight.grad for weight in self.weights]
        torch._foreach_lerp_(self.means, gradients, 1 - first)
        torch._foreach_mul_(self.squares, second)
        torch._foreach_addcmul_(self.squares, gradients, gradients, 1 - second)
        roots = torch._foreach_sqrt(self.squares)
        torch._foreach_add_(roots, SMALLEST)
        torch._foreach_mul_(self.weights, 1 - rate * self.recipe.decay)
        torch._foreach_addcdiv_(self.weights, self.means, roots, -rate)

    def state(self, step: int) -> dict[str, mx.array]:
        """As `checkpoints.save` writes MLX's."""
        out = {"rule.step": mx.array(step, mx.uint64), "rule.learning_rate": mx.array(self.rate(max(0, step - 1)))}
        for name, mean, square in zip(self.named, self.means, self.squares, strict=True):
            out |= {f"rule.{name}.m": mx.array(mean.numpy()), f"rule.{name}.v": mx.array(square.numpy())}
        return out

    def load(self, arrays: dict[str, torch.Tensor]) -> None:
        for name, mean, square in zip(self.named, self.means, self.squares, strict=True):
            mean.copy_(arrays[f"rule.{name}.m"])
            square.copy_(arrays[f"rule.{name}.v"])


def fit(model: Model, recipe: LanguageRecipe, lessons: Lessons, tell: Tell, last: int) -> int:
    """As `train_language.fit`, on one process: the model gets the weights that were reached."""
    twin, out = llama_twin.of(model), Path(recipe.out)
    rule = Rule(twin, recipe)
    start = _resume(out, twin, rule)
    began, losses = time.perf_counter(), deque[float](maxlen=MEANT)
    step = start
    for step, lesson in zip(range(start + 1, last + 1), lessons.from_step(start), strict=False):
        value = llama_twin.loss(twin, lesson, step - 1 >= recipe.steps * (1 - recipe.quantized))
        twin.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(rule.weights, 1.0)
        rule.update(step - 1)
        losses.append(value.item())
        seconds = (time.perf_counter() - began) / (step - start)
        stop = tell(Progress(step, recipe.steps, statistics.fmean(losses), seconds))
        if step % recipe.save_every == 0 or step == last or stop:
            _save(out, twin, rule, step)
        if stop:
            break
    model.load_weights([(name, mx.array(weight.detach().numpy())) for name, weight in twin.named_parameters()])
    return step


def _save(folder: Path, twin: llama_twin.Llama, rule: Rule, step: int) -> None:
    """Write a checkpoint, so that a killed run leaves the last whole one."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"model.{name}": mx.array(weight.detach().numpy()) for name, weight in twin.named_parameters()}
    part = folder / "part.safetensors"
    mx.save_safetensors(str(part), arrays | rule.state(step), {"step": str(step)})
    part.rename(folder / checkpoints.FILE)


def _resume(folder: Path, twin: llama_twin.Llama, rule: Rule) -> int:
    """Load the last checkpoint, this engine's or MLX's; gives the step to go on from."""
    file = folder / checkpoints.FILE
    if not file.exists():
        return 0
    arrays, metadata = read_arrays(file)
    found = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items() if value.ndim}
    twin.load_state_dict(checkpoints.part(found, "model."))
    rule.load(found)
    return int(metadata["step"])
