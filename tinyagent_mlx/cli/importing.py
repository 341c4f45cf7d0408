"""`tinyagent tools import`: draft tools from an application's scripting dictionary into the user's own tools file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tinyagent_mlx import ownfile, sdef
from tinyagent_mlx.cli import setup
from tinyagent_mlx.cli.making import app_name
from tinyagent_mlx.toolfile import load_toolboxes


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", type=Path, metavar="FILE.sdef", help="on a Mac: sdef /Applications/Some.app > Some.sdef"
    )
    parser.add_argument("--command", default="", metavar="NAME", help="this command only, as the dictionary calls it")
    parser.add_argument("--app", metavar="NAME", help="the program (default: the file's name)")


def call(options: argparse.Namespace) -> int:
    """Draft, write, and say what was left out."""
    sources, own = setup.writable(options)
    taken = load_toolboxes(sources).whole.names if sources else ()
    app = app_name(options.app if options.app is not None else options.file.stem)
    found = sdef.draft_tools(options.file, app, " ".join(options.command.split()), taken)
    made = ownfile.add(found.drafts, sources, own, explained=False)
    for word in found.words:
        print(word, file=sys.stderr)
    for draft in found.drafts:
        kept = "" if own.scripts / draft.script_name in made else " (its script was there before and is kept)"
        print(f"{draft.name}({', '.join(a.name for a in draft.arguments)}){kept}: {draft.description}")
    print(
        f"{own.file}: {len(found.drafts)} drafts at its end. Nobody has run them: read each script, mend, then try it."
    )
    return 0
