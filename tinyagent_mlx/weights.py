"""Read and write a planner folder: config.json, model.safetensors (4-bit where it pays), tokenizer.json, manifest.json.

Quantized matrices are expanded to float32 at load, on a GPU too: 27 million weights are 0.11 GB then, some of them are read in
slices, and training goes on from them. So every machine computes the same.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten, tree_unflatten

from tinyagent_mlx.errors import PlannerError
from tinyagent_mlx.pointer import ModelArgs, PointerModel

GROUP, BITS = 32, 4
FILES = ("config.json", "model.safetensors", "tokenizer.json", "manifest.json")
REFUSALS = "refusals.safetensors"  # beside these, where the weights know requests that no tool serves


def flat(tree: Any) -> dict[str, mx.array]:
    """A module's parameters, or an optimizer's state, as names and arrays."""
    leaves: Any = tree_flatten(tree)
    return {name: value for name, value in leaves if isinstance(value, mx.array)}


def read_arrays(file: Path) -> tuple[dict[str, mx.array], dict[str, str]]:
    """The arrays of a safetensors file, and its metadata."""
    found: Any = mx.load(str(file), return_metadata=True)
    return found


def _quantizable(name: str, module: nn.Module) -> bool:
    """Matrices whose rows are whole groups; small tables and one-row heads stay as they are."""
    weight = getattr(module, "weight", None)
    return (
        hasattr(module, "to_quantized")
        and weight is not None
        and weight.shape[-1] % GROUP == 0
        and weight.size >= 32_768
    )


def quantize(model: PointerModel) -> None:
    """Quantize a model in place: 4 bits, groups of 32."""
    nn.quantize(model, group_size=GROUP, bits=BITS, class_predicate=_quantizable)


def whole_groups(name: str, module: nn.Module) -> bool:
    """What mlx-lm quantizes of a model: every matrix whose rows are whole groups."""
    return hasattr(module, "to_quantized") and module.weight.shape[-1] % GROUP == 0


def simulated(model: nn.Module, quantizable: Callable[[str, nn.Module], bool] = _quantizable) -> dict[str, Any]:
    """The trainable weights as 4 bits would give them; a gradient passes through the rounding as if it were not there."""
    trained, kept = flat(model.trainable_parameters()), dict(model.named_modules())

    def rounded(name: str, weight: mx.array) -> mx.array:
        stem = name.removesuffix(".weight")
        if stem == name or not quantizable(stem, kept[stem]):
            return weight
        return weight + mx.stop_gradient(through_4_bits(weight) - weight)

    tree: Any = tree_unflatten([(name, rounded(name, weight)) for name, weight in trained.items()])
    return tree


def through_4_bits(weight: mx.array) -> mx.array:
    """What is left of a matrix [N, M] after it was quantized."""
    return mx.dequantize(*mx.quantize(weight, group_size=GROUP, bits=BITS), group_size=GROUP, bits=BITS)


def save(folder: Path, model: PointerModel, tokenizer: str, manifest: dict[str, Any], quantized: bool) -> None:
    """Write a planner folder; what is not quantized is stored in float16. `tokenizer` is the text of tokenizer.json."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: value.astype(mx.float16) if value.dtype == mx.float32 else value
        for name, value in flat(model.parameters()).items()
    }
    mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "mlx"})
    config = {**model.args.to_dict(), "quantization": {"group_size": GROUP, "bits": BITS} if quantized else None}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    save_manifest(folder, manifest)


def save_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write what is said of the weights in a planner folder."""
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def save_refusals(folder: Path, vectors: mx.array) -> None:
    """Write the vectors [N, e] of requests that no tool serves, of length 1, in float16."""
    mx.save_safetensors(str(folder / REFUSALS), {"vectors": vectors.astype(mx.float16)}, {"format": "mlx"})


def load_refusals(folder: Path) -> mx.array | None:
    """What `save_refusals` wrote, in float32, None in a folder without. Raises `PlannerError` when the file cannot be read."""
    file = folder / REFUSALS
    if not file.is_file():
        return None
    try:
        vectors = read_arrays(file)[0]["vectors"].astype(mx.float32)
        mx.eval(vectors)  # what is not made yet is bound to this thread
        return vectors
    except (RuntimeError, KeyError) as error:
        raise PlannerError(f"{file}: holds no vectors of refusals: {error}") from error


def copy(folder: Path, to: Path) -> None:
    """Copy the files of a planner folder, without what else lies there."""
    to.mkdir(exist_ok=True)
    for name in (*FILES, REFUSALS):
        if (folder / name).is_file():
            shutil.copy(folder / name, to)


def load(folder: Path) -> tuple[PointerModel, dict[str, Any]]:
    """Read a planner folder; gives the model and its manifest. Raises `PlannerError` when the folder is not whole."""
    try:
        config = json.loads((folder / "config.json").read_text())
        manifest = json.loads((folder / "manifest.json").read_text())
        weights, _ = read_arrays(folder / "model.safetensors")
    except (OSError, ValueError, RuntimeError) as error:
        raise PlannerError(f"{folder}: is no planner folder: {error}") from error
    quantization = config.pop("quantization")
    model = PointerModel(ModelArgs.from_dict(config))
    if quantization:
        weights = dequantize(weights, **quantization)
    weights = {name: w.astype(mx.float32) if w.dtype == mx.float16 else w for name, w in weights.items()}
    weights.setdefault("choice.weight", mx.zeros((1, 3)))  # planners that users tuned before it was there
    try:
        model.load_weights(list(weights.items()))
    except ValueError as error:
        raise PlannerError(f"{folder / 'model.safetensors'}: does not fit config.json: {error}") from error
    mx.eval(model.parameters())
    return model, manifest


def dequantize(weights: dict[str, mx.array], group_size: int, bits: int) -> dict[str, mx.array]:
    """Expand quantized matrices to float32."""
    out = {}
    for name, value in weights.items():
        stem = name.removesuffix(".weight")
        if name.endswith(".weight") and f"{stem}.scales" in weights:
            scales, biases = (weights[f"{stem}.{part}"].astype(mx.float32) for part in ("scales", "biases"))
            out[name] = mx.dequantize(value, scales, biases, group_size=group_size, bits=bits)
        elif not name.endswith((".scales", ".biases")) or f"{name.rsplit('.', 1)[0]}.weight" not in weights:
            out[name] = value
    return out
