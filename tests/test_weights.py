"""Planner folders: written and read back, quantized and measured, and refused when they are not whole."""

from __future__ import annotations

import json
import threading

from tinyagent_mlx import device  # before MLX

# isort: split
import mlx.core as mx
import numpy as np
import pytest

from tests.models import small_engine
from tinyagent_mlx import weights
from tinyagent_mlx.errors import PlannerError
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.pointing import PointerEngine

PLANNER = shipped("weights") / "planner"


def test_the_shipped_planner_and_retriever_are_at_most_25_mb():
    assert sum(file.stat().st_size for file in PLANNER.iterdir()) <= 25_000_000


def test_the_manifest_says_where_the_weights_come_from(shipped_tools):
    manifest = json.loads((PLANNER / "manifest.json").read_text())
    assert manifest.keys() >= {"recipe", "seed", "data", "toolbox", "scores", "bits", "steps", "encoder"}
    assert manifest["toolbox"] == shipped_tools.fingerprint
    assert manifest["bits"] == 4


def test_what_is_written_is_read_back(tmp_path):
    engine = small_engine(tmp_path)
    again, _ = weights.load(tmp_path)
    here, there = weights.flat(engine.model.parameters()), weights.flat(again.parameters())
    assert here.keys() == there.keys()
    assert all(bool(mx.array_equal(here[name], there[name])) for name in here)


def test_a_machine_with_a_gpu_has_the_same_planner(monkeypatch, shipped_tools):
    text = "text Ines that I'm late and put a sync with Sid on Friday at 3pm"
    here = PointerEngine(PLANNER)
    logits = here.first_decision(text, shipped_tools)[0]
    monkeypatch.setattr(device, "on_gpu", lambda: True)
    there = PointerEngine(PLANNER)
    assert weights.flat(there.model.trainable_parameters()).keys() == weights.flat(here.model.parameters()).keys()
    assert np.allclose(there.first_decision(text, shipped_tools)[0], logits, atol=1e-3)


def test_refusals_lie_beside_the_weights_where_there_are_any(tmp_path):
    small_engine(tmp_path / "a")
    assert weights.load_refusals(tmp_path / "a") is None
    weights.copy(tmp_path / "a", tmp_path / "b")
    assert weights.load_refusals(tmp_path / "b") is None
    vectors = mx.array([[0.6, 0.8], [1.0, 0.0]])
    weights.save_refusals(tmp_path / "a", vectors)
    (tmp_path / "a" / "notes.txt").write_text("of somebody else")
    weights.copy(tmp_path / "a", tmp_path / "b")
    found = weights.load_refusals(tmp_path / "b")
    assert found.dtype == mx.float32
    assert np.allclose(np.array(found), np.array(vectors), atol=1e-3)
    assert {file.name for file in (tmp_path / "b").iterdir()} == {*weights.FILES, weights.REFUSALS}


def test_refusals_that_one_thread_loaded_serve_another(tmp_path):
    small_engine(tmp_path)
    weights.save_refusals(tmp_path, mx.eye(64)[:3])
    engine, found = PointerEngine(tmp_path), []
    thread = threading.Thread(target=lambda: found.append(engine.read("text Ana that I am late").refused))
    thread.start()
    thread.join()
    assert len(found) == 1
    assert -1 <= found[0] <= 1


@pytest.mark.parametrize("content", [b"nothing", None], ids=["no safetensors", "other arrays"])
def test_refusals_that_cannot_be_read_are_named(tmp_path, content):
    file = tmp_path / weights.REFUSALS
    if content is None:
        mx.save_safetensors(str(file), {"other": mx.zeros((2, 2))})
    else:
        file.write_bytes(content)
    with pytest.raises(PlannerError, match=str(file)):
        weights.load_refusals(tmp_path)


def test_the_shipped_planner_knows_refusals():
    vectors = np.array(weights.load_refusals(PLANNER))
    assert vectors.shape[1] == json.loads((PLANNER / "config.json").read_text())["encoder"]["hidden_size"]
    assert len(vectors) > 500
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-2)


def test_expanding_4_bits_is_what_mlx_means_by_them():
    matrix = mx.random.normal((64, 96))
    packed, scales, biases = mx.quantize(matrix, group_size=32, bits=4)
    out = weights.dequantize({"a.weight": packed, "a.scales": scales, "a.biases": biases, "b.weight": matrix}, 32, 4)
    assert out.keys() == {"a.weight", "b.weight"}
    assert np.allclose(
        np.array(out["a.weight"]), np.array(mx.dequantize(packed, scales, biases, group_size=32, bits=4)), atol=1e-5
    )
    assert float(mx.abs(out["a.weight"] - matrix).max()) < float(mx.abs(matrix).max()) / 4


@pytest.mark.parametrize("missing", ["config.json", "manifest.json", "model.safetensors"])
def test_a_folder_that_is_not_whole_is_named(tmp_path, missing):
    small_engine(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(PlannerError, match=str(tmp_path)):
        weights.load(tmp_path)


def test_weights_that_do_not_fit_are_named(tmp_path):
    small_engine(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(PlannerError, match="does not fit"):
        weights.load(tmp_path)
