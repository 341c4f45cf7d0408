"""Which files may be touched: hostile names and links never lead out of the allowed folders, nor to what is hidden."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from pathlib import Path

import pytest

from tinyagent_mlx.cli import setup
from tinyagent_mlx.cli.main import screen_options
from tinyagent_mlx.desktop import files
from tinyagent_mlx.desktop.portable import PortableDesktop
from tinyagent_mlx.errors import Ambiguous, ConfigError, NotFound, StepError

NOW = datetime(2026, 11, 23, 9)


@pytest.fixture
def place(tmp_path):
    """Two allowed folders, and beside them what must not be read."""
    for name in ("papers/sub", "papers/.ssh", "more", "outside"):
        (tmp_path / name).mkdir(parents=True)
    for name in (
        "papers/plan.pdf",
        "papers/sub/deep.pdf",
        "papers/.ssh/id_rsa",
        "papers/.hidden.pdf",
        "more/plan b.pdf",
    ):
        (tmp_path / name).write_text("ours")
    (tmp_path / "outside" / "secret.pdf").write_text("theirs")
    (tmp_path / "papers" / "link.pdf").symlink_to(tmp_path / "outside" / "secret.pdf")
    (tmp_path / "papers" / "away").symlink_to(tmp_path / "outside")
    (tmp_path / "papers" / "inner.pdf").symlink_to("sub/deep.pdf")
    (tmp_path / "papers" / "veiled.pdf").symlink_to(".ssh/id_rsa")
    (tmp_path / "papers" / "ring.pdf").symlink_to("ring.pdf")
    (tmp_path / "papers" / "dangling.pdf").symlink_to("/nothing/there.pdf")
    os.mkfifo(tmp_path / "papers" / "pipe.pdf")
    return tmp_path


@pytest.fixture
def roots(place):
    return (place / "papers", place / "more")


HOSTILE = {
    "elsewhere": "/etc/passwd",
    "up": "{place}/papers/../outside/secret.pdf",
    "far up": "{place}/papers/../../../../../../../etc/passwd",
    "up and back": "{place}/papers/sub/../../outside/secret.pdf",
    "up through a link": "{place}/papers/away/../secret.pdf",
    "a link to a file": "{place}/papers/link.pdf",
    "through a linked folder": "{place}/papers/away/secret.pdf",
    "a link to what is hidden": "{place}/papers/veiled.pdf",
    "a ring of links": "{place}/papers/ring.pdf",
    "a dangling link": "{place}/papers/dangling.pdf",
    "hidden": "{place}/papers/.hidden.pdf",
    "in a hidden folder": "{place}/papers/.ssh/id_rsa",
    "a name that only begins like it": "{place}/papers2/x.pdf",
    "relative": "papers/plan.pdf",
    "relative up": "../outside/secret.pdf",
    "home": "~/secret.pdf",
    "another's home": "~root/.ssh/id_rsa",
    "an address": "file:///etc/passwd",
    "a NUL": "{place}/papers/plan.pdf\0.png",
    "a device": "/dev/zero",
    "a process": "/proc/self/environ",
    "nothing": "",
    "a dot": ".",
    "long": "/" + "a" * 5000,
    "deep": "/a" * 3000,
}


@pytest.mark.parametrize("path", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_path_out_of_the_allowed_folders_is_refused(place, roots, path, monkeypatch):
    monkeypatch.chdir(place)
    with pytest.raises(StepError, match="outside the folders that may be read") as error:
        files.allowed(roots, path.replace("{place}", str(place)))
    assert "files: roots:" in error.value.advice


@pytest.mark.parametrize(
    "name", ["papers/plan.pdf", "papers/sub/deep.pdf", "papers/sub/../plan.pdf", "papers/inner.pdf"]
)
def test_a_path_inside_is_the_file_that_it_leads_to(place, roots, name):
    assert files.allowed(roots, str(place / name)) == (place / name).resolve()


@pytest.mark.parametrize("name", ["papers/sub", "papers/pipe.pdf"])
def test_what_is_no_file_is_refused_and_nothing_waits_for_it(place, roots, name):
    with pytest.raises(StepError, match="is no file"):
        files.allowed(roots, str(place / name))


@pytest.mark.parametrize(
    "name",
    ["secret", "secret.pdf", "link.pdf", "../outside/secret.pdf", "/etc/passwd", "id_rsa", ".hidden.pdf", "veiled.pdf",
     "ring.pdf", "dangling.pdf", "pipe.pdf", "*", "", ".", "..", "/", "\0", "%2e%2e/secret.pdf", "a" * 5000],
)  # fmt: skip
def test_no_name_finds_a_file_outside(roots, name):
    with pytest.raises((NotFound, Ambiguous)):
        files.find_file(roots, name)


def test_every_file_that_can_be_found_is_allowed(place, roots):
    found = {file.name for root in roots for file in files._walk(root.resolve())}
    assert found == {"plan.pdf", "deep.pdf", "inner.pdf", "plan b.pdf"}
    assert files.find_file(roots, "plan b") == place / "more" / "plan b.pdf"


def test_a_root_that_is_a_link_counts_as_what_it_leads_to(place):
    (place / "doc").symlink_to(place / "papers")
    assert files.allowed((place / "doc",), str(place / "papers" / "plan.pdf")).name == "plan.pdf"
    assert files.allowed((place / "doc",), str(place / "doc" / "plan.pdf")).name == "plan.pdf"


def test_of_the_home_folder_the_library_stays_closed_but_icloud_is_open(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    drive = tmp_path / "Library" / "Mobile Documents" / "drive"
    keychain = tmp_path / "Library" / "Keychains" / "login.db"
    for file in (drive / "a.pdf", keychain, tmp_path / "Work" / "b.pdf"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    roots = files.own_folders()
    assert files.allowed(roots, str(drive / "a.pdf")).name == "a.pdf"
    assert files.allowed(roots, str(tmp_path / "Work" / "b.pdf")).name == "b.pdf"
    with pytest.raises(StepError, match="outside"):
        files.allowed(roots, str(keychain))


# The folders of settings.yaml


def test_folders_of_the_settings_are_open_beside_the_desktop_s_own(place, home):
    (home / "settings.yaml").write_text(f"files:\n  roots: ['{place / 'papers'}']\n")
    options = screen_options(["--desktop", str(place / "desktop")])
    desktop = setup.desktop(options)
    assert isinstance(desktop, PortableDesktop)
    assert desktop.roots == (place / "desktop" / "files", place / "papers")


def test_without_settings_only_the_desktop_s_own_folder_is_open(place):
    desktop = setup.desktop(screen_options(["--desktop", str(place / "desktop")]))
    assert isinstance(desktop, PortableDesktop)
    assert desktop.roots == (place / "desktop" / "files",)


def test_wrong_settings_open_nothing(place, home):
    (home / "settings.yaml").write_text("files: {roots: ['/']}\n")
    with pytest.raises(ConfigError, match="not the whole disk"):
        setup.desktop(screen_options(["--desktop", str(place / "desktop")]))


# Notes


@pytest.fixture
def desk(place):
    desktop = PortableDesktop(place / "desk")
    notes = place / "desk" / "notes"
    (notes / "Notes").mkdir(parents=True)
    (place / "outside" / "diary.md").write_text("# diary\n\ntheirs\n")
    (notes / "Notes" / "diary.md").symlink_to(place / "outside" / "diary.md")
    (notes / "Away").symlink_to(place / "outside")
    return desktop


def call(desktop, tools, tool_name, /, **given):
    tool = tools[tool_name]
    return asyncio.run(desktop.call(tool, {a.name: given.get(a.name, a.default) for a in tool.arguments}, NOW))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("open_note", {"name": "diary"}),
        ("open_note", {"name": "diary", "folder": "Away"}),
        ("append_note_content", {"name": "diary", "content": "ours"}),
        ("create_note", {"name": "new", "content": "ours", "folder": "Away"}),
    ],
    ids=["read a link", "read in a linked folder", "write to a link", "write into a linked folder"],
)
def test_notes_are_neither_read_nor_written_through_links(place, desk, shipped_tools, name, given):
    with pytest.raises(StepError):
        call(desk, shipped_tools, name, **given)
    assert sorted(file.name for file in (place / "outside").iterdir()) == ["diary.md", "secret.pdf"]
    assert (place / "outside" / "diary.md").read_text() == "# diary\n\ntheirs\n"


def test_a_handle_takes_no_text_off_a_file_outside_the_notes(place, desk, shipped_tools):
    import json

    (place / "outside" / "diary.md").write_text("# diary\nours\n")
    for file in (place / "outside" / "diary.md", Path("../outside/diary.md"), place / "desk/notes/Notes/diary.md"):
        with pytest.raises(NotFound):
            asyncio.run(desk.undo(shipped_tools["append_note_content"], json.dumps([str(file), "ours"])))
    assert (place / "outside" / "diary.md").read_text() == "# diary\nours\n"


def test_a_file_that_is_not_there_is_called_as_it_was_said(place):
    with pytest.raises(NotFound, match=r"no file is called 'no-such_thing\.txt'"):
        files.find_file([place / "papers"], "no-such_thing.txt")
