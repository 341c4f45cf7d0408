"""The planners that fine-tuning installed in the user's home: numbered folders, and a file that names the one in use.

A planner that was in use stays, so that one can go back. This module knows folders, not models.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tinyagent_mlx.errors import ConfigError

_AFTER = "installed_after"  # in a planner's folder: which one was in use before it


class Planners:
    """The planners in a folder of the user's home: fine-tuned ones by number, and which of them is in use."""

    def __init__(self, folder: Path):
        self.folder, self._file = folder, folder / "in_use"

    @property
    def in_use(self) -> Path | None:
        """The folder of the planner in use, None for the shipped one. Raises `ConfigError` when it is gone."""
        name = self._name()
        if not name:
            return None
        if not (self.folder / name / "manifest.json").is_file():
            raise ConfigError(
                f"{self._file}: {name!r} is no planner in {self.folder}; `tinyagent finetune --rollback` ends this"
            )
        return self.folder / name

    def install(self, planner: Path) -> Path:
        """Move a planner folder here and use it."""
        number = 1 + max((int(place.name) for place in self.folder.glob("[0-9]*") if place.name.isdigit()), default=0)
        place = self.folder / str(number)
        self.folder.mkdir(parents=True, exist_ok=True)
        (planner / _AFTER).write_text(self._name() + "\n", encoding="utf-8")
        shutil.move(planner, place)
        self._use(place.name)
        return place

    def rollback(self) -> Path | None:
        """Go back to the planner before the one in use, or to the shipped one; gives its folder, None for the shipped."""
        name = self._name()
        if not name:
            raise ConfigError(f"{self.folder}: the shipped planner is in use already: there is nothing to go back to")
        self._use(self._before(name))
        return self.in_use

    def _name(self) -> str:
        """What the file says is in use, "" for the shipped planner."""
        return self._file.read_text(encoding="utf-8").strip() if self._file.is_file() else ""

    def _before(self, name: str) -> str:
        """The planner that was in use when this one was installed, where it is still there; of those installed by older versions the
        number before."""
        told = self.folder / name / _AFTER
        if told.is_file():
            before = told.read_text(encoding="utf-8").strip()
            return before if (self.folder / before / "manifest.json").is_file() else ""
        if not name.isdigit():
            return ""
        older = [int(p.name) for p in self.folder.glob("[0-9]*") if p.name.isdigit() and int(p.name) < int(name)]
        return str(max(older)) if older else ""

    def _use(self, name: str) -> None:
        part = self._file.with_suffix(".part")
        part.write_text(name + "\n", encoding="utf-8")
        part.replace(self._file)
