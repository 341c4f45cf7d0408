"""Models in the home folder: whole or not there, by name and by size."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.installed import SOURCE, Models, size


@pytest.fixture
def models(tmp_path: Path) -> Models:
    """One model, fetched and in two sizes, the four bits made last; another that was never fetched to its end."""
    for number, name in enumerate((SOURCE, "8bit-g64", "4bit-g32"), 1):
        place = tmp_path / "walker" / name
        place.mkdir(parents=True)
        (place / "config.json").write_text("{}")
        os.utime(place, (number, number))
    (tmp_path / "half" / SOURCE).mkdir(parents=True)
    found = Models(tmp_path)
    found.keep("walker", "people/walker", "base", "abc")
    return found


def test_what_was_fetched_to_its_end_is_here(models: Models) -> None:
    (model,) = models.all()
    assert (model.name, model.id, model.kind, model.revision) == ("walker", "people/walker", "base", "abc")
    assert model.variants == ("8bit-g64", "4bit-g32")
    assert "half" not in models
    assert ".." not in models
    assert "walker/8bit-g64" not in models


@pytest.mark.parametrize(
    ("word", "folder"), [("walker", "4bit-g32"), ("walker/8bit-g64", "8bit-g64"), ("walker/source", SOURCE)]
)
def test_the_newest_size_is_used_unless_one_is_named(models: Models, word: str, folder: str) -> None:
    assert models.usable(word).name == folder


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("half", "'half' is not on this machine: here are walker"),
        ("walker/2bit", "there is no such size of it; there are source, 8bit-g64, 4bit-g32"),
        ("walker/../half", "there is no such size"),
    ],
    ids=["half", "size", "elsewhere"],
)
def test_what_is_not_here_is_told(models: Models, word: str, told: str) -> None:
    with pytest.raises(ConfigError, match=r"half|walker") as error:
        models.usable(word)
    assert told in str(error.value)


def test_a_spoilt_record_is_told_with_its_file(models: Models) -> None:
    (models.folder / "walker" / "model.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"model\.json: expected the keys 'id', 'kind' and 'revision'"):
        models.get("walker")


def test_a_size_and_a_whole_model_are_removed(models: Models) -> None:
    models.remove("walker", "4bit-g32")
    assert models.get("walker").variants == ("8bit-g64",)
    with pytest.raises(ConfigError):
        models.remove("walker", "../half")
    models.remove("walker")
    assert models.all() == []
    assert (models.folder / "half").is_dir()
    assert size(models.folder) == 0


def test_folders_that_were_made_here_take_the_place_of_those_before(models: Models, tmp_path: Path) -> None:
    made, layout = tmp_path / "made", tmp_path / "prompt.json"
    made.mkdir()
    layout.write_text("{}")
    for text in ("first", "second"):
        (made / "config.json").write_text(text)
        mine = models.adopt("mine", "local/mine", {"4bit-g32": made}, layout)
    assert (mine.id, mine.kind, mine.variants) == ("local/mine", "planner", ("4bit-g32",))
    assert (mine.usable() / "config.json").read_text() == "second"
    assert (mine.folder / "prompt.json").is_file()
