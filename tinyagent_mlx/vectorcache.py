"""Vectors of texts on disk: what tools.yaml says is encoded once, not by each process anew.

A file is named by the weights that made its vectors, so that other weights find none. Only texts that are not in it are
encoded: a tool that is edited costs its own lines. Knows nothing of what the texts are.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import numpy as np

MOST = 20_000  # texts in a file; beyond that only those of the last toolbox are kept
FILES = 8  # of as many weights; those that were not used for the longest time go first

Encode = Callable[[Sequence[str]], mx.array]


class Vectors:
    """The vectors [e] that one set of weights gives texts; without a folder, for as long as the process lives.

    It is a cache: a file that is damaged or can't be written is as good as none.
    """

    def __init__(self, weights: Path, folder: Path | None = None):
        self.weights, self.folder = weights, folder
        self._known: dict[str, np.ndarray] = {}
        self._used: set[str] = set()
        self._read = self._changed = False

    def of(self, texts: Sequence[str], encode: Encode) -> mx.array:
        """The vectors [N, e] of texts, N at least 1; those that are not known are encoded, each once."""
        self._load()
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            self._known.update(zip(missing, np.array(encode(missing)), strict=True))
            self._changed = True
        self._used.update(texts)
        return mx.array(np.stack([self._known[text] for text in texts]))

    def save(self) -> None:
        """Write what came to be known since the last time."""
        if self.folder is None or not self._changed:
            return
        self._changed = False
        kept = [text for text in self._known if len(self._known) <= MOST or text in self._used]
        file = self._file()
        part = file.with_name(f".{os.getpid()}-{file.name}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            rows = mx.array(np.stack([self._known[text] for text in kept]))
            mx.save_safetensors(str(part), {"vectors": rows}, {"texts": json.dumps(kept)})
            part.replace(file)
            for old in sorted(self.folder.glob("*.safetensors"), key=lambda f: f.stat().st_mtime)[:-FILES]:
                old.unlink()
        except (OSError, RuntimeError):
            with suppress(OSError):
                part.unlink()

    def _load(self) -> None:
        if self.folder is None or self._read:
            return
        self._read = True
        with suppress(Exception):  # whatever is wrong with it, it is made anew
            found: Any = mx.load(str(self._file()), return_metadata=True)
            arrays, told = found
            texts = json.loads(told["texts"])
            self._known.update(zip(texts, np.array(arrays["vectors"]), strict=True))
            os.utime(self._file())

    def _file(self) -> Path:
        assert self.folder is not None
        with self.weights.open("rb") as source:
            name = hashlib.file_digest(source, "sha256").hexdigest()[:24]
        return self.folder / f"{name}.safetensors"
