"""The threshold that keeps the wanted share of cases whole."""

from __future__ import annotations

import numpy as np
import pytest

from tinyagent_mlx.lab.calibrate import best_bonus, isotonic, threshold_for


@pytest.mark.parametrize(
    ("weakest", "recall", "threshold"),
    [
        ([0.2, 0.3, 0.9, 0.95], 1.0, 0.2),
        ([0.2, 0.3, 0.9, 0.95], 0.75, 0.3),
        ([0.7, 0.8], 1.0, 0.5),
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


def decision(end: float, shipped: float, new: float, nearness: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits over the end, one shipped and one new tool, and the nearness of both."""
    return np.array([end, shipped, new]), np.array([-1.0, nearness])


def test_the_bonus_helps_new_requests_as_much_as_old_ones_allow():
    old = [decision(0, 5, 0, 0.4), decision(5, 0, 0, 0.5), decision(0, 6, 0, 0.2)]
    found = best_bonus(old, np.array([0.7, 0.8]), shipped=1)
    assert found["help"] > 5
    for logits, near in old:
        bonus = np.maximum(0, near - found["floor"]) * found["scale"]
        assert (logits + np.concatenate([[0], bonus])).argmax() < 2


def test_where_nearness_says_nothing_there_is_no_bonus():
    old = [decision(0, 0.1, 0, 0.9)] * 50
    assert best_bonus(old, np.array([0.2]), shipped=1)["help"] == 0
