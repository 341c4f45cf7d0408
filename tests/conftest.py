"""What many tests share: the shipped tools, read once."""

from __future__ import annotations

import pytest

from tinyagent_mlx.paths import shipped
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import load_toolbox


@pytest.fixture(scope="session")
def shipped_tools() -> Toolbox:
    return load_toolbox(shipped("tools.yaml"))
