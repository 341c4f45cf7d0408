"""LoRA through mlx-lm: only adapters change, the best measurement is kept, and the fused folder plans, in 4 bits too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

# isort: split
import mlx.core as mx
import mlx_lm
import numpy as np
import pytest
from mlx_lm.tuner.trainer import iterate_batches

from tests.models import make_llama
from tests.nearby import SharedWords
from tests.test_shards import order
from tinyagent_mlx import language
from tinyagent_mlx.check import check_plan
from tinyagent_mlx.decoding import Decoder, encode, load_folder
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab import adapters, lora, train_language
from tinyagent_mlx.lab.lessons import Tokens, collate, tokenize, tokens_of
from tinyagent_mlx.lab.recipes import LoraRecipe
from tinyagent_mlx.lab.rows import Row, write_rows
from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.prompt import BRIEF
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.weights import flat

RECIPE = LoraRecipe(
    rows=16, held=4, workers=1, shown=1, profile="brief", everything=0.0, steps=6, batch=2, lr=2e-2, rank=4,
    measure_every=2, cases=2, bits=4,
)  # fmt: skip
NOW = datetime(2026, 11, 23, 9)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder, order(), SharedWords(), replace(BRIEF, examples=1), RECIPE)
    return folder


@pytest.fixture
def rows(data: Path, llama_folder: Path) -> list[Tokens]:
    from tinyagent_mlx.lab.rows import read_rows

    found = tokenize(load_folder(llama_folder)[1], read_rows(data), 900, 2)
    return sorted(found, key=lambda tokens: len(tokens.row))[:8]


def loss(model, rows: list[Tokens]) -> float:
    return float(train_language.loss(model, collate(rows)).item())


def scripted(values: list[float]) -> Iterator[float]:
    yield from values


def test_a_few_steps_change_only_adapters_and_the_loss_falls(
    rows: list[Tokens], llama_folder: Path, tmp_path: Path
) -> None:
    model = load_folder(llama_folder)[0]
    adapters.adapt(model, RECIPE)
    before, started = {name: mx.array(value) for name, value in flat(model.parameters()).items()}, loss(model, rows[:4])
    values = scripted([0.0, 0.1, 0.2, 0.3])
    lora.tune(model, rows, RECIPE, tmp_path, lambda: next(values), str)
    changed = {
        name.rsplit(".", 1)[-1]
        for name, value in flat(model.parameters()).items()
        if not mx.array_equal(value, before[name])
    }
    assert changed == {"lora_a", "lora_b"}
    assert loss(model, rows[:4]) < 0.9 * started


SCRIPTS = [
    ([0.1, 0.5, 0.3, 0.4], 2, "in the middle"),
    ([0.1, 0.2, 0.3, 0.4], 6, "the last"),
    ([0.5, 0.2, 0.3, 0.5], 0, "before training, of equals"),
]


@pytest.mark.parametrize(("script", "best"), [row[:2] for row in SCRIPTS], ids=[row[2] for row in SCRIPTS])
def test_the_adapters_of_the_best_measurement_are_kept(
    rows: list[Tokens], llama_folder: Path, tmp_path: Path, script: list[float], best: int
) -> None:
    model = load_folder(llama_folder)[0]
    adapters.adapt(model, RECIPE)
    seen: list[dict[str, mx.array]] = []
    values = scripted(script)

    def measure() -> float:
        seen.append({name: mx.array(value) for name, value in flat(model.trainable_parameters()).items()})
        return next(values)

    watch = lora.tune(model, rows, RECIPE, tmp_path, measure, str)
    assert (watch.step, watch.best) == (best, max(script))
    assert watch.found == list(zip((0, 2, 4, 6), script, strict=True))
    kept = flat(model.trainable_parameters())
    assert all(mx.array_equal(kept[name], value) for name, value in seen[best // 2].items())
    others = [n for n in range(4) if n != best // 2]
    assert not any(all(mx.array_equal(kept[name], v) for name, v in seen[n].items()) for n in others)


class CutOff(Exception):
    """The machine went down."""


@pytest.mark.parametrize("share", [0.0, 1 / 3, 1.0], ids=["exact", "4 bits at last", "4 bits"])
def test_a_run_that_was_cut_off_goes_on_from_its_last_measurement(
    rows: list[Tokens], llama_folder: Path, tmp_path: Path, share: float
) -> None:
    recipe = replace(RECIPE, simulate_quantization=share)

    def run(name: str, values: Iterator[float]) -> lora.Best:
        model = load_folder(llama_folder)[0]
        adapters.adapt(model, recipe)
        return lora.tune(model, rows, recipe, tmp_path / name, lambda: next(values), str)

    def cut(*values: float) -> Iterator[float]:
        yield from values
        raise CutOff

    whole = run("whole", scripted([0.1, 0.5, 0.3, 0.4]))
    for values in (cut(0.1), cut(0.5), cut(0.3)):
        with pytest.raises(CutOff):
            run("cut", values)
    again = run("cut", scripted([0.4]))
    assert (again.found, again.step, again.best) == (whole.found, whole.step, whole.best)
    for file in ("checkpoint.safetensors", "adapters.safetensors"):
        wanted, found = (mx.load(str(tmp_path / name / file)) for name in ("whole", "cut"))
        assert set(wanted) == set(found)
        assert all(np.array(found[name]) == pytest.approx(np.array(wanted[name]), abs=1e-6) for name in wanted), file


def test_fused_weights_compute_what_the_adapters_did(rows: list[Tokens], llama_folder: Path) -> None:
    model = load_folder(llama_folder)[0]
    adapters.adapt(model, RECIPE)
    for name, value in flat(model.trainable_parameters()).items():
        if name.endswith("lora_b"):
            model.load_weights([(name, mx.random.normal(value.shape) * 0.1)], strict=False)
    tokens = mx.array([[5, 80, 3, 400]])
    before = np.array(model(tokens))
    adapters.fuse(model)
    assert not any("lora" in name for name in flat(model.parameters()))
    assert np.array(model(tokens)) == pytest.approx(before, abs=1e-4)


@pytest.mark.parametrize("quantized", [False, True], ids=["16 bits", "4 bits"])
def test_the_whole_recipe_gives_folders_that_plan(
    data: Path, tmp_path: Path, shipped_tools: Toolbox, quantized: bool
) -> None:
    source = make_llama(tmp_path / "llama", quantized=quantized)
    recipe = replace(RECIPE, model=str(source), data=str(data), out=str(tmp_path / "out"), steps=2, cases=1)
    said: list[str] = []
    folder = lora.train(recipe, order(), SharedWords, (), said.append)
    for name in ("model", "model-4bit"):
        planner = language.load(folder.parent / name)
        planner.max_tokens = 30
        assert planner.profile == replace(BRIEF, examples=1)
        steps = [s for s in planner.plan("text Ines", shipped_tools, ("send_sms",), NOW) if isinstance(s, Step)]
        check_plan(Plan(tuple(steps)), shipped_tools)
    assert "quantization" not in json.loads((folder / "config.json").read_text())
    scores = json.loads((folder.parent / "scores.json").read_text())
    assert [step for step, _ in scores["measured"]] == [0, 2]
    assert {0 <= scores[key] <= 1 for key in ("before_4bit", "after_4bit")} == {True}
    assert mlx_lm.load(str(source), adapter_path=str(folder.parent / "adapters"))
    assert any("validation success" in line for line in said)


def test_rows_are_masked_up_to_the_plan(rows: list[Tokens], llama_folder: Path) -> None:
    """What mlx-lm calls an offset is where the plan begins, in the planner's own tokens."""
    tokenizer = load_folder(llama_folder)[1]
    row = Row("Request: x\nPlan:\n", "1. join()")
    tokens, offset = lora.Dataset([tokens_of(tokenizer, row)])[0]
    assert tokens[:offset] == encode(tokenizer, row.prompt)
    assert tokenizer.decode(tokens[offset:]) == row.completion


def test_the_loss_is_that_of_the_plans_tokens_alone(rows: list[Tokens], llama_folder: Path) -> None:
    model = load_folder(llama_folder)[0]
    batch = next(iter(iterate_batches(lora.Dataset(rows), len(rows), 900)))
    value, count = lora.loss(model, *batch)
    assert count.item() == sum(len(tokens.row) - tokens.start for tokens in rows)
    assert value.item() == pytest.approx(train_language.loss(model, collate(rows)).item(), abs=1e-4)


def test_a_chat_model_is_trained_in_its_template(llama_folder: Path) -> None:
    tokenizer = load_folder(llama_folder)[1]
    tokenizer._tokenizer.chat_template = "[user]{{ messages[0]['content'] }}[assistant]"
    tokenizer.has_chat_template = True
    tokens = tokens_of(tokenizer, Row("plan this", "1. join()"))
    assert tokenizer.decode(tokens.row.tolist()) == "[user]plan this[assistant]1. join()"
    assert tokenizer.decode(tokens.row[tokens.start :].tolist()) == "1. join()"


WRONG: list[tuple[dict, str]] = [
    ({"model": "nowhere"}, "--model: 'nowhere' is no model folder"),
    ({"model": ""}, "--model: ''"),
    ({"bits": 3}, "--bits 3"),
    ({"rank": 0}, "--rank 0"),
    ({"measure_every": 0}, "--measure-every 0"),
    ({"simulate_quantization": 1.5}, "--simulate-quantization 1.5"),
    ({"blocks": 3}, "--blocks 3: the model has 2"),
    ({"data": "nowhere"}, "--data: 'nowhere'"),
    ({"batch": 99}, "--batch 99"),
]


@pytest.mark.parametrize(("change", "told"), WRONG, ids=[told for _, told in WRONG])
def test_a_recipe_that_can_not_be_is_refused(
    data: Path, llama_folder: Path, tmp_path: Path, change: dict, told: str
) -> None:
    recipe = replace(RECIPE, model=str(llama_folder), data=str(data), out=str(tmp_path))
    with pytest.raises(ConfigError) as raised:
        lora.train(replace(recipe, **change), order(), SharedWords, (), str)
    assert told in str(raised.value)


def test_epochs_become_steps() -> None:
    assert lora.steps_of(LoraRecipe(batch=8), 800) == 300
    assert lora.steps_of(LoraRecipe(batch=8, steps=7), 800) == 7


def test_checkpointed_gradients_are_the_same_and_mlx_lm_is_left_as_it_was(
    rows: list[Tokens], llama_folder: Path, tmp_path: Path
) -> None:
    kept, block = [], type(load_folder(llama_folder)[0].layers[0])
    call = block.__call__
    for checkpointed in (False, True):
        model = load_folder(llama_folder)[0]
        adapters.adapt(model, RECIPE)
        tokenizer = load_folder(llama_folder)[1]

        def measure(model=model, tokenizer=tokenizer) -> float:
            """A model that is measured between steps reads with a memory of its own."""
            decoder = Decoder(model, tokenizer)
            return 0.1 * len(decoder.begin("Request: x").write('start: "a" | "b"', 5) or ())

        recipe = replace(RECIPE, steps=2, grad_checkpoint=checkpointed)
        lora.tune(model, rows, recipe, tmp_path / str(checkpointed), measure, str)
        kept.append(mx.load(str(tmp_path / str(checkpointed) / "last.safetensors")))
        assert block.__call__ is call
    assert all(np.array(kept[1][name]) == pytest.approx(np.array(value), abs=1e-5) for name, value in kept[0].items())


def test_with_simulated_quantization_only_what_is_measured_with_it_counts(
    rows: list[Tokens], llama_folder: Path, tmp_path: Path
) -> None:
    model = load_folder(llama_folder)[0]
    adapters.adapt(model, RECIPE)
    values = scripted([0.5, 0.9, 0.2, 0.4])
    rounded: list[bool] = []

    def measure() -> float:
        rounded.append(any(isinstance(module, adapters.Rounded) for module in model.modules()))
        return next(values)

    recipe = replace(RECIPE, simulate_quantization=1 / 3)  # of the six steps, from step 4 on
    watch = lora.tune(model, rows, recipe, tmp_path, measure, str)
    assert [step for step, _ in watch.found] == [0, 2, 4, 6]
    assert rounded == [False, False, True, True]
    assert (watch.step, watch.best) == (6, 0.4)


def test_without_measurements_the_last_adapters_are_kept(
    rows: list[Tokens], llama_folder: Path, tmp_path: Path
) -> None:
    model = load_folder(llama_folder)[0]
    adapters.adapt(model, RECIPE)
    said: list[str] = []
    assert lora.tune(model, rows, RECIPE, tmp_path, None, said.append).step == 6
    best, last = (mx.load(str(tmp_path / name)) for name in ("adapters.safetensors", "last.safetensors"))
    assert all(mx.array_equal(best[name], value) for name, value in last.items())
    told = [line for line in said if "loss" in line]
    assert len(told) == 6
    assert "peak memory" in told[0]
