"""The threshold that keeps the wanted share of cases whole."""

from __future__ import annotations

import pytest

from tinyagent_mlx.lab.calibrate import isotonic, threshold_for


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
