"""Vectors of texts on disk: encoded once, kept by the weights that made them, made anew where a file is no good."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from tests.models import small_engine
from tinyagent_mlx import vectorcache
from tinyagent_mlx.pointing import PointerEngine
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.vectorcache import Vectors


class Encoder:
    """Gives a text its length and the number of its letters a; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> mx.array:
        self.asked += texts
        return mx.array([[float(len(text)), float(text.count("a"))] for text in texts])


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"some weights")
    return file


def test_each_text_is_encoded_once_and_found_again_by_another_process(weights: Path, tmp_path: Path) -> None:
    encoder, first = Encoder(), Vectors(weights, tmp_path / "cache")
    found = first.of(["a", "banana", "a"], encoder)
    assert found.tolist() == [[1, 1], [6, 3], [1, 1]]
    first.of(["banana", "fig"], encoder)
    assert encoder.asked == ["a", "banana", "fig"]
    first.save()
    again, other = Encoder(), Vectors(weights, tmp_path / "cache")
    assert other.of(["fig", "a", "kiwi"], again).tolist() == [[3, 0], [1, 1], [4, 0]]
    assert again.asked == ["kiwi"]


def test_other_weights_find_nothing(weights: Path, tmp_path: Path) -> None:
    first = Vectors(weights, tmp_path / "cache")
    first.of(["a"], Encoder())
    first.save()
    weights.write_bytes(b"other weights")
    encoder = Encoder()
    Vectors(weights, tmp_path / "cache").of(["a"], encoder)
    assert encoder.asked == ["a"]


def test_a_damaged_file_is_made_anew(weights: Path, tmp_path: Path) -> None:
    first = Vectors(weights, tmp_path / "cache")
    first.of(["a"], Encoder())
    first.save()
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes()[:20])
    encoder, second = Encoder(), Vectors(weights, tmp_path / "cache")
    assert second.of(["a"], encoder).tolist() == [[1, 1]]
    assert encoder.asked == ["a"]
    second.save()
    Vectors(weights, tmp_path / "cache").of(["a"], encoder)
    assert encoder.asked == ["a"]


def test_a_folder_that_cannot_be_written_is_no_error(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    vectors = Vectors(weights, tmp_path / "cache")
    assert vectors.of(["a"], Encoder()).tolist() == [[1, 1]]
    vectors.save()
    assert (tmp_path / "cache").read_text() == "a file"


def test_only_so_many_weights_are_kept(weights: Path, tmp_path: Path) -> None:
    for number in range(vectorcache.FILES + 3):
        weights.write_bytes(bytes([number]))
        vectors = Vectors(weights, tmp_path / "cache")
        vectors.of(["a"], Encoder())
        vectors.save()
    assert len(list((tmp_path / "cache").iterdir())) == vectorcache.FILES


def test_an_engine_with_a_cache_compiles_to_the_same_vectors(shipped_tools: Toolbox, tmp_path: Path) -> None:
    small_engine(tmp_path / "planner")
    plain = PointerEngine(tmp_path / "planner").compile(shipped_tools).schema
    for _ in range(2):
        cached = PointerEngine(tmp_path / "planner", tmp_path / "cache").compile(shipped_tools).schema
        for name, value in vars(plain).items():
            np.testing.assert_allclose(np.array(vars(cached)[name]), np.array(value), atol=2e-6)
    assert len(list((tmp_path / "cache").iterdir())) == 1
