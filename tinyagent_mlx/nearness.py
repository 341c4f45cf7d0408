"""What lies nearest to a request: tools by their descriptions, and examples by their requests.

Method: Erdogan et al. 2024, TinyAgent (arXiv:2409.00608), the embedding baseline and the in-context examples. This module
knows vectors, not where they come from: `sentences.py` makes them with the shipped encoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from tinyagent_mlx.toolbox import Example, Toolbox

TOP = 4


class Vectors(Protocol):
    """Unit vectors, so that a product of two is a cosine."""

    def vector(self, text: str) -> np.ndarray: ...  # [e], of one request

    def vectors(self, texts: Sequence[str]) -> np.ndarray: ...  # [N, e]

    def tools(self, tools: Toolbox) -> np.ndarray: ...  # [T, e]


class EmbeddingRetriever:
    """The `top` tools whose vectors are nearest to the request's, in the toolbox's order."""

    name = "embedding"

    def __init__(self, vectors: Vectors, top: int = TOP):
        self.vectors, self.top = vectors, top

    def retrieve(self, text: str, tools: Toolbox) -> tuple[str, ...]:
        cosines = self.vectors.tools(tools) @ self.vectors.vector(text)
        chosen = set(np.argsort(-cosines, kind="stable")[: self.top].tolist())
        return tuple(name for number, name in enumerate(tools.names) if number in chosen)


class NearestExamples:
    """The examples of the tools at hand, and `more` that call no other tools, nearest request first."""

    def __init__(self, vectors: Vectors, more: Sequence[Example] = ()):
        self.vectors, self.more = vectors, tuple(more)
        self._known: dict[str, np.ndarray] = {}

    def choose(self, request: str, tools: Toolbox, most: int) -> tuple[Example, ...]:
        return self.nearest(self.vectors.vector(request), tools, most)

    def nearest(self, vector: np.ndarray, tools: Toolbox, most: int, leave_out: str = "") -> tuple[Example, ...]:
        """Choose for a request's vector [e]; `leave_out` is a request that is not shown, the one that is asked."""
        at_hand = set(tools.names)
        known = [e for e in self._all(tools) if {s.tool for s in e.plan.steps} <= at_hand and e.request != leave_out]
        if not known or most < 1:
            return ()
        cosines = self._vectors_of(known) @ vector
        return tuple(known[number] for number in np.argsort(-cosines, kind="stable")[:most])

    def _all(self, tools: Toolbox) -> list[Example]:
        """No request twice: what stands under two tools, or in tools.yaml and beside it."""

        def found() -> Iterator[Example]:
            yield from (example for tool in tools for example in tool.examples)
            yield from self.more

        return list({example.request: example for example in found()}.values())

    def _vectors_of(self, examples: Sequence[Example]) -> np.ndarray:
        new = [example.request for example in examples if example.request not in self._known]
        if new:
            self._known.update(zip(new, self.vectors.vectors(new), strict=True))
        return np.stack([self._known[example.request] for example in examples])
