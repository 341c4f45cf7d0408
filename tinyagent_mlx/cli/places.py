"""The options of every verb: which tools, and where state lies."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


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
