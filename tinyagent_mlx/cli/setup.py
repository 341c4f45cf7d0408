"""Build the parts that a command asks for: toolbox, planner, retriever, desktop, and the moment that counts as now."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tinyagent_mlx import catalog, hub, paths
from tinyagent_mlx.cli import hearing
from tinyagent_mlx.errors import ConfigError, PlanError, UsageError
from tinyagent_mlx.installed import SOURCE, Models
from tinyagent_mlx.planners import Planners
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import Source, load_toolboxes

if TYPE_CHECKING:
    from tinyagent_mlx.agent import Agent
    from tinyagent_mlx.desktop.base import Desktop
    from tinyagent_mlx.desktop.osascript import OsascriptDesktop
    from tinyagent_mlx.history import History
    from tinyagent_mlx.planner import Planner
    from tinyagent_mlx.pointing import PointerEngine
    from tinyagent_mlx.profile import Profile
    from tinyagent_mlx.retriever import Retriever
    from tinyagent_mlx.sentences import Sentences
    from tinyagent_mlx.settings import Settings
    from tinyagent_mlx.toolbox import Example
    from tinyagent_mlx.writing import Writer

NOBODY = "none"  # a writer's name where there is to be none
RETRIEVALS = ("classifier", "embedding", "none")
_TOP = re.compile(r"embedding(?::([1-9]\d{0,3}))?")


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
        "--model",
        metavar="NAME",
        help="a model of `tinyagent models list`, or the folder of a planner or of any mlx-lm model"
        " (default: what `tinyagent models use` chose, or else the shipped planner)",
    )
    parser.add_argument(
        "--retrieval",
        type=_retrieval,
        metavar="HOW",
        help="how tools are chosen: classifier (the default), embedding or embedding:K (the K nearest; 4 unless given), none,"
        " or a DeBERTa classifier: its folder, or its name in `tinyagent models list`",
    )
    parser.add_argument(
        "--examples",
        type=Path,
        metavar="FILE",
        help="requests with plans, as eval reads them, that a language model is shown beside those of tools.yaml",
    )
    parser.add_argument("--shown", type=_count, metavar="N", help="examples that a language model is shown at most")


def add_writer_option(parser: argparse.ArgumentParser) -> None:
    """The option of the verbs that act."""
    parser.add_argument(
        "--writer",
        metavar="NAME",
        help="a chat model that writes mails, notes and summaries: a name of `tinyagent models list` or a folder; 'none' for"
        " the request's own words (default: what settings.yaml says under 'writer')",
    )


def _retrieval(name: str) -> str:
    """One of the names, or a folder that is there; a name wins over a folder that is called the same."""
    known = name in RETRIEVALS or name in catalog.known() or _TOP.fullmatch(name)
    if not known and not Path(name).is_dir():
        raise argparse.ArgumentTypeError(
            f"{name!r} is neither {' nor '.join(RETRIEVALS)} nor embedding:K with K from 1 to 9999 nor a model nor a folder"
        )
    return name


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0")
    return int(text)


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


def own_cases(options: argparse.Namespace) -> Path:
    """The case file beside the user's own tools.yaml."""
    return own_source(options).file.with_name("cases.jsonl")


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


def switch(options: argparse.Namespace, word: str, on: bool) -> Toolbox:
    """Switch a tool, or every tool of an app, on or off in the user's own tools file; gives the tools as they are then."""
    from tinyagent_mlx import ownfile

    change = ownfile.switch_on if on else ownfile.switch_off
    return change(word, sources(options), own_source(options))


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


def models(options: argparse.Namespace) -> Models:
    """The models in the home folder."""
    return Models(paths.home(options.home) / "models")


def model_folder(options: argparse.Namespace) -> Path:
    """The folder of the model to plan with: the one named, the one that was chosen for good, or the planner in use."""
    where, word = "--model", options.model
    if not word:
        where, word = f"{settings_file(options)}: key 'model'", settings(options).model
    if not word:
        return planner_folder(options)
    return _model(word, options, where)


def _model(word: str, options: argparse.Namespace, where: str) -> Path:
    """A folder of a name, name/size or path; a path wins. Raises `ConfigError` that names where the word stood."""
    here, folder = models(options), Path(word)
    if folder.is_dir():
        return folder
    if word.partition("/")[0] in here:
        return here.usable(word)
    names = ", ".join(model.name for model in here.all()) or "none"
    raise ConfigError(f"{where}: {word!r} is no model folder, and no model of that name is here; here are: {names}")


def writer_folder(options: argparse.Namespace) -> Path | None:
    """The folder of the model that writes, None for none. Raises `ConfigError` that names where the word stood."""
    word, where = getattr(options, "writer", None), "--writer"
    if not word:
        file = settings_file(options)
        word = settings(options).writer
        where = f"{setting_line(file, 'writer')}: key 'writer'" if word else ""
    if not word or word == NOBODY:
        return None
    folder = _model(word, options, where)
    tokenizer = any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model"))
    if lacks := hub.whole(folder) or ("" if tokenizer else "it has no tokenizer"):
        raise ConfigError(f"{where}: {word!r} can't write: {folder}: {lacks}")
    return folder


def setting_line(file: Path, key: str) -> str:
    from tinyagent_mlx.settings import line_of

    return line_of(file, key)


def writer(options: argparse.Namespace, planner: Planner | None = None) -> Writer | None:
    """Who writes, loaded when first asked; None for the request's own words. It shares its weights with a planner that has
    the same ones."""
    folder = writer_folder(options)
    if folder is None:
        return None
    from tinyagent_mlx.instructions import by_tool
    from tinyagent_mlx.language import trained_profile
    from tinyagent_mlx.streaming import TextModel
    from tinyagent_mlx.writer import LanguageWriter, wording

    decoder = getattr(planner, "decoder", None)
    same = decoder is not None and folder == model_folder(options)
    loaded = (decoder.model, decoder.tokenizer) if decoder is not None and same else None
    model = TextModel(folder, trained_profile(folder).frame, wording().temperature, loaded)
    instructions = by_tool(settings(options).instructions, toolbox(options))
    return LanguageWriter(model, folder.name if folder.name != SOURCE else folder.parent.name, instructions)


def source_folder(options: argparse.Namespace) -> Path:
    """The folder of the model to fine-tune: of a name alone the weights as they were published, not those in 4 bits."""
    word, here = options.model, models(options)
    return here.get(word).usable(SOURCE) if word in here else _model(word, options, "--model")


def retrieval_name(options: argparse.Namespace) -> str:
    """How tools are chosen: as named, as chosen for good, or by the shipped classifier; a model's name as its folder."""
    word, where = options.retrieval, "--retrieval"
    if not word:
        word, where = settings(options).retriever, f"{settings_file(options)}: key 'retriever'"
    if not word or word in RETRIEVALS or _TOP.fullmatch(word):
        return word or "classifier"
    return str(_model(word, options, where))


def memory() -> int:
    """Bytes of memory that the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def planner_and_retriever(
    options: argparse.Namespace, tools: Toolbox, instructions: tuple[str, ...] = ()
) -> tuple[Planner, Retriever]:
    """Load the models. The shipped weights serve both; another model plans with the shipped retriever beside it."""
    from tinyagent_mlx.instructions import Instructed, WithLookups
    from tinyagent_mlx.pointing import PointerEngine, PointerPlanner

    folder, retrieval = model_folder(options), retrieval_name(options)
    if (folder / "manifest.json").is_file():
        engine = PointerEngine(folder, vector_cache(options))
        pointer = PointerPlanner(engine)
        return Instructed(pointer, instructions) if instructions else pointer, _retriever(retrieval, engine)
    if not (folder / "config.json").is_file():
        raise ConfigError(f"--model: {str(folder)!r} is no model folder: it has no config.json")
    engine = PointerEngine(paths.shipped("weights") / "planner", vector_cache(options))
    chosen = _retriever(retrieval, engine)
    planner = _language(folder, options, engine, tools, instructions)
    return planner, WithLookups(chosen, instructions) if instructions else chosen


def _language(
    folder: Path, options: argparse.Namespace, engine: PointerEngine, tools: Toolbox, instructions: tuple[str, ...]
) -> Planner:
    """A language model; its examples are the nearest ones by the shipped encoder."""
    from dataclasses import replace

    from tinyagent_mlx import language
    from tinyagent_mlx.instructions import told
    from tinyagent_mlx.nearness import NearestExamples
    from tinyagent_mlx.sentences import Sentences

    profile = language.trained_profile(folder)
    if options.shown is not None:
        profile = replace(profile, examples=options.shown)
    nearest = NearestExamples(Sentences(engine), (*examples(options.examples, tools), *learnt_examples(profile)))
    planner = language.load(folder, told(profile, instructions), nearest, prompt_cache(options))
    planner.said = " ".join(instructions)
    return planner


def vector_cache(options: argparse.Namespace) -> Path:
    """Where the vectors of tools lie; all of it may be deleted."""
    return paths.home(options.home) / "cache" / "vectors"


def prompt_cache(options: argparse.Namespace) -> Path:
    """Where the beginnings of prompts lie that language models have read; all of it may be deleted."""
    return paths.home(options.home) / "cache" / "prompts"


def learnt_examples(profile: Profile) -> Iterator[Example]:
    """The examples that a learnt layout brings; they are shown word for word, so that only their tools are read."""
    from tinyagent_mlx.plan import parse_plan
    from tinyagent_mlx.toolbox import Example

    for request, text in profile.shown.items():
        with suppress(PlanError):
            yield Example(request, parse_plan(text.partition("\n")[2]))


def examples(file: Path | None, tools: Toolbox) -> tuple[Example, ...]:
    """Cases as examples, each with its first plan; those that call other tools than these are never shown."""
    from tinyagent_mlx.cases import read_cases
    from tinyagent_mlx.check import check_plan
    from tinyagent_mlx.toolbox import Example

    found = []
    for case in read_cases(file) if file else ():
        plan = case.plans[0]
        if all(step.tool in tools for step in plan.steps):
            try:
                check_plan(plan, tools)
            except PlanError as error:
                raise ConfigError(f"{file}: case {case.id!r}: {error}") from error
            found.append(Example(case.query, plan))
    return tuple(found)


def sentences(options: argparse.Namespace) -> Sentences:
    """The encoder of the planner in use."""
    from tinyagent_mlx.pointing import PointerEngine
    from tinyagent_mlx.sentences import Sentences

    return Sentences(PointerEngine(planner_folder(options)))


def _retriever(name: str, engine: PointerEngine) -> Retriever:
    """The named retriever; all but the DeBERTa share the planner's engine."""
    if name == "classifier":
        from tinyagent_mlx.pointing import PointerRetriever

        return PointerRetriever(engine)
    if name == "none":
        from tinyagent_mlx.retriever import EveryTool

        return EveryTool()
    if top := _TOP.fullmatch(name):
        from tinyagent_mlx.nearness import TOP, EmbeddingRetriever
        from tinyagent_mlx.sentences import Sentences

        return EmbeddingRetriever(Sentences(engine), int(top[1] or TOP))
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
    where, roots = desktop_place(options), settings(options).files.roots
    if where == "macos":
        return mac(roots)
    from tinyagent_mlx.desktop.portable import PortableDesktop

    return PortableDesktop(Path(where), roots)


def mac(roots: tuple[Path, ...] = ()) -> OsascriptDesktop:
    """The Mac itself; what macOS refuses is told with the name of the app that it has to be allowed for."""
    from tinyagent_mlx.desktop import permissions, zoom
    from tinyagent_mlx.desktop.files import own_folders
    from tinyagent_mlx.desktop.keychain import Keychain
    from tinyagent_mlx.desktop.osascript import OsascriptDesktop
    from tinyagent_mlx.desktop.pdf import summarize

    return OsascriptDesktop(
        finish={"summarize_pdf": summarize},
        roots=roots or own_folders(),
        services={zoom.TOOL: zoom.Zoom(Keychain())},
        program=permissions.program(os.environ, permissions.parents(os.getpid())),
    )


def settings_file(options: argparse.Namespace) -> Path:
    """Where the user's choices stand."""
    return paths.home(options.home) / "settings.yaml"


def settings(options: argparse.Namespace) -> Settings:
    """The user's choices as they are now."""
    from tinyagent_mlx import settings as choices

    return choices.read(settings_file(options))


def history(options: argparse.Namespace) -> History:
    """The history in the home folder."""
    from tinyagent_mlx.history import History

    return History(paths.home(options.home) / "history.sqlite3")


def agent(options: argparse.Namespace, with_desktop: bool = False, instructed: bool = False) -> Agent:
    """Everything together. Without a desktop nothing can be carried out; with one, or when `instructed`, the planner is told
    what the user always wants."""
    from tinyagent_mlx.agent import Agent
    from tinyagent_mlx.desktop.base import NoDesktop

    tools = toolbox(options)
    instructions = settings(options).instructions if with_desktop or instructed else ()
    planner, retriever = planner_and_retriever(options, tools, instructions)
    where = desktop(options) if with_desktop else NoDesktop()
    return Agent(tools, planner, retriever, where, writer(options, planner) if with_desktop else None)
