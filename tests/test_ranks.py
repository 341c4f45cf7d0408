"""Two processes that `mlx.launch` starts train as one does: each has a share of the batch, and gradients are averaged."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

# isort: split
import mlx.core as mx
import numpy as np
import pytest

from tests import ranks

ROOT = Path(__file__).parent.parent


def free_port() -> int:
    """Two in a row are needed, and taken at once."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    launch = Path(sys.executable).with_name("mlx.launch")
    command = [
        launch, "-n", "2", "--backend", "ring", "--starting-port", str(free_port()), "--env", f"PYTHONPATH={ROOT}",
        "--cwd", ROOT, sys.executable, "-m", "tests.ranks", tmp_path / "two",
    ]  # fmt: skip
    ended = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert ended.stdout.count("processes: 2") == 2, ended.stderr
    assert ranks.fit(tmp_path / "one") == 1
    one, two = (mx.load(str(tmp_path / name / "checkpoint.safetensors")) for name in ("one", "two"))
    assert set(one) == set(two)
    for name, value in one.items():
        assert np.array(two[name]) == pytest.approx(np.array(value), abs=1e-5), name
