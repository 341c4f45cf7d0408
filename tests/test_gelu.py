"""GELU on a CPU: near the exact one in value and in slope, everywhere."""

from __future__ import annotations

import math

import mlx.core as mx
import numpy as np

from tinyagent_mlx import gelu

X = np.concatenate([np.linspace(-12, 12, 4801), [-1e4, 1e4]]).astype(np.float32)
PHI = np.array([0.5 * (1 + math.erf(x / math.sqrt(2))) for x in X])


def test_the_value_is_right_to_the_sixth_digit():
    off = np.abs(np.array(gelu.quick(mx.array(X))) - X * PHI)
    assert (off <= 4e-6 * np.maximum(1, np.abs(X))).all()


def test_the_slope_is_right_to_the_fourth_digit():
    _, (slope,) = mx.vjp(gelu.quick, [mx.array(X)], [mx.ones(len(X))])
    exact = PHI + X * np.exp(-(X.astype(np.float64) ** 2) / 2) / math.sqrt(2 * math.pi)
    assert np.abs(np.array(slope) - exact).max() < 6e-4
