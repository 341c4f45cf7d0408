"""Teacher forcing and step-by-step decoding compute the same scores, and padding changes nothing."""

from __future__ import annotations

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from tests.models import small_engine
from tinyagent_mlx.decisions import KINDS, Cursor
from tinyagent_mlx.lab.batches import collate, trace
from tinyagent_mlx.lab.generate import Row
from tinyagent_mlx.lab.oracle import Oracle
from tinyagent_mlx.toolbox import Toolbox


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return small_engine(tmp_path_factory.mktemp("planner"))


def rows(tools: Toolbox) -> list[Row]:
    return [Row(e.request, e.plan, (), "terse", ()) for tool in tools for e in tool.examples]


def forced_scores(engine, compiled, chosen: list[Row]) -> np.ndarray:
    """Masked logits [B, D, N] of a batch under teacher forcing."""
    model, oracle = engine.model, Oracle(compiled.layout)
    reads = [engine.read(row.request) for row in chosen]
    batch = engine.tokenizer.batch([[word.text for word in read.words] for read in reads])
    targets = collate([trace(row, oracle) for row in chosen], compiled.layout, batch.first.shape[1])
    states = model.encode(mx.array(batch.tokens), mx.array(batch.shapes), mx.array(batch.valid))
    memory = model.remember(states, mx.array(batch.valid), mx.array(batch.first), mx.array(batch.word_valid))
    fixed, words = model.tables(compiled.schema, memory)
    steps = model.step_vectors(fixed, words, mx.array(targets.step_tools), mx.array(targets.step_starts))
    table = mx.concatenate([fixed, steps, words], axis=1)
    previous = mx.take_along_axis(table, mx.array(targets.previous)[..., None], axis=1)
    previous = mx.where(mx.array(targets.previous_kind < KINDS)[..., None], previous, 0.0)
    x = model.inputs(
        model.slot_table(compiled.schema), previous, mx.array(targets.previous_kind), mx.array(targets.kind), mx.array(targets.slot),
        mx.array(targets.number),
    )  # fmt: skip
    mask = nn.MultiHeadAttention.create_additive_causal_mask(x.shape[1])
    hidden, _ = model.decode(x, memory, mask=mask)
    keys = model.candidate_keys(compiled.schema, memory)
    valid = mx.array(batch.valid)
    needed = model.retrieve(model.encode(mx.array(batch.tokens), mx.array(batch.shapes), valid), valid, compiled.schema)
    hints = model.hints(compiled.schema, needed, states, valid)[:, None]
    hints = hints + model.saying(mx.array(targets.said), len(compiled.layout.tools))
    scores = model.scores(hidden, mx.array(targets.kind), keys, steps, hints)
    return np.array(mx.where(mx.array(targets.legal), scores, -1e9))


def stepped_scores(engine, compiled, row: Row) -> list[np.ndarray]:
    """Masked logits of one row, decided one by one along its oracle."""
    read = engine.read(row.request)
    cursor = Cursor(compiled.layout, row.request, read.words)
    decoding = engine.decoding(row.request, compiled.layout.tools)
    out = []
    for decision in Oracle(compiled.layout).decisions(row.request, row.plan):
        out.append(np.where(cursor.legal(), np.array(decoding._logits(cursor)), -1e9))
        decoding.remember(cursor, decision)
        cursor.choose(decision)
    return out


def test_decoding_step_by_step_equals_teacher_forcing(engine, shipped_tools):
    compiled = engine.compile(shipped_tools)
    chosen = rows(shipped_tools)[:6]
    forced = forced_scores(engine, compiled, chosen)
    for index, row in enumerate(chosen):
        for at, scores in enumerate(stepped_scores(engine, compiled, row)):
            assert np.abs(forced[index, at, : len(scores)] - scores).max() < 1e-3


def test_a_tool_added_to_the_file_needs_no_new_weights(engine, shipped_tools):
    fewer = shipped_tools.subset(shipped_tools.names[:5])
    assert engine.compile(fewer).schema.tools.shape[0] == 5
    assert engine.compile(shipped_tools).schema.tools.shape[0] == 16
