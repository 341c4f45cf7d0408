"""The toolbox as it lies on disk: read anew when a file changes, with what is wrong in it. Knows nothing of widgets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinyagent_mlx.errors import TinyAgentError
from tinyagent_mlx.toolbox import Toolbox

Edit = Callable[[Any, Path, int], str]
"""Opens a file at a line in an editor and waits; gives what went wrong, or ""."""


class Shelf:
    """`changed(toolbox, "")` tells of new tools, `changed(None, complaint)` of a file that does not check."""

    def __init__(self, load: Callable[[], Toolbox], file: Path, changed: Callable[[Toolbox | None, str], None]):
        self.load, self.file, self._changed = load, file, changed
        self.toolbox: Toolbox | None = None
        self.trouble = ""
        self.revision = 0
        self._seen: tuple[tuple[str, int, int], ...] = ()
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

    def _stamps(self) -> tuple[tuple[str, int, int], ...]:
        scripts = {str(file) for tool in self.toolbox or () for file in (tool.script, tool.inverse) if file}
        stamps = []
        for name in (str(self.file), *sorted(scripts)):
            try:
                stat = Path(name).stat()
                stamps.append((name, stat.st_mtime_ns, stat.st_size))
            except OSError:
                stamps.append((name, 0, 0))
        return tuple(stamps)

    def findings(self) -> list[str]:
        """What the check says of the tools and their scripts, a line each."""
        if self.trouble:
            return [self.trouble]
        from tinyagent_mlx.scripts import lint

        lines = []
        for tool in self.toolbox or ():
            for file in (tool.script, tool.inverse):
                for finding in lint(file.read_text(encoding="utf-8")) if file else ():
                    lines.append(
                        f"{file.name if file else ''}:{finding.line}: {finding.severity}: {finding.message}; {finding.remedy}"
                    )
        return lines
