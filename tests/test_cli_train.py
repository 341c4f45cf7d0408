"""`tinyagent train`, and the options that choose retrieval and examples: thin, documented, and clear when wrong."""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.models import make_llama, small_engine
from tests.test_imports import HEAVY, RUN, loaded_by
from tinyagent_mlx.cli import setup
from tinyagent_mlx.cli.main import main
from tinyagent_mlx.cli.train import KINDS
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.installed import Models
from tinyagent_mlx.lab.recipes import keep, read
from tinyagent_mlx.toolbox import Toolbox


@pytest.mark.parametrize("kind", KINDS)
def test_help_explains_every_option(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", kind, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for field in fields(KINDS[kind][0]):
        if field.name != "tools":
            assert f"--{field.name.replace('_', '-')}" in text
            assert field.metadata["help"].split("%")[0] in text


def test_help_loads_nothing_heavy() -> None:
    assert loaded_by(RUN.format(["train", "lora", "--help"])) & HEAVY == set()


WRONG = [
    (["planner", "--base", "nowhere"], "--base: 'nowhere'"),
    (["planner", "--only", "send_fax"], "--only: there is no tool 'send_fax'"),
    (["planner", "--start", "nowhere"], "--start: 'nowhere'"),
    (["planner", "--steps", "0"], "--steps 0"),
    (["language", "--width", "40"], "--width 40"),
    (["language", "--engine", "jax"], "--engine: 'jax'"),
    (["language", "--data", "nowhere"], "--data: 'nowhere'"),
    (["language", "--missing", "2"], "--missing 2.0"),
    (["language", "--shown", "-1"], "--shown -1"),
    (["language", "--examples", "nowhere"], "nowhere: cannot be read"),
    (["lora", "--model", "nowhere"], "--model: 'nowhere'"),
    (["lora"], "--model: ''"),
    (["planner", "--model", "nowhere"], "--model: 'nowhere' is no model folder, and no model of that name is here"),
]


@pytest.mark.parametrize(("arguments", "told"), WRONG, ids=[" ".join(row[0]) for row in WRONG])
def test_wrong_usage_is_one_clear_line(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *arguments, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("tinyagent: ")
    assert told in said
    assert said.count("\n") == 1


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is installed")
def test_an_engine_that_is_not_installed_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "language", "--engine", "torch", "--out", str(tmp_path / "out")]) == 2
    assert "--engine torch: PyTorch is not installed" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def engine_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    small_engine(folder)
    return folder


@pytest.mark.parametrize(("how", "count"), [("embedding", 4), ("embedding:2", 2), ("embedding:99", 16), ("none", 16)])
def test_retrieval_by_embedding(engine_folder: Path, how: str, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "text Ines", "--model", str(engine_folder), "--retrieval", how, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["tools"]) == count


@pytest.mark.parametrize("how", ["embedding:0", "embedding:x", "embedding:", "nearest"])
def test_retrieval_that_is_none_is_refused(how: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["plan", "text Ines", "--retrieval", how])
    assert ended.value.code == 2
    assert repr(how) in capsys.readouterr().err


def example_file(tmp_path: Path, plan: str) -> Path:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"id": "mine", "query": "tell 555-0100 that tea is ready", "plans": [plan]}) + "\n")
    return file


def test_a_language_model_is_shown_the_nearest_examples_of_a_file(
    engine_folder: Path, tmp_path: Path, shipped_tools: Toolbox
) -> None:
    from tinyagent_mlx.pointing import PointerEngine

    file = example_file(tmp_path, '1. send_sms(["555-0100"], "tea is ready")')
    options = argparse.Namespace(examples=file, shown=1, home=tmp_path / "home")
    planner = setup._language(make_llama(tmp_path / "llama"), options, PointerEngine(engine_folder), shipped_tools, ())
    assert planner.profile.examples == 1  # type: ignore[attr-defined]
    chosen = planner.examples.choose("tell 555-0100 that tea is ready", shipped_tools, 1)  # type: ignore[attr-defined]
    assert chosen[0].request == "tell 555-0100 that tea is ready"


def test_examples_with_a_wrong_plan_are_refused(tmp_path: Path, shipped_tools: Toolbox) -> None:
    with pytest.raises(ConfigError, match=r"mine\.jsonl: case 'mine'"):
        setup.examples(example_file(tmp_path, '1. send_sms("tea is ready")'), shipped_tools)
    assert setup.examples(example_file(tmp_path, '1. send_fax("tea is ready")'), shipped_tools) == ()


def test_a_recipe_is_kept_and_compared(tmp_path: Path) -> None:
    recipe = read(KINDS["language"][0], argparse.Namespace(width=64, other=1), lr=0.5)
    assert (recipe.width, recipe.lr) == (64, 0.5)
    keep(recipe, tmp_path, ("lr",))
    recipe.lr = 0.25
    keep(recipe, tmp_path, ("lr",))
    assert json.loads((tmp_path / "recipe.json").read_text())["lr"] == 0.25
    recipe.save_every = 1
    with pytest.raises(ConfigError, match="was begun with --save-every 200, not 1"):
        keep(recipe, tmp_path, ())
    (tmp_path / "recipe.json").write_text("{")
    with pytest.raises(ConfigError, match="is no JSON"):
        keep(recipe, tmp_path, ())


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    """Rows as `tinyagent data import` writes them."""
    file = tmp_path / "imported.jsonl"
    rows = [
        {"id": f"published-{n}", "query": f"text 555-0{n:03} that tea is ready", "tags": [], "tools": ["send_sms"],
         "plans": [f'1. send_sms(["555-0{n:03}"], "tea is ready")']}
        for n in range(12)
    ]  # fmt: skip
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


BRIEF = ["--shown", "0", "--profile", "brief", "--longest", "400"]
SHORT = ["--held", "2", "--steps", "2", "--batch", "2", "--cases", "1", "--measure-every", "2", "--rank", "4"]


def test_a_model_by_name_is_fine_tuned_on_an_imported_dataset_and_used(
    home: Path, tmp_path: Path, imported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_llama(home / "models" / "walker" / "source")
    Models(home / "models").keep("walker", "people/walker", "base", "abc")
    given = ["--data", str(imported), "--out", str(tmp_path / "out"), "--grad-checkpoint", *BRIEF, *SHORT]
    assert main(["train", "planner", "--model", "walker", *given]) == 0
    said = capsys.readouterr().out
    for words in ("2 refusals of the corpus are mixed in", "loss", "peak memory", "in 4 bits as stored"):
        assert words in said
    assert said.endswith("Next: tinyagent models use walker-lora\n")
    assert main(["models", "use", "walker-lora"]) == 0
    assert json.loads((home / "models" / "walker-lora" / "4bit-g32" / "prompt.json").read_text())["profile"] == "brief"
    assert main(["plan", "text Ines", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["generated_tokens"] > 0


def test_a_fine_tuned_model_takes_no_other_models_place(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_llama(home / "models" / "walker" / "source")
    Models(home / "models").keep("walker", "people/walker", "base", "abc")
    for name in ("walker", "tinyagent-1.1b", "a/b"):
        assert main(["train", "lora", "--model", "walker", "--name", name, "--out", str(tmp_path / "out")]) == 2
        assert f"--name {name!r}" in capsys.readouterr().err
