"""The options of every verb: which tools, and where state lies."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from tinyagent_mlx.errors import UsageError


def add_options(parser: argparse.ArgumentParser, again: bool = False) -> None:
    """Add --tools and --home; `again` is for an action of a verb that takes them too, so that either side of it will do."""
    suppressed: dict[str, Any] = {"default": argparse.SUPPRESS} if again else {}
    parser.add_argument(
        "--tools",
        dest="tools_file",
        type=Path,
        action="append",
        metavar="FILE",
        help="another tools.yaml instead of the shipped one and your own; repeat it for one file after another",
        **suppressed,
    )
    parser.add_argument(
        "--home", type=Path, metavar="DIR", help="another place for state (or TINYAGENT_HOME)", **suppressed
    )


def check_output(flag: str, file: Path | None) -> None:
    """Raises `UsageError` before long work whose result could not be written to a file; folders that are not there yet are made."""
    if file is None:
        return
    if file.is_dir():
        raise UsageError(f"{flag} {file}: is a folder, expected a file")
    folder = next(place for place in file.absolute().parents if place.exists())
    if not folder.is_dir():
        raise UsageError(f"{flag} {file}: {folder} is no folder")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise UsageError(f"{flag} {file}: may not be written")
