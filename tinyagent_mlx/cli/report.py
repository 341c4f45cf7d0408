"""Measure the planner on case files and write the seed's two tables with plots, as Markdown."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tinyagent_mlx import paths
from tinyagent_mlx.cli import places, setup
from tinyagent_mlx.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from tinyagent_mlx.cases import Case
    from tinyagent_mlx.lab.report import Measured
    from tinyagent_mlx.pointing import PointerEngine
    from tinyagent_mlx.retriever import Retriever
    from tinyagent_mlx.toolbox import Toolbox


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", type=Path, required=True, metavar="FILE", help="the cases that are measured")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the Markdown file; plots go beside it")
    parser.add_argument("--half", type=Path, metavar="DIR", help="the planner in 16 bits, for the second table")
    parser.add_argument("--language", type=Path, metavar="DIR", help="a language model to measure retrieval with too")
    parser.add_argument(
        "--language-4bit", type=Path, metavar="DIR", help="the same in 4 bits, for a second table of its own"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N cases")
    parser.add_argument("--model", metavar="DIR", help="another planner's folder")


def call(options: argparse.Namespace) -> int:
    from tinyagent_mlx.cases import read_cases
    from tinyagent_mlx.lab import report
    from tinyagent_mlx.pointing import PointerEngine, PointerPlanner, PointerRetriever

    _demand_matplotlib()
    if options.language_4bit and not options.language:
        raise UsageError("--language-4bit: give the same model in 16 bits with --language")
    places.check_output("--out", options.out)
    places.check_output("--out", options.out.with_suffix("") / "steps.svg")
    tools, cases = setup.toolbox(options), read_cases(options.cases)[: options.limit]
    report.demand(cases, options.cases)
    folder = Path(options.model) if options.model else paths.shipped("weights") / "planner"
    engine = PointerEngine(folder)
    retrievers = _retrievers(engine)
    measured = report.by_retrieval(PointerPlanner(engine), retrievers, cases, tools, _tell)
    parts = [f"# Report\n\n{len(cases)} cases of {options.cases.name}, planner {engine.manifest.get('steps')} steps."]
    parts += ["## Retrieval, shipped planner", report.retrieval_table(measured)]
    if options.half:
        _tell("16 and 4 bits in turn")
        parts += ["## Four bits", report.pointer_bits(folder, PointerEngine(options.half), cases, tools)]
    if options.language:
        parts += _language(options, engine, retrievers, cases, tools)
    parts += ["## Whole figures", _figures(measured[-1]), "## Plots"]
    parts += report.plots(options.out.with_suffix(""), measured[-1], PointerRetriever(engine), cases, tools)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(options.out)
    return 0


def _language(
    options: argparse.Namespace, engine: PointerEngine, retrievers: dict[str, Retriever], cases: Sequence[Case],
    tools: Toolbox,
) -> list[str]:  # fmt: skip
    """Both tables once more, of a language model."""
    from tinyagent_mlx import language
    from tinyagent_mlx.agent import Agent
    from tinyagent_mlx.desktop.base import NoDesktop
    from tinyagent_mlx.lab import folders, report
    from tinyagent_mlx.nearness import NearestExamples
    from tinyagent_mlx.sentences import Sentences

    nearest, named = NearestExamples(Sentences(engine)), f"language model {options.language.name}"
    model = language.load(options.language, examples=nearest)
    measured = report.by_retrieval(model, retrievers, cases, tools, _tell)
    parts = [f"## Retrieval, {named}", report.retrieval_table(measured)]
    if options.language_4bit:
        _tell(f"{named}: 16 and 4 bits in turn")
        planners = {"16 bits": model, "4 bits": language.load(options.language_4bit, examples=nearest)}
        agents = {bits: Agent(tools, p, retrievers["classifier"], NoDesktop()) for bits, p in planners.items()}
        sizes = {"16 bits": folders.size(options.language), "4 bits": folders.size(options.language_4bit)}
        parts += [f"## Four bits, {named}", report.bits_table(agents, sizes, cases)]
    return parts


def _retrievers(engine: PointerEngine) -> dict[str, Retriever]:
    """The three ways of the seed's table."""
    from tinyagent_mlx.nearness import TOP, EmbeddingRetriever
    from tinyagent_mlx.pointing import PointerRetriever
    from tinyagent_mlx.retriever import EveryTool
    from tinyagent_mlx.sentences import Sentences

    return {
        "no retrieval": EveryTool(),
        f"embedding (top {TOP})": EmbeddingRetriever(Sentences(engine), TOP),
        "classifier": PointerRetriever(engine),
    }


def _figures(measured: Measured) -> str:
    """Every figure of the shipped configuration, and how far its confidence is off."""
    from tinyagent_mlx.lab import report

    figures = {key: value for key, value in measured.figures.items() if key != "by_tag"}
    figures["calibration_error"] = round(report.calibration_error(measured.rows), 4)
    return report.table(("figure", "value"), figures.items())


def _demand_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ConfigError("the plots need matplotlib: pip install 'tinyagent-mlx[report]'") from error


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
