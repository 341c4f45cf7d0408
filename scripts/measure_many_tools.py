"""Measure a tools.yaml with very many tools: how soon it is read, checked and compiled, and how long retrieval takes.

    python scripts/measure_many_tools.py --tools 1000 --requests 200

The tools are the shipped ones, the made-up ones of the training data and, beyond these, made-up ones under other names. The
first encoding of all that they say is timed by itself: it happens once, its vectors are kept on disk. Requests are those of
tests/cases/natural_test.jsonl, each retrieved once after a round that is not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tinyagent_mlx import paths
from tinyagent_mlx.cases import read_cases
from tinyagent_mlx.cli import checking
from tinyagent_mlx.cli.tools import compiled
from tinyagent_mlx.lab.madeup import read_madeup
from tinyagent_mlx.pointing import PointerEngine, PointerRetriever
from tinyagent_mlx.toolbox import Argument, Tool, Toolbox
from tinyagent_mlx.toolfile import load_toolbox

ROOT = Path(__file__).parent.parent
Some = TypeVar("Some")


def declared(count: int) -> Iterator[Tool]:
    """So many made-up tools, no two of one name."""
    rng, names = random.Random(0), set[str]()
    for number, tool in zip(range(count), itertools.cycle(read_madeup()), strict=False):
        name = tool.name if tool.name not in names else f"{tool.name}_{number}"
        names.add(name)
        yield tool.declare(rng, name)


def said(argument: Argument) -> dict[str, Any]:
    """An argument as tools.yaml says it; a choice that is open in the training data takes its first one."""
    out: dict[str, Any] = {
        "name": argument.name, "type": argument.type.name, "description": argument.description,
    }  # fmt: skip
    default: Any = argument.default
    if argument.choices:
        out["choices"] = {choice: meaning or str(choice) for choice, meaning in argument.choices.items()}
        if not argument.type.is_list and default not in argument.choices:
            default = next(iter(argument.choices))
    if not argument.required:
        out["default"] = list(default) if isinstance(default, tuple) else default
    return out


def entry(tool: Tool, script: Path) -> dict[str, Any]:
    """A tool as tools.yaml says it."""
    return {
        "name": tool.name, "app": tool.app, "description": tool.description, "arguments": [said(a) for a in tool.arguments],
        "returns": tool.returns, "effect": tool.effect, "script": script.name, "summary": tool.name,
        "examples": [], "example_result": tool.example_result or "done",
    }  # fmt: skip


def write(folder: Path, count: int) -> Path:
    """A tools.yaml with so many tools, each with a script of its own, a copy of a shipped one."""
    shutil.copytree(paths.shipped("applescripts"), folder / "applescripts")
    data = yaml.safe_load(paths.shipped("tools.yaml").read_text(encoding="utf-8"))
    scripts = itertools.cycle(sorted(paths.shipped("applescripts").glob("*.applescript")))
    for tool, script in zip(declared(count - len(data["tools"])), scripts, strict=False):
        own = folder / "applescripts" / f"own_{tool.name}.applescript"
        shutil.copy(script, own)
        data["tools"].append(entry(tool, own))
    file = folder / "tools.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file


def timed(title: str, act: Callable[[], Some]) -> Some:
    """Do it and print the seconds that it took."""
    began = time.perf_counter()
    result = act()
    print(f"{title:<48}{time.perf_counter() - began:8.2f} s", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=200)
    options = parser.parse_args()
    cases = read_cases(ROOT / "tests" / "cases" / "natural_test.jsonl")[: options.requests]
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder), options.tools)
        tools: Toolbox = timed(f"read {options.tools} tools", lambda: load_toolbox(file))
        assert len(tools) == options.tools
        with contextlib.redirect_stderr(io.StringIO()):  # three hundred warnings
            timed("check them and their scripts", lambda: checking.report(tools))
        timed("compile prompt, grammar, labels and schema", lambda: compiled(tools))
        weights, cache = paths.shipped("weights") / "planner", Path(folder) / "vectors"
        timed("encode what they say, the first time", lambda: PointerEngine(weights, cache).compile(tools))
        engine = PointerEngine(weights, cache)
        timed("the same by the next process", lambda: engine.compile(tools))
        retriever, seconds = PointerRetriever(engine), []
        for case in (*cases[:20], *cases):
            began = time.perf_counter()
            retriever.retrieve(case.query, tools)
            seconds.append(time.perf_counter() - began)
    found = sorted(1000 * each for each in seconds[20:])
    print(
        f"retrieval a request: median {statistics.median(found):.1f} ms, 95 % below {found[int(0.95 * len(found))]:.1f} ms"
    )


if __name__ == "__main__":
    main()
