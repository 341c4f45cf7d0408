"""Weights that copy before anything is learnt: an induction circuit in the first two layers of a small Llama.

Half of the heads of layer 0 look one token back and note what it was; half of those of layer 1 look for the place whose note
is the token at hand, and bring what stands there: a name goes on in the plan as it went on in the request. Olsson et al. 2022
(arXiv:2209.11895) found it in trained models; a short training spends most of its steps on finding it (docs/lab.md), so
here it is the beginning. Every weight stays trainable.
"""

from __future__ import annotations

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import numpy as np
from mlx_lm.models.llama import Model

CONSTANT = 8.0  # an embedding's first number, in units of the others: what looks at places alone reads it
BACK = 6.0  # how sharply the token before is looked at
NOTE, SEARCH, BRING = 3.0, 2.2, 10.0  # gains of the note, of the search for it, and of what is brought
SLOW = 0.012  # radians a token: pairs of numbers that rotary positions turn no faster still tell tokens apart from afar
PARTS = ("q_proj", "k_proj", "v_proj", "o_proj")
LAYERS = 2  # that the circuit takes

Weights = dict[str, np.ndarray]


def begin_with_copying(model: Model, seed: int) -> None:
    """Write the circuit into a fresh model of two layers or more, in place."""
    args, rng = model.args, np.random.default_rng(seed)
    width = args.hidden_size
    table = rng.normal(size=(args.vocab_size, width))
    table[:, 0] = CONSTANT
    model.model.embed_tokens.weight = mx.array((table * width**-0.5).astype(np.float32))
    basis = np.zeros((width - 1, width))  # orthonormal, at right angles to the constant
    basis[:, 1:] = np.linalg.qr(rng.normal(size=(width - 1, width - 1)))[0]
    back, search = ({part: np.array(getattr(layer.self_attn, part).weight) for part in PARTS}
                    for layer in model.model.layers[:LAYERS])  # fmt: skip
    size = width // args.num_attention_heads
    rates = args.rope_theta ** (-np.arange(size // 2) / (size // 2))
    _write(back, search, basis, rates, max(1, args.num_attention_heads // 2))
    for layer, weights in zip(model.model.layers, (back, search), strict=False):
        for part, weight in weights.items():
            getattr(layer.self_attn, part).weight = mx.array(weight.astype(np.float32))


def _write(back: Weights, search: Weights, basis: np.ndarray, rates: np.ndarray, heads: int) -> None:
    """Both layers' attention; `rates` are the radians that each pair of a head's numbers is turned by a token."""
    width, half = basis.shape[1], len(rates)
    size, slow = 2 * half, np.flatnonzero(rates <= SLOW)
    spots, told = np.concatenate([slow, slow + half]), 2 * len(slow)
    constant = CONSTANT / np.sqrt((CONSTANT**2 + width - 1) / width)  # as the first norm leaves it
    brought = np.concatenate([basis[: heads * told], basis[2 * heads * told :]])
    for head in range(heads):
        own, note = basis[head * told :][:told], basis[(heads + head) * told :][:told]
        rows, at = slice(head * size, (head + 1) * size), head * size
        for part in ("q_proj", "k_proj", "v_proj"):
            back[part][rows] = 0
        back["k_proj"][at : at + half, 0] = BACK / constant
        back["q_proj"][at : at + half, 0] = BACK / constant * np.cos(rates)
        back["q_proj"][at + half : at + size, 0] = -BACK / constant * np.sin(rates)
        back["v_proj"][at : at + told] = own
        back["o_proj"][:, at : at + told] = NOTE * note.T * width**-0.5
        search["q_proj"][rows] = search["k_proj"][rows] = 0
        search["q_proj"][at + spots] = SEARCH * own
        search["k_proj"][at + spots] = SEARCH * note
        search["v_proj"][rows] = brought[rows]
        search["o_proj"][:, rows] = BRING * brought[rows].T * width**-0.5
