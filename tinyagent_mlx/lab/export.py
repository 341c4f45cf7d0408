"""Make a planner folder of a training checkpoint: quantize, write the manifest, keep the tokenizer.

    python -m tinyagent_mlx.lab.export --checkpoint runs/planner --base FOLDER --out weights/planner

With `--mean-with` it is the mean of the checkpoint and of the weights that its training began with: what was learnt half-way in,
and what was known kept (Wortsman et al. 2022, arXiv:2109.01903).
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tinyagent_mlx.device  # noqa: F401  (before MLX)

from tinyagent_mlx import weights
from tinyagent_mlx.lab import base, corpus
from tinyagent_mlx.lab.train_planner import Recipe, model_args, tools_of
from tinyagent_mlx.pointer import ModelArgs, PointerModel
from tinyagent_mlx.toolfile import load_toolbox


def data_hash() -> str:
    """Sixteen hex digits over the corpus and its fillers."""
    digest = hashlib.sha256()
    for file in sorted(file for ending in ("txt", "yaml") for file in corpus.FOLDER.rglob(f"*.{ending}")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def load_checkpoint(file: Path, args: ModelArgs) -> tuple[PointerModel, int]:
    """Read a training checkpoint; gives the model and its step."""
    arrays, metadata = weights.read_arrays(file)
    model = PointerModel(args)
    model.load_weights([(name[6:], value) for name, value in arrays.items() if name.startswith("model.")])
    return model, int(metadata["step"])


def mean(model: PointerModel, other: PointerModel) -> None:
    """Make a model, in place, the mean of itself and another one."""
    theirs = weights.flat(other.parameters())
    model.load_weights([(name, (value + theirs[name]) / 2) for name, value in weights.flat(model.parameters()).items()])


def export(
    recipe: Recipe, checkpoint: Path, out: Path, bits: int, extra: dict[str, Any], mean_with: Path | None = None
) -> None:
    """Write a planner folder; `bits` is 4, or 16 for a copy to compare with. `mean_with` is a planner folder."""
    model, step = load_checkpoint(checkpoint / "checkpoint.safetensors", model_args(recipe))
    if mean_with:
        mean(model, weights.load(mean_with)[0])
        extra = {"mean_with": hashlib.sha256((mean_with / "model.safetensors").read_bytes()).hexdigest()[:16], **extra}
    if bits == 4:
        weights.quantize(model)
    tools = tools_of(recipe, load_toolbox(Path(recipe.tools)))
    manifest = {
        "kind": "pointer planner and tool retriever",
        "encoder": {"name": "sentence-transformers/all-MiniLM-L6-v2", "license": "Apache-2.0", "sha256": base.SHA256},
        "recipe": {name: value for name, value in asdict(recipe).items() if name not in ("base", "out")},
        "steps": step,
        "seed": recipe.seed,
        "data": data_hash(),
        "toolbox": tools.fingerprint,
        "tools": list(tools.names),
        "bits": bits,
        **extra,
    }
    tokenizer = (Path(recipe.base) / "tokenizer.json").read_text(encoding="utf-8")
    weights.save(out, model, tokenizer, manifest, quantized=bits == 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mean-with", type=Path, help="a planner folder: the mean of both is written")
    parser.add_argument("--bits", type=int, choices=(4, 16), default=4)
    parser.add_argument("--extra", type=json.loads, default={}, help="JSON to put into the manifest, such as scores")
    options = parser.parse_args()
    recipe_file = options.checkpoint / "recipe.json"
    recipe = Recipe(**json.loads(recipe_file.read_text())) if recipe_file.exists() else Recipe()
    recipe.base = options.base
    export(recipe, options.checkpoint, options.out, options.bits, options.extra, options.mean_with)


if __name__ == "__main__":
    main()
