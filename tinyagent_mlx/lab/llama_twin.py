"""The small Llama once more in PyTorch, for training on a CPU, where PyTorch's kernels are several times faster.

Optional: nothing at run time needs it. Module names are mlx-lm's, so that a state dict is an MLX checkpoint and back
without conversion; `tests/test_llama_twin.py` holds the two to the same numbers wherever PyTorch is installed.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import numpy as np
from mlx_lm.models.llama import Model

from tinyagent_mlx.lab.lessons import Lesson
from tinyagent_mlx.lab.torch_twin import rounded
from tinyagent_mlx.weights import flat


class Attention(nn.Module):
    def __init__(self, config: dict[str, Any]):
        super().__init__()
        size, self.heads = config["hidden_size"], config["num_attention_heads"]
        self.q_proj, self.k_proj = nn.Linear(size, size, bias=False), nn.Linear(size, size, bias=False)
        self.v_proj, self.o_proj = nn.Linear(size, size, bias=False), nn.Linear(size, size, bias=False)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        q, k, v = (part(x).unflatten(-1, (self.heads, -1)) for part in (self.q_proj, self.k_proj, self.v_proj))
        q, k, v = (part.transpose(1, 2) for part in (_turned(q, turn), _turned(k, turn), v))
        return self.o_proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


class MLP(nn.Module):
    def __init__(self, config: dict[str, Any]):
        super().__init__()
        size, wide = config["hidden_size"], config["intermediate_size"]
        self.gate_proj, self.up_proj = nn.Linear(size, wide, bias=False), nn.Linear(size, wide, bias=False)
        self.down_proj = nn.Linear(wide, size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config: dict[str, Any]):
        super().__init__()
        self.self_attn, self.mlp = Attention(config), MLP(config)
        self.input_layernorm, self.post_attention_layernorm = _norm(config), _norm(config)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), turn)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, config: dict[str, Any]):
        super().__init__()
        self.embed_tokens = nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.layers = nn.ModuleList(Layer(config) for _ in range(config["num_hidden_layers"]))
        self.norm = _norm(config)
        self.half = config["hidden_size"] // config["num_attention_heads"] // 2
        self.base = config["rope_theta"]

    def forward(self, tokens: Tensor) -> Tensor:
        rates = self.base ** (-torch.arange(self.half) / self.half)
        angles = (torch.arange(tokens.shape[1])[:, None] * rates)[:, None]
        x, turn = self.embed_tokens(tokens), (angles.cos(), angles.sin())
        for layer in self.layers:
            x = layer(x, turn)
        return self.norm(x)


class Llama(nn.Module):
    """Of what a config.json of `small_llama.config_of` says."""

    def __init__(self, config: dict[str, Any]):
        super().__init__()
        self.model = Body(config)


def of(model: Model) -> Llama:
    """The twin of a model that `small_llama.build` made, with its weights."""
    twin = Llama(vars(model.args))
    twin.load_state_dict({name: torch.from_numpy(np.array(w)) for name, w in flat(model.parameters()).items()})
    return twin


def loss(twin: Llama, lesson: Lesson, quantized: bool = False) -> Tensor:
    """What `train_language.loss` computes."""
    weights = {name: rounded(name, w) if quantized else w for name, w in twin.model.named_parameters()}
    tokens, spots, targets = (torch.from_numpy(a).long() for a in (lesson.tokens, lesson.spots, lesson.targets))
    hidden = torch.func.functional_call(twin.model, weights, (tokens,)).flatten(0, 1)[spots]
    return F.cross_entropy(hidden @ weights["embed_tokens.weight"].T, targets)


def _norm(config: dict[str, Any]) -> nn.RMSNorm:
    return nn.RMSNorm(config["hidden_size"], eps=config["rms_norm_eps"])


def _turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions from 0, halves rotated; x is [B, L, heads, d]."""
    a, b = x.chunk(2, dim=-1)
    cos, sin = turn
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
