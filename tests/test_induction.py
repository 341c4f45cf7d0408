"""The circuit copies before anything was learnt, wherever the words stand, and a training may change all of it."""

from __future__ import annotations

import tinyagent_mlx.device  # noqa: F401  (before MLX)

# isort: split
import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx_lm.models.llama import Model

from tinyagent_mlx.lab import induction, small_llama, train_language
from tinyagent_mlx.lab.lessons import Tokens, collate
from tinyagent_mlx.lab.recipes import LanguageRecipe
from tinyagent_mlx.weights import flat

SHAPES = [(256, 4, 8), (256, 2, 4)]
SIZE = 2000


def built(width: int, layers: int, heads: int, copying: bool = True) -> Model:
    recipe = LanguageRecipe(width=width, layers=layers, heads=heads)
    model = small_llama.build(small_llama.config_of(recipe, SIZE), 0)
    if copying:
        induction.begin_with_copying(model, 0)
    return model


def repeated(between: int, seed: int = 0) -> Tokens:
    """Thirty tokens of any kind, others, and the thirty again."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(np.arange(3, SIZE), 30 + between, replace=False)
    return Tokens(np.concatenate([drawn, drawn[:30]]).astype(np.int32), 30 + between + 1)


def copied(model: Model, rows: list[Tokens]) -> float:
    """How many of the repeated tokens are among the three most likely ones: the token at hand is one of them at first."""
    hits: list[bool] = []
    for tokens in rows:
        logits = np.array(model(mx.array(tokens.row[None, :-1])))[0, tokens.start - 1 :]
        best = np.argsort(-logits, axis=-1)[:, :3]
        hits += [wanted in found for wanted, found in zip(tokens.row[tokens.start :], best, strict=True)]
    return float(np.mean(hits))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("between", [0, 60])
def test_what_was_read_is_copied(shape: tuple[int, int, int], between: int) -> None:
    rows = [repeated(between, seed) for seed in range(6)]
    assert copied(built(*shape), rows) > 0.2
    assert copied(built(*shape, copying=False), rows) < 0.05


def test_every_weight_of_the_circuit_can_learn() -> None:
    model = built(128, 2, 4)
    gradients = flat(nn.value_and_grad(model, train_language.loss)(model, collate([repeated(10)]))[1])
    assert all(np.abs(np.array(gradient)).max() > 0 for gradient in gradients.values())


def test_the_same_seed_gives_the_same_weights() -> None:
    one, other = flat(built(128, 2, 4).parameters()), flat(built(128, 2, 4).parameters())
    assert all(mx.array_equal(value, other[name]) for name, value in one.items())
