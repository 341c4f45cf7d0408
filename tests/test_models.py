"""`tinyagent models`, from a cache in the hub's layout and without a network: what a user types, one after another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.hubs import cached
from tests.published_prompts import Layout, write
from tests.test_deberta import RECORDED
from tinyagent_mlx import settings
from tinyagent_mlx.cli.main import main
from tinyagent_mlx.cli.models import check_disk, check_memory
from tinyagent_mlx.errors import ModelError
from tinyagent_mlx.language import trained_profile
from tinyagent_mlx.profile import to_data

TOKENIZER = ("tokenizer.json", "tokenizer_config.json")
NOW = "2026-11-23 09:00"


@pytest.fixture
def cache(tmp_path: Path, llama_folder: Path) -> Path:
    """Stand-ins for TinyAgent-1.1B without a tokenizer, TinyLlama with one, and the dataset."""
    folder, dataset = tmp_path / "cache", tmp_path / "dataset"
    dataset.mkdir()
    write(dataset / "testing_data.json", 60)
    cached(folder, "squeeze-ai-lab/TinyAgent-1.1B", llama_folder, ("config.json", "model.safetensors"))
    cached(folder, "Doctor-Shotgun/TinyLlama-1.1B-32k-Instruct", llama_folder)
    cached(folder, "squeeze-ai-lab/TinyAgent-dataset", dataset, kind="dataset")
    return folder


def pulled(cache: Path, name: str = "tinyagent-1.1b") -> None:
    assert main(["models", "pull", name, "--from", str(cache)]) == 0


def chosen(home: Path) -> settings.Settings:
    return settings.read(home / "settings.yaml")


def test_pulled_converted_used_and_planned_with(cache: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pulled(cache)
    assert main(["models", "convert", "tinyagent-1.1b"]) == 0
    assert main(["models", "use", "tinyagent-1.1b"]) == 0
    shutil.rmtree(cache)
    here = home / "models" / "tinyagent-1.1b"
    assert json.loads((here / "4bit-g32" / "config.json").read_text())["quantization"]["bits"] == 4
    assert chosen(home).model == "tinyagent-1.1b"
    capsys.readouterr()
    assert main(["plan", "text 555-0199 that I'm late", "--now", NOW, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["prompt_tokens"] > 200  # a language model reads the whole layout; the shipped planner the request
    assert main(["models", "use", "shipped"]) == 0
    assert chosen(home) == settings.Settings()


def test_the_layout_is_learnt_from_the_dataset_and_kept_beside_the_weights(cache: Path, home: Path, capsys) -> None:
    pulled(cache)
    assert main(["models", "convert", "tinyagent-1.1b"]) == 0
    assert "60 prompts; it writes all of them byte for byte" in capsys.readouterr().err
    profile = trained_profile(home / "models" / "tinyagent-1.1b" / "4bit-g32")
    assert (profile.name, profile.user) == ("tinyagent-1.1b", "Asked: {request}")
    assert profile.frame.startswith("### Instruction:\n")
    assert not profile.chat
    assert main(["models", "profile", "--for", "tinyagent-1.1b"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(to_data(profile)))


def test_without_the_dataset_our_own_layout_stands_in_the_frame_that_the_model_knows(
    cache, home, capsys, tmp_path
) -> None:
    shutil.rmtree(cache / "datasets--squeeze-ai-lab--TinyAgent-dataset")
    pulled(cache)
    assert "was not learnt" in capsys.readouterr().err
    assert trained_profile(home / "models" / "tinyagent-1.1b" / "source").name == "alpaca"
    other = write(tmp_path / "other.json", 40, layout=Layout(begins="Q> "))
    assert main(["models", "profile", "--for", "tinyagent-1.1b", "--learn", str(other)]) == 0
    assert trained_profile(home / "models" / "tinyagent-1.1b" / "source").user == "Q> {request}"


def test_importing_the_dataset_learns_the_layout_for_a_folder(llama_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(llama_folder, tmp_path / "mine")
    file = write(tmp_path / "data.json", 40, layout=Layout(begins="Q> "))
    assert main(["data", "import", str(file), "--out", str(tmp_path / "rows.jsonl"), "--for", str(folder)]) in (0, 1)
    assert trained_profile(folder).user == "Q> {request}"
    assert main(["data", "import", str(file), "--out", str(tmp_path / "rows.jsonl"), "--for", "nothing"]) == 2


def test_any_hub_id_and_any_folder_can_be_used(cache: Path, home: Path, llama_folder: Path, tmp_path: Path) -> None:
    from tests.models import make_llama

    cached(cache, "mlx-community/Walker-4bit", make_llama(tmp_path / "four", quantized=True))
    pulled(cache, "mlx-community/Walker-4bit")
    assert main(["models", "convert", "mlx-community--Walker-4bit"]) == 1
    assert main(["models", "use", "mlx-community/Walker-4bit"]) == 0
    assert chosen(home).model == "mlx-community--Walker-4bit"
    assert main(["models", "use", str(llama_folder)]) == 0
    assert chosen(home).model == str(llama_folder)


def test_the_list_says_what_is_here_and_what_is_in_use(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pulled(cache)
    main(["models", "convert", "tinyagent-1.1b", "--bits", "8", "--group-size", "64", "--drop-source"])
    main(["models", "use", "tinyagent-1.1b/8bit-g64"])
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert set(rows) == {"tinyagent-1.1b", "tinyagent-7b", "tinyllama-1.1b-32k-instruct", "wizardlm-2-7b", "toolrag"}
    assert rows["tinyagent-1.1b"]["in_use"]
    assert [size.split()[0] for size in rows["tinyagent-1.1b"]["here"]] == ["8bit-g64"]
    assert rows["tinyagent-1.1b"]["size_gb"] == 0.69
    assert main(["models", "list"]) == 0
    assert "in use" in capsys.readouterr().out


def test_what_is_removed_is_no_longer_in_use(cache: Path, home: Path) -> None:
    pulled(cache)
    main(["models", "convert", "tinyagent-1.1b"])
    main(["models", "use", "tinyagent-1.1b/4bit-g32"])
    assert main(["models", "remove", "tinyagent-1.1b/4bit-g32", "--yes"]) == 0
    assert chosen(home).model == "tinyagent-1.1b"
    assert main(["models", "remove", "tinyagent-1.1b"]) == 2  # nobody to ask
    assert main(["models", "remove", "tinyagent-1.1b", "--yes"]) == 0
    assert chosen(home).model == ""
    assert not (home / "models" / "tinyagent-1.1b").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["pull", "tinyagent-1.1"], "did you mean 'tinyagent-1.1b'?"),
        (["pull", "tinyagent-7b"], "has no squeeze-ai-lab/TinyAgent-7B"),
        (["convert", "tinyagent-1.1b"], "is not on this machine: here are none"),
        (["use", "nobody/knows"], "'nobody--knows' is not on this machine"),
        (["use", "../../etc"], "is no model's name"),
        (["remove", "toolrag", "--yes"], "'toolrag' is not on this machine"),
        (["profile", "--for", "nothing"], "neither a model that is here nor a model's folder"),
    ],
    ids=["spelling", "not in the cache", "not pulled", "not here", "no name", "nothing to remove", "no profile"],
)
def test_what_is_wrong_is_one_clear_line(tmp_path, cache, capsys, arguments, told) -> None:
    more = ["--from", str(cache)] if arguments[0] == "pull" else []
    assert main(["models", *arguments, *more]) in (1, 2)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("tinyagent: ")]
    assert told in line


@pytest.mark.parametrize("bits", [["--bits", "7"], ["--group-size", "20"]], ids=["seven", "group"])
def test_sizes_that_mlx_does_not_know_are_refused(
    cache: Path, capsys: pytest.CaptureFixture[str], bits: list[str]
) -> None:
    pulled(cache)
    assert main(["models", "convert", "tinyagent-1.1b", *bits]) == 2
    assert "expected --bits 2 or 3 or 4" in capsys.readouterr().err


def test_a_broken_source_is_not_converted(cache: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pulled(cache)
    source = home / "models" / "tinyagent-1.1b" / "source"
    (source / "config.json").unlink()
    (source / "config.json").write_text('{"model_type": "walker"}')
    assert main(["models", "convert", "tinyagent-1.1b"]) == 1
    assert "can't be converted" in capsys.readouterr().err
    assert not list((home / "models" / "tinyagent-1.1b").glob("4bit*"))


def test_too_small_a_disk_and_too_small_a_memory_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"it takes 1000000.00 GB of disk, and .* has [0-9.]+ GB free"):
        check_disk(tmp_path / "not" / "yet" / "there", 1e6, "it")
    with pytest.raises(
        ModelError, match=r"it takes about 1000000.0 GB of memory, and this machine has [0-9.]+ GB; --force"
    ):
        check_memory(1e6, "it", force=False)
    check_memory(1e6, "it", force=True)
    check_disk(tmp_path, 0.0, "it")


def test_a_choice_that_is_gone_is_told_with_its_place(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings.change(home / "settings.yaml", model="gone")
    assert main(["plan", "text 555-0199 hello", "--now", NOW]) == 2
    assert "settings.yaml: key 'model': 'gone' is no model folder" in capsys.readouterr().err


def test_a_classifier_chosen_for_good_retrieves(cache: Path, home: Path, capsys) -> None:
    cached(cache, "squeeze-ai-lab/TinyAgent-ToolRAG", RECORDED)
    pulled(cache, "toolrag")
    assert main(["models", "use", "toolrag"]) == 0
    assert (chosen(home).retriever, chosen(home).model) == ("toolrag", "")
    capsys.readouterr()
    assert main(["plan", "text 555-0199 hello", "--now", NOW, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tools"]
