"""The encoder computes what BERT computes: compared with a plain NumPy reading of the paper on random weights."""

from __future__ import annotations

import math

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from tinyagent_mlx.encoder import Encoder, ModelArgs, WordTokenizer
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.words import split_words

ARGS = ModelArgs(
    vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
    max_position_embeddings=20,
)  # fmt: skip


def random_weights(seed: int = 0) -> dict[str, np.ndarray]:
    """Weights under Hugging Face's names, token types included."""
    rng = np.random.default_rng(seed)
    names = {
        "embeddings.word_embeddings.weight": (50, 32),
        "embeddings.position_embeddings.weight": (20, 32),
        "embeddings.token_type_embeddings.weight": (2, 32),
        "embeddings.LayerNorm.weight": (32,),
        "embeddings.LayerNorm.bias": (32,),
        "pooler.dense.weight": (32, 32),
    }
    for layer in range(2):
        stem = f"encoder.layer.{layer}."
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            names |= {f"{stem}{part}.weight": (32, 32), f"{stem}{part}.bias": (32,)}
        names |= {f"{stem}intermediate.dense.weight": (64, 32), f"{stem}intermediate.dense.bias": (64,)}
        names |= {f"{stem}output.dense.weight": (32, 64), f"{stem}output.dense.bias": (32,)}
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            names |= {f"{stem}{part}.weight": (32,), f"{stem}{part}.bias": (32,)}
    return {name: rng.normal(size=size).astype(np.float32) * 0.3 for name, size in names.items()}


def reference(w: dict[str, np.ndarray], tokens: np.ndarray) -> np.ndarray:
    """BERT over one unpadded row, straight from the paper."""

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    x = w["embeddings.word_embeddings.weight"][tokens] + w["embeddings.position_embeddings.weight"][: len(tokens)]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(2):
        stem = f"encoder.layer.{layer}."
        q, k, v = (linear(x, f"{stem}attention.self.{part}").reshape(-1, 4, 8) for part in ("query", "key", "value"))
        scores = np.einsum("qhd,khd->hqk", q, k) / math.sqrt(8)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed = np.einsum("hqk,khd->qhd", weights, v).reshape(-1, 32)
        x = norm(x + linear(mixed, f"{stem}attention.output.dense"), f"{stem}attention.output.LayerNorm")
        up = linear(x, f"{stem}intermediate.dense")
        gelu = up * 0.5 * (1 + np.vectorize(math.erf)(up / math.sqrt(2)))
        x = norm(x + linear(gelu, f"{stem}output.dense"), f"{stem}output.LayerNorm")
    return x


@pytest.fixture(scope="module")
def loaded() -> tuple[Encoder, dict[str, np.ndarray]]:
    weights = random_weights()
    encoder = Encoder(ARGS)
    renamed = Encoder.sanitize({f"bert.{name}": mx.array(value) for name, value in weights.items()})
    encoder.load_weights([*renamed.items(), ("shape_embeddings.weight", encoder.shape_embeddings.weight)], strict=True)
    return encoder, weights


def test_encoder_matches_the_paper_with_padding(loaded):
    encoder, weights = loaded
    rows = [[3, 7, 9, 11, 4], [5, 6]]
    tokens = np.array([rows[0], [*rows[1], 0, 0, 0]])
    valid = np.array([[True] * 5, [True, True, False, False, False]])
    out = np.array(encoder(mx.array(tokens), mx.zeros_like(mx.array(tokens)), mx.array(valid)))
    for index, row in enumerate(rows):
        assert np.abs(out[index, : len(row)] - reference(weights, np.array(row))).max() < 1e-4


def test_every_parameter_is_loaded(loaded):
    encoder, weights = loaded
    assert len(tree_flatten(encoder.parameters())) == len(weights) - 2 + 1  # no pooler, no token types; shapes added


def test_shapes_start_without_effect():
    assert np.abs(np.array(Encoder(ARGS).shape_embeddings.weight)).max() == 0


@pytest.fixture(scope="module")
def tokenizer() -> WordTokenizer:
    return WordTokenizer(shipped("weights") / "planner" / "tokenizer.json")


def test_first_piece_of_each_word_is_found(tokenizer):
    words = [word.text for word in split_words("Hadiza emails uncharacteristically")]
    batch = tokenizer.batch([words, ["hi"]])
    pieces = [tokenizer.pieces(word) for word in words]
    assert [batch.tokens[0, at] for at in batch.first[0]] == [piece[0] for piece in pieces]
    assert batch.word_valid.tolist() == [[True] * 3, [True, False, False]]


def test_long_texts_are_cut_at_the_limit(tokenizer):
    batch = tokenizer.batch([["word"] * 1000])
    assert batch.tokens.shape[1] <= 256
    assert batch.first.shape[1] == batch.tokens.shape[1] - 2
