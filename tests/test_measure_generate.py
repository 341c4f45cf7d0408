"""The comparison with transformers' `generate` plans every request by both. Runs where PyTorch and transformers are."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is optional")

import tinyagent_mlx.device  # noqa: F401  (before MLX)

# isort: split
from tests.nearby import SharedWords
from tests.test_shards import order
from tinyagent_mlx.lab.recipes import LanguageRecipe
from tinyagent_mlx.lab.train_language import train

SCRIPT = Path(__file__).parent.parent / "scripts" / "measure_generate.py"
RECIPE = LanguageRecipe(
    rows=40, held=4, workers=1, shown=0, width=32, layers=2, heads=2, vocabulary=600, steps=3, batch=4, cases=0, engine="torch"
)  # fmt: skip


def test_every_request_is_planned_by_both(tmp_path: Path) -> None:
    found = importlib.util.spec_from_file_location("measure_generate", SCRIPT)
    assert found
    assert found.loader
    script = sys.modules["measure_generate"] = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    model = train(replace(RECIPE, out=str(tmp_path)), order(), SharedWords, (), str)
    timed = script.measure(model, tmp_path / "data", 2, sys.executable, 1, most=12)
    assert len(timed) == 2
    assert all(0 < one.their_tokens <= 12 and one.theirs > 0 and one.ours > 0 for one in timed)
    figures = script.figures(timed)
    assert figures["requests"] == 2
    assert figures["ratio_total"] > 0
