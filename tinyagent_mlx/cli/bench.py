"""Time planning on this machine: size, memory, tokens a second, seconds a plan, and what each saving is worth."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyagent_mlx.catalog import SHIPPED
from tinyagent_mlx.cli import setup
from tinyagent_mlx.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from tinyagent_mlx.bench import Subject, Turn

GB = 1e9
SHARE = 0.8  # of the machine's memory that the models may fill together
_EXPANDED = 32  # bits that a weight takes on a CPU
PAPER = "the paper's TinyAgent-1.1B on a MacBook, requests of its own"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        dest="models",
        action="append",
        metavar="NAME",
        help=f"a model of `tinyagent models list` in each of its sizes, NAME/SIZE, a model's folder, or '{SHIPPED}';"
        f" repeat it to compare (default: {SHIPPED})",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="times that each request is planned (default: 5; with a language model 1)")  # fmt: skip
    parser.add_argument("--requests", type=int, metavar="N", help="only the first N requests, 2 at least")
    parser.add_argument("--tokens", type=int, metavar="N", help="cut a language model's plans off at N tokens")
    parser.add_argument("--choose", action="store_true", help="keep for each language model whether its prompt lists all tools or only retrieved ones: what did better here")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def call(options: argparse.Namespace) -> int:
    options.retrieval = options.examples = options.shown = None
    places = [place for word in options.models or [SHIPPED] for place in _places(word, options)]
    _check(options, places)
    from tinyagent_mlx import bench

    subjects = _prepare(places, options)
    rounds = options.rounds or (1 if any(len(subject.agents) > 1 for subject in subjects) else 5)
    requests = min(options.requests or len(bench.REQUESTS), len(bench.REQUESTS))
    turns = bench.measure(subjects, rounds, requests, _Progress())
    found = [_figures(subject, turns, rounds) for subject in subjects]
    told = {
        "device": _device(), "rounds": rounds, "requests": requests, "models": found,
        "ratios": _ratios(subjects, turns), "paper": _paper(), "turns": bench.rows(turns),
    }  # fmt: skip
    if options.choose:
        for subject, figures in zip(subjects, found, strict=True):
            _choose(subject, figures)
    print(json.dumps(told, ensure_ascii=False)) if options.json else _print(told)
    return 0


def _places(word: str, options: argparse.Namespace) -> list[tuple[str, Path]]:
    """Titles and folders of what a word names: every size of a model whose size is not named."""
    if word == SHIPPED:
        return [(SHIPPED, setup.planner_folder(options))]
    here = setup.models(options)
    if word in here and not Path(word).is_dir():
        return [(f"{word}/{folder.name}", folder) for folder in here.get(word).folders]
    options.model = word
    return [(word, setup.model_folder(options))]


def _check(options: argparse.Namespace, places: list[tuple[str, Path]]) -> None:
    """Numbers make sense, each model is there once, and all of them fit into memory together."""
    for name, least in (("rounds", 1), ("requests", 2), ("tokens", 1)):
        given = getattr(options, name)
        if given is not None and given < least:
            raise UsageError(f"--{name} {given}: expected {least} or more")
    titles = [title for title, _ in places]
    if again := next((title for title in titles if titles.count(title) > 1), None):
        raise UsageError(f"--model {again}: is named twice")
    if len(places) > 1:
        needed = sum(_memory(folder) for _, folder in places)
        if needed > SHARE * setup.memory():
            raise UsageError(
                f"--model: {', '.join(titles)} take {needed / GB:.1f} GB together, of this machine's"
                f" {setup.memory() / GB:.1f} GB; measure one at a time"
            )


def _memory(folder: Path) -> float:
    """Bytes that a model's weights take, about."""
    from tinyagent_mlx import device

    return _weights(folder) * (1 if device.on_gpu() else _EXPANDED / _bits(folder))


def _weights(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def _bits(folder: Path) -> int:
    """Bits of a stored weight, as config.json says."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if found := config.get("quantization"):
            return int(found["bits"])
        return 32 if (config.get("torch_dtype") or config.get("dtype")) == "float32" else 16
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{folder / 'config.json'}: can't be read: {error}") from error


def _prepare(places: list[tuple[str, Path]], options: argparse.Namespace) -> list[Subject]:
    from tinyagent_mlx import bench
    from tinyagent_mlx.agent import Agent
    from tinyagent_mlx.desktop.base import NoDesktop
    from tinyagent_mlx.language import LanguagePlanner

    tools = setup.toolbox(options)

    def agent(folder: Path) -> Agent:
        own = argparse.Namespace(**{**vars(options), "model": str(folder)})
        planner, retriever = setup.planner_and_retriever(own, tools)
        if options.tokens and isinstance(planner, LanguagePlanner):
            planner.max_tokens = options.tokens
        return Agent(tools, planner, retriever, NoDesktop())

    subjects = []
    for title, folder in places:
        _tell(f"{title}: loading")
        subjects.append(bench.prepare(title, folder, partial(agent, folder)))
    return subjects


def _figures(subject: Subject, turns: list[Turn], rounds: int) -> dict[str, Any]:
    from tinyagent_mlx import bench

    return {
        "model": subject.title, "folder": str(subject.folder), "bits": _bits(subject.folder),
        "size_gb": round(_weights(subject.folder) / GB, 4), "peak_gb": round(subject.peak / GB, 3),
        "load_seconds": round(subject.load_seconds, 2), **bench.speed(subject.agents[bench.USED], rounds),
        **bench.figures(turns, subject.title),
    }  # fmt: skip


def _ratios(subjects: list[Subject], turns: list[Turn]) -> dict[str, float]:
    """Each model's seconds in those of the first."""
    from tinyagent_mlx import bench

    first, *others = (subject.title for subject in subjects)
    return {f"{title} to {first}": bench.ratio(turns, title, first) for title in others}


def _paper() -> dict[str, dict[str, Any]]:
    from tinyagent_mlx.lab.report import PAPER_BITS

    return {bits: {"size": size, "seconds": took, "success": right} for bits, (size, took, right) in PAPER_BITS.items()}


def _device() -> str:
    from tinyagent_mlx import device

    return "GPU" if device.on_gpu() else f"CPU, {device.blas()} BLAS"


def _choose(subject: Subject, figures: dict[str, Any]) -> None:
    """Keep in a model's folder how its prompt lists tools."""
    from tinyagent_mlx import bench, language

    if len(subject.agents) == 1:
        return
    profile = language.trained_profile(subject.folder)
    all_tools = bench.better_listing(profile.all_tools, figures["ways"])
    try:
        language.keep_profile(subject.folder, replace(profile, all_tools=all_tools))
    except OSError as error:
        raise ConfigError(f"{subject.folder / language.PROMPT_FILE}: can't be written: {error.strerror}") from error
    _tell(f"{subject.title}: from now on its prompt lists {'all tools' if all_tools else 'the retrieved tools'}")


def _print(told: dict[str, Any]) -> None:
    from tinyagent_mlx.bench import USED

    print(f"{told['device']}; {told['requests']} requests, {told['rounds']} times each, in turn")
    for found in told["models"]:
        print(f"\n{found['model']}: {found['bits']} bits, {found['size_gb']:.3f} GB on disk, "
              f"{found['peak_gb']:.2f} GB of memory at most, loaded in {found['load_seconds']:.1f} s")  # fmt: skip
        if "prefill_tokens_s" in found:
            print(f"    reads {found['prefill_tokens_s']:.1f} tokens/s ({found['speed_tokens']} of all tools' prompt), "
                  f"writes {found['decode_tokens_s']:.1f} tokens/s")  # fmt: skip
        three, used = found["three_steps"], found["ways"][USED]
        print(f"    a request of three steps: {three['p50']:.3f} s (p95 {three['p95']:.3f} s); all: {used['p50']:.3f} s "
              f"(p95 {used['p95']:.3f} s); right {used['right']:.0%}")  # fmt: skip
        for way, figures in found["ways"].items():
            print(f"    {way:<35} {figures['p50']:8.3f} s  x{figures['ratio']:<6.2f} {figures['forward_passes']:5.0f} passes"
                  f"  right {figures['right']:.0%}  same plans {figures['same_plans']:.0%}")  # fmt: skip
    for what, ratio in told["ratios"].items():
        print(f"\n{what}: x{ratio:.2f}")
    sizes = "; ".join(f"{bits} {said['size']}, {said['seconds']}" for bits, said in told["paper"].items())
    print(f"\nBeside them, {PAPER}: {sizes}")


class _Progress:
    """Tells how far it is, where that is slow."""

    def __init__(self) -> None:
        self.told = time.monotonic()

    def __call__(self, text: str) -> None:
        if time.monotonic() - self.told > 3:
            self.told = time.monotonic()
            _tell(text)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
