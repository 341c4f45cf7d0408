"""A published model in mlx-lm's own layout, quantized; what of memory and disk that takes is checked by the caller."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx_lm

from tinyagent_mlx.errors import ModelError

BITS, GROUPS = (2, 3, 4, 5, 6, 8, 16), (32, 64, 128)


def convert(source: Path, folder: Path, bits: int = 4, group: int = 32) -> None:
    """Write `source` again as `folder`, whole or not at all; 16 bits only change the layout. Raises `ModelError`."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    quantized = {"quantize": True, "q_bits": bits, "q_group_size": group} if bits < 16 else {}
    try:
        with contextlib.redirect_stdout(sys.stderr):
            mlx_lm.convert(str(source), mlx_path=str(part), dtype=_kept_type(source), **quantized)  # type: ignore[arg-type]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError) as error:
        shutil.rmtree(part, ignore_errors=True)
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{source}: can't be converted: {reason}") from error
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def is_quantized(folder: Path) -> bool:
    """Whether a folder's weights are quantized already. Raises `ModelError`."""
    return "quantization" in _config(folder)


def _kept_type(folder: Path) -> str:
    """What scales, and weights that are not quantized, are stored in: 16 bits, whatever the source was stored in."""
    config = _config(folder)
    stored = config.get("torch_dtype") or config.get("dtype")
    return stored if stored in ("float16", "bfloat16") else "bfloat16"


def _config(folder: Path) -> dict:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / 'config.json'}: can't be read: {error}") from error
    if not isinstance(config, dict):
        raise ModelError(f"{folder / 'config.json'}: is no JSON object")
    return config
