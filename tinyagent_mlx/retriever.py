"""Choose the few tools that a request needs. `pointing.py` holds the shipped classifier; here are the seam and the baseline."""

from __future__ import annotations

from typing import Protocol

from tinyagent_mlx.toolbox import Toolbox


class Retriever(Protocol):
    """Gives tool names in the toolbox's order, never none."""

    name: str

    def retrieve(self, text: str, tools: Toolbox) -> tuple[str, ...]: ...


class EveryTool:
    """No retrieval: the baseline."""

    name = "none"

    def retrieve(self, text: str, tools: Toolbox) -> tuple[str, ...]:
        return tools.names
