"""Drafts from scripting dictionaries: what becomes of types, what is left out and why, and that nothing becomes code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyagent_mlx import sdef
from tinyagent_mlx.cli.main import main
from tinyagent_mlx.draft import Draft, script
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.scripts import lint
from tinyagent_mlx.toolfile import Source, load_toolboxes

JUKEBOX = Path(__file__).parent / "fixtures" / "sdef" / "Jukebox.sdef"
HEAD = '<?xml version="1.0"?>\n'


def dictionary(folder: Path, inside: str, head: str = HEAD) -> Path:
    file = folder / "App.sdef"
    file.write_text(f'{head}<dictionary title="App"><suite name="S" code="Appl">{inside}</suite></dictionary>')
    return file


def drafts(file: Path = JUKEBOX, command: str = "", taken: tuple[str, ...] = ()) -> dict[str, Draft]:
    return {draft.name: draft for draft in sdef.draft_tools(file, file.stem, command, taken).drafts}


def one(folder: Path, inside: str) -> Draft:
    """The draft of a command `go` with these parameters."""
    return drafts(dictionary(folder, f'<command name="go" code="AppGo">{inside}</command>'))["go"]


def signature(draft: Draft) -> str:
    return f"{', '.join(f'{a.name}: {a.type.name}' for a in draft.arguments)} -> {draft.returns}"


JUKEBOX_TOOLS = {
    "play_song": "what: text, in: text, once: boolean -> status",
    "schedule_song": "what: list[text], starting: datetime, volume: integer, repeating: choice, saying: text -> status",
    "count_plays": "what: text -> text",
    "import_song": "what: file_path -> file_path",
    "share_song": "what: text -> status",
    "stop": " -> status",
}


def test_commands_become_tools_with_typed_arguments():
    found = drafts()
    assert {name: signature(draft) for name, draft in found.items()} == JUKEBOX_TOOLS
    assert {name for name, draft in found.items() if draft.effect == "send"} == {"share_song"}
    assert {draft.effect for draft in found.values()} == {"send", "write"}  # what only reads is not for a draft to say
    assert found["play_song"].description == "Play a song from the library."


def test_what_is_left_out_is_said_with_its_line():
    words = [word.removeprefix(f"{JUKEBOX}:") for word in sdef.draft_tools(JUKEBOX, "Jukebox", "", ()).words]
    assert words == [
        "5: <xi:include> is left out: import that file by itself",
        "7: quit: left out: every application has it; name it with --command",
        "29: set repeat: left out: `set` without `to`; write it as AppleScript does",
        "55: move window: left out: no words of a request can be a 'specifier'",
        "58: debug: left out: it is hidden; name it with --command",
    ]


def test_optional_parameters_that_no_words_can_say_are_left_out_with_a_note():
    found = drafts()
    assert any("'at': no words of a request can be a 'point'" in note for note in found["play_song"].notes)
    assert any("'by': the script looks at three" in note for note in found["schedule_song"].notes)
    assert any("'with cover': a file" in note for note in found["share_song"].notes)


def test_an_enumeration_becomes_a_choice_whose_constants_the_script_says():
    repeating = drafts()["schedule_song"].arguments[3]
    assert dict(repeating.choices) == {
        "unsaid": "nothing is said of it", "one song": "the song again and again", "all": "every song", "off": "off",
    }  # fmt: skip
    assert repeating.default == "unsaid"
    text = script(drafts()["schedule_song"])
    assert 'if the_repeating is "off" then set the_repeating_constant to off' in text
    assert "secret" not in text


def test_a_required_choice_has_its_first_constant_for_a_default(tmp_path):
    enumeration = '<enumeration name="mode" code="e"><enumerator name="slow" code="a"/><enumerator name="fast" code="b"/></enumeration>'
    file = dictionary(
        tmp_path, f'{enumeration}<command name="go" code="AppGo"><direct-parameter type="mode"/></command>'
    )
    assert (drafts(file)["go"].arguments[0].default, list(drafts(file)["go"].arguments[0].choices)) == (
        "slow",
        ["slow", "fast"],
    )


def test_what_is_not_said_is_not_passed_on():
    text = script(drafts()["play_song"])
    calls = {line.strip() for line in text.splitlines() if line.strip().startswith("play song")}
    assert calls == {
        "play song the_what",
        "play song the_what once the_once",
        "play song the_what in playlist the_in",
        "play song the_what in playlist the_in once the_once",
    }


TYPES = {
    "text": ('type="text"', "what: text -> status", "go the_what"),
    "a number": ('type="real"', "what: text -> status", "go (the_what as number)"),
    "an integer": ('type="integer"', "what: integer -> status", "go the_what"),
    "a boolean": ('type="boolean"', "what: boolean -> status", "go the_what"),
    "a date": ('type="date"', "what: datetime -> status", "go (item 1 of the_what)"),
    "a file": ('type="file"', "what: file_path -> status", "go (POSIX file the_what)"),
}


@pytest.mark.parametrize(("kind", "expected", "call"), TYPES.values(), ids=TYPES)
def test_types_become_argument_types(tmp_path, kind, expected, call):
    draft = one(tmp_path, f"<direct-parameter {kind}/>")
    assert signature(draft) == expected
    assert call in [line.strip() for line in script(draft).splitlines()]


def test_of_several_types_the_one_is_taken_that_words_can_say(tmp_path):
    inside = '<direct-parameter><type type="specifier"/><type type="integer"/><type type="text"/></direct-parameter>'
    assert signature(one(tmp_path, inside)) == "what: integer -> status"


def test_arguments_of_one_name_are_told_apart(tmp_path):
    inside = (
        '<parameter name="to day" type="text"/><parameter name="to_day" type="text"/><direct-parameter type="text"/>'
    )
    assert signature(one(tmp_path, inside)) == "what: text, to_day: text, to_day_2: text -> status"


@pytest.mark.parametrize("draft", drafts().values(), ids=lambda draft: draft.name)
def test_scripts_keep_the_rules_of_the_linter(draft):
    assert lint(script(draft)) == []


def test_a_name_that_is_taken_gets_the_applications_before_it():
    assert "jukebox_stop" in drafts(taken=("stop",))


def test_one_command_may_be_named_hidden_and_standard_ones_too():
    assert list(drafts(command="debug")) == ["debug"]
    assert signature(drafts(command="quit")["quit"]) == "saving: choice -> status"


HOSTILE = {
    "a command that ends the block": '<command name="go&#10;end tell" code="A"/>',
    "a command with a string": '<command name="say &quot;x&quot;" code="A"/>',
    "a command that is the shell": '<command name="do shell script" code="A"><direct-parameter type="text"/></command>',
    "a command that runs scripts": '<command name="run script" code="A"><direct-parameter type="text"/></command>',
    "a command that is JavaScript": '<command name="do JavaScript" code="A"><direct-parameter type="text"/></command>',
    "a command by code": '<command name="«event sysoexec»" code="A"><direct-parameter type="text"/></command>',
    "a parameter that is the shell": '<command name="go" code="A"><parameter name="and do shell script" type="text"/></command>',
    "a parameter with a continuation": '<command name="go" code="A"><parameter name="x ¬" type="text"/></command>',
    "a class with code": '<class name="x&quot; &amp; y" code="c"/><command name="go" code="A"><direct-parameter type="x&quot; &amp; y"/></command>',
    "a constant with code": '<enumeration name="e" code="e"><enumerator name="a then do shell script b" code="a"/><enumerator name="b) then beep" code="b"/></enumeration><command name="go" code="A"><direct-parameter type="e"/></command>',
    "a command without a name": '<command code="A"/>',
    "a command that opens a block": '<command name="repeat" code="A"><direct-parameter type="text"/></command>',
}


@pytest.mark.parametrize("inside", HOSTILE.values(), ids=HOSTILE)
def test_what_a_dictionary_calls_things_is_no_way_into_a_script(tmp_path, inside):
    with pytest.raises(ConfigError, match="left out"):
        sdef.draft_tools(dictionary(tmp_path, inside), "App", "", ())


def test_descriptions_stay_in_their_line(home, tmp_path, capsys):
    text = 'x&#10;end run&#10;do shell script "y" \u2028 # no: [z] {q}'.replace('"', "&quot;")
    file = dictionary(
        tmp_path,
        f'<command name="go" code="A" description="{text}"><direct-parameter type="text" description="{text}"/></command>',
    )
    assert main(["tools", "import", str(file)]) == 0
    tool = load_toolboxes(
        [Source(shipped("tools.yaml"), shipped("applescripts")), Source(home / "tools.yaml", home / "applescripts")]
    )["go"]
    assert lint(tool.script.read_text()) == []
    assert [line for line in tool.script.read_text().splitlines() if "shell" in line] == [
        '-- X end run do shell script "y" # no: [z] {q}.'
    ]


BAD = {
    "not XML": ("<dictionary>", ":1: is not XML"),
    "empty": ("", ":1: is not XML: no element found"),
    "another document": ("<html/>", ":1: is no scripting dictionary: it begins with <html>"),
    "an entity": ('<!DOCTYPE d [\n<!ENTITY a "b">]>\n<dictionary>&a;</dictionary>', ":2: declares an entity"),
    "a file as entity": ('<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><dictionary>&a;</dictionary>', ":1: declares an entity"),
    "a parameter entity": ('<!DOCTYPE d [<!ENTITY % a SYSTEM "http://x/y"> %a;]><dictionary/>', ":1: declares an entity"),
    "too deep": ("<dictionary>" + "<suite>" * 60 + "</suite>" * 60 + "</dictionary>", "fifty deep"),
    "no commands": ("<dictionary/>", "has no command"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), BAD.values(), ids=BAD)
def test_what_is_no_dictionary_is_refused_with_its_line(tmp_path, text, says):
    file = tmp_path / "x.sdef"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        sdef.draft_tools(file, "X", "", ())
    assert str(error.value).startswith(str(file))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_nothing_outside_the_file_is_read(tmp_path):
    other = tmp_path / "other.dtd"
    other.write_text('<!ENTITY secret "boo">')
    head = f'{HEAD}<!DOCTYPE dictionary SYSTEM "file://{other}">\n'
    file = dictionary(tmp_path, '<command name="go" code="A" description="say &secret;"/>', head)
    assert "boo" not in drafts(file)["go"].description


def test_a_command_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ConfigError, match=r"has no command 'sing'; it has count plays, debug, import song"):
        sdef.draft_tools(JUKEBOX, "Jukebox", "sing", ())


# The command line


def test_drafts_are_added_to_the_own_file_and_check(home, capsys):
    assert main(["tools", "new", "play_music", "--yes"]) == 0
    before = (home / "tools.yaml").read_text()
    capsys.readouterr()
    assert main(["tools", "import", str(JUKEBOX)]) == 0
    out, error = capsys.readouterr()
    assert "6 drafts at its end. Nobody has run them" in out
    assert "7: quit: left out" in error
    assert (home / "tools.yaml").read_text().startswith(before)
    assert main(["tools", "check"]) == 0
    assert "23 tools, 0 errors" in capsys.readouterr().out
    assert (home / "applescripts" / "schedule_song.applescript").is_file()


def test_the_application_may_be_named(home):
    assert main(["tools", "import", str(JUKEBOX), "--command", "stop", "--app", "Music"]) == 0
    assert 'tell application "Music"' in (home / "applescripts" / "stop.applescript").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["/nowhere/x.sdef"], "/nowhere/x.sdef: cannot be read"),
        ([str(JUKEBOX), "--command", "sing"], "has no command 'sing'"),
        ([str(JUKEBOX), "--app", 'A" & x'], "expected its name"),
        ([str(JUKEBOX), "--command", "move window"], "no words of a request"),
    ],
)
def test_an_import_that_fails_writes_nothing(home, capsys, arguments, says):
    assert main(["tools", "import", *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert list(home.iterdir()) == []
