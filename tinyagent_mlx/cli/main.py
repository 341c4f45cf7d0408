"""`tinyagent VERB …`: read the arguments, call the verb, turn errors into one line and an exit status.

Exit status: 0 done, 1 the request failed, 2 wrong usage or configuration. Loads neither MLX nor a screen library.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from tinyagent_mlx.cli import places
from tinyagent_mlx.errors import TinyAgentError

VERBS = {
    "plan": "show the plan for a request; nothing is carried out",
    "run": "plan a request, ask once, and carry it out",
    "listen": "say a request into the microphone; then as run does",
    "history": "list, show, search and export what was asked, approved and done",
    "undo": "undo a step of a request that was carried out",
    "tools": "list, show and check the tools in tools.yaml",
    "models": "list, fetch, convert and choose language models by name",
    "finetune": "teach the planner your own tools, from the examples in tools.yaml",
    "train": "train the planner, a small language model, or adapters for a large one",
    "data": "make, ask for and import requests with their plans, to train on",
    "eval": "measure plans against a case file",
    "bench": "time planning on this machine",
    "report": "measure and write the tables and plots that README shows",
    "mcp": "offer the tools to other programs over the Model Context Protocol",
    "zoom": "keep the login for Zoom meetings in the keychain",
    "doctor": "say what works on this machine and what does not",
    "demo": "plan and carry out a sample request on sample files",
}


def common_options() -> argparse.ArgumentParser:
    """Options of every verb."""
    parser = argparse.ArgumentParser(add_help=False)
    places.add_options(parser)
    return parser


def parser() -> argparse.ArgumentParser:
    """The whole command line; a verb's own options are added when it is named."""
    top = argparse.ArgumentParser(prog="tinyagent", description="A private assistant that runs on your own machine.")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, text in VERBS.items():
        verbs.add_parser(verb, help=text, description=text[0].upper() + text[1:] + ".", add_help=False)
    return top


def screen_options(given: list[str]) -> argparse.Namespace:
    """Read the options of the terminal UI."""
    own = argparse.ArgumentParser(prog="tinyagent", parents=[common_options()])
    setup = importlib.import_module("tinyagent_mlx.cli.setup")
    setup.add_model_options(own)
    setup.add_desktop_option(own)
    setup.add_writer_option(own)
    importlib.import_module("tinyagent_mlx.cli.hearing").add_voice_options(own)
    return own.parse_args(given)


def screen(given: list[str]) -> int:
    """Start the terminal UI; without a terminal say how the command is used."""
    options = screen_options(given)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        parser().print_help(sys.stderr)
        return 2
    return int(importlib.import_module("tui.app").run(options))


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    given = [argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for argument in given]
    try:
        if given and given[0] in VERBS:
            verb = importlib.import_module(f"tinyagent_mlx.cli.{given[0]}")
            own = argparse.ArgumentParser(
                prog=f"tinyagent {given[0]}", description=verb.__doc__, parents=[common_options()]
            )
            verb.add_options(own)
            status = verb.call(own.parse_args(given[1:]))
        elif not given or (given[0] not in ("-h", "--help") and given[0].startswith("-")):
            status = screen(given)
        else:
            parser().parse_args(given)
            status = 2
        sys.stdout.flush()
        return status
    except TinyAgentError as error:
        print(f"tinyagent: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("tinyagent: stopped", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        print(f"tinyagent: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
