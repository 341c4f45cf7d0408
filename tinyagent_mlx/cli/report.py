"""Measure the planner on case files and write the seed's two tables with plots, as Markdown."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tinyagent_mlx import paths
from tinyagent_mlx.cli import setup
from tinyagent_mlx.errors import ConfigError

if TYPE_CHECKING:
    from tinyagent_mlx.lab.report import Measured
    from tinyagent_mlx.pointing import PointerEngine
    from tinyagent_mlx.retriever import Retriever


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", type=Path, required=True, metavar="FILE", help="the cases that are measured")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the Markdown file; plots go beside it")
    parser.add_argument("--half", type=Path, metavar="DIR", help="the planner in 16 bits, for the second table")
    parser.add_argument("--language", type=Path, metavar="DIR", help="a language model to measure retrieval with too")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N cases")
    parser.add_argument("--model", metavar="DIR", help="another planner's folder")


def call(options: argparse.Namespace) -> int:
    from tinyagent_mlx.cases import read_cases
    from tinyagent_mlx.lab import report
    from tinyagent_mlx.pointing import PointerEngine, PointerPlanner, PointerRetriever

    _demand_matplotlib()
    tools, cases = setup.toolbox(options), read_cases(options.cases)[: options.limit]
    folder = Path(options.model) if options.model else paths.shipped("weights") / "planner"
    engine = PointerEngine(folder)
    retrievers = _retrievers(engine)
    measured = report.by_retrieval(PointerPlanner(engine), retrievers, cases, tools, _tell)
    parts = [f"# Report\n\n{len(cases)} cases of {options.cases.name}, planner {engine.manifest.get('steps')} steps."]
    parts += ["## Retrieval, shipped planner", report.retrieval_table(measured)]
    if options.language:
        from tinyagent_mlx import language
        from tinyagent_mlx.nearness import NearestExamples
        from tinyagent_mlx.sentences import Sentences

        nearest = NearestExamples(Sentences(engine))
        model = language.load(options.language, examples=nearest)
        parts += [
            f"## Retrieval, language model {options.language.name}",
            report.retrieval_table(report.by_retrieval(model, retrievers, cases, tools, _tell)),
        ]
    if options.half:
        _tell("16 and 4 bits in turn")
        parts += ["## Four bits", report.bits_table(folder, PointerEngine(options.half), cases, tools)]
    parts += ["## Whole figures", _figures(measured[-1]), "## Plots"]
    parts += report.plots(options.out.with_suffix(""), measured[-1], PointerRetriever(engine), cases, tools)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(options.out)
    return 0


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
