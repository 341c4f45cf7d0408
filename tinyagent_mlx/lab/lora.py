"""Fine-tune any mlx-lm model to plan, with LoRA through mlx-lm itself; the best adapters by validation success are kept.

    tinyagent train lora --model FOLDER --out runs/lora

OUT gets data/ (rows as mlx-lm reads them), adapters/ (the best ones, for `mlx_lm.generate --adapter-path` too), model/ (the
adapters fused) and, unless --bits 16, model-4bit/. What is better is decided by planning, not by the loss. A run that was
cut off goes on from its last measurement. On several processes (`mlx.launch -n 2 …`) OUT is a folder that all of them see.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tinyagent_mlx.device as device  # before MLX

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx_lm.tuner.callbacks import TrainingCallback
from mlx_lm.tuner.trainer import TrainingArgs, iterate_batches
from mlx_lm.tuner.trainer import train as mlx_lm_train

from tinyagent_mlx.decoding import for_cpu, load_decoder, load_folder
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab import adapters, folders, recipes
from tinyagent_mlx.lab.best import BEST, Best, peak
from tinyagent_mlx.lab.lessons import Tokens, tokenize
from tinyagent_mlx.lab.recipes import LoraRecipe
from tinyagent_mlx.lab.rows import Judge, find_rows, profile_of, read_rows, write_rows
from tinyagent_mlx.lab.shards import Order
from tinyagent_mlx.lab.train_language import Say, alone, success
from tinyagent_mlx.language import PROMPT_FILE, trained_profile
from tinyagent_mlx.nearness import NearestExamples
from tinyagent_mlx.toolbox import Example
from tinyagent_mlx.toolfile import load_toolboxes
from tinyagent_mlx.weights import flat

Measure = Callable[[nn.Module, Any], float]  # of a model and its tokenizer: success from 0 to 1
REPORTS = 10  # losses that are told between two measurements
FREE = ("out", "data", "workers", "bits", "steps", "epochs", "measure_every")  # what may change when a run goes on
LAST = "last.safetensors"


class Dataset:
    """Tokenized rows as mlx-lm's trainer takes them; its own classes would put other tokens around them than
    `decoding.py` does at run time."""

    def __init__(self, rows: Sequence[Tokens]):
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> tuple[list[int], int]:
        tokens = self.rows[number]
        return tokens.row.tolist(), tokens.start


def loss(model: Any, batch: mx.array, lengths: mx.array) -> tuple[mx.array, mx.array]:
    """Cross-entropy over the plans' tokens, and their number; mlx-lm's own counts the padding behind a plan as one more."""
    targets, spots = batch[:, 1:], mx.arange(1, batch.shape[1])
    mask = mx.logical_and(spots >= lengths[:, :1], spots < lengths[:, 1:])
    values = nn.losses.cross_entropy(model(batch[:, :-1]), targets) * mask
    return values.astype(mx.float32).sum() / mask.sum(), mask.sum()


def steps_of(recipe: LoraRecipe, rows: int) -> int:
    """Training steps: those of the recipe, or its epochs'."""
    return recipe.steps or max(1, round(recipe.epochs * rows / recipe.batch))


def tune(
    model: nn.Module, rows: Sequence[Tokens], recipe: LoraRecipe, folder: Path, measure: Callable[[], float] | None,
    say: Say,
) -> Best:  # fmt: skip
    """Train the adapters of a model, then put the best ones in; they are in `folder`, the last ones beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    last, rule, group = steps_of(recipe, len(rows)), optim.AdamW(learning_rate=recipe.lr), mx.distributed.init()
    if recipe.batch % group.size():
        raise ConfigError(f"--batch {recipe.batch}: expected a multiple of the {group.size()} processes")
    turn = last - round(last * recipe.simulate_quantization)
    rule.init(model.trainable_parameters())
    watch = Best(model, rule, measure, recipe.measure_every, last, folder, say, turn if turn < last else 0)
    watch.resume()
    for begin, end in ((0, turn), (turn, last)):
        if begin == turn < last:
            adapters.simulate(model)
        if watch.start < end:
            if group.rank() == 0 and begin not in dict(watch.found):
                watch.look(begin)
            _steps(model, rows, recipe, watch, end)
            watch.start = end
    alone(lambda: None)
    model.load_weights(str(folder / BEST), strict=False)
    model.eval()
    return watch


def _steps(model: nn.Module, rows: Sequence[Tokens], recipe: LoraRecipe, watch: Best, end: int) -> None:
    """Train from `watch.start` up to step `end`."""
    settings = TrainingArgs(
        batch_size=recipe.batch, iters=end - watch.start, steps_per_report=max(1, recipe.measure_every // REPORTS),
        steps_per_save=end + 1, max_seq_length=recipe.longest, adapter_file=str(watch.folder / LAST),
        grad_checkpoint=recipe.grad_checkpoint,
    )  # fmt: skip
    block: Any = type(model.layers[0])  # type: ignore[index]
    plain = block.__call__
    np.random.seed(recipe.seed)  # mlx-lm draws its batches with it
    try:
        mlx_lm_train(
            model, watch.rule, Dataset(rows), args=settings, loss=loss, iterate_batches=_behind(watch.start),
            training_callback=watch if mx.distributed.init().rank() == 0 else TrainingCallback(),
        )  # fmt: skip
    finally:
        block.__call__ = plain  # mlx-lm puts checkpointing into the class, and leaves it there


def _behind(steps: int) -> Callable[..., Iterator[Any]]:
    """mlx-lm's own batches, without those of the steps that are done."""

    def batches(*given: Any, **options: Any) -> Iterator[Any]:
        return itertools.islice(iterate_batches(*given, **options), steps, None)

    return batches


def train(recipe: LoraRecipe, order: Order, judge: Callable[[], Judge], more: Sequence[Example], say: Say) -> Path:
    """Go through all stages; gives the fused model's folder."""
    check(recipe)
    source, out = Path(recipe.model), Path(recipe.out)
    data, sentences, tools = find_rows(recipe, out), judge(), load_toolboxes(order.tools)
    alone(lambda: recipes.keep(recipe, out, FREE))
    alone(lambda: write_rows(data, order, sentences, profile_of(recipe, trained_profile(source)), recipe, more, say))
    profile, examples = trained_profile(data), NearestExamples(sentences, more)

    def measure(model: nn.Module, tokenizer: Any) -> float:
        return float(success(model, tokenizer, profile, examples, data, tools, recipe.cases)["dag_success"])

    scores = _train(recipe, data, measure, say)
    if mx.distributed.init().rank() == 0:
        if recipe.bits == 4:
            scores |= _quantized(recipe, measure, say)
        (out / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
        say(f"{out / 'model'}: {peak()}")
    return out / "model"


def _train(recipe: LoraRecipe, data: Path, measure: Measure, say: Say) -> dict[str, Any]:
    """Train on a folder of rows and write adapters and fused model; gives what was measured. Leaves no model in memory."""
    out, source = Path(recipe.out), Path(recipe.model)
    model, tokenizer, config = load_folder(source)
    stored = mx.bfloat16 if any(v.dtype == mx.bfloat16 for v in flat(model.parameters()).values()) else mx.float16
    if not device.on_gpu():
        model = for_cpu(model)
    rows = tokenize(tokenizer, read_rows(data), recipe.longest, recipe.batch, trained_profile(data).chat)
    about = adapters.adapt(model, recipe)
    trained = sum(value.size for value in flat(model.trainable_parameters()).values())
    tokens = sum(len(row.row) for row in rows) / len(rows)
    say(
        f"{len(rows)} rows of {tokens:.0f} tokens, {steps_of(recipe, len(rows))} steps, "
        f"{trained / 1e6:.2f}M weights in the adapters"
    )
    look = (lambda: measure(model, tokenizer)) if recipe.cases else None
    best = tune(model, rows, recipe, out / "adapters", look, say)
    if mx.distributed.init().rank() == 0:
        (out / "adapters" / "adapter_config.json").write_text(
            json.dumps({"model": recipe.model, **about}, indent=1) + "\n"
        )
        adapters.fuse(model)
        plain = {key: value for key, value in config.items() if not key.startswith("quantization")}
        folders.write(out / "model", model, plain, source, stored)
        (out / "model" / PROMPT_FILE).write_bytes((data / PROMPT_FILE).read_bytes())
    if recipe.cases:
        say(f"best at step {best.step}: validation success {best.best:.3f}")
    if recipe.cases and best.step == 0:
        say("no measurement was better than the model's own before training: the adapters that are kept change nothing")
    return {"best_step": best.step, "best": best.best, "measured": best.found, "recipe": asdict(recipe)}


def _quantized(recipe: LoraRecipe, measure: Measure, say: Say) -> dict[str, Any]:
    """Write the fused model in 4 bits; plan with it, and with what the model was before in 4 bits."""
    out, source = Path(recipe.out), Path(recipe.model)
    folders.quantize(out / "model", out / "model-4bit")
    say(f"{out / 'model-4bit'}: {folders.size(out / 'model-4bit') / 1e9:.3f} GB")
    if not recipe.cases:
        return {}

    def stored(folder: Path) -> float:
        decoder = load_decoder(folder)
        return measure(decoder.model, decoder.tokenizer)

    with tempfile.TemporaryDirectory(dir=out) as place:
        folders.quantize(source, Path(place))
        before = stored(Path(place))
    after = stored(out / "model-4bit")
    say(f"in 4 bits as stored: validation success {before:.3f} before, {after:.3f} after")
    return {"before_4bit": before, "after_4bit": after}


def check(recipe: LoraRecipe) -> None:
    """Raise `ConfigError` where a recipe asks for what can't be."""
    if not (Path(recipe.model) / "config.json").is_file() or not recipe.model:
        raise ConfigError(f"--model: {recipe.model!r} is no model folder: it has no config.json")
    least = {
        "rank": 1,
        "batch": 1,
        "cases": 0,
        "measure_every": 1,
        "rows": 1,
        "held": 1,
        "workers": 1,
        "steps": 0,
        "blocks": 0,
    }
    for name, low in least.items():
        if getattr(recipe, name) < low:
            raise ConfigError(f"--{name.replace('_', '-')} {getattr(recipe, name)}: expected {low} or more")
    if not 0 <= recipe.simulate_quantization <= 1:
        raise ConfigError(f"--simulate-quantization {recipe.simulate_quantization}: expected a share from 0 to 1")
    if recipe.bits not in (4, 16):
        raise ConfigError(f"--bits {recipe.bits}: expected 4 or 16")
