"""The recipe runs from corpus to planner folder on a tiny base: it learns, it resumes, and what it exports plans."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import numpy as np
import pytest

from tests.test_encoder import random_weights
from tinyagent_mlx import weights
from tinyagent_mlx.lab import export, train_planner
from tinyagent_mlx.lab.train_planner import Recipe, train
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.planner import PlanEnd
from tinyagent_mlx.pointing import PointerEngine, PointerPlanner


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A Hugging Face BERT folder with random weights and the shipped tokenizer."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = (shipped("weights") / "planner" / "tokenizer.json").read_text(encoding="utf-8")
    (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    config = {
        "vocab_size": 30522, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
        "max_position_embeddings": 256,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    arrays = {name: mx.array(value) for name, value in random_weights().items()}
    arrays["embeddings.word_embeddings.weight"] = mx.random.normal((30522, 32)) * 0.3
    arrays["embeddings.position_embeddings.weight"] = mx.random.normal((256, 32)) * 0.1
    mx.save_safetensors(str(folder / "model.safetensors"), arrays)
    return folder


def recipe(base: Path, out: Path, steps: int) -> Recipe:
    return Recipe(
        base=str(base),
        out=str(out),
        steps=steps,
        batch=8,
        warmup=2,
        save_every=4,
        layers=1,
        decoder_lr=3e-3,
        encoder_lr=1e-3,
    )


def test_favoured_files_are_drawn_more_often_and_their_requests_are_paraphrased(base, tmp_path, shipped_tools):
    plain = train_planner.training_batches(recipe(base, tmp_path, 8), shipped_tools).worlds
    other = train_planner.training_batches(
        replace(recipe(base, tmp_path, 8), favoured="kz", restated=True), shipped_tools
    ).worlds
    assert set(Counter(tool.name for tool in plain.madeup).values()) == {1}
    times = Counter(tool.name for tool in other.madeup)
    assert {(times[tool.name], tool.file.stem in "kz") for tool in plain.madeup} == {(1, False), (3, True)}
    asked = {w.text for tool in plain.madeup for w in tool.wordings}
    worlds = [other.draw(number) for number in range(4)]
    said = [w.text for world in worlds for w in world.generator.asked]
    assert 0.2 < sum(text not in asked for text in said) / len(said) < 0.8


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory, shipped_tools):
    out = tmp_path_factory.mktemp("run")
    lines: list[str] = []
    train(recipe(base, out, 40), shipped_tools, lines.append)
    return out, [float(line.split("loss ")[1].split()[0]) for line in lines]


def test_an_error_in_drawing_batches_ends_the_training():
    def items():
        yield 1
        raise ValueError("no such slot")

    drawn = train_planner.prefetch(items())
    assert next(drawn) == 1
    with pytest.raises(ValueError, match="no such slot"):
        next(drawn)


def test_the_loss_falls(trained):
    losses = trained[1]
    assert losses[-1] < losses[0] * 0.9


def test_training_goes_on_where_it_stopped(base, tmp_path, shipped_tools):
    whole = train(recipe(base, tmp_path / "whole", 8), shipped_tools, str)
    cut = recipe(base, tmp_path / "cut", 8)
    train(cut, shipped_tools, str, until=5)
    resumed = train(cut, shipped_tools, str)
    for name in ("query", "step_key", "tool_in"):
        here, there = getattr(whole, name).weight, getattr(resumed, name).weight
        assert mx.abs(here - there).max().item() < 1e-5, name


def test_the_mean_with_another_planner_may_be_exported(trained, base, tmp_path):
    out = trained[0]
    export.export(recipe(base, out, 40), out, tmp_path / "one", 16, {})
    one = weights.load(tmp_path / "one")[0]
    other = {name: value + 1 for name, value in weights.flat(one.parameters()).items()}
    one.load_weights(list(other.items()))
    weights.save(tmp_path / "other", one, "{}", {}, quantized=False)
    export.export(recipe(base, out, 40), out, tmp_path / "mean", 16, {}, mean_with=tmp_path / "other")
    model, manifest = weights.load(tmp_path / "mean")
    for name, value in weights.flat(model.parameters()).items():
        assert np.allclose(np.array(value), np.array(other[name]) - 0.5, atol=2e-3), name
    assert len(manifest["mean_with"]) == 16


def test_an_exported_planner_plans(trained, base, tmp_path, shipped_tools):
    export.export(recipe(base, trained[0], 40), trained[0], tmp_path, 4, {})
    engine = PointerEngine(tmp_path)
    assert engine.manifest["steps"] == 40
    *_, end = PointerPlanner(engine).plan(
        "text Sid hello", shipped_tools, shipped_tools.names, datetime(2026, 11, 23, 9)
    )
    assert isinstance(end, PlanEnd)


def test_every_field_of_the_recipe_is_an_option():
    chosen = train_planner.arguments("", ["--steps", "7", "--encoder-lr", "0.5"])
    assert (chosen.steps, chosen.encoder_lr, chosen.batch) == (7, 0.5, Recipe().batch)
