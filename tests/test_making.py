"""`tinyagent tools new`: what is asked, what is written, and that it checks, lints and leaves the rest of the file alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyagent_mlx.argtypes import TYPES
from tinyagent_mlx.cli import making
from tinyagent_mlx.cli.main import main
from tinyagent_mlx.cli.tools import add_options
from tinyagent_mlx.draft import DraftArgument
from tinyagent_mlx.errors import PlanError, TinyAgentError, UsageError
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.plan import print_plan
from tinyagent_mlx.scripts import lint
from tinyagent_mlx.toolfile import Source, load_toolbox, load_toolboxes

FIRST = "# yaml-language-server: $schema=tools.schema.json"


def new(*arguments: str) -> int:
    return main(["tools", "new", *arguments])


def own(home: Path):
    """The shipped tools and those of the own file."""
    scripts = home / "applescripts"
    return load_toolboxes(
        [Source(shipped("tools.yaml"), shipped("applescripts")), Source(home / "tools.yaml", scripts)]
    )


def answered(home: Path, *answers: str) -> list[str]:
    """Make play_song from answers; gives the questions."""
    import argparse

    from tinyagent_mlx.cli import places

    parser = argparse.ArgumentParser()
    places.add_options(parser)
    add_options(parser)
    asked: list[str] = []
    left = iter(answers)

    def answer(question: str) -> str:
        asked.append(question)
        found = next(left, None)
        if found is None:
            raise EOFError
        return found

    making.call(parser.parse_args(["new", "play_song"]), answer)
    return asked


def test_without_questions_it_is_all_usual_values(home, capsys):
    assert new("play_song", "--yes") == 0
    text = (home / "tools.yaml").read_text(encoding="utf-8")
    assert text.startswith(FIRST)
    assert "# examples:" in text
    tool = own(home)["play_song"]
    assert (tool.app, tool.description, tool.returns, tool.effect) == ("Finder", "Play song.", "status", "write")
    assert tool.script == home / "applescripts" / "play_song.applescript"
    assert (home / "tools.schema.json").read_text().startswith("{")
    assert main(["tools", "check"]) == 0
    assert "17 tools" in capsys.readouterr().out


def test_answers_make_the_tool(home):
    asked = answered(
        home, "Music", "Plays a song from my library.", "song", "", "which song", "speed", "choice", "how fast",
        "slow=at its ease,fast=in a hurry", "", "status", "read", "play Take Five fast", "Take Five", "fast", "",
    )  # fmt: skip
    tool = own(home)["play_song"]
    assert tool.signature == "play_song(song: text, speed: choice) -> status"
    assert dict(tool.arguments[1].choices) == {"slow": "at its ease", "fast": "in a hurry"}
    assert [(e.request, print_plan(e.plan)) for e in tool.examples] == [
        ("play Take Five fast", '1. play_song("Take Five", "fast")')
    ]
    assert asked[0] == "Which program does it drive? [Finder]: "


def test_a_bad_answer_is_asked_for_again(home, capsys):
    answered(home, "Music", "", "Song", "song", "txt", "text", "", "", "status", "wrote", "write", "")
    said = capsys.readouterr().out
    assert "lower-case letters" in said
    assert "'txt' is none of text, person" in said
    assert "did you mean 'write'?" in said
    assert own(home)["play_song"].arguments[0].name == "song"


def test_questions_that_are_not_answered_to_the_end_write_nothing(home):
    with pytest.raises(UsageError, match="--yes asks none"):
        answered(home, "Music")
    assert list(home.iterdir()) == []


FLAGS = {
    "name in capitals": (["PlaySong", "--yes"], "lower-case"),
    "name that ends plans": (["join", "--yes"], "ends a plan"),
    "shipped name": (["send_sms", "--yes"], "another tool is called 'send_sms'"),
    "unknown type": (["x", "--yes", "--argument", "song:txt"], "'txt' is none of"),
    "argument twice": (["x", "--yes", "--argument", "a", "--argument", "a"], "two arguments"),
    "choice without choices": (["x", "--yes", "--argument", "a:choice"], "needs choices"),
    "choices of a text": (["x", "--yes", "--argument", "a:text:what:b=c"], "has no choices"),
    "unknown effect": (["x", "--yes", "--effect", "wrote"], "did you mean 'write'"),
    "unknown return": (["x", "--yes", "--returns", "emails"], "did you mean 'email'"),
    "quotes in the program": (["x", "--yes", "--app", 'A" to beep --'], "expected its name"),
    "plan of another tool": (["x", "--yes", "--example", "do", "1. y()"], "no tool is called 'y'"),
    "plan without a number": (["x", "--yes", "--example", "do", "x()"], "holds no step: 'x()'"),
    "plan that is none": (["x", "--yes", "--example", "do", "1. y("], "--example"),
}


@pytest.mark.parametrize(("arguments", "says"), FLAGS.values(), ids=FLAGS)
def test_what_cannot_be_is_said_in_a_line_and_nothing_is_written(home, capsys, arguments, says):
    assert new(*arguments) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not (home / "tools.yaml").exists()
    assert not list(home.glob("applescripts/*"))


def test_comments_and_order_are_kept(home):
    new("play_song", "--yes")
    file = home / "tools.yaml"
    text = file.read_text() + "  # the end of it\n\n# Off for now\noff: [Zoom]   # no calls\n"
    file.write_text(text)
    assert new("stop_song", "--yes") == 0
    changed = file.read_text()
    head, tail = text.split("\n# Off")
    assert changed.startswith(head)
    assert changed.endswith("\n# Off" + tail)
    assert own(home).names[-2:] == ("play_song", "stop_song")


def test_a_script_that_is_there_is_kept(home, capsys):
    (home / "applescripts").mkdir()
    script = home / "applescripts" / "play_song.applescript"
    script.write_text("on run argv\nend run\n")
    assert new("play_song", "--yes") == 0
    assert script.read_text() == "on run argv\nend run\n"
    assert "was there before" in capsys.readouterr().out


def test_a_broken_file_is_left_as_it_is(home, capsys):
    (home / "tools.yaml").write_text("version: 1\ntols: []\n")
    assert new("play_song", "--yes") == 2
    assert "did you mean 'tools'" in capsys.readouterr().err
    assert (home / "tools.yaml").read_text() == "version: 1\ntols: []\n"
    assert not (home / "applescripts").exists()


def test_it_goes_to_the_file_that_is_named(tmp_path):
    file = tmp_path / "mine.yaml"
    assert main(["tools", "--tools", str(file), "new", "play_song", "--yes"]) == 0
    assert load_toolbox(file).names == ("play_song",)


HARD = [
    "no",
    "a: b",
    "# x",
    'it\'s "so" \\ so',
    "naïve café 😀",
    "- x",
    "{a}",
    "[1, 2]",
    "line\u2028two\x85three\x7f",
    "1e3",
    "x #y",
]


@pytest.mark.parametrize("words", HARD)
def test_any_words_come_back_as_they_were(home, words):
    assert new("play_song", "--yes", "--description", words, "--argument", f"song:text:{words.replace(':', '')}") == 0
    tool = own(home)["play_song"]
    assert tool.description == " ".join(words.split())
    assert lint(tool.script.read_text(encoding="utf-8")) == []


def test_a_script_reads_every_type_in_its_place(home):
    arguments = [f"a{n}:{kind}:x" + (":p=q,r=s" if "choice" in kind else "") for n, kind in enumerate(TYPES)]
    assert new("everything", "--yes", *(word for text in arguments for word in ("--argument", text))) == 0
    text = own(home)["everything"].script.read_text()
    assert lint(text) == []
    reads = [line.split(" to ")[1] for line in text.splitlines() if line.startswith("\tset the_a")]
    kinds = {"datetime": "nextMoment()", "list[datetime]": "nextMoments()", "integer": "(nextText()) as integer",
             "boolean": '(nextText()) is "true"'}  # fmt: skip
    assert reads == [kinds.get(kind, "nextList()" if "list" in kind else "nextText()") for kind in TYPES]
    assert all(f"on {handler}()" in text for handler in ("nextText", "nextList", "nextMoment", "nextMoments"))


@pytest.mark.parametrize(
    ("kind", "words", "value"),
    [
        ("text", "Take Five", "Take Five"),
        ("integer", "half an hour", 30),
        ("integer", "twelve", 12),
        ("boolean", "yes", True),
        ("list[person]", "Ana, Sid and Lutfi", ("Ana", "Sid", "Lutfi")),
        ("datetime", "friday at 3", "friday at 3"),
        ("integer", "many", None),
        ("boolean", "maybe", None),
        ("email", "ana", None),
    ],
)
def test_words_become_the_values_of_an_example(kind, words, value):
    argument = DraftArgument("a", TYPES[kind], "x")
    if value is None:
        with pytest.raises(TinyAgentError):
            making.value_of(words, argument)
    else:
        assert making.value_of(words, argument) == value


def test_a_choice_must_be_one():
    argument = DraftArgument("a", TYPES["choice"], "x", {"slow": "by ship", "fast": "by air"}, "slow")
    assert making.value_of("fast", argument) == "fast"
    with pytest.raises((UsageError, PlanError), match="did you mean 'fast'"):
        making.value_of("fastt", argument)
