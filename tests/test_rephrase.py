"""Other words for wordings: near words take the place of words, and what tells plans apart stays."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from tinyagent_mlx import weights
from tinyagent_mlx.lab import rephrase
from tinyagent_mlx.lab.generate import vocabulary
from tinyagent_mlx.lab.rephrase import Rephraser
from tinyagent_mlx.paths import shipped

PIECES = [f"[unused{n}]" for n in range(rephrase.COMMON - 1)] + ["the", "photo", "picture", "photos", "boat", "ship"]
DIRECTIONS = {"the": (1, 0, 0), "photo": (0, 1, 0), "picture": (0, 1, 0.1), "photos": (0, 1, 0), "boat": (0, 0, 1), "ship": (0.1, 0, 1)}  # fmt: skip


def vectors() -> np.ndarray:
    table = np.zeros((len(PIECES), 3), np.float32)
    for word, direction in DIRECTIONS.items():
        table[PIECES.index(word)] = direction
    return table


def drawn(rephraser: Rephraser, text: str, times: int = 200) -> set[str]:
    rng = random.Random(0)
    return {rephraser.text(text, rng) for _ in range(times)}


def test_a_near_word_takes_a_words_place_but_no_form_of_itself():
    assert Rephraser(vectors(), PIECES).neighbours("photo") == ["picture"]
    assert Rephraser(vectors(), PIECES).neighbours("unheard") == []


@pytest.mark.parametrize(
    ("kept", "taken", "found"),
    [((), (), {"boat", "ship"}), (("boat",), (), {"boat"}), ((), ("ship",), {"boat"})],
    ids=["free", "kept", "taken"],
)
def test_what_tells_plans_apart_stays(kept, taken, found):
    rephraser = Rephraser(vectors(), PIECES, kept, taken)
    assert {text.split()[-1] for text in drawn(rephraser, "show {text} boat")} == found


def test_slots_stay_and_only_common_words_are_left_out():
    texts = drawn(Rephraser(vectors(), PIECES), "find the photo of {person}")
    assert all(text.endswith("{person}") for text in texts)
    assert any("the" not in text.split() for text in texts)
    assert all(re.search("photo|picture", text) for text in texts)


def test_the_shipped_encoders_words_have_sensible_neighbours():
    folder = shipped("weights") / "planner"
    model, _ = weights.load(folder)
    rephraser = Rephraser(np.array(model.encoder.word_embeddings.weight), vocabulary(folder))
    assert "lamps" in rephraser.neighbours("lights")
    assert "countdown" in rephraser.neighbours("timer")
