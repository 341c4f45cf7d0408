"""Names of models: the known ones, any hub id, and what is none."""

from __future__ import annotations

import pytest

from tinyagent_mlx.catalog import KINDS, find, known
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.prompt import FRAMES


def test_every_entry_is_whole():
    for name, entry in known().items():
        assert entry.kind in KINDS
        assert entry.name == name
        assert entry.about
        assert "/" in entry.id
        assert entry.frame in FRAMES or entry.kind == "retriever"
        assert entry.parameters > 0


@pytest.mark.parametrize(
    ("word", "id"),
    [
        ("tinyagent-1.1b", "squeeze-ai-lab/TinyAgent-1.1B"),
        ("TinyAgent-7B", "squeeze-ai-lab/TinyAgent-7B"),
        ("squeeze-ai-lab/tinyagent-toolrag", "squeeze-ai-lab/TinyAgent-ToolRAG"),
        ("mlx-community/Some_Model-4bit", "mlx-community/Some_Model-4bit"),
    ],
    ids=["name", "other case", "its id", "any id"],
)
def test_a_model_is_found_by_its_name_and_by_its_hub_id(word: str, id: str):
    assert find(word).id == id


@pytest.mark.parametrize("word", ["", "walker", "a/b/c", "../etc", "a/..", "a--b/c", "a b/c", "/", "~/x"])
def test_what_is_no_name_is_told(word: str):
    with pytest.raises(ConfigError, match=r"is no model's name; (there are tinyagent-1\.1b|did you mean)"):
        find(word)


def test_sizes_count_the_scales_of_each_group():
    entry = find("tinyagent-1.1b")
    assert round(entry.size(4, 32), 4) == 0.6875
    assert round(entry.size(4, 64), 4) == round(1.1 * 4.5 / 8, 4)
    assert round(entry.size(16, 32), 2) == 2.2
