"""The PyTorch twin computes what the MLX model computes. Runs where PyTorch is installed; it is no dependency."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is optional: it only trains faster on a CPU")

import itertools  # noqa: E402

import mlx.core as mx  # noqa: E402
import mlx.nn as nn  # noqa: E402
import numpy as np  # noqa: E402

from tests.models import small_engine  # noqa: E402
from tinyagent_mlx.lab import corpus, torch_twin, train_planner  # noqa: E402
from tinyagent_mlx.lab.batches import collate, trace  # noqa: E402
from tinyagent_mlx.lab.generate import Generator  # noqa: E402
from tinyagent_mlx.lab.oracle import Oracle  # noqa: E402
from tinyagent_mlx.schema import encode_schema  # noqa: E402
from tinyagent_mlx.weights import flat, through_4_bits  # noqa: E402
from tinyagent_mlx.words import split_words  # noqa: E402


@pytest.fixture
def lesson(tmp_path, shipped_tools):
    """A small model and its twin, with one batch: (engine, twin, batch, targets, layout)."""
    engine = small_engine(tmp_path)
    layout = engine.compile(shipped_tools).layout
    rows = list(itertools.islice(Generator(corpus.read_corpus(), shipped_tools, ["amber", "ember"], 0).rows(), 8))
    batch = engine.tokenizer.batch([[word.text for word in split_words(row.request)] for row in rows])
    targets = collate([trace(row, Oracle(layout)) for row in rows], layout, batch.first.shape[1])
    twin = torch_twin.PointerModel(engine.model.args)
    twin.load_state_dict({n: torch.from_numpy(np.array(v)) for n, v in flat(engine.model.parameters()).items()})
    return engine, twin, batch, targets, layout


@pytest.mark.parametrize("quantized", [False, True])
def test_losses_and_gradients_agree(lesson, quantized):
    engine, twin, batch, targets, layout = lesson
    recipe = train_planner.Recipe()
    schema = encode_schema(engine.model, engine.tokenizer, layout)
    step = nn.value_and_grad(engine.model, train_planner.loss)
    here, gradients = step(engine.model, batch, targets, schema, recipe, quantized)
    there = torch_twin.loss(
        twin, batch, targets, torch_twin.encode_schema(twin, engine.tokenizer, layout), recipe.retrieval_weight,
        recipe.pos_weight, quantized,
    )  # fmt: skip
    there.backward()
    assert abs(here.item() - there.item()) < 1e-4
    ours, theirs = np.array(gradients["query"]["weight"]), twin.query.weight.grad.numpy()
    assert np.abs(ours - theirs).max() < 1e-4 * max(1, np.abs(theirs).max())


def test_simulated_quantization_is_mlx_own_to_the_bit():
    weight = torch.randn(64, 384, generator=torch.Generator().manual_seed(0))
    weight[3, :32] = 0
    weight[4, :32] = 0.5
    assert (torch_twin.through_4_bits(weight).numpy() == np.array(through_4_bits(mx.array(weight.numpy())))).all()


def test_simulated_quantization_changes_the_loss(lesson):
    engine, _, batch, targets, layout = lesson
    schema, recipe = encode_schema(engine.model, engine.tokenizer, layout), train_planner.Recipe()
    exact = train_planner.loss(engine.model, batch, targets, schema, recipe)
    before = flat(engine.model.parameters())
    rounded = train_planner.loss(engine.model, batch, targets, schema, recipe, True)
    assert exact.item() != rounded.item()
    after = flat(engine.model.parameters())
    assert all(mx.array_equal(before[name], after[name]) for name in before)
