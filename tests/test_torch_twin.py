"""The PyTorch twin computes what the MLX model computes. Runs where PyTorch is installed; it is no dependency."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is optional: it only trains faster on a CPU")

import itertools  # noqa: E402

import numpy as np  # noqa: E402

from tests.models import small_engine  # noqa: E402
from tinyagent_mlx.decisions import Oracle  # noqa: E402
from tinyagent_mlx.lab import corpus, torch_twin, train_planner  # noqa: E402
from tinyagent_mlx.lab.batches import collate, trace  # noqa: E402
from tinyagent_mlx.lab.generate import Generator  # noqa: E402
from tinyagent_mlx.weights import flat  # noqa: E402
from tinyagent_mlx.words import split_words  # noqa: E402


def test_losses_agree(tmp_path, shipped_tools):
    engine = small_engine(tmp_path)
    compiled = engine.compile(shipped_tools)
    rows = list(itertools.islice(Generator(corpus.read_corpus(), shipped_tools, ["amber", "ember"], 0).rows(), 8))
    batch = engine.tokenizer.batch([[word.text for word in split_words(row.request)] for row in rows])
    targets = collate([trace(row, Oracle(compiled.layout)) for row in rows], compiled.layout, batch.first.shape[1])
    recipe = train_planner.Recipe()
    here = train_planner.loss(engine.model, batch, targets, compiled.schema, recipe).item()
    twin = torch_twin.PointerModel(engine.model.args)
    twin.load_state_dict({n: torch.from_numpy(np.array(v)) for n, v in flat(engine.model.parameters()).items()})
    parts = (compiled.schema.tools, compiled.schema.slots, compiled.schema.constants)
    schema = torch_twin.Schema(*(torch.from_numpy(np.array(part)) for part in parts))
    there = torch_twin.loss(twin, batch, targets, schema, recipe.retrieval_weight, recipe.pos_weight).item()
    assert abs(here - there) < 1e-4
