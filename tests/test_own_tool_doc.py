"""docs/own-tool.md from its first command to its last, word for word."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tinyagent_mlx.cli.main import main
from tinyagent_mlx.plan import parse_plan

DOC = Path(__file__).parent.parent / "docs" / "own-tool.md"


@pytest.mark.timeout(900)  # it trains
def test_the_walk_through_works(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TINYAGENT_HOME", str(tmp_path / "home"))
    blocks = re.findall(r"^```\n(.*?)^```", DOC.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    commands = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert [words[1] for words in commands] == ["tools", "tools", "tools", "plan", "finetune", "plan"]
    said = []
    for words in commands:
        assert words[0] == "tinyagent"
        status = main(words[1:])
        out, err = capsys.readouterr()
        assert status == 0, f"{shlex.join(words)}\n{out}\n{err}"
        said.append(out)
    assert "installed: " in said[4]
    after = json.loads(said[5])
    assert parse_plan(after["plan"]).steps[0].tool == "water_plants"
    assert (tmp_path / "home" / "planners" / "1" / "manifest.json").is_file()
