"""Small models with random weights, made on the spot."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
from mlx.utils import tree_flatten
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tinyagent_mlx import weights
from tinyagent_mlx.encoder import ModelArgs as EncoderArgs
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.pointer import ModelArgs, PointerModel
from tinyagent_mlx.pointing import PointerEngine


def small_engine(folder: Path, seed: int = 0) -> PointerEngine:
    """A pointer planner with random weights, and the shipped tokenizer."""
    mx.random.seed(seed)
    encoder = EncoderArgs(hidden_size=64, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64)
    model = PointerModel(
        ModelArgs(encoder=encoder, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
    )
    tokenizer = (shipped("weights") / "planner" / "tokenizer.json").read_text(encoding="utf-8")
    weights.save(folder, model, tokenizer, {"steps": 0, "toolbox": ""}, quantized=False)
    return PointerEngine(folder)


@lru_cache(1)
def byte_tokenizer(words: int = 700) -> Tokenizer:
    """A byte-level BPE tokenizer trained on tools.yaml; tokens 0, 1 and 2 are <s>, </s> and <pad>."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "</s>", "<pad>"]
    trainer = trainers.BpeTrainer(
        vocab_size=words, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([shipped("tools.yaml").read_text(encoding="utf-8")], trainer)
    return tokenizer


def make_llama(folder: Path, seed: int = 0, quantized: bool = False) -> Path:
    """A model folder as mlx-lm reads it: a Llama of two layers with random weights, and a tokenizer of 700 tokens."""
    import mlx.nn as nn
    from mlx_lm.models.llama import Model, ModelArgs

    tokenizer = byte_tokenizer()
    config: dict[str, Any] = {
        "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 128,
        "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "vocab_size": 704,
        "tie_word_embeddings": True, "max_position_embeddings": 4096, "rope_theta": 1e4,
    }  # fmt: skip
    mx.random.seed(seed)
    model = Model(ModelArgs.from_dict(config))
    if quantized:
        config["quantization"] = {"group_size": 32, "bits": 4}
        nn.quantize(model, **config["quantization"])
    folder.mkdir(parents=True, exist_ok=True)
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(model.parameters())), {"format": "mlx"})
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **names}))
    return folder
