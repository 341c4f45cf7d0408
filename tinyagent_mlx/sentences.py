"""Vectors of requests and tools from the shipped planner's encoder. Knows nothing of what they are compared for."""

from __future__ import annotations

from collections.abc import Sequence

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import numpy as np

from tinyagent_mlx.pointing import PointerEngine
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.words import split_words

AT_ONCE = 64  # requests a pass


class Sentences:
    """Unit vectors, the mean over a text's tokens. One request shares the planner's own pass over it."""

    def __init__(self, engine: PointerEngine):
        self.engine = engine

    def vector(self, text: str) -> np.ndarray:
        """Of one request: [e]."""
        return _unit(np.array(self.engine.read(text).vector))

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Of many texts: [N, e]."""
        return self._many(texts, None)[0]

    def tools(self, tools: Toolbox) -> np.ndarray:
        """Of each tool, its description's and examples' mean: [T, e]."""
        return _unit(np.array(self.engine.compile(tools).schema.tools))

    def judge(self, texts: Sequence[str], tools: Toolbox) -> tuple[np.ndarray, np.ndarray]:
        """The vectors of many texts [N, e], and the retriever's logit of each tool [N, T], in one pass."""
        return self._many(texts, tools)

    def _many(self, texts: Sequence[str], tools: Toolbox | None) -> tuple[np.ndarray, np.ndarray]:
        model = self.engine.model
        schema = self.engine.compile(tools).schema if tools else None
        vectors = np.zeros((len(texts), model.args.encoder.hidden_size), np.float32)
        logits = np.zeros((len(texts), len(tools) if tools else 0), np.float32)
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        for start in range(0, len(order), AT_ONCE):
            group = order[start : start + AT_ONCE]
            batch = self.engine.tokenizer.batch([[word.text for word in split_words(texts[n])] for n in group])
            valid = mx.array(batch.valid)
            states = model.encode(mx.array(batch.tokens), mx.array(batch.shapes), valid)
            vectors[group] = np.array((states * valid[..., None]).sum(axis=1) / valid.sum(axis=1, keepdims=True))
            if schema is not None:
                logits[group] = np.array(model.retrieve(states, valid, schema))
        return _unit(vectors), logits


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Rows at length one; what is nothing stays so."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
