"""What was chosen for good: read strictly, changed key by key, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyagent_mlx import settings
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.settings import Files, Settings, Voice

WRITTEN = """\
# mine
theme: nord  # at night

allow:
  - create_note
# keys
keys:
  ask.undo: f10 # nearer
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "settings.yaml"


def test_without_a_file_nothing_is_chosen(file):
    assert settings.read(file) == Settings()


def test_a_file_is_read(file):
    file.write_text(WRITTEN)
    assert settings.read(file) == Settings("nord", ("create_note",), (), {"ask.undo": "f10"})


def test_rules_and_folders_are_read(file):
    file.write_text("mcp:\n  allow: [create_note, send_sms]\nfiles:\n  roots: [~/Documents, /srv/papers]\n")
    read = settings.read(file)
    assert read.mcp.allow == ("create_note", "send_sms")
    assert read.files.roots == (Path.home() / "Documents", Path("/srv/papers"))


def test_the_voice_is_read_and_changed_as_a_section(file):
    file.write_text("# mine\nvoice:\n  language: de\ntheme: nord\n")
    assert settings.read(file).voice == Voice("", "de")
    assert settings.change(file, voice=Voice("small", "de")).voice == Voice("small", "de")
    assert file.read_text() == "# mine\nvoice:\n  model: small\n  language: de\ntheme: nord\n"
    assert settings.change(file, voice=Voice()).voice == Voice()


def test_folders_are_changed(file):
    assert settings.change(file, files=Files((Path("/srv/papers"),))).files.roots == (Path("/srv/papers"),)


WRONG = {
    "unknown in the voice": (
        "voice: {speed: 2}\n",
        ":1: key 'voice': is {'speed': 2}, expected model and language under it",
    ),
    "a language that YAML takes for no": ("voice: {language: no}\n", "a word like no in quotes"),
    "unknown key": ("theme: nord\nalow: []\n", ":2: key 'alow': is not known; did you mean 'allow'?"),
    "nothing near": ("zzz: 1\n", "there are theme, allow, allow_sends, keys, mcp, files, voice"),
    "no section": ("mcp: [send_sms]\n", ":1: key 'mcp': is ['send_sms'], expected 'allow: [create_note]' under it"),
    "unknown in a section": ("files: {root: [~/a]}\n", "expected 'roots: [~/Documents]' under it and nothing else"),
    "a pattern of tools": ("mcp: {allow: ['*']}\n", "each tool by its whole name"),
    "half a pattern": ("mcp: {allow: ['send_*']}\n", "each tool by its whole name"),
    "a root from here": ("files: {roots: [documents]}\n", "folders by their full path"),
    "the whole disk": ("files: {roots: [/]}\n", "not the whole disk"),
    "a root that climbs": ("files: {roots: [~/a/../..]}\n", "folders by their full path"),
    "an unknown home": ("files: {roots: [~nobody_is_called_this/a]}\n", "folders by their full path"),
    "not a text": ("theme: 3\n", ":1: key 'theme': is 3, expected a text"),
    "not a list": ("allow: create_note\n", "is 'create_note', expected a list of names"),
    "not names": ("allow: [1]\n", "expected a list of names"),
    "no key map": ("keys: [f1]\n", "names with texts"),
    "a number as a key": ("keys: {approval.edit: 1}\n", "a number goes in quotes"),
    "a list": ("- a\n", ":1: expected keys with values"),
    "twice": ("theme: a\ntheme: b\n", ":2: key 'theme' stands twice"),
    "no YAML": ("theme: [\n", "is not YAML"),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_file_is_one_clear_line_and_is_left_alone(file, text, said):
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        settings.change(file, theme="dracula")
    assert said in str(refused.value)
    assert str(refused.value).startswith(str(file))
    assert "\n" not in str(refused.value)
    assert file.read_text() == text


def test_a_change_keeps_comments_and_the_other_keys(file):
    file.write_text(WRITTEN)
    changed = settings.change(file, theme="dracula", allow=("create_note", "create_reminder"))
    assert changed == Settings("dracula", ("create_note", "create_reminder"), (), {"ask.undo": "f10"})
    assert file.read_text() == WRITTEN.replace("nord", "dracula").replace(
        "  - create_note\n", "- create_note\n- create_reminder\n"
    )


STARTS = {
    "no file": None,
    "empty": "",
    "a comment alone": "# mine\n",
    "no end of line": "theme: x",
    "one line": "{theme: x, keys: {ask.undo: f10}}\n",
    "a document's end": "theme: x\n...\n",
    "a folded text": "theme: >-\n  x\nkeys: {}\n",
    "an anchor": "allow: &a [x]\nallow_sends: *a\n",
}


@pytest.mark.parametrize("text", STARTS.values(), ids=STARTS.keys())
def test_a_change_holds_whatever_the_file_looks_like(file, text):
    if text is not None:
        file.write_text(text)
    before = settings.read(file)
    settings.change(file, theme="nord", allow=("a", "b"))
    settings.change(file, allow=())
    after = settings.read(file)
    assert (after.theme, after.allow) == ("nord", ())
    assert (after.allow_sends, after.keys) == (before.allow_sends, before.keys)
    assert list(file.parent.iterdir()) == [file], "nothing is left beside it"


def test_a_link_stays_a_link(file, tmp_path):
    real = tmp_path / "dotfiles" / "mine.yaml"
    real.parent.mkdir()
    real.write_text("theme: nord\n")
    file.symlink_to(real)
    settings.change(file, theme="dracula")
    assert file.is_symlink()
    assert real.read_text() == "theme: dracula\n"


def test_a_folder_that_can_not_be_written_is_told(tmp_path):
    (tmp_path / "home").write_text("a file in the way")
    with pytest.raises(ConfigError, match="can't be written"):
        settings.change(tmp_path / "home" / "settings.yaml", theme="nord")
