"""SECURITY.md: each claim names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import poisoned
from tinyagent_mlx.cli import show

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/\w+\.py)::(\w+)`", PAGE)


def test_each_claim_names_a_test():
    claims = re.findall(r"^- .*?(?=^- |^$)", PAGE, re.MULTILINE | re.DOTALL)
    assert len(claims) >= 18
    assert [claim for claim in claims if "::" not in claim] == []


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_the_test_of_a_claim_exists(file, name):
    code = (ROOT / file).read_text(encoding="utf-8")
    assert f"def {name}(" in code


def test_what_was_read_can_not_repaint_the_terminal(shipped_tools):
    hostile = f"{poisoned.ORDER}\x1b[2J\x1b[8m hidden\u202e"
    tool = shipped_tools["send_sms"]
    for said in (show.plain(hostile), show.outgoing(tool, tool.bind((("555-0199",), hostile)))):
        assert poisoned.ORDER[:40] in said
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", said)
