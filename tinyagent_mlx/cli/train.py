"""Train a planner: the shipped one that points, a small language model from scratch, or LoRA adapters for any mlx-lm model."""

from __future__ import annotations

import argparse
import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyagent_mlx import paths
from tinyagent_mlx.cli import places, setup
from tinyagent_mlx.errors import ConfigError, UsageError
from tinyagent_mlx.lab import recipes

if TYPE_CHECKING:
    from tinyagent_mlx.lab.shards import Order
    from tinyagent_mlx.sentences import Sentences

KINDS = {
    "planner": (
        recipes.PlannerRecipe,
        "the planner that points, and the retriever that shares its encoder; goes on from its checkpoint",
    ),
    "language": (
        recipes.LanguageRecipe,
        "a small Llama with its own tokenizer, from scratch; goes on from its checkpoint",
    ),
    "lora": (
        recipes.LoraRecipe,
        "LoRA adapters for an mlx-lm model, fused into it; goes on from its last measurement",
    ),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    for kind, (recipe, text) in KINDS.items():
        made = kinds.add_parser(kind, help=text, description=f"Train {text}.")
        places.add_options(made, again=True)
        recipes.add_options(made, recipe, leave_out=("tools",))
        if kind != "planner":
            made.add_argument(
                "--examples", type=Path, metavar="FILE", help="requests with plans to show beside those of tools.yaml"
            )


def call(options: argparse.Namespace) -> int:
    recipe: Any = KINDS[options.kind][0]
    if options.kind == "planner":
        return _planner(recipes.read(recipe, options, tools=str(setup.sources(options)[0].file)), options)
    chosen: Any = recipes.read(recipe, options)
    _check(chosen)
    if getattr(chosen, "engine", "") == "torch":
        with contextlib.suppress(ImportError):  # told later
            import torch  # noqa: F401  (before MLX, whose OpenBLAS would fight with it for the cores)
    more = setup.examples(options.examples, setup.toolbox(options))
    judge: list[Sentences] = []

    def sentences() -> Sentences:
        """Loaded once, when it is first asked for."""
        if not judge:
            judge.append(setup.sentences(options))
        return judge[0]

    if options.kind == "lora":
        from tinyagent_mlx.lab import lora

        lora.train(chosen, _order(options), sentences, more, _tell)
    else:
        from tinyagent_mlx.lab import train_language

        train_language.train(chosen, _order(options), sentences, more, _tell)
    return 0


def _planner(recipe: recipes.PlannerRecipe, options: argparse.Namespace) -> int:
    """Train, then write OUT/planner in 4 bits."""
    from tinyagent_mlx.lab import base, export, train_planner

    out = Path(recipe.out)
    if recipe.base and not all((Path(recipe.base) / name).is_file() for name in base.FILES):
        raise ConfigError(f"--base: {recipe.base!r} is no encoder folder: it has not all of {', '.join(base.FILES)}")
    if recipe.start and not Path(recipe.start).is_file():
        raise ConfigError(f"--start: {recipe.start!r} is no file")
    if recipe.steps < 1 or recipe.batch < 1:
        raise UsageError(f"--steps {recipe.steps} --batch {recipe.batch}: expected 1 or more")
    tools = setup.toolbox(options)
    unknown = [name for name in recipe.only.split(",") if name and name not in tools]
    if unknown:
        raise ConfigError(f"--only: there is no tool {unknown[0]!r}; there are {', '.join(tools.names)}")
    recipe.base = recipe.base or str(base.fetch(out / "base"))
    out.mkdir(parents=True, exist_ok=True)
    (out / "recipe.json").write_text(json.dumps(asdict(recipe), indent=1) + "\n")
    train_planner.train(recipe, tools, _tell)
    export.export(recipe, out, out / "planner", 4, {})
    _tell(f"written: {out / 'planner'}")
    return 0


def _check(recipe: recipes.RowsRecipe) -> None:
    for name in ("everything", "missing"):
        if not 0 <= getattr(recipe, name) <= 1:
            raise UsageError(f"--{name} {getattr(recipe, name)}: expected a share from 0 to 1")
    if recipe.shown < 0:
        raise UsageError(f"--shown {recipe.shown}: expected 0 or more")


def _order(options: argparse.Namespace) -> Order:
    """Where rows come from; the shipped vocabulary fills slots."""
    from tinyagent_mlx.lab.shards import Order

    return Order(setup.sources(options), paths.shipped("weights") / "planner")


def _tell(text: str) -> None:
    """The first of several processes speaks for all."""
    import tinyagent_mlx.device  # noqa: F401  (before MLX)

    import mlx.core as mx

    if mx.distributed.init().rank() == 0:
        print(text, flush=True)
