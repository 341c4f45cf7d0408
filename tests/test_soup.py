"""How a training's steps are shared out among a trunk and ends."""

from __future__ import annotations

import pytest

from tinyagent_mlx.lab.batches import POOL
from tinyagent_mlx.lab.soup import Course


@pytest.mark.parametrize(
    ("steps", "trunk", "ends", "path"),
    [(160, 64, (48, 48), 112), (161, 64, (49, 48), 113), (20, 8, (6, 6), 14), (19, 19, (), 19), (1, 1, (), 1)],
)
def test_every_step_is_the_trunk_s_or_an_end_s(steps, trunk, ends, path):
    found = Course.of(steps)
    assert (found.trunk, found.ends, found.path) == (trunk, ends, path)
    assert found.steps == steps


def test_data_changes_between_pools_only():
    assert all(Course.of(steps).trunk % POOL == 0 for steps in range(20, 200))


def test_nothing_is_made_in_an_empty_folder(tmp_path):
    assert Course.of(160).made(tmp_path) == 0
