"""Train the pointer planner in PyTorch with the recipe of `train_planner.py`: same data, same loss, same checkpoints.

python -m tinyagent_mlx.lab.train_torch --base FOLDER --out runs/planner --steps 3000
"""

from __future__ import annotations

import time
from pathlib import Path

import torch  # before MLX: one thread pool for the cores

import mlx.core as mx
import numpy as np

from tinyagent_mlx.lab import torch_twin
from tinyagent_mlx.lab.batches import POOL
from tinyagent_mlx.lab.train_planner import Recipe, arguments, build, prefetch, training_batches
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import load_toolbox
from tinyagent_mlx.weights import flat, read_arrays


def _groups(model: torch_twin.PointerModel, recipe: Recipe) -> list[dict]:
    for table in (model.encoder.word_embeddings, model.encoder.position_embeddings):
        table.weight.requires_grad_(False)
    named = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    encoder = [weight for name, weight in named if name.startswith("encoder")]
    rest = [weight for name, weight in named if not name.startswith("encoder")]
    return [{"params": encoder, "peak": recipe.encoder_lr}, {"params": rest, "peak": recipe.decoder_lr}]


def _rate(step: int, recipe: Recipe) -> float:
    if step < recipe.warmup:
        return step / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return 1 + (recipe.floor - 1) * done


def _save(folder: Path, model: torch_twin.PointerModel, rule: torch.optim.Optimizer, step: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"model.{name}": mx.array(value.numpy()) for name, value in model.state_dict().items()}
    part = folder / "part.safetensors"
    mx.save_safetensors(str(part), arrays, {"step": str(step)})
    torch.save(rule.state_dict(), folder / "part.torch")
    (folder / "part.torch").rename(folder / "rule.torch")
    part.rename(folder / "checkpoint.safetensors")


def _resume(folder: Path, model: torch_twin.PointerModel, rule: torch.optim.Optimizer) -> int:
    file = folder / "checkpoint.safetensors"
    if not file.exists():
        return 0
    arrays, metadata = read_arrays(file)
    model.load_state_dict({name[6:]: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
    rule.load_state_dict(torch.load(folder / "rule.torch", weights_only=True))
    return int(metadata["step"])


def train(recipe: Recipe, tools: Toolbox, log=print) -> None:
    """Train to `recipe.steps`, from the last checkpoint where there is one."""
    torch.manual_seed(recipe.seed)
    start_weights = build(recipe)
    model = torch_twin.PointerModel(start_weights.args)
    model.load_state_dict({name: torch.from_numpy(np.array(v)) for name, v in flat(start_weights.parameters()).items()})
    rule = torch.optim.AdamW(_groups(model, recipe), weight_decay=0.01, fused=True)
    out = Path(recipe.out)
    start = _resume(out, model, rule)
    batches = training_batches(recipe, tools)
    schema = None
    began, losses = time.perf_counter(), []
    for step, lesson in zip(range(start, recipe.steps), prefetch(batches.from_step(start)), strict=False):
        if schema is None or step % POOL == 0:
            schema = torch_twin.encode_schema(model, batches.tokenizer, lesson.layout)
        for group in rule.param_groups:
            group["lr"] = group["peak"] * _rate(step, recipe)
        quantized = step >= recipe.steps * (1 - recipe.quantized)
        value = torch_twin.loss(
            model, lesson.batch, lesson.targets, schema, recipe.retrieval_weight, recipe.pos_weight, quantized
        )
        rule.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        rule.step()
        losses.append(value.item())
        if (step + 1) % 20 == 0:
            seconds = (time.perf_counter() - began) / (step + 1 - start)
            left = seconds * (recipe.steps - step - 1) / 60
            log(
                f"step {step + 1}/{recipe.steps}  loss {np.mean(losses[-20:]):.4f}  {seconds:.2f} s a step  {left:.0f} min left"
            )
        if (step + 1) % recipe.save_every == 0 or step + 1 == recipe.steps:
            _save(out, model, rule, step + 1)


def main() -> None:
    recipe = arguments(__doc__ or "")
    train(recipe, load_toolbox(Path(recipe.tools)), log=lambda text: print(text, flush=True))


if __name__ == "__main__":
    main()
