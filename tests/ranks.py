"""A few steps of the small Llama on as many processes as were launched; run by `tests/test_ranks.py`: python ranks.py OUT."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

# isort: split
import mlx.core as mx
import numpy as np

from tinyagent_mlx.lab import small_llama, train_language
from tinyagent_mlx.lab.lessons import Lessons, Tokens
from tinyagent_mlx.lab.recipes import LanguageRecipe

RECIPE = LanguageRecipe(width=32, layers=1, heads=2, steps=4, batch=4, lr=1e-2, warmup=1, quantized=0.5, save_every=9)


def rows() -> list[Tokens]:
    """Of one length, so that the mean over two halves of a batch is the mean over the batch."""
    rng = np.random.default_rng(0)
    return [Tokens(rng.integers(3, 64, 12).astype(np.int32), 5) for _ in range(16)]


def fit(out: Path) -> int:
    """Train and leave a checkpoint in `out`; gives the number of processes."""
    group = mx.distributed.init()
    lessons = Lessons(rows(), RECIPE.batch, 0, group.rank(), group.size())
    model = small_llama.build(small_llama.config_of(RECIPE, 64), 0)
    train_language.fit(model, replace(RECIPE, out=str(out)), lessons, lambda progress: False, RECIPE.steps)
    return group.size()


if __name__ == "__main__":
    print("processes:", fit(Path(sys.argv[1])))
