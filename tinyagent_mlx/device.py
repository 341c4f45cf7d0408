"""Prepare MLX for this machine: import this module before `mlx.core` is imported anywhere else.

The Linux wheel of MLX links the reference BLAS. OpenBLAS, loaded first, takes its place and is tens of times faster;
`blas()` tells which one is in use.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import AbstractContextManager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

_LIBRARIES = ("libopenblas.so.0", "libopenblas.so")


def _preload() -> str:
    if sys.platform != "linux":
        return "system"
    if "torch" in sys.modules:  # two thread pools would fight for the cores
        return "reference"
    for name in _LIBRARIES:
        try:
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return "openblas"
    return "reference"


def _quiet_compiler() -> None:
    """On a CPU, mx.compile calls g++ for each new kernel; small models are faster without."""
    if sys.platform == "linux":
        os.environ.setdefault("MLX_DISABLE_COMPILE", "1")


_quiet_compiler()
_BLAS = _preload()


def blas() -> str:
    """Which BLAS the CPU backend uses: "openblas", "reference" (slow) or "system" (macOS)."""
    return _BLAS


def on_gpu() -> bool:
    """Whether MLX computes on a GPU here (Metal or CUDA)."""
    import mlx.core as mx

    return mx.default_device() == mx.Device(mx.gpu)


@lru_cache(1)
def _pools() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """BLAS on one thread, while small products are made one after another: to share each out costs more than it saves."""
    return _pools().limit(limits=1, user_api="blas")
