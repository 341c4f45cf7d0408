"""The README says what is so: its map names every module, its first commands are the two."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_map_names_every_module():
    named = set(re.findall(r"`([\w/]+?)/?`", README[README.index("## Map") :]))
    modules = {file.stem for file in (ROOT / "tinyagent_mlx").glob("*.py") if file.stem != "__init__"}
    folders = {file.name for file in (ROOT / "tinyagent_mlx").iterdir() if (file / "__init__.py").exists()}
    assert modules | folders <= named
    strangers = {name for name in named if "_" not in name} - modules - folders
    assert strangers <= {"applescripts", "weights", "tui", "weights/planner", "weights/NOTICE"}


def test_the_first_commands_are_the_two():
    block = README.split("```")[1]
    assert re.findall(r"^make \w+", block, re.MULTILINE) == ["make demo", "make test"]


def test_no_placeholder_is_left():
    assert "@@" not in README
