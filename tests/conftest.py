"""What many tests share: the shipped tools, read once, and a language model with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyagent_mlx.paths import shipped
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import load_toolbox


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """A home of its own for each test: none may touch the user's."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("TINYAGENT_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def shipped_tools() -> Toolbox:
    return load_toolbox(shipped("tools.yaml"))


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of mlx-lm, tiny and random."""
    from tests.models import make_llama

    return make_llama(tmp_path_factory.mktemp("llama"))
