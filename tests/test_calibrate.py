"""The threshold that keeps the wanted share of cases whole."""

from __future__ import annotations

import random
from dataclasses import replace

import tinyagent_mlx.device  # noqa: F401  (before MLX)

# isort: split
import mlx.core as mx
import numpy as np
import pytest

from tests.models import small_engine
from tinyagent_mlx.lab import corpus
from tinyagent_mlx.lab.calibrate import (
    floor_for,
    isotonic,
    middle_of_best,
    refusal_vectors,
    threshold_for,
    with_strangers,
)
from tinyagent_mlx.lab.madeup import FOLDER, HELD_BACK, read_madeup
from tinyagent_mlx.plan import Plan
from tinyagent_mlx.pointing import REFUSED_FROM, REFUSING
from tinyagent_mlx.toolbox import Example, Toolbox


@pytest.mark.parametrize(
    ("weakest", "recall", "threshold"),
    [
        ([0.2, 0.3, 0.9, 0.95], 1.0, 0.05),
        ([0.2, 0.3, 0.9, 0.95], 0.75, 0.075),
        ([2.4, 3.2], 1.0, 0.5),
        ([0.0001, 0.8], 1.0, 0.0005),
    ],
    ids=["all", "all but one", "never above a half", "never below the lowest"],
)
def test_threshold_keeps_the_wanted_share(weakest, recall, threshold):
    assert threshold_for(weakest, recall) == threshold


def test_confidence_rises_with_the_score_and_is_the_share_that_was_right():
    scores, shares = isotonic([0.1, 0.2, 0.3, 0.4, 0.9, 0.95], [False, True, False, False, True, True])
    assert scores == pytest.approx([0.1, 0.3, 0.925])
    assert shares == pytest.approx([0, 1 / 3, 1], abs=1e-3)


def test_where_scores_say_nothing_confidence_is_the_mean():
    assert isotonic([0.1, 0.5, 0.9], [True, True, False]) == ([0.5], [pytest.approx(0.6667)])


def decision(end: float, shipped: float, new: float, evidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits over the end, one shipped and one new tool, and what speaks for both."""
    return np.array([end, shipped, new]), np.array([-np.inf, evidence])


def test_the_floor_is_as_low_as_old_requests_allow(tmp_path):
    engine = small_engine(tmp_path)
    old = [decision(0, 5, 0, 2.0), decision(5, 0, 0, 3.0), decision(0, 6, 0, -4.0)]
    floor = floor_for(old, engine, shipped=1)

    def goes_to_the_new_tool(logits: np.ndarray, near: np.ndarray, floor: float) -> bool:
        engine.manifest["unseen"] = {"floor": floor}
        bonus = engine.bonus(near)
        return (logits + np.concatenate([[-bonus.max()], bonus])).argmax() == 2

    assert not any(goes_to_the_new_tool(*first, floor) for first in old)
    assert any(goes_to_the_new_tool(*first, floor - 0.5) for first in old)


def test_strangers_are_of_those_that_are_never_trained_on(shipped_tools):
    trained, held = ({tool.name for tool in read_madeup(folder)} for folder in (FOLDER, HELD_BACK))
    assert len(held) >= 20
    assert not trained & held
    rng = random.Random(0)
    for _ in range(5):
        strange = set(with_strangers(shipped_tools, rng).names) - set(shipped_tools.names)
        assert 1 <= len(strange) <= 3
        assert strange <= held


def test_tools_that_training_saw_get_no_bonus(tmp_path, shipped_tools):
    engine = small_engine(tmp_path)
    engine.manifest |= {"tools": list(shipped_tools.names), "unseen": {"floor": -100.0}}
    _, evidence = engine.first_decision("text Ana that I am late", shipped_tools)
    assert not engine.bonus(evidence).any()
    engine.manifest["tools"] = list(shipped_tools.names[:-1])
    engine._compiled.clear()
    _, evidence = engine.first_decision("text Ana that I am late", shipped_tools)
    assert (engine.bonus(evidence) > 0).tolist() == [False] * 15 + [True]


def test_what_is_near_a_refusal_speaks_against_tools_that_training_never_saw(tmp_path, shipped_tools):
    engine, request = small_engine(tmp_path), "text Ana that I am late"
    engine.manifest["tools"] = list(shipped_tools.names[:-1])
    logits, before = engine.first_decision(request, shipped_tools)
    near = engine.compile(shipped_tools).asks.nearness(engine.read(request).vector, len(shipped_tools))[-1]
    vector = engine.read(request).vector
    engine.refusals = (vector / mx.linalg.norm(vector))[None]
    engine.read.cache_clear()
    same, after = engine.first_decision(request, shipped_tools)
    assert engine.read(request).refused == pytest.approx(1.0, abs=1e-5)
    assert np.isneginf(after).tolist() == [True] * 15 + [False]
    assert before[-1] - after[-1] == pytest.approx(REFUSING * (1 - max(near, REFUSED_FROM)), abs=1e-3)
    assert np.array_equal(same, logits)
    engine.manifest["unseen"] = {"floor": 0.0, "refusing": 0.0}
    engine.read.cache_clear()
    assert engine.first_decision(request, shipped_tools)[1][-1] == pytest.approx(before[-1], abs=1e-3)


def test_a_refusal_says_nothing_against_a_tool_that_is_asked_for_in_the_same_words(tmp_path, shipped_tools):
    engine, request = small_engine(tmp_path), "text Ana that I am late"
    last = replace(shipped_tools[shipped_tools.names[-1]], examples=(Example(request, Plan()),))
    tools = Toolbox((*shipped_tools.tools[:-1], last), shipped_tools.rules)
    engine.manifest["tools"] = list(shipped_tools.names[:-1])
    before = engine.first_decision(request, tools)[1]
    vector = engine.read(request).vector
    engine.refusals = (vector / mx.linalg.norm(vector))[None]
    engine.read.cache_clear()
    assert engine.first_decision(request, tools)[1][-1] == pytest.approx(before[-1], abs=1e-3)


def test_refusals_are_those_of_the_training_part(tmp_path, shipped_tools, monkeypatch):
    parts = corpus.split(corpus.read_corpus())
    refused, served = ([w for w in parts.train if bool(w.plan.refused) is asked][:3] for asked in (True, False))
    few = replace(parts, train=[*served, *refused])
    monkeypatch.setattr(corpus, "split", lambda wordings: few)
    vectors = np.array(refusal_vectors(small_engine(tmp_path), shipped_tools))
    assert vectors.shape == (3, 64)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert not np.allclose(vectors[0], vectors[1])


@pytest.mark.parametrize(
    ("firsts", "off"),
    [
        ([(np.array([3.0, 2.0]), False), (np.array([9.0, 1.0]), True)], 2.0),
        ([(np.array([3.0, 2.0]), True), (np.array([0.0, 2.0]), False)], 0.25),
    ],
    ids=["too quick to refuse", "right as it is"],
)
def test_reluctance_is_the_middle_of_what_is_best(firsts, off):
    assert middle_of_best(firsts) == off
