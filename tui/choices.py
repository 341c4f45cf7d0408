"""What the user chose for good, as the screens use it: read again before it matters, written in a thread.

Knows nothing of widgets.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinyagent_mlx import settings
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.settings import Settings
from tinyagent_mlx.toolbox import Tool
from tui import keymap


class Choices:
    """`file` is None for choices that end with the program. Raises `ConfigError` when the file is wrong."""

    def __init__(self, file: Path | None = None):
        self.file = file
        self.settings = settings.read(file) if file else Settings()
        if file and self.settings.keys:
            keymap.check(self.settings.keys, settings.line_of(file, "keys"))

    def allows(self, tool: Tool) -> bool:
        """Whether a tool acts without asking. One that was allowed to write and now sends asks again."""
        allowed = {"write": self.settings.allow, "send": self.settings.allow_sends}.get(tool.effect, ())
        return tool.name in allowed

    def key(self, name: str) -> str:
        """The first key of a binding, as a footer writes it."""
        keys = self.settings.keys.get(name, keymap.DEFAULTS[name])
        return keys.partition(",")[0].strip().replace("ctrl+", "^").replace("slash", "/").upper()

    def known(self, theme: str, themes: Iterable[str]) -> str:
        """The theme, if there is one of that name. Raises `ConfigError` otherwise."""
        names = sorted(themes)
        if theme not in names:
            where = settings.line_of(self.file, "theme") if self.file else "settings"
            near = difflib.get_close_matches(theme, names, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
            raise ConfigError(f"{where}: key 'theme': {theme!r} is not known; {hint}")
        return theme

    async def renew(self) -> None:
        """Read the file again: it may have been edited. Raises `ConfigError`."""
        if self.file:
            self.settings = await asyncio.to_thread(settings.read, self.file)

    def forget(self) -> None:
        """Let every tool ask, until the file can be read again."""
        self.settings = replace(self.settings, allow=(), allow_sends=())

    async def allow(self, tools: Iterable[Tool]) -> None:
        """Let these tools act without asking from now on."""
        await self.renew()
        added: dict[str, list[str]] = {"write": [], "send": []}
        for tool in tools:
            if not self.allows(tool) and tool.name not in added[tool.effect]:
                added[tool.effect].append(tool.name)
        await self._change(
            allow=(*self.settings.allow, *added["write"]), allow_sends=(*self.settings.allow_sends, *added["send"])
        )

    async def ask_again(self, name: str) -> None:
        """Let a tool ask from now on."""
        await self.renew()
        await self._change(
            allow=tuple(tool for tool in self.settings.allow if tool != name),
            allow_sends=tuple(tool for tool in self.settings.allow_sends if tool != name),
        )

    async def choose(self, **values: Any) -> None:
        """Keep other values for some keys. Raises `ConfigError`."""
        await self.renew()
        await self._change(**values)

    async def keep_theme(self, name: str) -> None:
        await self._change(theme=name)

    async def _change(self, **values: Any) -> None:
        changed = {key: value for key, value in values.items() if getattr(self.settings, key) != value}
        file = self.file
        if file and changed:
            self.settings = await asyncio.to_thread(lambda: settings.change(file, **changed))
        elif changed:
            self.settings = replace(self.settings, **changed)
