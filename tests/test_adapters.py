"""Adapters as 4 bits would run them: the fused matrix is rounded, and gradients pass as if it were not."""

from __future__ import annotations

from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

# isort: split
import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx_lm.tuner.lora import LoRALinear

from tinyagent_mlx.decoding import load_folder
from tinyagent_mlx.lab import adapters
from tinyagent_mlx.lab.recipes import LoraRecipe
from tinyagent_mlx.weights import flat, through_4_bits

RECIPE = LoraRecipe(rank=4)
TOKENS = mx.array([[5, 80, 3, 400]])


def adapter(bias: bool = False) -> LoRALinear:
    mx.random.seed(1)
    made = LoRALinear.from_base(nn.Linear(64, 32, bias=bias), r=4, scale=2.0)
    made.lora_b = mx.random.normal(made.lora_b.shape) * 0.1
    made.linear.freeze()
    return made


@pytest.mark.parametrize("bias", [False, True])
def test_gradients_are_those_of_straight_through_rounding(bias: bool) -> None:
    """Against the formula itself: W + stop_gradient(Q(W) - W), W = W0 + s(AB)ᵀ."""
    plain = adapter(bias)
    rounded, x = adapters.Rounded(plain), mx.random.normal((2, 3, 64))

    def by_formula(a: mx.array, b: mx.array, x: mx.array) -> mx.array:
        exact = plain.linear.weight + 2.0 * (a @ b).T
        y = x @ (exact + mx.stop_gradient(through_4_bits(exact) - exact)).T
        return (y + plain.linear.bias if bias else y).square().sum()

    def by_module(a: mx.array, b: mx.array, x: mx.array) -> mx.array:
        rounded.lora_a, rounded.lora_b = a, b
        return rounded(x).square().sum()

    given = (plain.lora_a, plain.lora_b, x)
    wanted, expected = mx.value_and_grad(by_formula, argnums=(0, 1, 2))(*given)
    value, found = mx.value_and_grad(by_module, argnums=(0, 1, 2))(*given)
    assert value.item() == pytest.approx(wanted.item(), rel=1e-5)
    for one, other in zip(found, expected, strict=True):
        assert np.array(one) == pytest.approx(np.array(other), rel=1e-3, abs=1e-3)


def test_only_adapted_matrices_are_rounded_and_fusing_gives_the_exact_ones(llama_folder: Path) -> None:
    model = load_folder(llama_folder)[0]
    adapters.adapt(model, RECIPE)
    names = set(flat(model.trainable_parameters()))
    before = np.array(model(TOKENS))
    adapters.simulate(model)
    assert set(flat(model.trainable_parameters())) == names
    model.eval()
    assert np.abs(np.array(model(TOKENS)) - before).max() > 1e-3
    adapters.fuse(model)
    assert np.array(model(TOKENS)) == pytest.approx(before, abs=1e-4)


def test_in_evaluation_it_computes_what_it_does_in_training(llama_folder: Path) -> None:
    model = load_folder(llama_folder)[0]
    adapters.adapt(model, RECIPE)
    adapters.simulate(model)
    model.train()
    trained = np.array(model(TOKENS))
    model.eval()
    assert np.array(model(TOKENS)) == pytest.approx(trained, abs=1e-4)
