"""The beginning of a prompt on disk: what a network remembers of it, so that a new process need not read it again.

A file is named by what it follows from: the model's files, how they are run, and the tokens themselves, so that another
adapter, quantization, layout or toolbox asks for another file and finds none. Its name also holds a checksum: a file that
is damaged is deleted and made anew. Those that were not used for the longest time go first when the folder grows too large.
Knows nothing of what a prompt says.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tinyagent_mlx.device as device

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten
from mlx_lm.models.cache import load_prompt_cache, save_prompt_cache

MOST = 1_000_000_000  # bytes of all files together
LEAST = 64  # tokens: what is shorter is read as quickly as it is loaded


class Heads:
    """The beginnings that one model has read, in a folder that others share. It is a cache: nothing here raises."""

    def __init__(self, folder: Path, model: str, most: int = MOST):
        self.folder, self.model, self.most = folder, model, most

    def read(self, tokens: Sequence[int]) -> list[Any] | None:
        """A prompt cache that has read exactly these tokens, or None."""
        for file in self.folder.glob(f"{self._name(tokens)}-*.safetensors"):
            try:
                found = _load(file)
                os.utime(file)
                return found
            except Exception:  # whatever is wrong with it, it is made anew
                with suppress(OSError):
                    file.unlink()
        return None

    def write(self, tokens: Sequence[int], cache: list[Any]) -> None:
        """Keep a prompt cache that has read these tokens; where that can't be done, it is not kept."""
        part = self.folder / f".{self._name(tokens)}-{os.getpid()}.safetensors"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_prompt_cache(str(part), cache)
            part.rename(self.folder / f"{self._name(tokens)}-{_checksum(part):08x}.safetensors")
        except (OSError, ValueError, RuntimeError, NotImplementedError):
            with suppress(OSError):
                part.unlink()
        self._tidy()

    def _name(self, tokens: Sequence[int]) -> str:
        return hashlib.sha256(json.dumps([self.model, list(tokens)]).encode()).hexdigest()[:24]

    def _tidy(self) -> None:
        """Delete the files that were not used for the longest time, until the rest fit."""
        room = self.most
        with suppress(OSError):
            for _, size, file in sorted((_age(file) for file in self.folder.glob("*.safetensors")), reverse=True):
                room -= size
                if room < 0:
                    file.unlink()


def stamp(folder: Path, model: nn.Module) -> str:
    """What tells a model, and how it is run, from every other: its files (weights, adapters, configuration) by name, size
    and moment, the types that it computes with, the machine's kind."""
    files = sorted(file for kind in ("*.safetensors", "*.json") for file in folder.rglob(kind))
    seen = [(str(file.relative_to(folder)), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    leaves: Any = tree_flatten(model.parameters())
    types = sorted({str(value.dtype) for _, value in leaves})
    told = [str(folder.resolve()), seen, types, device.on_gpu(), version("mlx")]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _load(file: Path) -> list[Any]:
    if not file.stem.endswith(f"-{_checksum(file):08x}"):
        raise ValueError("damaged")
    cache: list[Any] = load_prompt_cache(str(file))
    mx.eval([layer.state for layer in cache])
    return cache


def _checksum(file: Path) -> int:
    found = 0
    with file.open("rb") as source:
        while piece := source.read(1 << 20):
            found = zlib.crc32(piece, found)
    return found


def _age(file: Path) -> tuple[float, int, Path]:
    seen = file.stat()
    return seen.st_mtime, seen.st_size, file
