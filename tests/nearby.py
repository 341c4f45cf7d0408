"""A stand-in for the sentence encoder: texts are near when they share words."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np

from tinyagent_mlx.toolbox import Toolbox

SIZE = 512


class SharedWords:
    """A bag of words, each word in the place that its checksum gives it."""

    def vector(self, text: str) -> np.ndarray:
        return self.vectors([text])[0]

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        out = np.zeros((len(texts), SIZE), np.float32)
        for row, text in zip(out, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                row[zlib.crc32(word.encode()) % SIZE] += 1
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)

    def tools(self, tools: Toolbox) -> np.ndarray:
        return self.vectors([f"{tool.name.replace('_', ' ')} {tool.description}" for tool in tools])

    def judge(self, texts: Sequence[str], tools: Toolbox) -> tuple[np.ndarray, np.ndarray]:
        vectors = self.vectors(texts)
        return vectors, 10 * vectors @ self.tools(tools).T
