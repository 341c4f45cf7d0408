"""Fine-tune any mlx-lm model to plan, with LoRA through mlx-lm itself; the best adapters by validation success are kept.

    tinyagent train lora --model FOLDER --out runs/lora

OUT gets data/ (rows as mlx-lm reads them), adapters/ (the best ones, for `mlx_lm.generate --adapter-path` too), model/ (the
adapters fused) and, with --bits 4, model-4bit/. What is better is decided by planning, not by the loss. A run that was cut
off goes on from its last measurement. On several processes (`mlx.launch -n 2 …`) OUT is a folder that all of them see.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tinyagent_mlx.device as device  # before MLX

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_unflatten
from mlx_lm.tuner.callbacks import TrainingCallback
from mlx_lm.tuner.trainer import TrainingArgs, iterate_batches
from mlx_lm.tuner.trainer import train as mlx_lm_train
from mlx_lm.tuner.utils import linear_to_lora_layers
from mlx_lm.utils import dequantize_model

from tinyagent_mlx.decoding import for_cpu, load_folder
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab import checkpoints, folders, recipes
from tinyagent_mlx.lab.lessons import Tokens, tokenize
from tinyagent_mlx.lab.recipes import LoraRecipe
from tinyagent_mlx.lab.rows import Judge, find_rows, profile_of, read_rows, write_rows
from tinyagent_mlx.lab.shards import Order
from tinyagent_mlx.lab.train_language import Say, alone, success
from tinyagent_mlx.language import PROMPT_FILE, trained_profile
from tinyagent_mlx.nearness import NearestExamples
from tinyagent_mlx.toolbox import Example
from tinyagent_mlx.toolfile import load_toolboxes
from tinyagent_mlx.weights import flat, read_arrays

REPORTS = 10  # losses that are told between two measurements
FREE = ("out", "data", "workers", "bits", "steps", "epochs", "measure_every")  # what may change when a run goes on
BEST, LAST = "adapters.safetensors", "last.safetensors"


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


class Best(TrainingCallback):
    """Measures every so many steps, from step 0 on, and keeps the adapters of the best measurement; of equals the first.

    `measure` gives the success of the model as it is, from 0 to 1. Each measurement leaves a checkpoint.
    """

    def __init__(
        self, model: nn.Module, rule: optim.Optimizer, measure: Callable[[], float], every: int, last: int, folder: Path,
        say: Say,
    ):  # fmt: skip
        self.model, self.rule, self.measure, self.every, self.last = model, rule, measure, every, last
        self.folder, self.say = folder, say
        self.found: list[tuple[int, float]] = []
        self.step, self.best, self.start = 0, -1.0, 0

    def resume(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        file = self.folder / checkpoints.FILE
        if not file.is_file():
            return
        arrays, metadata = read_arrays(file)
        self.model.load_weights(list(checkpoints.part(arrays, "model.").items()), strict=False)
        self.rule.state = tree_unflatten(list(checkpoints.part(arrays, "rule.").items()))
        self.found = [(step, value) for step, value in json.loads(metadata["found"])]
        self.start = self.found[-1][0]
        self.best = max(value for _, value in self.found)
        self.step = next(step for step, value in self.found if value == self.best)

    def look(self, step: int) -> None:
        """Measure the model after `step` steps."""
        value = self.measure()
        self.found.append((step, value))
        better = value > self.best
        if better:
            self.step, self.best = step, value
            mx.save_safetensors(str(self.folder / BEST), flat(self.model.trainable_parameters()))
        self._save()
        self.say(f"step {step}/{self.last}  validation success {value:.3f}{'  (best)' if better else ''}")

    def on_train_loss_report(self, train_info: dict) -> None:
        """Called by mlx-lm after a step that is a multiple of its reports, and after the last one."""
        step = self.start + train_info["iteration"]
        if step // self.every > self.found[-1][0] // self.every or step == self.last:
            self.look(step)

    def _save(self) -> None:
        """Adapters, the optimizer's state and the measurements, in one rename."""
        part = self.folder / "part.safetensors"
        arrays = {f"model.{name}": value for name, value in flat(self.model.trainable_parameters()).items()}
        arrays |= {f"rule.{name}": value for name, value in flat(self.rule.state).items()}
        mx.save_safetensors(str(part), arrays, {"found": json.dumps(self.found)})
        part.rename(self.folder / checkpoints.FILE)


def steps_of(recipe: LoraRecipe, rows: int) -> int:
    """Training steps: those of the recipe, or its epochs'."""
    return recipe.steps or max(1, round(recipe.epochs * rows / recipe.batch))


def adapt(model: Any, recipe: LoraRecipe) -> dict[str, Any]:
    """Freeze a model and put adapters in; gives what mlx-lm's adapter_config.json says of them."""
    blocks = recipe.blocks or len(model.layers)
    if blocks > len(model.layers):
        raise ConfigError(f"--blocks {blocks}: the model has {len(model.layers)}")
    mx.random.seed(recipe.seed)
    model.freeze()
    parameters = {"rank": recipe.rank, "scale": recipe.scale, "dropout": recipe.dropout}
    linear_to_lora_layers(model, blocks, parameters)
    return {"fine_tune_type": "lora", "num_layers": blocks, "lora_parameters": parameters}


def tune(
    model: nn.Module, rows: Sequence[Tokens], recipe: LoraRecipe, folder: Path, measure: Callable[[], float], say: Say
) -> Best:
    """Train the adapters of a model, then put the best ones in; they are in `folder`, the last ones beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    last, rule, group = steps_of(recipe, len(rows)), optim.AdamW(learning_rate=recipe.lr), mx.distributed.init()
    if recipe.batch % group.size():
        raise ConfigError(f"--batch {recipe.batch}: expected a multiple of the {group.size()} processes")
    rule.init(model.trainable_parameters())
    watch = Best(model, rule, measure, recipe.measure_every, last, folder, say)
    watch.resume()
    first = group.rank() == 0
    if first and not watch.found:
        watch.look(0)
    settings = TrainingArgs(
        batch_size=recipe.batch, iters=last - watch.start, steps_per_report=max(1, recipe.measure_every // REPORTS),
        steps_per_save=last + 1, max_seq_length=recipe.longest, adapter_file=str(folder / LAST),
    )  # fmt: skip
    callback = watch if first else TrainingCallback()
    np.random.seed(recipe.seed)  # mlx-lm draws its batches with it
    if watch.start < last:
        mlx_lm_train(
            model, rule, Dataset(rows), args=settings, loss=loss, iterate_batches=_behind(watch.start),
            training_callback=callback,
        )  # fmt: skip
    alone(lambda: None)
    model.load_weights(str(folder / BEST), strict=False)
    model.eval()
    return watch


def _behind(steps: int) -> Callable[..., Iterator[Any]]:
    """mlx-lm's own batches, without those of the steps that are done."""

    def batches(*given: Any, **options: Any) -> Iterator[Any]:
        return itertools.islice(iterate_batches(*given, **options), steps, None)

    return batches


def fuse(model: nn.Module) -> None:
    """Put adapters into the matrices that they stand beside; what was quantized is expanded, never quantized twice."""
    fused: list[Any] = [
        (name, module.fuse(dequantize=True)) for name, module in model.named_modules() if hasattr(module, "fuse")
    ]
    if fused:
        model.update_modules(tree_unflatten(fused))
    dequantize_model(model)
    mx.eval(model.parameters())


def train(recipe: LoraRecipe, order: Order, judge: Callable[[], Judge], more: Sequence[Example], say: Say) -> Path:
    """Go through all stages; gives the fused model's folder."""
    check(recipe)
    source, out = Path(recipe.model), Path(recipe.out)
    model, tokenizer, config = load_folder(source)
    stored = mx.bfloat16 if any(v.dtype == mx.bfloat16 for v in flat(model.parameters()).values()) else mx.float16
    if not device.on_gpu():
        model = for_cpu(model)
    data, sentences = find_rows(recipe, out), judge()
    alone(lambda: recipes.keep(recipe, out, FREE))
    alone(lambda: write_rows(data, order, sentences, profile_of(recipe, trained_profile(source)), recipe, more, say))
    profile, examples = trained_profile(data), NearestExamples(sentences, more)
    rows = tokenize(tokenizer, read_rows(data), recipe.longest, recipe.batch, profile.chat)
    about = adapt(model, recipe)
    trained = sum(value.size for value in flat(model.trainable_parameters()).values())
    say(f"{len(rows)} rows, {steps_of(recipe, len(rows))} steps, {trained / 1e6:.2f}M weights in the adapters")
    tools = load_toolboxes(order.tools)

    def measure() -> float:
        found = success(model, tokenizer, profile, examples, data, tools, recipe.cases)
        return float(found["dag_success"])

    best = tune(model, rows, recipe, out / "adapters", measure, say)
    if mx.distributed.init().rank() == 0:
        _write(recipe, model, config, about, best, data, stored, say)
    return out / "model"


def _write(
    recipe: LoraRecipe, model: nn.Module, config: dict[str, Any], about: dict[str, Any], best: Best, data: Path,
    dtype: mx.Dtype, say: Say,
) -> None:  # fmt: skip
    """Adapters' configuration, the fused model, and what was measured."""
    out, source = Path(recipe.out), Path(recipe.model)
    (out / "adapters" / "adapter_config.json").write_text(json.dumps({"model": recipe.model, **about}, indent=1) + "\n")
    fuse(model)
    plain = {key: value for key, value in config.items() if not key.startswith("quantization")}
    folders.write(out / "model", model, plain, source, dtype)
    (out / "model" / PROMPT_FILE).write_bytes((data / PROMPT_FILE).read_bytes())
    if recipe.bits == 4:
        folders.quantize(out / "model", out / "model-4bit")
    scores = {"best_step": best.step, "best": best.best, "measured": best.found, "recipe": asdict(recipe)}
    (out / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    if best.step == 0:
        say("no measurement was better than the model's own before training: the adapters that are kept change nothing")
    say(f"best at step {best.step}: validation success {best.best:.3f}; {out / 'model'}")


def check(recipe: LoraRecipe) -> None:
    """Raise `ConfigError` where a recipe asks for what can't be."""
    if not (Path(recipe.model) / "config.json").is_file() or not recipe.model:
        raise ConfigError(f"--model: {recipe.model!r} is no model folder: it has no config.json")
    least = {
        "rank": 1,
        "batch": 1,
        "cases": 1,
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
    if recipe.bits not in (4, 16):
        raise ConfigError(f"--bits {recipe.bits}: expected 4 or 16")
