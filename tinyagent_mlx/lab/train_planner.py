"""Train the pointer planner and the retriever that shares its encoder.

    python -m tinyagent_mlx.lab.train_planner --base FOLDER --out runs/planner --steps 3000

Runs on one process or on several (`mlx.launch -n 4 …`: gradients are averaged). Checkpoints are resumed by themselves.
"""

from __future__ import annotations

import argparse
import queue
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

from tinyagent_mlx import weights
from tinyagent_mlx.decisions import KINDS, Layout
from tinyagent_mlx.encoder import Batch, WordTokenizer, load_pretrained, pretrained_args
from tinyagent_mlx.lab import checkpoints, corpus, recipes
from tinyagent_mlx.lab.batches import POOL, Batches, Targets
from tinyagent_mlx.lab.corpus import Wording
from tinyagent_mlx.lab.generate import Mix, open_dictionary, vocabulary
from tinyagent_mlx.lab.madeup import ParaphraserOf, Worlds, read_madeup
from tinyagent_mlx.lab.paraphrase import Paraphraser, paraphraser_of
from tinyagent_mlx.lab.recipes import PlannerRecipe as Recipe
from tinyagent_mlx.pointer import ModelArgs, PointerModel, Schema
from tinyagent_mlx.schema import encode_schema
from tinyagent_mlx.toolbox import Tool, Toolbox
from tinyagent_mlx.toolfile import load_toolbox
from tinyagent_mlx.weights import read_arrays

# Long requests are the hard ones: more of them than a user sends.
MIX = Mix(refusals=0.13, singles=0.25, multiples=0.27, composed=0.35, lengths=(4, 4, 3, 2, 1), formal=0.25)
RESTATED, REPHRASED = 0.3, 0.15  # how likely a request for a made-up tool is said another way, and in other words


class Bonus(Protocol):
    """What decoding adds to the logits of the candidates before the steps."""

    def look(self, model: PointerModel, tokenizer: WordTokenizer, layout: Layout) -> None:
        """Take in a toolbox, before requests are measured against it."""

    def __call__(self, states: mx.array, valid: mx.array, needed: mx.array, targets: Targets) -> mx.array:
        """From the request's states [B, L, e] and the retriever's logits [B, T]: [B, D, F]."""


def loss(
    model: PointerModel, batch: Batch, targets: Targets, schema: Schema, recipe: Recipe, quantized: bool = False,
    bonus: Bonus | None = None,
) -> mx.array:  # fmt: skip
    """Cross-entropy over legal candidates, a mean over decisions, plus the retriever's binary cross-entropy.

    `quantized` computes it with the weights that 4 bits would give, and passes gradients straight through.
    """
    if quantized:
        exact = model.trainable_parameters()
        model.update(weights.simulated(model))
        try:
            return loss(model, batch, targets, schema, recipe, bonus=bonus)
        finally:
            model.update(exact)
    valid = mx.array(batch.valid)
    states = model.encode(mx.array(batch.tokens), mx.array(batch.shapes), valid)
    memory = model.remember(states, valid, mx.array(batch.first), mx.array(batch.word_valid))
    fixed, words = model.tables(schema, memory)
    steps = model.step_vectors(fixed, words, mx.array(targets.step_tools), mx.array(targets.step_starts))
    table = mx.concatenate([fixed, steps, words], axis=1)
    previous = mx.take_along_axis(table, mx.array(targets.previous)[..., None], axis=1)
    started = mx.array(targets.previous_kind < KINDS)[..., None]
    kind = mx.array(targets.kind)
    x = model.inputs(
        model.slot_table(schema), mx.where(started, previous, 0.0), mx.array(targets.previous_kind), kind,
        mx.array(targets.slot), mx.array(targets.number),
    )  # fmt: skip
    causal = nn.MultiHeadAttention.create_additive_causal_mask(x.shape[1])
    hidden, _ = model.decode(x, memory, mask=causal)
    scores = model.retrieve(states, valid, schema)
    hints = model.hints(schema, scores, states, valid)[:, None]
    hints = hints + model.saying(mx.array(targets.said), len(schema.tools))
    logits = model.scores(hidden, kind, model.candidate_keys(schema, memory), steps, hints)
    if bonus:
        added = bonus(states, valid, scores, targets)
        logits = mx.concatenate([logits[..., : added.shape[-1]] + added, logits[..., added.shape[-1] :]], axis=-1)
    logits = mx.where(mx.array(targets.legal), logits, -1e9)
    weight = mx.array(targets.weight)
    pointing = (nn.losses.cross_entropy(logits, mx.array(targets.target)) * weight).sum() / weight.sum()
    needed = mx.array(targets.needed)
    each = nn.losses.binary_cross_entropy(scores, needed, with_logits=True, reduction="none")
    retrieval = (each * mx.where(needed > 0, recipe.pos_weight, 1.0)).mean()
    return pointing + recipe.retrieval_weight * retrieval


def optimizer(recipe: Recipe) -> optim.Optimizer:
    """AdamW with a gentle rate for the pretrained encoder and a brisk one for what starts from scratch."""

    def schedule(peak: float):
        rise = optim.linear_schedule(0.0, peak, recipe.warmup)
        fall = optim.linear_schedule(peak, peak * recipe.floor, max(1, recipe.steps - recipe.warmup))
        return optim.join_schedules([rise, fall], [recipe.warmup])

    # Without bias correction (MLX's default) the first hundred steps would be three to six times as long as the rate says.
    rates = (recipe.encoder_lr, recipe.decoder_lr)
    return optim.MultiOptimizer(
        [optim.AdamW(schedule(rate), weight_decay=0.01, bias_correction=True) for rate in rates],
        [lambda name, _: name.startswith("encoder")],
    )


def freeze_embeddings(model: PointerModel) -> None:
    """Words that training never shows must stay where the pretrained model put them, as 4 bits will give them."""
    for table in (model.encoder.word_embeddings, model.encoder.position_embeddings):
        table.weight = weights.through_4_bits(table.weight)
        table.freeze()


def model_args(recipe: Recipe) -> ModelArgs:
    """The architecture that a recipe names: its base's encoder, and a decoder on top."""
    return ModelArgs(encoder=pretrained_args(Path(recipe.base)), num_hidden_layers=recipe.layers)


def build(recipe: Recipe) -> PointerModel:
    """A model with a pretrained encoder and a fresh decoder."""
    mx.random.seed(recipe.seed)
    model = PointerModel(model_args(recipe))
    model.encoder = load_pretrained(Path(recipe.base))
    for name in ("specials", "kinds", "previous_kinds", "step_numbers", "special_key"):
        table = getattr(model, name)
        table.weight = mx.random.normal(table.weight.shape) * 0.3
    if recipe.start:
        arrays, _ = read_arrays(Path(recipe.start))
        kept = {name.removeprefix("model."): value for name, value in arrays.items() if name.startswith("model.")}
        model.load_weights(list(kept.items()), strict=False)  # what an older checkpoint lacks starts fresh
    freeze_embeddings(model)
    mx.eval(model.parameters())
    return model


def save(folder: Path, model: PointerModel, rule: optim.Optimizer, schema: Schema, step: int) -> None:
    """Write a checkpoint with the schema that was in use."""
    checkpoints.save(folder, model, rule, step, {f"schema.{name}": value for name, value in vars(schema).items()})


def resume(folder: Path, model: PointerModel, rule: optim.Optimizer) -> tuple[int, Schema | None]:
    """Load the last checkpoint, if there is one; gives the step to go on from, and the schema that was in use."""
    step, arrays = checkpoints.resume(folder, model, rule)
    return step, Schema(**checkpoints.part(arrays, "schema.")) if arrays else None


def prefetch(items: Iterator, depth: int = 6) -> Iterator:
    """Draw from `items`, which never end, in a thread of its own; an error of theirs is raised here."""
    waiting: queue.Queue = queue.Queue(depth)
    gone = threading.Event()

    def work() -> None:
        try:
            for item in items:
                waiting.put((item, None))
                if gone.is_set():
                    return
        except BaseException as error:
            waiting.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        while True:
            item, error = waiting.get()
            if error:
                raise error
            yield item
    finally:
        gone.set()
        with suppress(queue.Empty):
            waiting.get_nowait()  # let go a thread that waits to put


def tools_of(recipe: Recipe, tools: Toolbox) -> Toolbox:
    """The tools that a recipe is about."""
    return tools.subset(recipe.only.split(",")) if recipe.only else tools


def wordings(recipe: Recipe, part: str) -> list[Wording]:
    """The corpus's wordings of a part of the split that a recipe's tools can serve, and its refusals."""
    found: list[Wording] = getattr(corpus.split(corpus.read_corpus()), part)
    wanted = set(recipe.only.split(","))
    return [w for w in found if not recipe.only or all(step.tool in wanted for step in w.plan.steps)]


def training_batches(recipe: Recipe, tools: Toolbox, rank: int = 0, ranks: int = 1) -> Batches:
    """The stream of batches that a recipe names; each of several ranks draws its own share."""
    base = Path(recipe.base)
    madeup = read_madeup() if recipe.madeup else ()
    madeup += 2 * tuple(tool for tool in madeup if tool.file.stem in recipe.favoured)
    pieces = vocabulary(base)
    other = _paraphrasing(base, pieces) if recipe.restated else None
    train, dictionary = wordings(recipe, "train"), open_dictionary(pieces)
    worlds = Worlds(train, tools_of(recipe, tools), madeup, dictionary, recipe.seed, MIX, other)
    return Batches(worlds, WordTokenizer(base / "tokenizer.json"), recipe.batch // ranks, rank)


def _paraphrasing(base: Path, pieces: list[str]) -> ParaphraserOf:
    """Near words are those of the word vectors that the encoder in folder `base` brought along."""
    vectors = np.array(load_pretrained(base).word_embeddings.weight)

    def about(tools: Sequence[Tool], said: Sequence[str]) -> Paraphraser:
        return paraphraser_of(tools, said, vectors, pieces, RESTATED, REPHRASED, asked=False)

    return about


def reached(recipe: Recipe) -> int:
    """The step of a recipe's last checkpoint, 0 where there is none."""
    return checkpoints.reached(Path(recipe.out))


@dataclass(frozen=True)
class Progress:
    """How training stands after a step; `loss` is the mean of the last twenty, `left` is in seconds."""

    step: int
    steps: int
    loss: float
    seconds_a_step: float

    @property
    def left(self) -> float:
        return self.seconds_a_step * (self.steps - self.step)

    def __str__(self) -> str:
        return (
            f"step {self.step}/{self.steps}  loss {self.loss:.4f}  {self.seconds_a_step:.2f} s a step  "
            f"{self.left / 60:.0f} min left"
        )


Tell = Callable[[Progress], bool | None]  # called after each step; True stops the training after it


def train(recipe: Recipe, tools: Toolbox, log=print, until: int | None = None) -> PointerModel:
    """Train to `recipe.steps`, or stop at step `until` to go on later; from the last checkpoint where there is one."""
    group = mx.distributed.init()
    batches = training_batches(recipe, tools, group.rank(), group.size())

    def tell(progress: Progress) -> None:
        if group.rank() == 0 and progress.step % 20 == 0:
            log(str(progress))

    model = build(recipe)
    fit(model, recipe, batches, tell, min(until or recipe.steps, recipe.steps))
    return model


def fit(
    model: PointerModel, recipe: Recipe, batches: Batches, tell: Tell, last: int, bonus: Bonus | None = None
) -> int:
    """Train a model in place up to step `last`, from the checkpoint in `recipe.out` where there is one.

    Gives the step that was reached, which is less than `last` when `tell` stopped it; a checkpoint is written then too.
    """
    group, out = mx.distributed.init(), Path(recipe.out)
    rule = optimizer(recipe)
    start, schema = resume(out, model, rule)
    step_of = nn.value_and_grad(model, loss)
    began, losses = time.perf_counter(), deque[float](maxlen=20)
    for step, lesson in zip(range(start, last), prefetch(batches.from_step(start)), strict=False):
        if schema is None or step % POOL == 0:
            schema = encode_schema(model, batches.tokenizer, lesson.layout)
        if bonus and (step == start or step % POOL == 0):
            bonus.look(model, batches.tokenizer, lesson.layout)
        quantized = step >= recipe.steps * (1 - recipe.quantized)
        value, gradients = step_of(model, lesson.batch, lesson.targets, schema, recipe, quantized, bonus)
        gradients = nn.utils.average_gradients(gradients)
        gradients, _ = optim.clip_grad_norm(gradients, 1.0)
        rule.update(model, gradients)
        mx.eval(model.state, rule.state, value)
        losses.append(value.item())
        seconds = (time.perf_counter() - began) / (step + 1 - start)
        stop = tell(Progress(step + 1, recipe.steps, statistics.fmean(losses), seconds))
        if group.rank() == 0 and ((step + 1) % recipe.save_every == 0 or step + 1 == last or stop):
            save(out, model, rule, schema, step + 1)
        if stop:
            return step + 1
    return last


def arguments(description: str, given: list[str] | None = None) -> Recipe:
    """Read a recipe from the command line: every field is an option."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    recipes.add_options(parser, Recipe)
    return recipes.read(Recipe, parser.parse_args(given))


def main() -> None:
    recipe = arguments(__doc__ or "")
    train(recipe, load_toolbox(Path(recipe.tools)), log=lambda text: print(text, flush=True))


if __name__ == "__main__":
    main()
