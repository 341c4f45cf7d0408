"""What a program writes into a file that people write: the change, and every other byte as it was."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tinyagent_mlx import yamledit, yamlmarks
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.paths import shipped

FILE = Path("own/tools.yaml")
ENTRY = "# made today\n- name: c\n  plan: |\n    1. c()\n\n    2. d()\n"


def data(text: str) -> dict:
    return yamlmarks.read(FILE, text).data


# text → text with the entry at the end of `tools`
ENTRIES = {
    "the last key": ("version: 1 # one\ntools:\n  - name: a # first\n", None),
    "no line end": ("version: 1\ntools:\n  - name: a", None),
    "a key after it": ("tools:\n  - name: a\n\n# what is off\noff: [x]\n", "\n# what is off\noff: [x]\n"),
    "a comment of its own after it": ("tools:\n  - name: a\n  # of a\n\n# end\n", "\n# end\n"),
    "at the margin": ("tools:\n- name: a\n- name: b\nrules: []\n", "rules: []\n"),
    "a text block at its end": ("tools:\n  - name: a\n    plan: |\n      1. a()\n\n      2. b()\n", None),
    "not there yet": ("version: 1\noff: [x]\n", None),
    "nothing in it": ("tools:\nversion: 1\n", "version: 1\n"),
    "nothing in it, said so": ("tools: [] # none yet\nversion: 1\n", "version: 1\n"),
    "Windows": ("version: 1\r\ntools:\r\n  - name: a\r\n", None),
    "other line ends in a text": ('tools:\n  - name: "a\u2028  b"\n    x: é # é\n\noff: []\n', "\noff: []\n"),
    "an end of document": ("tools:\n  - name: a\n...\n", "...\n"),
}


@pytest.mark.parametrize(("text", "after"), ENTRIES.values(), ids=ENTRIES)
def test_an_entry_goes_to_the_end_of_its_list(text, after):
    changed = yamledit.with_entry(FILE, text, "tools", ENTRY)
    before, tools = data(text), data(changed)["tools"]
    assert tools == [*(before.get("tools") or []), {"name": "c", "plan": "1. c()\n\n2. d()\n"}]
    assert changed.endswith(after or "")
    assert "# made today" in changed


@pytest.mark.parametrize(("text", "after"), ENTRIES.values(), ids=ENTRIES)
def test_nothing_else_of_the_file_changes(text, after):
    changed = yamledit.with_entry(FILE, text, "tools", ENTRY)
    old, new = text.replace("tools: []", "tools:").splitlines(), changed.splitlines()
    left = iter(new)
    assert [line for line in old if line not in left] == []  # each in its order
    if "\r" in text:
        assert changed.count("\n") == changed.count("\r\n")


def test_an_entry_in_the_shipped_file_leaves_its_bytes():
    text = shipped("tools.yaml").read_text(encoding="utf-8")
    changed = yamledit.with_entry(FILE, text, "tools", ENTRY)
    assert changed.startswith(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tools: [{name: a}]\n", "FILE:1: key 'tools': write it as a list"),
        ("{version: 1, tools: []}\n", "FILE:1: is written in one pair of braces"),
        ("- a\n", "FILE: is no mapping"),
        ("tools:\n  - a\n :", "FILE:3: is not YAML"),
        ("a: &x [1]\ntools: *x\n", "FILE:2: key 'tools': write it as a list"),
    ],
    ids=["in brackets", "in braces", "no mapping", "not YAML", "a repeated list"],
)
def test_what_cannot_be_added_to_is_refused_with_its_line(text, says):
    with pytest.raises(ConfigError, match=re.escape(says.replace("FILE", str(FILE)))):
        yamledit.with_entry(FILE, text, "tools", ENTRY)


WORDS = {
    "no list": ("# mine\nversion: 1 # one\n\ntools: []\n", "# mine\nversion: 1 # one\noff:\n  - b\n\ntools: []\n"),
    "nothing in it": ("version: 1\noff:  # what is off\n", "version: 1\noff: [b]  # what is off\n"),
    "empty": ("off: [ ] # none\n", "off: [b ] # none\n"),
    "brackets": ("off: [a, x] # two\n", "off: [a, x, b] # two\n"),
    "brackets over lines": ("off: [\n  a, # first\n  x, # last\n]\n", "off: [\n  a, # first\n  x, b, # last\n]\n"),
    "lines": ("off:\n  - a # first\n  # end\ntools: []\n", "off:\n  - a # first\n  - b\n  # end\ntools: []\n"),
    "no line end": ("off:\n- a", "off:\n- a\n- b\n"),
}


@pytest.mark.parametrize(("text", "expected"), WORDS.values(), ids=WORDS)
def test_a_word_is_added_to_its_list(text, expected):
    assert yamledit.with_word(FILE, text, "off", "b") == expected


GONE = {
    "lines": ("off:\n  - a # first\n  - b # gone\n  # c next\n  - c\n", "off:\n  - a # first\n  # c next\n  - c\n"),
    "the only line": ("off: # what is off\n  # why\n  - b\nx: 1\n", "off: [] # what is off\n  # why\nx: 1\n"),
    "first in brackets": ("off: [b, a] # two\n", "off: [a] # two\n"),
    "last in brackets": ("off: [a, b]\n", "off: [a]\n"),
    "only in brackets": ('off: ["b"]\n', "off: []\n"),
    "over lines": ("off: [\n  a, # first\n  b # last\n]\n", "off: [\n  a, # first\n   # last\n]\n"),
    "not there": ("off: [a]\n", "off: [a]\n"),
    "no list": ("version: 1\n", "version: 1\n"),
}


@pytest.mark.parametrize(("text", "expected"), GONE.values(), ids=GONE)
def test_a_word_is_taken_out_of_its_list(text, expected):
    assert yamledit.without_word(FILE, text, "off", "b") == expected


@pytest.mark.parametrize(
    "word", ["no", "1Password", "Q: A", "- a", "café 'x' \"y\"", "true", "2026-01-01", "a, b", "#x"]
)
@pytest.mark.parametrize("text", ["version: 1\n", "off: []\n", "off:\n  - a\n", "off: [a]\n"])
def test_any_word_comes_back_as_it_was(text, word):
    changed = yamledit.with_word(FILE, text, "off", word)
    assert data(changed)["off"][-1] == word
    again = yamledit.without_word(FILE, changed, "off", word)
    assert (data(again)["off"] or []) == (data(text).get("off") or [])


def test_a_list_that_is_a_text_is_refused():
    with pytest.raises(ConfigError, match=r"tools.yaml:1: key 'off': is 'a', expected a list"):
        yamledit.with_word(FILE, "off: a\n", "off", "b")


def test_an_edit_keeps_the_link_and_the_mode(tmp_path):
    file, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    file.write_bytes(b"off: [a]\r\n")
    file.chmod(0o600)
    link.symlink_to(file)
    yamledit.edit(link, lambda text: yamledit.with_word(link, text, "off", "b"))
    assert file.read_bytes() == b"off: [a, b]\r\n"
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.yaml", "real.yaml"]


def test_a_change_of_somebody_else_in_between_is_not_lost(tmp_path):
    file = tmp_path / "tools.yaml"
    file.write_text("off: [a]\n")

    def slow(text: str) -> str:
        file.write_text("off: [a, theirs]\n")
        return text + "# ours\n"

    with pytest.raises(ConfigError, match="changed by another program"):
        yamledit.edit(file, slow)
    assert file.read_text() == "off: [a, theirs]\n"
    assert [p.name for p in tmp_path.iterdir()] == ["tools.yaml"]
