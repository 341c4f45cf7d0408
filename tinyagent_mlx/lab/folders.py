"""Model folders as mlx-lm reads them: write one, quantize one. Knows nothing of how the weights came about."""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path
from typing import Any

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_map
from mlx_lm.utils import quantize_model, save_config, save_model

from tinyagent_mlx.decoding import load_folder
from tinyagent_mlx.language import PROMPT_FILE
from tinyagent_mlx.weights import BITS, GROUP

# What belongs to a model's folder beside its weights and config.json.
BESIDE = (
    "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.jinja",
    "generation_config.json", "*.py", PROMPT_FILE,
)  # fmt: skip


def write(folder: Path, model: nn.Module, config: dict[str, Any], source: Path, dtype: mx.Dtype = mx.float16) -> None:
    """Write a folder; the tokenizer and what else is beside the weights comes from `source`."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in {file for pattern in BESIDE for file in source.glob(pattern) if file.is_file()}:
        if file.parent.resolve() != folder.resolve():
            shutil.copy(file, folder)
    exact = model.parameters()
    model.update(tree_map(lambda x: x.astype(dtype) if x.dtype == mx.float32 else x, exact))
    try:
        save_model(folder, model)
    finally:
        model.update(exact)
    save_config(dict(config), folder / "config.json")


def quantize(source: Path, folder: Path, bits: int = BITS) -> None:
    """Write a folder's model again with quantized matrices, in groups of 32."""
    model, _, config = load_folder(source)
    config = {key: value for key, value in config.items() if not key.startswith("quantization")}
    with contextlib.redirect_stdout(sys.stderr):
        model, config = quantize_model(model, config, GROUP, bits)
    write(folder, model, config, source)


def size(folder: Path) -> int:
    """Bytes of a folder's weights."""
    return sum(file.stat().st_size for file in folder.glob("model*.safetensors"))
