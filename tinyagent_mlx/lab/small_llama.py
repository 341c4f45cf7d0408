"""A small Llama from scratch: its tokenizer, and its architecture as mlx-lm knows it. Knows nothing of tools and plans.

The tokenizer cuts texts into runs of word characters and runs of others before it merges bytes, so that a word is the same
tokens wherever it stands: behind a blank in the request, behind a quote in the plan. Copying is what the model has to
learn, and it can't where the two differ (docs/lab.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
from mlx_lm.models.llama import Model, ModelArgs
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab.recipes import LanguageRecipe
from tinyagent_mlx.weights import GROUP

SPECIALS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
POSITIONS = 4096
ENGINES = ("mlx", "torch")
LEAST = 300  # tokens: the bytes, the special ones, and a few more


def train_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """A byte-level BPE tokenizer of at most `size` tokens."""
    tokenizer = Tokenizer(models.BPE())
    runs = pre_tokenizers.Split(Regex(r"\w+|\W+"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # type: ignore[assignment]
        [runs, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIALS.values()), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def write_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """Write tokenizer.json and tokenizer_config.json; the latter is written last."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": POSITIONS, **SPECIALS}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")


def check(recipe: LanguageRecipe) -> None:
    """Raise `ConfigError` where a recipe asks for what can't be."""
    least = {"heads": 1, "layers": 1, "steps": 1, "batch": 1, "vocabulary": LEAST, "rows": 1, "held": 1, "workers": 1}
    for name, low in least.items():
        if getattr(recipe, name) < low:
            raise ConfigError(f"--{name} {getattr(recipe, name)}: expected {low} or more")
    if recipe.engine not in ENGINES:
        raise ConfigError(f"--engine: {recipe.engine!r} is none of {', '.join(ENGINES)}")
    for multiple in (GROUP, 2 * recipe.heads):
        if recipe.width < 1 or recipe.width % multiple:
            raise ConfigError(f"--width {recipe.width}: expected a multiple of {multiple}")


def config_of(recipe: LanguageRecipe, vocabulary: int) -> dict[str, Any]:
    """config.json of a recipe's model; the vocabulary is rounded up to whole groups of 32."""
    wide = -(-8 * recipe.width // 3 // GROUP) * GROUP
    return {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": recipe.width,
        "num_hidden_layers": recipe.layers, "intermediate_size": wide, "num_attention_heads": recipe.heads,
        "num_key_value_heads": recipe.heads, "rms_norm_eps": 1e-5, "vocab_size": -(-vocabulary // GROUP) * GROUP,
        "tie_word_embeddings": True, "max_position_embeddings": POSITIONS, "rope_theta": 10_000.0,
        "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2, "hidden_act": "silu", "torch_dtype": "float16",
    }  # fmt: skip


def build(config: dict[str, Any], seed: int) -> Model:
    """A model of random weights; the residual paths start small, as GPT-2's do."""
    mx.random.seed(seed)
    model = Model(ModelArgs.from_dict(config))
    layers = config["num_hidden_layers"]
    model.model.embed_tokens.weight = mx.random.normal(model.model.embed_tokens.weight.shape) * 0.02
    for layer in model.model.layers:
        for matrix in (layer.self_attn.o_proj, layer.mlp.down_proj):
            matrix.weight = matrix.weight * (2 * layers) ** -0.5
    mx.eval(model.parameters())
    return model
