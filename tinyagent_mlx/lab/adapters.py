"""LoRA adapters in a model of mlx-lm: put in, run as 4 bits would, fused. Knows nothing of data and of training."""

from __future__ import annotations

from typing import Any

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_unflatten
from mlx_lm.tuner.lora import LoRALinear
from mlx_lm.tuner.utils import linear_to_lora_layers
from mlx_lm.utils import dequantize_model

from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab.recipes import LoraRecipe
from tinyagent_mlx.weights import GROUP, through_4_bits


def adapt(model: Any, recipe: LoraRecipe) -> dict[str, Any]:
    """Freeze a model and put adapters in; gives what mlx-lm's adapter_config.json says of them."""
    blocks = recipe.blocks or len(model.layers)
    if blocks > len(model.layers):
        raise ConfigError(f"--blocks {blocks}: the model has {len(model.layers)}")
    mx.random.seed(recipe.seed)
    model.freeze()
    parameters = {"rank": recipe.rank, "scale": recipe.scale, "dropout": recipe.dropout}
    linear_to_lora_layers(model, blocks, parameters)
    return {"fine_tune_type": "lora", "num_layers": blocks, "lora_parameters": parameters}


class Rounded(LoRALinear):
    """A matrix with its adapter, run as 4 bits in groups of 32 would run the two fused: y = x Q(W)ᵀ, W = W₀ + s(AB)ᵀ.

    The rounding is straight-through, W + stop_gradient(Q(W) - W): A and B get the gradients that they would have without
    it. Those are computed from their own product, so that no gradient as large as W is ever made.
    """

    def __init__(self, adapter: LoRALinear):
        super().__init__(1, 1)
        self.linear, self.dropout, self.scale = adapter.linear, adapter.dropout, adapter.scale
        self.lora_a, self.lora_b = adapter.lora_a, adapter.lora_b

    def __call__(self, x: mx.array) -> mx.array:
        fused = self.fuse(dequantize=True)
        y = x @ through_4_bits(mx.stop_gradient(fused.weight)).T
        if "bias" in fused:
            y = y + fused.bias
        if not self.training:
            return y
        own = (self.scale * (self.dropout(mx.stop_gradient(x)) @ self.lora_a) @ self.lora_b).astype(x.dtype)
        return y + own - mx.stop_gradient(own)


def simulate(model: nn.Module) -> None:
    """From here on run the adapted matrices as 4 bits would; those without an adapter stay as they are."""
    rounded: list[Any] = [
        (name, Rounded(module))
        for name, module in model.named_modules()
        if type(module) is LoRALinear and module.lora_a.shape[0] % GROUP == 0
    ]
    model.update_modules(tree_unflatten(rounded))


def fuse(model: nn.Module) -> None:
    """Put adapters into the matrices that they stand beside; what was quantized is expanded, never quantized twice."""
    fused: list[Any] = [
        (name, module.fuse(dequantize=True)) for name, module in model.named_modules() if hasattr(module, "fuse")
    ]
    if fused:
        model.update_modules(tree_unflatten(fused))
    dequantize_model(model)
    mx.eval(model.parameters())
