"""The threshold that keeps the wanted share of cases whole."""

from __future__ import annotations

import pytest

from tinyagent_mlx.lab.calibrate import threshold_for


@pytest.mark.parametrize(
    ("weakest", "recall", "threshold"),
    [
        ([0.2, 0.3, 0.9, 0.95], 1.0, 0.2),
        ([0.2, 0.3, 0.9, 0.95], 0.75, 0.3),
        ([0.7, 0.8], 1.0, 0.5),
        ([0.0001, 0.8], 1.0, 0.01),
    ],
    ids=["all", "all but one", "never above a half", "never below a hundredth"],
)
def test_threshold_keeps_the_wanted_share(weakest, recall, threshold):
    assert threshold_for(weakest, recall) == threshold
