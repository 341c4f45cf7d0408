"""Build the parts that a command asks for: toolbox, planner, retriever, desktop, and the moment that counts as now."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tinyagent_mlx import paths
from tinyagent_mlx.cli import hearing
from tinyagent_mlx.errors import ConfigError, UsageError
from tinyagent_mlx.planners import Planners
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import Source, load_toolboxes

if TYPE_CHECKING:
    from tinyagent_mlx.agent import Agent
    from tinyagent_mlx.desktop.base import Desktop
    from tinyagent_mlx.history import History
    from tinyagent_mlx.planner import Planner
    from tinyagent_mlx.pointing import PointerEngine
    from tinyagent_mlx.retriever import Retriever

RETRIEVALS = ("classifier", "none")


def add_request_options(parser: argparse.ArgumentParser) -> None:
    """Options of the verbs that take a request."""
    parser.add_argument("query", nargs="?", metavar="QUERY", help="the request, in quotes")
    hearing.add_file_option(parser)
    add_planning_options(parser)


def add_planning_options(parser: argparse.ArgumentParser) -> None:
    """Options of the verbs that plan, wherever the request comes from."""
    parser.add_argument("--now", metavar="WHEN", help="plan as if it were then: 2026-11-27 15:00")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_model_options(parser)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Options that choose the planner and the retriever."""
    parser.add_argument(
        "--model", metavar="NAME", help="the folder of a planner or of any mlx-lm model (default: the shipped planner)"
    )
    parser.add_argument(
        "--retrieval",
        type=_retrieval,
        default="classifier",
        metavar="HOW",
        help="how tools are chosen: classifier (the default), none, or the folder of a DeBERTa classifier",
    )


def _retrieval(name: str) -> str:
    """One of the names, or a folder that is there; a name wins over a folder that is called the same."""
    if name not in RETRIEVALS and not Path(name).is_dir():
        raise argparse.ArgumentTypeError(f"{name!r} is neither {' nor '.join(RETRIEVALS)} nor a folder")
    return name


def add_desktop_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--desktop",
        metavar="WHERE",
        help="'macos', or a folder for the portable desktop (default: macos on a Mac, else a folder in the home)",
    )


def sources(options: argparse.Namespace) -> tuple[Source, ...]:
    """The named tools files and nothing else; without any, the shipped one and the user's own after it, if it is there."""
    if options.tools_file:
        return tuple(Source(file, _scripts_of(file)) for file in options.tools_file)
    shipped, own = Source(paths.shipped("tools.yaml"), paths.shipped("applescripts")), own_source(options)
    return (shipped, own) if own.file.is_file() else (shipped,)


def own_source(options: argparse.Namespace) -> Source:
    """The tools file that is the user's to write in: the last one named, or tools.yaml in the home folder."""
    file = options.tools_file[-1] if options.tools_file else paths.home(options.home) / "tools.yaml"
    return Source(file, file.parent / "applescripts")


def tool_files(options: argparse.Namespace) -> tuple[Path, ...]:
    """The tools files to watch, the user's own last, whether it is there yet or not."""
    return tuple(options.tools_file) if options.tools_file else (paths.shipped("tools.yaml"), own_source(options).file)


def _scripts_of(file: Path) -> Path:
    """The folder of a named file's scripts: beside it, else the shipped one."""
    scripts = file.parent / "applescripts"
    return scripts if scripts.is_dir() else paths.shipped("applescripts")


def toolbox(options: argparse.Namespace) -> Toolbox:
    """Read the named tools files, or the shipped one with the user's own."""
    return load_toolboxes(sources(options))


def writable(options: argparse.Namespace) -> tuple[tuple[Source, ...], Source]:
    """The tools files that are there, and the one that is the user's to write in, which need not be."""
    own = own_source(options)
    return tuple(source for source in sources(options) if source.file != own.file or own.file.exists()), own


def now(text: str | None) -> datetime:
    """The named moment, or this one, without fractions of a second."""
    if not text:
        return datetime.now().replace(microsecond=0)
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"--now: {text!r} is no moment; write it as 2026-11-27 15:00") from error


def planner_folder(options: argparse.Namespace) -> Path:
    """The planner in use: the last fine-tuned one, or the shipped one."""
    return Planners(paths.home(options.home) / "planners").in_use or paths.shipped("weights") / "planner"


def planner_and_retriever(options: argparse.Namespace, tools: Toolbox) -> tuple[Planner, Retriever]:
    """Load the models. The shipped weights serve both; another model plans with the shipped retriever beside it."""
    from tinyagent_mlx.pointing import PointerEngine, PointerPlanner

    folder = Path(options.model) if options.model else planner_folder(options)
    own = (folder / "manifest.json").is_file()
    shipped = folder if own else paths.shipped("weights") / "planner"
    engine = PointerEngine(shipped) if own or options.retrieval == "classifier" else None
    retriever = _retriever(options.retrieval, engine)
    if own and engine:
        return PointerPlanner(engine), retriever
    if not (folder / "config.json").is_file():
        raise ConfigError(f"--model: {str(folder)!r} is no model folder: it has no config.json")
    from tinyagent_mlx import language

    return language.load(folder), retriever


def _retriever(name: str, engine: PointerEngine | None) -> Retriever:
    """The named retriever; the classifier shares the planner's engine."""
    if name == "classifier" and engine:
        from tinyagent_mlx.pointing import PointerRetriever

        return PointerRetriever(engine)
    if name == "none":
        from tinyagent_mlx.retriever import EveryTool

        return EveryTool()
    from tinyagent_mlx.toolrag import ToolRag

    return ToolRag(Path(name))


def desktop_place(options: argparse.Namespace) -> str:
    """Where the desktop is: "macos", or a folder's full path. It finds the same desktop again for an undo."""
    where = options.desktop or ("macos" if sys.platform == "darwin" else "")
    return (
        "macos"
        if where == "macos"
        else str((Path(where) if where else paths.home(options.home) / "desktop").absolute())
    )


def desktop(options: argparse.Namespace) -> Desktop:
    """The Mac itself, or a folder in open formats."""
    where = desktop_place(options)
    if where == "macos":
        from tinyagent_mlx.desktop.osascript import OsascriptDesktop
        from tinyagent_mlx.desktop.pdf import summarize

        return OsascriptDesktop(finish={"summarize_pdf": summarize})
    from tinyagent_mlx.desktop.portable import PortableDesktop

    return PortableDesktop(Path(where))


def history(options: argparse.Namespace) -> History:
    """The history in the home folder."""
    from tinyagent_mlx.history import History

    return History(paths.home(options.home) / "history.sqlite3")


def agent(options: argparse.Namespace, with_desktop: bool = False) -> Agent:
    """Everything together. Without a desktop nothing can be carried out."""
    from tinyagent_mlx.agent import Agent
    from tinyagent_mlx.desktop.base import NoDesktop

    tools = toolbox(options)
    planner, retriever = planner_and_retriever(options, tools)
    return Agent(tools, planner, retriever, desktop(options) if with_desktop else NoDesktop())
