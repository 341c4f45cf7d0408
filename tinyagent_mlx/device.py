"""Prepare MLX for this machine: import this module before `mlx.core` is imported anywhere else.

The Linux wheel of MLX links the reference BLAS. OpenBLAS, loaded first, takes its place and is tens of times faster;
`blas()` tells which one is in use.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from threading import Lock

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


class _OneThread:
    """The limit holds for the whole process: it begins with the first who asks for it and ends with the last."""

    def __init__(self) -> None:
        self._lock, self._users = Lock(), 0
        self._limit: AbstractContextManager[object] | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._limit = _pools().limit(limits=1, user_api="blas")
                self._limit.__enter__()
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0 and self._limit:
                    self._limit.__exit__(None, None, None)


_one_thread = _OneThread()


def one_thread() -> AbstractContextManager[None]:
    """BLAS on one thread, while small products are made one after another: to share each out costs more than it saves.

    Threads may be in it at once, and one of them more than once.
    """
    return _one_thread()
