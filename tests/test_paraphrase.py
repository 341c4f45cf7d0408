"""Paraphrases of wordings: what tells plans apart and the slots stay, and only what can stand after "could you" is put there."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import numpy as np
import pytest

from tinyagent_mlx.lab.corpus import Wording
from tinyagent_mlx.lab.paraphrase import Paraphraser, paraphraser_of
from tinyagent_mlx.lab.rephrase import Rephraser
from tinyagent_mlx.lab.ways import Way, Ways
from tinyagent_mlx.plan import Plan

WAYS = ((Way("dim X", True), Way("take X down a bit", True), Way("X is too bright", False)),)
ASKING = re.compile(r"(could|can|would) you|please|kindly|favour", re.IGNORECASE)


def said(text: str, restated: float = 1.0, asked: bool = True) -> set[str]:
    rephraser = Rephraser(np.eye(2, dtype=np.float32), ["lamp", "shade"])
    paraphraser, rng = Paraphraser(Ways(WAYS, ()), rephraser, restated, 0.0, asked), random.Random(0)
    wording = Wording(text, "terse", Plan(), "here")
    found = [paraphraser.paraphrase(wording, rng) for _ in range(200)]
    assert {replace(w, text=text) for w in found} == {wording}
    return {w.text for w in found}


def test_a_wording_is_said_in_all_ways_and_its_slots_stay():
    texts = said("dim {text}")
    assert {"dim {text}", "take {text} down a bit", "{text} is too bright"} <= texts
    assert all(text.count("{text}") == 1 for text in texts)
    assert not [text for text in texts if "too bright" in text and ASKING.search(text)]


@pytest.mark.parametrize(("asked", "framed"), [(True, True), (False, False)])
def test_what_stays_as_it_was_is_asked_for_only_where_everything_may_be(asked, framed):
    texts = said("everybody wants {text} higher", asked=asked)
    assert any(ASKING.search(text) for text in texts) is framed
    assert any(ASKING.search(text) for text in said("dim {text}", asked=asked))


def test_words_of_choices_stay(shipped_tools):
    (tool,) = shipped_tools.subset(["maps_show_directions"])
    paraphraser = paraphraser_of([tool], ["show me the way"], np.eye(2, dtype=np.float32), ["lamp", "shade"], 0.0, 1.0)
    assert {"walking", "foot", "car"} <= paraphraser.ways.kept
    assert {"walking", "way", "show"} <= paraphraser.rephraser.taken | paraphraser.rephraser.kept
