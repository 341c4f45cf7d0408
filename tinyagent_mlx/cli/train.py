"""Train a planner: the shipped one that points, a small language model from scratch, or LoRA adapters for any mlx-lm model."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyagent_mlx import catalog, paths
from tinyagent_mlx.cli import places, setup
from tinyagent_mlx.errors import ConfigError, UsageError
from tinyagent_mlx.installed import SOURCE
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
        "LoRA adapters for an mlx-lm model, fused into it, in 4 bits too; goes on from its last measurement",
    ),
}
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


class _Parser(argparse.ArgumentParser):
    """`train planner --model NAME` is `train lora --model NAME`: what is trained decides which options there are."""

    for_models: argparse.ArgumentParser | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self.for_models and any(str(word).partition("=")[0] == "--model" for word in args or ()):
            return self.for_models.parse_known_args(args, namespace)
        return super().parse_known_args(args, namespace)


def add_options(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True, parser_class=_Parser)
    parsers: dict[str, _Parser] = {}
    for kind, (recipe, text) in KINDS.items():
        made = parsers[kind] = kinds.add_parser(kind, help=text, description=f"Train {text}.", allow_abbrev=False)
        places.add_options(made, again=True)
        recipes.add_options(made, recipe, leave_out=("tools",))
        if kind != "planner":
            made.add_argument(
                "--examples", type=Path, metavar="FILE", help="requests with plans to show beside those of tools.yaml"
            )
    parsers["planner"].add_argument(
        "--model",
        metavar="NAME",
        help="a language model instead: fine-tune it, with the options of `tinyagent train lora`",
    )
    parsers["lora"].set_defaults(kind="lora")
    parsers["lora"].add_argument(
        "--name",
        default="",
        metavar="NAME",
        help="what `tinyagent models` shall call the fine-tuned model (default: the model's name and -lora)",
    )
    parsers["planner"].for_models = parsers["lora"]


def call(options: argparse.Namespace) -> int:
    recipe: Any = KINDS[options.kind][0]
    if options.kind == "planner":
        return _planner(recipes.read(recipe, options, tools=str(setup.sources(options)[0].file)), options)
    if options.kind == "lora":
        return _lora(recipes.read(recipes.LoraRecipe, options), options)
    chosen: Any = recipes.read(recipe, options)
    _check(chosen)
    if getattr(chosen, "engine", "") == "torch":
        with contextlib.suppress(ImportError):  # told later
            import torch  # noqa: F401  (before MLX, whose OpenBLAS would fight with it for the cores)
    from tinyagent_mlx.lab import train_language

    more = setup.examples(options.examples, setup.toolbox(options))
    train_language.train(chosen, _order(options), _sentences(options), more, _tell)
    return 0


def _lora(recipe: recipes.LoraRecipe, options: argparse.Namespace) -> int:
    """Fine-tune, then make the result one of `tinyagent models`."""
    if not recipe.model:
        raise UsageError("--model: '': expected a model's name or folder")
    _check(recipe)
    recipe.model, base = str(setup.source_folder(options)), recipe.model
    name, models = options.name or f"{_base_name(base)}-lora", setup.models(options)
    if name in models and models.get(name).id != f"local/{name}":
        raise ConfigError(f"--name {name!r}: is another model that is here")
    if name in catalog.known() or not _NAME.fullmatch(name):
        raise UsageError(f"--name {name!r}: is no name for a new model; expected letters, digits, and - _ .")
    from tinyagent_mlx.lab import lora
    from tinyagent_mlx.language import PROMPT_FILE, trained_profile

    tools, out = setup.toolbox(options), Path(recipe.out)
    more = setup.examples(options.examples, tools)
    if not recipe.profile:
        more += tuple(setup.learnt_examples(trained_profile(Path(recipe.model))))
    folder = lora.train(recipe, _order(options), _sentences(options), more, _tell)
    if _first():
        sizes = {SOURCE: folder, **({"4bit-g32": out / "model-4bit"} if recipe.bits == 4 else {})}
        models.adopt(name, f"local/{name}", sizes, folder / PROMPT_FILE)
    _tell(f"Next: tinyagent models use {name}")
    return 0


def _base_name(word: str) -> str:
    """Of name, name/size or folder."""
    folder = Path(word)
    return folder.absolute().name if folder.is_dir() else word.partition("/")[0]


def _sentences(options: argparse.Namespace) -> Callable[[], Sentences]:
    """The encoder, loaded once, when it is first asked for."""
    return lru_cache(1)(lambda: setup.sentences(options))


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


def _first() -> bool:
    """Whether this is the first of several processes, or the only one."""
    import tinyagent_mlx.device  # noqa: F401  (before MLX)

    import mlx.core as mx

    return mx.distributed.init().rank() == 0


def _tell(text: str) -> None:
    """The first of several processes speaks for all."""
    if _first():
        print(text, flush=True)
