"""Several tools files make one toolbox: a user's own after the shipped one, with tools switched off."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyagent_mlx import ownfile
from tinyagent_mlx.cli.main import main
from tinyagent_mlx.errors import ConfigError, UsageError
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.toolfile import Source, load_toolboxes

SHIPPED = Source(shipped("tools.yaml"), shipped("applescripts"))
PLAY = """\
  - name: play_song
    app: Music
    description: Plays a song.
    arguments:
      - {name: song, type: text, description: which song, from: request}
    returns: status
    effect: read
    script: play_song.applescript
    examples:
      - request: text Ana the song that is on
        plan: |
          1. get_phone_number("Ana")
          2. play_song("x")
      - request: play Take Five
        plan: |
          1. play_song("Take Five")
"""
OWN = f"version: 1\ntools:\n{PLAY}"


def own(folder: Path, text: str = OWN, name: str = "tools.yaml") -> Source:
    (folder / "applescripts").mkdir(exist_ok=True)
    (folder / "applescripts" / "play_song.applescript").write_text("on run argv\nend run\n")
    (folder / name).write_text(text, encoding="utf-8")
    return Source(folder / name, folder / "applescripts")


def together(folder: Path, text: str = OWN):
    return load_toolboxes([SHIPPED, own(folder, text)])


def test_own_tools_come_after_the_shipped_ones(tmp_path, shipped_tools):
    tools = together(tmp_path, OWN.replace("tools:", "rules: [Be brief.]\ntools:"))
    assert tools.names == (*shipped_tools.names, "play_song")
    assert tools.rules == (*shipped_tools.rules, "Be brief.")
    assert tools["play_song"].script == tmp_path / "applescripts" / "play_song.applescript"
    assert tools["send_sms"].script == SHIPPED.scripts / "send_sms.applescript"
    assert len(tools["play_song"].examples) == 2  # one of them calls a shipped tool
    assert str(tools["play_song"].declared) == f"{tmp_path / 'tools.yaml'}:4"


def test_a_name_that_stands_in_two_files_names_both_with_their_lines(tmp_path):
    line = next(n for n, text in enumerate(SHIPPED.file.read_text().split("\n"), 1) if "name: send_sms" in text)
    with pytest.raises(ConfigError) as error:
        together(tmp_path, OWN.replace("play_song\n    app", "send_sms\n    app"))
    assert str(error.value) == (
        f"{tmp_path / 'tools.yaml'}:3: tool 'send_sms', key 'name': another tool is called 'send_sms', {SHIPPED.file}:{line}"
    )


OFF = {
    "a tool": ("[send_sms]", {"send_sms"}),
    "an app": ("[Zoom]", {"get_zoom_meeting_link"}),
    "both": ("[send_sms, Mail]", {"send_sms", "compose_new_email", "reply_to_email", "forward_email"}),
    "an own tool": ("[Music]", {"play_song"}),
    "nothing": ("[]", set()),
}


@pytest.mark.parametrize(("off", "gone"), OFF.values(), ids=OFF)
def test_tools_are_switched_off_by_name_or_app(tmp_path, shipped_tools, off, gone):
    tools = together(tmp_path, f"version: 1\noff: {off}\ntools:\n{PLAY}")
    assert set(tools.names) == {*shipped_tools.names, "play_song"} - gone
    assert {tool.name for tool in tools.off} == gone
    assert set(tools.whole.names) == {*shipped_tools.names, "play_song"}
    everything = together(tmp_path)
    assert (tools.fingerprint == everything.fingerprint) == (not gone)


def test_what_would_call_or_name_a_tool_that_is_off_goes_with_it(tmp_path):
    tools = together(tmp_path, "version: 1\noff: [open_and_get_file_path, get_phone_number]\ntools:\n" + PLAY)
    called = {step.tool for tool in tools for example in tool.examples for step in example.plan.steps}
    assert called <= set(tools.names)
    assert [example.request for example in tools["play_song"].examples] == ["play Take Five"]
    assert tools["summarize_pdf"].rules == ()  # it named the tool


BAD = {
    "an unknown name": ("off: [send_smss]", 2, "no tool or app is called 'send_smss'; did you mean 'send_sms'?"),
    "an unknown app": ("off:\n  - Zoom\n  - Calender", 4, "'Calender'; did you mean 'Calendar'?"),
    "nothing near": ("off: [zzz]", 2, "no tool or app is called 'zzz'"),
    "a text": ("off: Zoom", 2, "key 'off': is 'Zoom', expected a list of texts"),
    "a number": ("off: [7]", 2, "key 'off': is [7], expected a list of texts"),
    "twice": ("off: []\noff: [Zoom]", 3, "key 'off' stands twice"),
}


@pytest.mark.parametrize(("off", "line", "says"), BAD.values(), ids=BAD)
def test_what_is_switched_off_must_be_there(tmp_path, off, line, says):
    with pytest.raises(ConfigError) as error:
        together(tmp_path, f"version: 1\n{off}\n")
    assert str(error.value).startswith(f"{tmp_path / 'tools.yaml'}:{line}: ")
    assert says in str(error.value)


def test_not_everything_can_be_switched_off(tmp_path):
    with pytest.raises(ConfigError, match="key 'off': leaves no tool"):
        load_toolboxes(
            [
                own(
                    tmp_path,
                    "version: 1\noff: [Music]\ntools:\n"
                    + PLAY.replace("text Ana", "play").replace('1. get_phone_number("Ana")\n          2.', "1."),
                )
            ]
        )


def test_an_own_file_may_hold_nothing_but_what_is_off(tmp_path, shipped_tools):
    assert len(together(tmp_path, "version: 1\noff: [Zoom]\n")) == len(shipped_tools) - 1
    with pytest.raises(ConfigError, match="'tools' is missing"):
        load_toolboxes([own(tmp_path, "version: 1\noff: []\n")])


# Switching on and off, in the file


def test_off_and_on_leave_the_file_as_it_was(tmp_path):
    source = own(tmp_path, OWN.replace("version: 1\n", "version: 1\noff: [Zoom]  # no calls\n"))
    before = source.file.read_bytes()
    tools = ownfile.switch_off("send_sms", [SHIPPED, source], source)
    assert "send_sms" not in tools
    assert b"off: [Zoom, send_sms]  # no calls\n" in source.file.read_bytes()
    assert "send_sms" in ownfile.switch_on("send_sms", [SHIPPED, source], source)
    assert source.file.read_bytes() == before


def test_one_tool_of_an_app_that_is_off_is_switched_on_alone(tmp_path):
    source = own(tmp_path, "version: 1\noff: [Mail]\n")
    tools = ownfile.switch_on("reply_to_email", [SHIPPED, source], source)
    assert {tool.name for tool in tools.off} == {"compose_new_email", "forward_email"}
    tools = ownfile.switch_on("Mail", [SHIPPED, source], source)
    assert tools.off == ()


def test_the_own_file_is_made_when_something_is_switched_off(tmp_path):
    source = Source(tmp_path / "home" / "tools.yaml", tmp_path / "home" / "applescripts")
    assert "send_sms" not in ownfile.switch_off("send_sms", [SHIPPED], source)
    assert source.file.read_text().startswith("# yaml-language-server: $schema=tools.schema.json\n")
    assert "send_sms" not in load_toolboxes([SHIPPED, source])


@pytest.mark.parametrize(
    ("switch", "word", "says"),
    [
        (ownfile.switch_off, "send_smss", "no tool or app is called 'send_smss'; did you mean 'send_sms'?"),
        (ownfile.switch_off, "Zoom", "'Zoom' is switched off already"),
        (ownfile.switch_on, "send_sms", "'send_sms' is not switched off"),
        (ownfile.switch_on, "Zom", "no tool or app is called 'Zom'; did you mean 'Zoom'?"),
    ],
)
def test_a_switch_that_is_not_there_is_named(tmp_path, switch, word, says):
    source = own(tmp_path, "version: 1\noff: [Zoom]\n")
    with pytest.raises(UsageError) as error:
        switch(word, [SHIPPED, source], source)
    assert str(error.value) == says


def test_the_last_tool_stays_on(tmp_path):
    source = own(tmp_path, "version: 1\ntools:\n" + PLAY.partition("    examples")[0])
    before = source.file.read_bytes()
    with pytest.raises(ConfigError, match="leaves no tool"):
        ownfile.switch_off("Music", [source], source)
    assert source.file.read_bytes() == before


# The command line


def test_the_own_file_of_the_home_is_read_after_the_shipped_one(home, capsys):
    own(home)
    assert main(["tools", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("play_song ")


def test_named_files_are_read_one_after_the_other_and_nothing_else(home, tmp_path, capsys):
    own(home, "version: 1\noff: [Zoom]\n")
    other = own(tmp_path)
    assert main(["tools", "list", "--tools", str(SHIPPED.file), "--tools", str(other.file)]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names[-2:] == ["get_zoom_meeting_link", "play_song"]
    assert main(["tools", "list", "--tools", str(other.file)]) == 2  # its example calls a shipped tool
    assert "get_phone_number" in capsys.readouterr().err


def test_off_and_on_by_the_command_line(home, capsys):
    assert main(["tools", "off", "Mail"]) == 0
    assert "compose_new_email, reply_to_email, forward_email" in capsys.readouterr().out
    main(["tools", "list"])
    assert "compose_new_email       off" in capsys.readouterr().out
    assert main(["tools", "on", "Mail"]) == 0
    assert main(["tools", "on", "Mail"]) == 2
    assert capsys.readouterr().err == "tinyagent: 'Mail' is not switched off\n"
