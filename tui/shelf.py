"""The toolbox as it lies on disk: read anew when a file changes, with what is wrong in it. Knows nothing of widgets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tinyagent_mlx.errors import TinyAgentError, UsageError
from tinyagent_mlx.stamps import Stamps, stamps
from tinyagent_mlx.toolbox import Tool, Toolbox

Switch = Callable[[str, bool], Any]
"""Switches a tool on or off in the user's own file. Raises `TinyAgentError`."""
Edit = Callable[[Any, Path, int], str]
"""Opens a file at a line in an editor and waits; gives what went wrong, or ""."""


class Shelf:
    """`files` are watched; the last one is the user's own and need not be there.

    `changed(toolbox, "")` tells of new tools, `changed(None, complaint)` of a file that does not check.
    """

    def __init__(
        self,
        load: Callable[[], Toolbox],
        files: Sequence[Path],
        changed: Callable[[Toolbox | None, str], None],
        switch: Switch | None = None,
    ):
        self.load, self.files, self._changed, self._switch = load, files, changed, switch
        self.toolbox: Toolbox | None = None
        self.trouble = ""
        self.revision = 0
        self._seen: Stamps = ()
        self._lock = asyncio.Lock()

    async def look(self) -> None:
        """Read the files again if one of them is other than last time; the first look tells nobody."""
        async with self._lock:
            seen = self._stamps()
            if seen == self._seen:
                return
            first, self._seen = not self._seen, seen
            try:
                toolbox = await asyncio.to_thread(self.load)
            except (TinyAgentError, OSError, UnicodeDecodeError) as error:
                self.trouble = str(error)
            else:
                self.toolbox, self.trouble = toolbox, ""
                self._seen = self._stamps()  # the scripts of the new tools are watched too
            self.revision += 1
        if not first or self.trouble:
            self._changed(None if self.trouble else self.toolbox, self.trouble)

    async def switch(self, tool: Tool) -> None:
        """Switch a tool off, or on when it is off, and take the change up. Raises `TinyAgentError`."""
        if self._switch is None or self.toolbox is None:
            raise UsageError("there is no file of your own to write that in")
        await asyncio.to_thread(self._switch, tool.name, tool.name not in self.toolbox)
        await self.look()

    @property
    def _whole(self) -> tuple[Tool, ...]:
        return self.toolbox.whole.tools if self.toolbox else ()

    def place(self, tool: Tool | None) -> tuple[Path, int]:
        """The file and the line to edit a tool at; where something is wrong, that comes first."""
        for file in self.files:
            if found := re.match(rf"{re.escape(str(file))}:(\d+): ", self.trouble):
                return file, int(found[1])
        declared = tool.declared if tool else None
        return (declared.file, declared.line) if declared else (self.files[0], 1)

    def _stamps(self) -> Stamps:
        scripts = {file for tool in self._whole for file in (tool.script, tool.inverse) if file}
        return stamps((*self.files, *scripts))

    def findings(self) -> list[str]:
        """What the check says of the tools and their scripts, a line each."""
        if self.trouble:
            return [self.trouble]
        from tinyagent_mlx.scripts import lint

        lines = []
        for tool in self._whole:
            for file in (tool.script, tool.inverse):
                for finding in lint(file.read_text(encoding="utf-8")) if file else ():
                    lines.append(
                        f"{file.name if file else ''}:{finding.line}: {finding.severity}: {finding.message}; {finding.remedy}"
                    )
        return lines
