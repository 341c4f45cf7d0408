"""Repositories as folders: out of a cache in the hub's layout, and over the protocol, broken off and gone on with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hubs import REVISION, cached, serving
from tinyagent_mlx.errors import ModelError
from tinyagent_mlx.hub import MODEL, TOKENIZER, Hub, Repository, whole

WANTED = Repository("people/walker", MODEL + TOKENIZER)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A repository's files, with some that nobody wants."""
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 100_000)  # 26 MB: the library writes 10 at once
    (folder / "tokenizer.json").write_text("{}")
    (folder / "modeling_walker.py").write_text("raise SystemExit")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    return folder


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if file.is_file()}


def nothing(missing: int) -> None:
    pass


@pytest.mark.parametrize("below", ["", "hub"], ids=["cache", "home of the cache"])
def test_a_cache_on_this_machine_gives_what_is_wanted_and_no_programs(
    tmp_path: Path, published: Path, below: str
) -> None:
    cached(tmp_path / "cache" / below, WANTED.id, published)
    asked: list[int] = []
    assert Hub(tmp_path / "cache").fetch(WANTED, tmp_path / "here", asked.append) == REVISION
    assert names(tmp_path / "here") == {"config.json", "model.safetensors", "tokenizer.json"}
    assert asked == [0]
    assert whole(tmp_path / "here") == ""


def test_a_model_s_own_folder_will_do_too(tmp_path: Path, published: Path) -> None:
    assert Hub(published).fetch(WANTED, tmp_path / "here", nothing) == ""
    assert (tmp_path / "here" / "model.safetensors").samefile(published / "model.safetensors")  # no second copy


def test_a_folder_without_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"--from: .*has no people/walker"):
        Hub(tmp_path).fetch(WANTED, tmp_path / "here", nothing)


def test_a_download_that_breaks_off_goes_on_where_it_was(tmp_path: Path, published: Path) -> None:
    size = (published / "model.safetensors").stat().st_size
    asked: list[int] = []
    with serving({WANTED.id: published}) as server:
        server.cut = [size // 2]
        assert Hub(endpoint=server.url).fetch(WANTED, tmp_path / "here", asked.append) == REVISION
        weights = [count for name, count in server.sent if name == "model.safetensors"]
    assert asked[0] == size + 4
    assert len(weights) == 2
    assert weights[1] < size  # the library keeps whole pieces of 10 MB
    assert (tmp_path / "here" / "model.safetensors").read_bytes() == (published / "model.safetensors").read_bytes()
    assert names(tmp_path / "here") == {"config.json", "model.safetensors", "tokenizer.json"}


def test_what_is_here_is_not_downloaded_again(tmp_path: Path, published: Path) -> None:
    (published / "model.safetensors").write_bytes(b"few")
    asked: list[int] = []
    with serving({WANTED.id: published}) as server:
        for _ in range(2):
            Hub(endpoint=server.url).fetch(WANTED, tmp_path / "here", asked.append)
        (tmp_path / "here" / "model.safetensors").unlink()
        server.sent.clear()
        Hub(endpoint=server.url).fetch(WANTED, tmp_path / "here", asked.append)
        assert {name for name, _ in server.sent if name} == {"model.safetensors"}
    assert asked == [7, 0, 3]


def test_a_download_may_be_stopped_before_it_begins(tmp_path: Path, published: Path) -> None:
    def full(missing: int) -> None:
        raise ModelError(f"no room for {missing}")

    with serving({WANTED.id: published}) as server, pytest.raises(ModelError, match="no room for 256"):
        Hub(endpoint=server.url).fetch(WANTED, tmp_path / "here", full)
    assert not (tmp_path / "here" / "model.safetensors").exists()


def test_an_unknown_repository_is_told(tmp_path: Path) -> None:
    with serving({}) as server, pytest.raises(ModelError, match="no such repository"):
        Hub(endpoint=server.url).fetch(WANTED, tmp_path / "here", nothing)


@pytest.mark.parametrize(
    ("files", "lacks"),
    [
        ({}, "no config.json"),
        ({"config.json": "{}"}, "no weights"),
        ({"config.json": "{}", "model.safetensors.index.json": '{"weight_map": {"a": "model-2.safetensors"}}'}, "lacks model-2"),
        ({"config.json": "{}", "model.safetensors.index.json": "["}, "can't be read"),
        ({"config.json": "{}", "model.safetensors": ""}, ""),
    ],
    ids=["empty", "no weights", "a shard", "no index", "whole"],
)  # fmt: skip
def test_a_folder_that_is_not_whole_says_what_it_lacks(tmp_path: Path, files: dict[str, str], lacks: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert lacks in whole(tmp_path)
    assert bool(lacks) == bool(whole(tmp_path))


@pytest.mark.parametrize(
    ("there", "told"), [(True, "it is here"), (False, "HF_HUB_OFFLINE is set")], ids=["cached", "not"]
)
def test_offline_the_hub_s_own_cache_is_all_there_is(tmp_path: Path, published: Path, there: bool, told: str) -> None:
    if there:
        cached(tmp_path / "home" / "hub", WANTED.id, published)
    program = (
        "import sys\nfrom pathlib import Path\nfrom tinyagent_mlx.hub import *\nfrom tinyagent_mlx.errors import ModelError\n"
        "try:\n    Hub().fetch(Repository('people/walker', MODEL), Path(sys.argv[1]), print)\n    print('it is here')\n"
        "except ModelError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    command = [sys.executable, "-c", program, str(tmp_path / "here")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert told in done.stdout, done.stderr
    assert (tmp_path / "here" / "model.safetensors").is_file() == there
