"""The small Llama's recipe on a tiny width: it learns, it resumes, and what it writes loads in mlx-lm and plans."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

# isort: split
import mlx.core as mx
import mlx_lm
import numpy as np
import pytest
from mlx_lm.utils import load_tokenizer

from tests.nearby import SharedWords
from tests.test_shards import order
from tinyagent_mlx import language
from tinyagent_mlx.check import check_plan
from tinyagent_mlx.decoding import encode
from tinyagent_mlx.errors import ConfigError, PlannerError
from tinyagent_mlx.lab import checkpoints, small_llama, train_language
from tinyagent_mlx.lab.lessons import Lessons, collate, tokenize, tokens_of
from tinyagent_mlx.lab.recipes import LanguageRecipe
from tinyagent_mlx.lab.rows import read_rows
from tinyagent_mlx.lab.train_language import fit, train
from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.weights import flat

RECIPE = LanguageRecipe(
    rows=100, held=8, workers=1, shown=1, width=32, layers=1, heads=2, vocabulary=900, steps=30, batch=4, lr=5e-3,
    warmup=3, save_every=10, quantized=0.2, cases=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[LanguageRecipe, list[str]]:
    recipe = replace(RECIPE, out=str(tmp_path_factory.mktemp("language")))
    said: list[str] = []
    train(recipe, order(), SharedWords, (), said.append)
    return recipe, said


def out(trained: tuple[LanguageRecipe, list[str]]) -> Path:
    return Path(trained[0].out)


def lessons(recipe: LanguageRecipe) -> tuple[dict, Lessons]:
    """What the recipe trains on, from the files that it left."""
    tokenizer = load_tokenizer(Path(recipe.out) / "tokenizer")
    rows = tokenize(tokenizer, read_rows(Path(recipe.out) / "data"), recipe.longest, recipe.batch)
    return small_llama.config_of(recipe, 900), Lessons(rows, recipe.batch, recipe.seed)


def silent(progress: object) -> None:
    """Tell nobody."""


def test_the_loss_falls(trained) -> None:
    config, batches = lessons(trained[0])
    before, after = small_llama.build(config, 0), small_llama.build(config, 0)
    after.load_weights(str(out(trained) / "model" / "model.safetensors"))
    lesson = next(batches.from_step(0))
    assert train_language.loss(after, lesson).item() < 0.85 * train_language.loss(before, lesson).item()
    assert any("step 20/30  loss" in line for line in trained[1])


@pytest.mark.parametrize("name", ["model", "model-4bit"])
def test_the_folder_loads_and_plans(trained, shipped_tools: Toolbox, name: str) -> None:
    planner = language.load(out(trained) / name)
    planner.max_tokens = 60
    assert (planner.profile.name, planner.profile.examples) == ("brief", 1)
    *steps, end = planner.plan("text Ines I'm late", shipped_tools, ("send_sms",), datetime(2026, 11, 23, 9))
    check_plan(Plan(tuple(step for step in steps if isinstance(step, Step))), shipped_tools)
    assert end.forward_passes > 0  # type: ignore[union-attr]


def test_four_bits_are_smaller_and_near(trained) -> None:
    models = [mlx_lm.load(str(out(trained) / name)) for name in ("model", "model-4bit")]
    quantized = [name for name in flat(models[1][0].parameters()) if name.endswith(".scales")]
    assert len(quantized) == 8
    assert json.loads((out(trained) / "model-4bit" / "config.json").read_text())["quantization"]["group_size"] == 32
    tokens = mx.array([models[0][1].encode("Tools:\nsend_sms(recipients, message)")])
    one, other = (np.array(model(tokens).astype(mx.float32)) for model, _ in models)
    assert 0 < np.abs(one - other).max() < 0.5 * np.abs(one).max()


def test_scores_are_measured_both_ways(trained) -> None:
    scores = json.loads((out(trained) / "scores.json").read_text())
    assert set(scores) == {"model", "model-4bit"}
    assert all(found["cases"] == 3 and found["valid_plans"] == 1 for found in scores.values())


def test_training_goes_on_to_the_same_weights(trained, tmp_path: Path) -> None:
    config, batches = lessons(trained[0])
    finished = []
    for name, stops in (("whole", (8,)), ("cut", (3, 8))):
        recipe = replace(trained[0], out=str(tmp_path / name), steps=8, quantized=0.5)
        for stop in stops:
            model = small_llama.build(config, seed=len(stops) * stop)  # other weights, which the checkpoint replaces
            if stop == stops[0]:
                model = small_llama.build(config, seed=0)
            assert fit(model, recipe, batches, silent, stop) == stop
        finished.append(flat(model.parameters()))
    assert checkpoints.reached(tmp_path / "cut") == 8
    for name, value in finished[0].items():
        assert mx.array_equal(value, finished[1][name]), name


def test_a_training_stops_where_it_is_told_to(trained, tmp_path: Path) -> None:
    config, batches = lessons(trained[0])
    recipe = replace(trained[0], out=str(tmp_path))
    assert fit(small_llama.build(config, 0), recipe, batches, lambda progress: progress.step == 2, 30) == 2
    assert checkpoints.reached(tmp_path) == 2


def test_a_finished_training_is_not_done_again(trained) -> None:
    said: list[str] = []
    before = (out(trained) / "checkpoint.safetensors").stat().st_mtime_ns
    train(replace(trained[0], cases=0), order(), SharedWords, (), said.append)
    assert (out(trained) / "checkpoint.safetensors").stat().st_mtime_ns == before
    assert not any("rows:" in line or "loss" in line for line in said)


CHANGES = {"width": 64, "shown": 2, "vocabulary": 800, "rows": 200}


@pytest.mark.parametrize("name", CHANGES)
def test_a_training_does_not_go_on_with_another_recipe(trained, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"recipe\.json: was begun with --{name}"):
        train(replace(trained[0], **{name: CHANGES[name]}), order(), SharedWords, (), str)


def test_words_are_the_same_tokens_in_request_and_plan(trained) -> None:
    tokenizer = load_tokenizer(out(trained) / "tokenizer")
    for word in ("Ines", "Brzezinski", "zoé", "0199", "package"):
        own = tokenizer.encode(word)
        for around in (f"text {word} that", f'1. send_sms(["{word}"], "x")', f"({word}, "):
            tokens = tokenizer.encode(around)
            assert any(tokens[at : at + len(own)] == own for at in range(len(tokens))), around


def test_rows_are_tokenized_as_the_planner_does(trained) -> None:
    tokenizer = load_tokenizer(out(trained) / "tokenizer")
    for row in read_rows(out(trained) / "data")[:40]:
        tokens = tokens_of(tokenizer, row)
        assert tokens.row[: tokens.start].tolist() == encode(tokenizer, row.prompt)
        assert tokenizer.decode(tokens.row[tokens.start :].tolist()) == row.completion


def test_only_plans_are_learnt(trained) -> None:
    tokenizer = load_tokenizer(out(trained) / "tokenizer")
    rows = [tokens_of(tokenizer, row) for row in read_rows(out(trained) / "data")[:5]]
    lesson = collate(rows)
    assert lesson.targets.tolist() == [token for tokens in rows for token in tokens.row[tokens.start :].tolist()]
    following = np.pad(lesson.tokens[:, 1:], ((0, 0), (0, 1))).reshape(-1)[lesson.spots]
    ends = np.cumsum([len(tokens.row) - tokens.start for tokens in rows]) - 1  # the last token is nobody's input
    assert np.delete(following, ends).tolist() == np.delete(lesson.targets, ends).tolist()


def test_ranks_share_a_batch_and_an_epoch_has_every_row_once(trained) -> None:
    _, whole = lessons(trained[0])
    shares = [Lessons(whole.rows, 4, 0, rank, 2) for rank in range(2)]
    seen = [n for group in whole.epoch(0) for n in group]
    assert sorted(seen) == list(range(100))
    assert whole.epoch(0) != whole.epoch(1)
    one = next(whole.from_step(3)).targets
    assert sum(len(next(share.from_step(3)).targets) for share in shares) == len(one)
    with pytest.raises(ConfigError, match="--batch 4"):
        Lessons(whole.rows, 4, 0, 0, 3)


WRONG: list[tuple[dict, str]] = [
    ({"width": 48}, "--width 48: expected a multiple of 32"),
    ({"heads": 3}, "--width 32: expected a multiple of 6"),
    ({"heads": 0}, "--heads 0"),
    ({"vocabulary": 100}, "--vocabulary 100"),
    ({"steps": 0}, "--steps 0"),
    ({"data": "nowhere"}, "--data: 'nowhere'"),
]


@pytest.mark.parametrize(("change", "told"), WRONG, ids=[told for _, told in WRONG])
def test_a_recipe_that_can_not_be_is_refused(tmp_path: Path, change: dict, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        train(replace(RECIPE, out=str(tmp_path / "out"), **change), order(), SharedWords, (), str)
    assert told in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_too_few_short_rows_are_refused(trained) -> None:
    tokenizer = load_tokenizer(out(trained) / "tokenizer")
    with pytest.raises(ConfigError, match="--batch 4: only 0 of 100 rows"):
        tokenize(tokenizer, read_rows(out(trained) / "data"), 5, 4)


BROKEN: dict[str, Callable[[Path], object]] = {
    "no JSON": lambda file: file.write_text("{"),
    "no list": lambda file: file.write_text("[]"),
    "unknown profile": lambda file: file.write_text('{"profile": "grand", "examples": 1}'),
    "no number": lambda file: file.write_text('{"profile": "brief", "examples": "many"}'),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_layout_is_refused(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "prompt.json"
    BROKEN[broken](file)
    with pytest.raises(PlannerError, match=r"prompt\.json"):
        language.trained_profile(tmp_path)


def test_the_loss_reads_as_mlx_lm_s(trained) -> None:
    """The same mean as over all logits, with the others masked."""
    config, batches = lessons(trained[0])
    model = small_llama.build(config, 0)
    lesson = next(batches.from_step(0))
    logits = model(mx.array(lesson.tokens)).reshape(-1, config["vocab_size"])
    rows = np.array(logits - mx.logsumexp(logits, axis=-1, keepdims=True))
    expected = -rows[lesson.spots, lesson.targets].mean()
    assert train_language.loss(model, lesson).item() == pytest.approx(expected, rel=1e-4)
