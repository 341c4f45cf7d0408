"""Small models with random weights, made on the spot."""

from __future__ import annotations

from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)
import mlx.core as mx

from tinyagent_mlx import weights
from tinyagent_mlx.encoder import ModelArgs as EncoderArgs
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.pointer import ModelArgs, PointerModel
from tinyagent_mlx.pointing import PointerEngine


def small_engine(folder: Path, seed: int = 0) -> PointerEngine:
    """A pointer planner with random weights, and the shipped tokenizer."""
    mx.random.seed(seed)
    encoder = EncoderArgs(hidden_size=64, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64)
    model = PointerModel(ModelArgs(encoder=encoder, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64))
    tokenizer = (shipped("weights") / "planner" / "tokenizer.json").read_text(encoding="utf-8")
    weights.save(folder, model, tokenizer, {"steps": 0, "toolbox": ""}, quantized=False)
    return PointerEngine(folder)
