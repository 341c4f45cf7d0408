"""BERT sentence encoder in MLX (all-MiniLM-L6-v2's architecture), with its WordPiece tokenizer read at word level.

Takes texts, gives vectors; knows nothing of tools or plans. Loads Hugging Face's weight names through `sanitize`.
Architecture: Devlin et al. 2019 (arXiv:1810.04805); weights: Wang et al. 2020 (MiniLM), Reimers and Gurevych 2019.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from tokenizers import Tokenizer

from tinyagent_mlx.errors import PlannerError
from tinyagent_mlx.gelu import gelu
from tinyagent_mlx.words import SHAPES, shape

MAX_TOKENS = 256


@dataclass
class ModelArgs:
    vocab_size: int = 30522
    hidden_size: int = 384
    num_hidden_layers: int = 6
    num_attention_heads: int = 12
    intermediate_size: int = 1536
    max_position_embeddings: int = 512
    layer_norm_eps: float = 1e-12


class Attention(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.heads = args.num_attention_heads
        self.scale = (args.hidden_size // self.heads) ** -0.5
        self.query = nn.Linear(args.hidden_size, args.hidden_size)
        self.key = nn.Linear(args.hidden_size, args.hidden_size)
        self.value = nn.Linear(args.hidden_size, args.hidden_size)
        self.output = nn.Linear(args.hidden_size, args.hidden_size)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        batch, length, _ = x.shape

        def heads(y: mx.array) -> mx.array:
            return y.reshape(batch, length, self.heads, -1).transpose(0, 2, 1, 3)

        q, k, v = heads(self.query(x)), heads(self.key(x)), heads(self.value(x))
        out = mx.fast.scaled_dot_product_attention(q, k, v, scale=self.scale, mask=mask)
        return self.output(out.transpose(0, 2, 1, 3).reshape(batch, length, -1))


class Layer(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.attention = Attention(args)
        self.attention_norm = nn.LayerNorm(args.hidden_size, eps=args.layer_norm_eps)
        self.up = nn.Linear(args.hidden_size, args.intermediate_size)
        self.down = nn.Linear(args.intermediate_size, args.hidden_size)
        self.norm = nn.LayerNorm(args.hidden_size, eps=args.layer_norm_eps)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        x = self.attention_norm(x + self.attention(x, mask))
        return self.norm(x + self.down(gelu(self.up(x))))


class Encoder(nn.Module):
    """Map token numbers [B, L] to hidden states [B, L, hidden_size]; `valid` [B, L] is False on padding.

    `shapes` [B, L] index `SHAPES`; their embedding starts at zero, so that a fresh model is the pretrained one.
    """

    def __init__(self, args: ModelArgs):
        super().__init__()
        self.word_embeddings = nn.Embedding(args.vocab_size, args.hidden_size)
        self.position_embeddings = nn.Embedding(args.max_position_embeddings, args.hidden_size)
        self.shape_embeddings = nn.Embedding(len(SHAPES), args.hidden_size)
        self.shape_embeddings.weight = mx.zeros_like(self.shape_embeddings.weight)
        self.embedding_norm = nn.LayerNorm(args.hidden_size, eps=args.layer_norm_eps)
        self.layers = [Layer(args) for _ in range(args.num_hidden_layers)]

    def __call__(self, tokens: mx.array, shapes: mx.array, valid: mx.array) -> mx.array:
        positions = self.position_embeddings.weight[: tokens.shape[1]]
        x = self.embedding_norm(self.word_embeddings(tokens) + positions + self.shape_embeddings(shapes))
        mask = mx.where(valid, 0.0, -1e9)[:, None, None, :].astype(x.dtype)
        for layer in self.layers:
            x = layer(x, mask)
        return x

    @staticmethod
    def sanitize(weights: dict[str, mx.array]) -> dict[str, mx.array]:
        """Rename Hugging Face's BERT weights; the constant token type is folded into the positions."""
        renamed: dict[str, mx.array] = {}
        kind = next((w for name, w in weights.items() if name.endswith("token_type_embeddings.weight")), None)
        for name, weight in weights.items():
            name = name.removeprefix("bert.")
            if name.startswith("pooler.") or name.endswith(("position_ids", "token_type_embeddings.weight")):
                continue
            for old, new in _NAMES:
                name = name.replace(old, new)
            if name == "position_embeddings.weight" and kind is not None:
                weight = weight + kind[0]
            renamed[name] = weight
        return renamed


_NAMES = (
    ("embeddings.word_embeddings", "word_embeddings"),
    ("embeddings.position_embeddings", "position_embeddings"),
    ("embeddings.LayerNorm", "embedding_norm"),
    ("encoder.layer.", "layers."),
    ("attention.self.", "attention."),
    ("attention.output.dense", "attention.output"),
    ("attention.output.LayerNorm", "attention_norm"),
    ("intermediate.dense", "up"),
    ("output.dense", "down"),
    ("output.LayerNorm", "norm"),
    ("attention.down", "attention.output"),
)


@dataclass(frozen=True)
class Batch:
    """Tokenized texts as NumPy arrays.

    tokens, shapes [B, L] int32; valid [B, L] bool; first [B, W] int32 is the position of each word's first token;
    word_valid [B, W] bool.
    """

    tokens: np.ndarray
    shapes: np.ndarray
    valid: np.ndarray
    first: np.ndarray
    word_valid: np.ndarray


class WordTokenizer:
    """WordPiece over words that were split beforehand, so that every word knows its first token."""

    def __init__(self, file: Path):
        self._tokenizer = Tokenizer.from_file(str(file))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._cls, self._sep, self._unknown = (self._special(text) for text in ("[CLS]", "[SEP]", "[UNK]"))
        self._cache: dict[str, tuple[int, ...]] = {}

    def _special(self, text: str) -> int:
        number = self._tokenizer.token_to_id(text)
        if number is None:
            raise PlannerError(f"tokenizer.json has no piece {text}")
        return number

    def pieces(self, word: str) -> tuple[int, ...]:
        """A word's token numbers, at most eight of them, never none."""
        found = self._cache.get(word)
        if found is None:
            if len(self._cache) > 200_000:
                self._cache.clear()
            found = tuple(self._tokenizer.encode(word, add_special_tokens=False).ids[:8]) or (self._unknown,)
            self._cache[word] = found
        return found

    def batch(self, texts: Sequence[Sequence[str]], multiple: int = 1) -> Batch:
        """Tokenize lists of words; lengths are padded up to a multiple, which keeps compiled shapes few."""
        rows, shapes, firsts = [], [], []
        for words in texts:
            row, form, first = [self._cls], [5], []
            for word in words:
                pieces = self.pieces(word)
                if len(row) + len(pieces) >= MAX_TOKENS:
                    break
                first.append(len(row))
                row.extend(pieces)
                form.extend([shape(word)] * len(pieces))
            rows.append([*row, self._sep])
            shapes.append([*form, 5])
            firsts.append(first)
        tokens, valid = _pad(rows, multiple)
        first_tokens, word_valid = _pad(firsts, multiple)
        return Batch(tokens, _pad(shapes, multiple)[0], valid, first_tokens, word_valid)


def _pad(rows: Sequence[Sequence[int]], multiple: int) -> tuple[np.ndarray, np.ndarray]:
    width = max(1, -(-max(map(len, rows)) // multiple) * multiple)
    out = np.zeros((len(rows), width), np.int32)
    valid = np.zeros((len(rows), width), bool)
    for index, row in enumerate(rows):
        out[index, : len(row)] = row
        valid[index, : len(row)] = True
    return out, valid


def pretrained_args(folder: Path) -> ModelArgs:
    """The architecture of a Hugging Face BERT folder, from its config.json."""
    config = json.loads((folder / "config.json").read_text())
    return ModelArgs(**{key: config[key] for key in ModelArgs.__dataclass_fields__ if key in config})


def load_pretrained(folder: Path) -> Encoder:
    """Load a Hugging Face BERT folder (config.json, model.safetensors) in float32."""
    encoder = Encoder(pretrained_args(folder))
    stored: Any = mx.load(str(folder / "model.safetensors"))
    weights = Encoder.sanitize(stored)
    weights = {name: weight.astype(mx.float32) for name, weight in weights.items()}
    encoder.load_weights([*weights.items(), ("shape_embeddings.weight", encoder.shape_embeddings.weight)], strict=True)
    return encoder
