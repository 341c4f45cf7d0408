"""The seam between a plan and the world: what carries a step out. `osascript.py` drives a Mac, `portable.py` a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from tinyagent_mlx.errors import StepError
from tinyagent_mlx.toolbox import Tool


@dataclass(frozen=True)
class Result:
    """What a step gave: `value` is what "$k" stands for, `handle` what an undo needs, `files` what was written.

    `text` is what was read whole, where `value` is only a summary of it; `note` says how the value came about, if that is
    worth a word.
    """

    value: str
    handle: str = ""
    files: tuple[Path, ...] = ()
    text: str = ""
    note: str = ""


class Desktop(Protocol):
    """`arguments` map names to resolved values: str, int, bool or tuple[str, ...]; datetimes are ISO text."""

    name: str

    def preview(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        """The exact script or operation and every argument, one a line, nothing cut."""
        ...

    async def call(self, tool: Tool, arguments: Mapping[str, Any], now: datetime) -> Result:
        """Carry a step out. Raises `StepError` or one of its kinds."""
        ...

    async def undo(self, tool: Tool, handle: str) -> str:
        """Undo a step and say what was undone. Raises `StepError` when it can't be."""
        ...


class Service(Protocol):
    """Carries out one tool that has no script."""

    def preview(self, arguments: Mapping[str, Any]) -> str:
        """What is sent, nothing cut but secrets. Raises `StepError`."""
        ...

    async def call(self, arguments: Mapping[str, Any], timeout: float) -> Result:
        """Carry a step out within about `timeout` seconds. Raises `StepError` or one of its kinds."""
        ...


class NoDesktop:
    """Carries nothing out: for planning alone."""

    name = "none"

    def preview(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        return tool.name

    async def call(self, tool: Tool, arguments: Mapping[str, Any], now: datetime) -> Result:
        raise StepError(f"{tool.name} was not carried out: there is no desktop")

    async def undo(self, tool: Tool, handle: str) -> str:
        raise StepError(f"{tool.name} was not undone: there is no desktop")
