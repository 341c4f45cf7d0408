"""Where things lie: what is shipped (beside the package in a checkout, inside it in a wheel) and the user's home folder."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """A shipped file or folder of the top level: tools.yaml, applescripts, weights."""
    inside = _PACKAGE / "shipped" / name
    return inside if inside.exists() else _PACKAGE.parent / name


def home(chosen: Path | None = None) -> Path:
    """The folder for state: the one chosen, TINYAGENT_HOME, or the system's place for user data. Not created here."""
    if chosen:
        return chosen
    named = os.environ.get("TINYAGENT_HOME")
    return Path(named) if named else Path(platformdirs.user_data_dir("tinyagent", appauthor=False))
