"""DeBERTa-v3 with its classification head in MLX: token numbers in, one logit a label out.

Knows nothing of text, tools or files. Loads Hugging Face's weight names through `sanitize`, and refuses in
`ModelArgs.from_dict` whatever would change the result unseen.
Architecture: He et al. 2021 (arXiv:2006.03654, arXiv:2111.09543).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from tinyagent_mlx.errors import PlannerError

MODEL_TYPE = "deberta-v2"  # Hugging Face's name for versions 2 and 3
HEAD = "DebertaV2ForSequenceClassification"
BIASES = ("c2p", "p2c")

# What is read from config.json besides the sizes: key, the value that counts when it is absent, the only one supported.
_FIXED: tuple[tuple[str, Any, Any], ...] = (
    ("hidden_act", "gelu", "gelu"),
    ("pooler_hidden_act", "gelu", "gelu"),
    ("relative_attention", False, True),
    ("share_att_key", False, True),
    ("position_biased_input", True, False),
    ("type_vocab_size", 0, 0),
    ("conv_kernel_size", 0, 0),
)

_SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings",
)  # fmt: skip


@dataclass
class ModelArgs:
    """Sizes under Hugging Face's names and defaults; `position_buckets` of 0 or less means none."""

    vocab_size: int = 128100
    hidden_size: int = 1536
    num_hidden_layers: int = 24
    num_attention_heads: int = 24
    intermediate_size: int = 6144
    max_position_embeddings: int = 512
    max_relative_positions: int = -1
    position_buckets: int = -1
    layer_norm_eps: float = 1e-7
    pos_att_type: tuple[str, ...] = ()
    norm_rel_ebd: str = "none"
    num_labels: int = 2

    def __post_init__(self) -> None:
        if self.max_relative_positions < 1:
            self.max_relative_positions = self.max_position_embeddings

    @property
    def span(self) -> int:
        """How many relative positions there are on each side."""
        return self.position_buckets if self.position_buckets > 0 else self.max_relative_positions

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> ModelArgs:
        """Read config.json. Raises `PlannerError` naming the first key whose value is not supported."""
        _demand(config, "model_type", None, MODEL_TYPE)
        if config.get("architectures") and HEAD not in config["architectures"]:
            raise PlannerError(f"config.json: architectures: {config['architectures']!r} is no {HEAD}")
        for key, absent, supported in _FIXED:
            _demand(config, key, absent, supported)
        args = {key: config[key] for key in cls.__dataclass_fields__ if config.get(key) is not None}
        if config.get("id2label"):
            args["num_labels"] = len(config["id2label"])
        found = cls(**args | {"pos_att_type": _biases(config.get("pos_att_type"))})
        found._check(config)
        return found

    def _check(self, config: Mapping[str, Any]) -> None:
        """Refuse sizes that the layers could not have."""
        for key in _SIZES:
            value = getattr(self, key)
            if type(value) is not int or value < 1:
                raise PlannerError(f"config.json: {key}: {value!r} is no positive whole number")
        if self.norm_rel_ebd not in ("none", "layer_norm"):
            raise PlannerError(f"config.json: norm_rel_ebd: {self.norm_rel_ebd!r} is neither 'layer_norm' nor 'none'")
        if self.hidden_size % self.num_attention_heads:
            heads = self.num_attention_heads
            raise PlannerError(f"config.json: num_attention_heads: {heads} does not divide {self.hidden_size}")
        for key in ("embedding_size", "pooler_hidden_size"):
            _demand(config, key, self.hidden_size, self.hidden_size)
        size = self.hidden_size // self.num_attention_heads
        _demand(config, "attention_head_size", size, size)


def _demand(config: Mapping[str, Any], key: str, absent: Any, supported: Any) -> None:
    value = config.get(key, absent)
    if value != supported:
        raise PlannerError(f"config.json: {key}: {value!r} is not supported, only {supported!r}")


def _biases(value: Any) -> tuple[str, ...]:
    """Hugging Face writes the kinds of attention as "p2c|c2p" or as a list."""
    kinds = value.lower().split("|") if isinstance(value, str) else value or []
    kinds = {str(kind).strip() for kind in kinds}
    if not kinds or not kinds <= set(BIASES):
        raise PlannerError(f"config.json: pos_att_type: {value!r} is not supported, only 'c2p', 'p2c' or both")
    return tuple(kind for kind in BIASES if kind in kinds)


def buckets(distance: np.ndarray, size: int, most: int) -> np.ndarray:
    """Put relative positions into buckets: near ones keep their own, far ones share, more of them the farther.

    Equation: the code that goes with arXiv:2111.09543; `most` is the greatest distance that has its place.
    """
    middle = size // 2
    away = np.where(np.abs(distance) < middle, middle - 1, np.abs(distance))
    far = np.ceil(np.log(away / middle) / np.log((most - 1) / middle) * (middle - 1)) + middle
    return np.where(away <= middle, distance, far * np.sign(distance)).astype(np.int32)


@lru_cache(16)
def position_index(length: int, span: int, position_buckets: int, most: int) -> tuple[np.ndarray, int, int]:
    """Which relative embedding stands between query and key: [length, length], counted from the second value.

    The second and third values bound the rows in use, so that a short text does not project the whole table.
    """
    place = np.arange(length)
    distance = place[:, None] - place[None, :]
    if position_buckets > 0:
        distance = buckets(distance, position_buckets, most)
    index = np.clip(distance + span, 0, 2 * span - 1)
    first, last = int(index.min()), int(index.max())
    return (index - first).astype(np.int32), first, last + 1


class DisentangledAttention(nn.Module):
    """Content attends to content, to position (c2p), and position to content (p2c); the projections are shared."""

    def __init__(self, args: ModelArgs):
        super().__init__()
        self.heads = args.num_attention_heads
        self.kinds = args.pos_att_type
        self.scale = (args.hidden_size // self.heads * (1 + len(self.kinds))) ** -0.5
        self.query_proj = nn.Linear(args.hidden_size, args.hidden_size)
        self.key_proj = nn.Linear(args.hidden_size, args.hidden_size)
        self.value_proj = nn.Linear(args.hidden_size, args.hidden_size)
        self.output = nn.Linear(args.hidden_size, args.hidden_size)

    def __call__(self, x: mx.array, mask: mx.array, positions: mx.array, index: mx.array) -> mx.array:
        batch, length, width = x.shape

        def heads(y: mx.array) -> mx.array:
            return y.reshape(*y.shape[:-1], self.heads, -1).swapaxes(-3, -2)

        q, k, v = heads(self.query_proj(x)), heads(self.key_proj(x)), heads(self.value_proj(x))
        scores = q @ k.swapaxes(-1, -2)
        shape = (batch, self.heads, length, length)
        if "c2p" in self.kinds:
            near = q @ heads(self.key_proj(positions)).swapaxes(-1, -2)
            scores = scores + mx.take_along_axis(near, mx.broadcast_to(index, shape), axis=-1)
        if "p2c" in self.kinds:  # distances are antisymmetric: the transposed index serves the keys
            near = k @ heads(self.query_proj(positions)).swapaxes(-1, -2)
            scores = scores + mx.take_along_axis(near, mx.broadcast_to(index.T, shape), axis=-1).swapaxes(-1, -2)
        out = mx.softmax(scores * self.scale + mask, axis=-1) @ v
        return self.output(out.swapaxes(1, 2).reshape(batch, length, width))


class Layer(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.attention = DisentangledAttention(args)
        self.attention_norm = nn.LayerNorm(args.hidden_size, eps=args.layer_norm_eps)
        self.up = nn.Linear(args.hidden_size, args.intermediate_size)
        self.down = nn.Linear(args.intermediate_size, args.hidden_size)
        self.norm = nn.LayerNorm(args.hidden_size, eps=args.layer_norm_eps)

    def __call__(self, x: mx.array, mask: mx.array, positions: mx.array, index: mx.array) -> mx.array:
        x = self.attention_norm(x + self.attention(x, mask, positions, index))
        return self.norm(x + self.down(nn.gelu(self.up(x))))


class ContextPooler(nn.Module):
    """The first token's state, once more through a layer."""

    def __init__(self, args: ModelArgs):
        super().__init__()
        self.dense = nn.Linear(args.hidden_size, args.hidden_size)

    def __call__(self, x: mx.array) -> mx.array:
        return nn.gelu(self.dense(x[:, 0]))


class Model(nn.Module):
    """Map token numbers [B, L] to logits [B, num_labels]; `valid` [B, L] is False on padding, never in column 0."""

    def __init__(self, args: ModelArgs):
        super().__init__()
        self.args = args
        self.word_embeddings = nn.Embedding(args.vocab_size, args.hidden_size)
        self.embedding_norm = nn.LayerNorm(args.hidden_size, eps=args.layer_norm_eps)
        self.rel_embeddings = nn.Embedding(2 * args.span, args.hidden_size)
        if args.norm_rel_ebd == "layer_norm":
            self.rel_norm = nn.LayerNorm(args.hidden_size, eps=args.layer_norm_eps)
        self.layers = [Layer(args) for _ in range(args.num_hidden_layers)]
        self.pooler = ContextPooler(args)
        self.classifier = nn.Linear(args.hidden_size, args.num_labels)

    def __call__(self, tokens: mx.array, valid: mx.array) -> mx.array:
        args = self.args
        where, first, end = position_index(
            tokens.shape[1], args.span, args.position_buckets, args.max_relative_positions
        )
        positions, index = self.rel_embeddings.weight[first:end], mx.array(where)
        if args.norm_rel_ebd == "layer_norm":
            positions = self.rel_norm(positions)
        x = self.embedding_norm(self.word_embeddings(tokens))
        mask = mx.where(valid, 0.0, -1e9)[:, None, None, :].astype(x.dtype)
        for layer in self.layers:
            x = layer(x, mask, positions, index)
        return self.classifier(self.pooler(x))

    @staticmethod
    def sanitize(weights: dict[str, mx.array]) -> dict[str, mx.array]:
        """Rename Hugging Face's weights, with the `deberta.` prefix or without; heads of pretraining are left out."""
        renamed: dict[str, mx.array] = {}
        for name, weight in weights.items():
            name = name.removeprefix("deberta.")
            if name.startswith(_PRETRAINING) or name.endswith("position_ids"):
                continue
            for old, new in _NAMES:
                name = name.replace(old, new)
            renamed[name] = weight
        return renamed


_PRETRAINING = ("lm_predictions.", "mask_predictions.", "cls.")
_NAMES = (
    ("embeddings.word_embeddings", "word_embeddings"),
    ("embeddings.LayerNorm", "embedding_norm"),
    ("encoder.rel_embeddings", "rel_embeddings"),
    ("encoder.LayerNorm", "rel_norm"),
    ("encoder.layer.", "layers."),
    ("attention.self.", "attention."),
    ("attention.output.dense", "attention.output"),
    ("attention.output.LayerNorm", "attention_norm"),
    ("intermediate.dense", "up"),
    ("output.dense", "down"),
    ("output.LayerNorm", "norm"),
)
