"""What each training is told: every option once, as a field with its help; flags and manifests come from it.

A recipe holds everything that decides the outcome. This module knows nothing of MLX.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from tinyagent_mlx.errors import ConfigError

FINETUNE_STEPS = 144  # of the default planner, on a user's own tools

Some = TypeVar("Some")


def option(default: Any, text: str) -> Any:
    """A field of a recipe: its default and what it means."""
    return field(default=default, metadata={"help": text})


def add_options(parser: argparse.ArgumentParser, recipe: type, leave_out: Collection[str] = ()) -> None:
    """Every field of a recipe as an option of a command."""
    for item in fields(recipe):
        if item.name in leave_out:
            continue
        flag, default = f"--{item.name.replace('_', '-')}", item.default
        text = item.metadata["help"].replace("%", "%%")
        shown = f"{text} (default: {default})" if default not in ("", None) else text
        if isinstance(default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default, help=text)
        else:
            metavar = "N" if isinstance(default, int | float) else "NAME"
            parser.add_argument(flag, type=type(default), default=default, metavar=metavar, help=shown)


def read(recipe: type[Some], options: argparse.Namespace, **fixed: Any) -> Some:
    """The recipe that a command line asks for; `fixed` are the fields that were no options."""
    names = {item.name for item in fields(recipe)}  # type: ignore[arg-type]
    given = {name: value for name, value in vars(options).items() if name in names}
    return recipe(**{**given, **fixed})


def keep(recipe: Any, folder: Path, free: Collection[str]) -> None:
    """Write recipe.json, or see that what was begun in the folder had the same recipe, but for the fields in `free`.

    Raises `ConfigError`.
    """
    file = folder / "recipe.json"
    if file.is_file():
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigError(f"{file}: is no JSON: {error}; name another --out") from error
        for name, value in asdict(recipe).items():
            if name not in free and before.get(name, value) != value:
                flag = name.replace("_", "-")
                raise ConfigError(f"{file}: was begun with --{flag} {before[name]}, not {value}; name another --out")
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(recipe), indent=1) + "\n", encoding="utf-8")


@dataclass
class PlannerRecipe:
    """Of the pointer planner, with the weights' manifest in mind."""

    base: str = option("", "the folder of the encoder to start from, a BERT in Hugging Face's layout")
    out: str = option("runs/planner", "the folder for checkpoints")
    tools: str = option("tools.yaml", "the tools")
    steps: int = option(3000, "training steps")
    batch: int = option(32, "requests a step, over all processes")
    seed: int = option(0, "another seed draws other requests")
    encoder_lr: float = option(8e-5, "peak learning rate of the pretrained encoder")
    decoder_lr: float = option(8e-4, "peak learning rate of what starts from scratch")
    warmup: int = option(100, "steps in which the learning rates rise")
    floor: float = option(0.03, "share of the peak learning rate that is left at the end")
    retrieval_weight: float = option(0.5, "weight of the retriever's loss")
    pos_weight: float = option(4.0, "weight of the tools that a request needs in the retriever's loss")
    quantized: float = option(0.25, "share of the steps, the last ones, with the weights that 4 bits would give")
    save_every: int = option(200, "steps between checkpoints")
    layers: int = option(3, "layers of the decoder")
    only: str = option("", "the tools to learn, by name, with commas between; all of them unless given")
    madeup: bool = option(True, "mix in worlds of made-up tools, so that no toolbox is learnt by heart")
    favoured: str = option(
        "", "files of made-up tools that are drawn three times as often as the others: their letters"
    )
    restated: bool = option(False, "say requests for made-up tools in other ways and words too")
    start: str = option("", "a checkpoint whose weights are trained further, instead of a fresh decoder")


@dataclass
class RowsRecipe:
    """Of what a language planner learns from: prompts as it reads them, and plans."""

    data: str = option(
        "", "a file of requests with plans to learn, as `tinyagent data import` writes it, instead of the corpus; or a folder of"
        " rows that was made before, instead of making them in OUT/data",
    )  # fmt: skip
    rows: int = option(40_000, "training rows; of a file's, at most so many")
    held: int = option(200, "validation rows, of wordings that are not in training")
    profile: str = option("brief", "layout of the prompt: brief, plain or alpaca")
    shown: int = option(3, "in-context examples in a prompt at most, the nearest ones")
    everything: float = option(0.1, "share of the prompts that show all tools")
    missing: float = option(0.05, "share of the prompts that lack a needed tool: the plan asks for more tools there")
    workers: int = option(2, "processes that make rows; their number does not change the rows")
    seed: int = option(0, "another seed draws other rows, weights and orders")


@dataclass
class LanguageRecipe(RowsRecipe):
    """Of a small Llama from scratch."""

    out: str = option("runs/language", "the folder for rows, checkpoints and the finished model")
    width: int = option(256, "size of the hidden states, a multiple of 32 and of the heads")
    layers: int = option(6, "layers")
    heads: int = option(4, "attention heads")
    vocabulary: int = option(6000, "tokens")
    longest: int = option(768, "rows of more tokens are left out")
    steps: int = option(4000, "training steps")
    batch: int = option(16, "rows a step, over all processes")
    lr: float = option(1e-3, "peak learning rate")
    decay: float = option(0.05, "weight decay")
    warmup: int = option(100, "steps in which the learning rate rises")
    floor: float = option(0.05, "share of the peak learning rate that is left at the end")
    quantized: float = option(0.2, "share of the steps, the last ones, with the weights that 4 bits would give")
    save_every: int = option(200, "steps between checkpoints")
    cases: int = option(100, "validation requests that are planned at the end, of those held")
    copying: bool = option(True, "start with weights that copy, where there are two layers or more")
    engine: str = option("mlx", "what computes the steps: mlx, or torch where it is installed, faster on a CPU")


@dataclass
class LoraRecipe(RowsRecipe):
    """Of a LoRA fine-tuning of any mlx-lm model, as the seed did it: Erdogan et al. 2024 (arXiv:2409.00608)."""

    rows: int = option(20_000, "training rows")
    profile: str = option(
        "", "layout of the prompt: brief, plain or alpaca; without it the one the model was trained with"
    )
    out: str = option("runs/lora", "the folder for rows, adapters and the fused model")
    model: str = option("", "the model to fine-tune: its name in `tinyagent models list`, or its folder")
    epochs: float = option(3.0, "times that all rows are seen")
    steps: int = option(0, "training steps, instead of epochs")
    batch: int = option(8, "rows a step, over all processes")
    lr: float = option(7e-5, "learning rate")
    rank: int = option(16, "rank of the adapters")
    scale: float = option(2.0, "what the adapters' output is multiplied by: alpha / rank")
    dropout: float = option(0.0, "share of the adapters' inputs that is dropped")
    blocks: int = option(0, "transformer blocks that get adapters, from the last one; 0 for all of them")
    longest: int = option(2048, "rows of more tokens are left out")
    measure_every: int = option(200, "steps between measurements; the best adapters are kept")
    cases: int = option(
        50, "validation requests that are planned at each measurement, of those held; with 0 the last adapters are kept"
    )
    bits: int = option(4, "4 writes the fused model in 4 bits too, in groups of 32; 16 does not")
    grad_checkpoint: bool = option(False, "compute activations twice instead of keeping them: less memory, more time")
    simulate_quantization: float = option(
        0.0, "share of the steps, the last ones, with the adapted matrices as 4 bits would give them"
    )
