"""Train a small Llama from scratch to plan: rows, its own tokenizer, weights, and a folder that mlx-lm loads.

    tinyagent train language --out runs/language --steps 4000

Each stage leaves its files in the folder and is not done again: data/ the rows, tokenizer/, checkpoint.safetensors, model/
in 16 bits and model-4bit/. Runs on one process or on several, where OUT is a folder that all of them see (gradients are
averaged):

    mlx.launch -n 2 --backend ring .venv/bin/tinyagent train language --out runs/language
"""

from __future__ import annotations

import json
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import mlx_lm

from tinyagent_mlx import weights
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.decoding import Decoder
from tinyagent_mlx.desktop.base import NoDesktop
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.evaluation import evaluate, summarize
from tinyagent_mlx.lab import checkpoints, folders, induction, recipes, small_llama
from tinyagent_mlx.lab.lessons import Lesson, Lessons, tokenize
from tinyagent_mlx.lab.recipes import LanguageRecipe
from tinyagent_mlx.lab.rows import AtHand, Judge, find_rows, profile_of, read_rows, write_rows
from tinyagent_mlx.lab.shards import Order
from tinyagent_mlx.lab.train_planner import Progress, Tell
from tinyagent_mlx.language import PROMPT_FILE, LanguagePlanner, trained_profile
from tinyagent_mlx.nearness import NearestExamples
from tinyagent_mlx.profile import Profile
from tinyagent_mlx.prompt import BRIEF
from tinyagent_mlx.toolbox import Example, Toolbox
from tinyagent_mlx.toolfile import load_toolboxes

Say = Callable[[str], None]
EVERY = 20  # steps between progress lines
FREE = ("out", "data", "workers", "steps", "save_every", "cases", "engine")  # what may change when a training goes on


def loss(model: Any, lesson: Lesson, quantized: bool = False) -> mx.array:
    """Cross-entropy over the plans' tokens, a mean; logits are made of those alone.

    `quantized` computes it with the weights that 4 bits would give, and passes gradients straight through.
    """
    if quantized:
        exact = model.trainable_parameters()
        model.update(weights.simulated(model, weights.whole_groups))
        try:
            return loss(model, lesson)
        finally:
            model.update(exact)
    hidden = model.model(mx.array(lesson.tokens))
    hidden = hidden.reshape(-1, hidden.shape[-1])[mx.array(lesson.spots)]
    tied = model.args.tie_word_embeddings
    logits = model.model.embed_tokens.as_linear(hidden) if tied else model.lm_head(hidden)
    return nn.losses.cross_entropy(logits, mx.array(lesson.targets), reduction="mean")


def optimizer(recipe: LanguageRecipe) -> optim.Optimizer:
    """AdamW whose rate rises, then falls as a cosine does."""
    rise = optim.linear_schedule(0.0, recipe.lr, recipe.warmup)
    fall = optim.cosine_decay(recipe.lr, max(1, recipe.steps - recipe.warmup), recipe.lr * recipe.floor)
    schedule = optim.join_schedules([rise, fall], [recipe.warmup])
    return optim.AdamW(schedule, betas=[0.9, 0.95], weight_decay=recipe.decay)


def fit(model: nn.Module, recipe: LanguageRecipe, lessons: Lessons, tell: Tell, last: int) -> int:
    """Train a model in place up to step `last`, from the checkpoint in `recipe.out` where there is one.

    Gives the step that was reached, which is less than `last` when `tell` stopped it; a checkpoint is written then too.
    """
    group, out = mx.distributed.init(), Path(recipe.out)
    rule = optimizer(recipe)
    start, _ = checkpoints.resume(out, model, rule)
    step_of = nn.value_and_grad(model, loss)
    began, losses = time.perf_counter(), deque[float](maxlen=EVERY)
    model.train()
    for step, lesson in zip(range(start, last), lessons.from_step(start), strict=False):
        value, gradients = step_of(model, lesson, step >= recipe.steps * (1 - recipe.quantized))
        gradients = nn.utils.average_gradients(gradients)
        gradients, _ = optim.clip_grad_norm(gradients, 1.0)
        rule.update(model, gradients)
        mx.eval(model.state, rule.state, value)
        losses.append(value.item())
        seconds = (time.perf_counter() - began) / (step + 1 - start)
        stop = tell(Progress(step + 1, recipe.steps, statistics.fmean(losses), seconds))
        if group.rank() == 0 and ((step + 1) % recipe.save_every == 0 or step + 1 == last or stop):
            checkpoints.save(out, model, rule, step + 1)
        if stop:
            return step + 1
    return last


def success(model: nn.Module, tokenizer: Any, profile: Profile, examples: NearestExamples, data: Path, tools: Toolbox,
            cases: int) -> dict[str, Any]:  # fmt: skip
    """Plan validation requests with the tools that their prompts showed; gives the figures of `evaluation.summarize`."""
    at_hand = AtHand(data)
    planner = LanguagePlanner(Decoder(model, tokenizer, chat=profile.chat), profile, examples)
    wanted = at_hand.cases[:cases]
    model.eval()
    try:
        rows = evaluate(Agent(tools, planner, at_hand, NoDesktop()), wanted, wanted[0].now)  # type: ignore[arg-type]
    finally:
        model.train()
    return {key: value for key, value in summarize(rows).items() if key != "by_tag"}


def alone(make: Callable[[], object]) -> None:
    """Let the first process do something while the others wait for it."""
    if mx.distributed.init().rank() == 0:
        make()
    mx.eval(mx.distributed.all_sum(mx.array(1.0), stream=mx.cpu))


def train(recipe: LanguageRecipe, order: Order, judge: Callable[[], Judge], more: Sequence[Example], say: Say) -> Path:
    """Go through all stages; gives the finished model's folder. `judge` is called only where rows are made or measured."""
    small_llama.check(recipe)
    steps = _engine(recipe)
    out, group = Path(recipe.out), mx.distributed.init()
    data, place = find_rows(recipe, out), out / "tokenizer"
    alone(lambda: recipes.keep(recipe, out, FREE))
    alone(lambda: _prepare(recipe, order, judge, more, data, place, say))
    tokenizer = mlx_lm.utils.load_tokenizer(place)
    config = small_llama.config_of(recipe, 1 + max(tokenizer.get_vocab().values()))
    model = small_llama.build(config, recipe.seed)
    if recipe.copying and recipe.layers >= induction.LAYERS:
        induction.begin_with_copying(model, recipe.seed)
    say(f"{sum(value.size for value in weights.flat(model.parameters()).values()) / 1e6:.1f}M parameters")
    rows = tokenize(tokenizer, read_rows(data), recipe.longest, recipe.batch, trained_profile(data).chat)
    lessons = Lessons(rows, recipe.batch, recipe.seed, group.rank(), group.size())
    say(
        f"{len(rows)} rows, {sum(len(t.row) for t in rows) / len(rows):.0f} tokens each, {lessons.steps} steps an epoch"
    )

    def tell(progress: Progress) -> None:
        if progress.step % EVERY == 0 or progress.step == progress.steps:
            say(str(progress))

    steps(model, recipe, lessons, tell, recipe.steps)
    alone(lambda: _finish(recipe, model, config, out, say))
    if recipe.cases:
        alone(lambda: _measure(recipe, order, NearestExamples(judge(), more), data, out, say))
    return out / "model"


def _engine(recipe: LanguageRecipe) -> Callable[[Any, LanguageRecipe, Lessons, Tell, int], int]:
    """What computes the steps."""
    if recipe.engine == "mlx":
        return fit
    if mx.distributed.init().size() > 1:
        raise ConfigError("--engine torch: runs as one process; several take --engine mlx")
    try:
        from tinyagent_mlx.lab import fit_torch
    except ImportError as error:
        raise ConfigError(f"--engine torch: PyTorch is not installed: {error}") from error
    return fit_torch.fit


def _prepare(
    recipe: LanguageRecipe, order: Order, judge: Callable[[], Judge], more: Sequence[Example], data: Path, place: Path, say: Say,
) -> None:  # fmt: skip
    """Rows, and the tokenizer that is trained on them."""
    if not (data / PROMPT_FILE).is_file():
        say(f"rows: {data}")
        write_rows(data, order, judge(), profile_of(recipe, BRIEF), recipe, more, say)
    if not (place / "tokenizer_config.json").is_file():
        say(f"tokenizer: {place}")
        texts = (text for row in read_rows(data) for text in (row.prompt, row.completion))
        small_llama.write_tokenizer(place, small_llama.train_tokenizer(texts, recipe.vocabulary))
        (place / PROMPT_FILE).write_bytes((data / PROMPT_FILE).read_bytes())


def _finish(recipe: LanguageRecipe, model: nn.Module, config: dict[str, Any], out: Path, say: Say) -> None:
    """The model's folders, in 16 and in 4 bits."""
    folders.write(out / "model", model, config, out / "tokenizer")
    folders.quantize(out / "model", out / "model-4bit")
    for name in ("model", "model-4bit"):
        say(f"{out / name}: {folders.size(out / name) / 1e6:.1f} MB")


def _measure(
    recipe: LanguageRecipe, order: Order, examples: NearestExamples, data: Path, out: Path, say: Say
) -> None:  # fmt: skip
    """Plan validation requests with what was written, both ways."""
    from tinyagent_mlx.decoding import load_decoder

    tools, found = load_toolboxes(order.tools), {}
    for name in ("model", "model-4bit"):
        decoder = load_decoder(out / name)
        profile = trained_profile(out / name)
        found[name] = success(decoder.model, decoder.tokenizer, profile, examples, data, tools, recipe.cases)
        say(f"{name}: dag success {found[name]['dag_success']}, exact {found[name]['exact_success']}")
    (out / "scores.json").write_text(json.dumps(found, indent=1) + "\n")
