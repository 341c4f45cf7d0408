"""The small Llama's PyTorch twin computes what mlx-lm's computes, and either engine goes on from the other's checkpoint.

Runs where PyTorch is installed; it is no dependency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is optional: it only trains faster on a CPU")

import mlx.nn as nn  # noqa: E402
import numpy as np  # noqa: E402

from tinyagent_mlx.errors import ConfigError  # noqa: E402
from tinyagent_mlx.lab import checkpoints, fit_torch, llama_twin, small_llama, train_language  # noqa: E402
from tinyagent_mlx.lab.lessons import Lesson, Lessons, Tokens, collate  # noqa: E402
from tinyagent_mlx.lab.recipes import LanguageRecipe  # noqa: E402
from tinyagent_mlx.weights import flat  # noqa: E402

RECIPE = LanguageRecipe(width=64, layers=2, heads=2, steps=8, batch=4, lr=1e-2, warmup=3, quantized=0.5, save_every=100)
CONFIG = small_llama.config_of(RECIPE, 300)
ENGINES = {"mlx": train_language.fit, "torch": fit_torch.fit}


def rows() -> list[Tokens]:
    rng = np.random.default_rng(0)
    return [Tokens(rng.integers(3, 300, size).astype(np.int32), size // 2) for size in range(8, 40)]


def lessons() -> Lessons:
    return Lessons(rows(), RECIPE.batch, 0)


@pytest.mark.parametrize("quantized", [False, True], ids=["exact", "4 bits"])
def test_losses_and_gradients_agree(quantized: bool) -> None:
    model, lesson = small_llama.build(CONFIG, 0), collate(rows()[:5])
    twin = llama_twin.of(model)
    here, gradients = nn.value_and_grad(model, train_language.loss)(model, lesson, quantized)
    there = llama_twin.loss(twin, lesson, quantized)
    there.backward()
    assert there.item() == pytest.approx(here.item(), abs=1e-4)
    theirs = {name: weight.grad.numpy() for name, weight in twin.named_parameters()}
    assert set(theirs) == set(flat(gradients))
    for name, gradient in flat(gradients).items():
        assert theirs[name] == pytest.approx(np.array(gradient), abs=1e-4), name


def test_padding_changes_nothing() -> None:
    twin, (short, long) = llama_twin.of(small_llama.build(CONFIG, 0)), (rows()[0], rows()[-1])
    alone, padded = collate([short]), collate([short, long])
    count = len(alone.spots)
    same = Lesson(padded.tokens, padded.spots[:count], padded.targets[:count])
    assert llama_twin.loss(twin, same).item() == pytest.approx(llama_twin.loss(twin, alone).item(), abs=1e-5)


@pytest.mark.parametrize(("first", "then"), [("mlx", "torch"), ("torch", "mlx"), ("torch", "torch")])
def test_one_engine_goes_on_from_the_checkpoint_of_another(first: str, then: str, tmp_path: Path) -> None:
    whole, cut = (replace(RECIPE, out=str(tmp_path / name)) for name in ("whole", "cut"))
    wanted = small_llama.build(CONFIG, 0)
    ENGINES["mlx"](wanted, whole, lessons(), lambda progress: False, 8)
    ENGINES[first](small_llama.build(CONFIG, 0), cut, lessons(), lambda progress: False, 3)
    found = small_llama.build(CONFIG, 1)
    assert ENGINES[then](found, cut, lessons(), lambda progress: False, 8) == 8
    assert checkpoints.reached(tmp_path / "cut") == 8
    begun, ours = flat(small_llama.build(CONFIG, 0).parameters()), flat(found.parameters())
    for name, value in flat(wanted.parameters()).items():
        moved = np.abs(np.array(value) - np.array(begun[name])).mean()
        assert np.abs(np.array(value) - np.array(ours[name])).mean() < 0.05 * moved, name


def test_a_training_stops_where_it_is_told_to(tmp_path: Path) -> None:
    recipe = replace(RECIPE, out=str(tmp_path))
    assert fit_torch.fit(small_llama.build(CONFIG, 0), recipe, lessons(), lambda progress: progress.step == 2, 8) == 2
    assert checkpoints.reached(tmp_path) == 2


def test_rates_are_those_of_mlx() -> None:
    recipe = replace(RECIPE, steps=40, warmup=10)
    rule, schedule = (
        fit_torch.Rule(llama_twin.of(small_llama.build(CONFIG, 0)), recipe),
        train_language.optimizer(recipe),
    )
    rate: Callable = schedule._schedulers["learning_rate"]
    for step in range(40):
        assert rule.rate(step) == pytest.approx(float(np.array(rate(step))), rel=1e-4, abs=1e-9), step


def test_an_engine_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--engine: 'jax'"):
        small_llama.check(replace(RECIPE, engine="jax"))
