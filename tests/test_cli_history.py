"""`tinyagent history` and `tinyagent undo` as a user meets them, on what `tinyagent run` wrote down."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime

import pytest

from tests.tui_fakes import FakePlanner, read_tools
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cases import read_cases
from tinyagent_mlx.cli import run as run_verb
from tinyagent_mlx.cli.main import main
from tinyagent_mlx.desktop.portable import PortableDesktop
from tinyagent_mlx.events import PlanReady, StepPlanned, StepStarted
from tinyagent_mlx.history import History
from tinyagent_mlx.plan import parse_plan
from tinyagent_mlx.retriever import EveryTool

NOW = datetime(2026, 11, 23, 9, 0)
NOTES = '1. create_note("Milk", "two litres", "")\n2. create_note("Bread", "a loaf\\x1b[31m", "")'
SMS = '1. send_sms(["555-0199"], "hello")'


class Shell:
    """A home folder, and a desktop beside it."""

    def __init__(self, folder, capsys):
        self.home, self.desktop, self._capsys = folder / "home", folder / "desktop", capsys

    def run(self, query: str, plan: str, yes: bool = True):
        """`tinyagent run`, but for the model."""
        desktop = PortableDesktop(self.desktop)
        agent = Agent(read_tools(), FakePlanner(plan), EveryTool(), desktop)
        with History(self.home / "history.sqlite3") as history:
            record = (history, str(self.desktop))
            asyncio.run(run_verb.carry_out(agent, query, NOW, yes, quiet=True, record=record))
        self._capsys.readouterr()

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        status = main([*map(str, arguments), "--home", str(self.home)])
        said = self._capsys.readouterr()
        return status, said.out, said.err

    def json(self, *arguments: object):
        status, out, err = self(*arguments, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    def notes(self) -> set[str]:
        return {file.stem for file in self.desktop.rglob("*.md")}


@pytest.fixture
def shell(tmp_path, capsys):
    return Shell(tmp_path, capsys)


def test_an_empty_history_says_so(shell):
    assert shell("history") == (0, "No request was carried out yet.\n", "")
    assert shell.json("history", "list") == {"requests": []}


def test_the_list_has_a_line_for_each_request(shell):
    shell.run("note milk\nand bread", NOTES)
    shell.run("text hello", SMS, yes=False)
    status, out, _ = shell("history")
    newest, oldest = out.splitlines()
    assert status == 0
    assert newest.split()[0] == "2"
    assert newest.endswith("not approved  text hello")
    assert oldest.endswith("done          note milk and bread")
    assert shell("history", "list", "--limit", "1")[1] == f"{newest}\n"


def test_show_tells_all_and_steers_no_terminal(shell):
    shell.run("note milk and bread", NOTES)
    status, out, _ = shell("history", "show", 1)
    assert status == 0
    for fact in (
        "approved beforehand",
        str(shell.desktop),
        'name: "Milk"',
        "sha256",
        "Bread",
        "planned as of 2026-11-23",
    ):
        assert fact in out
    assert "\x1b" not in out


def test_show_as_json_has_every_fact(shell):
    shell.run("note milk and bread", NOTES)
    run = shell.json("history", "show", 1)
    assert (run["state"], run["approval"], run["plan"]) == (
        "done",
        "approved beforehand",
        NOTES.replace("\\x1b", "\\x1b"),
    )
    assert [step["state"] for step in run["steps"]] == ["done", "done"]
    assert run["steps"][0]["arguments"] == {"name": "Milk", "content": "two litres", "folder": ""}


@pytest.mark.parametrize("order", [["--json", "search"], ["search", "--json"]], ids=["before", "after"])
def test_options_stand_on_either_side_of_the_action(shell, capsys, order):
    shell.run("note milk and bread", NOTES)
    assert main(["history", "--home", str(shell.home), *order, "LITRES", "bread"]) == 0
    assert [run["id"] for run in json.loads(capsys.readouterr().out)["requests"]] == [1]


def test_a_search_without_a_hit_says_so(shell):
    shell.run("note milk and bread", NOTES)
    assert shell("history", "search", "beer") == (0, "No request holds beer.\n", "")


def test_export_writes_a_line_for_each_request(shell, tmp_path):
    shell.run("note milk and bread", NOTES)
    file = tmp_path / "out.jsonl"
    assert shell("history", "export", file) == (0, f"1 requests written to {file}\n", "")
    assert json.loads(file.read_text())["query"] == "note milk and bread"
    status, _, err = shell("history", "export", file)
    assert (status, err) == (1, f"tinyagent: {file}: is there already; name a new file\n")


def test_save_case_appends_to_a_case_file(shell, tmp_path):
    shell.run("note milk and bread", NOTES)
    shell.run("text hello", SMS, yes=False)
    file = tmp_path / "cases.jsonl"
    assert shell("history", "save-case", 1, "--cases", file)[0] == 0
    status, _, err = shell("history", "save-case", 2, "--cases", file)
    assert status == 1
    assert "was not approved" in err
    assert shell.json("history", "save-case", 2, "--cases", file, "--plan", SMS)["file"] == str(file)
    assert [case.plans for case in read_cases(file)] == [(parse_plan(NOTES),), (parse_plan(SMS),)]


WRONG = {
    "no such request": (["history", "show", "9"], 1, "no request 9"),
    "no number": (["history", "show", "x"], 2, "invalid int"),
    "no request to save": (["history", "save-case", "1"], 1, "no request 1"),
    "a plan without a number": (["history", "save-case", "1", "--cases", "c", "--plan", "fly()"], 1, "holds no step"),
    "a plan that does not check": (["history", "save-case", "1", "--cases", "c", "--plan", "1. fly()"], 1, "'fly'"),
    "no limit": (["history", "list", "--limit", "0"], 2, "from 1 on"),
    "nothing to undo": (["undo"], 1, "nothing to undo"),
    "too many numbers": (["undo", "1", "2", "3"], 2, "got 3 numbers"),
}


@pytest.mark.parametrize(("arguments", "status", "says"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_in_a_line(shell, capsys, arguments, status, says):
    try:
        ended = shell(*arguments)
    except SystemExit as end:  # argparse's own
        ended = (end.code, "", capsys.readouterr().err)
    assert ended[0] == status
    assert says in ended[2]
    assert "Traceback" not in ended[2]


def test_undo_takes_back_the_last_step_then_the_one_before_then_nothing(shell):
    shell.run("note milk and bread", NOTES)
    assert shell.notes() == {"Milk", "Bread"}
    status, out, _ = shell("undo")
    assert status == 0
    assert "request 1, step" in out
    assert len(shell.notes()) == 1
    assert shell.json("undo").keys() == {"id", "step", "tool", "undone"}
    assert shell.notes() == set()
    status, _, err = shell("undo")
    assert status == 1
    assert err.count("undone before") == 2
    assert err.count("\n") == 1


def test_undo_takes_the_named_step_once(shell):
    shell.run("note milk and bread", NOTES)
    shell.run("text hello", SMS)
    assert shell("undo", 1, 1)[0] == 0
    assert shell.notes() == {"Bread"}
    status, _, err = shell("undo", 1, 1)
    assert status == 1
    assert "was undone before" in err
    assert shell.json("history", "show", 1)["steps"][0]["undone"]


def test_undo_is_honest_when_it_cannot(shell):
    shell.run("text hello", SMS)
    status, _, err = shell("undo")
    assert status == 1
    assert "can't be taken back" in err
    shell.run("note milk", NOTES)
    for note in shell.desktop.rglob("*.md"):
        note.unlink()
    status, _, err = shell("undo", 2, 1)
    assert status == 1
    assert err.startswith("tinyagent: request 2, step 1 was not undone: ")
    assert not shell.json("history", "show", 2)["steps"][0]["undone"]


def test_undo_names_the_request_that_can_be_undone_where_the_last_cannot(shell):
    shell.run("note milk and bread", NOTES)
    shell.run("text hello", SMS, yes=False)
    status, _, err = shell("undo")
    assert status == 1
    assert "request 2 has nothing to undo" in err
    assert "`tinyagent undo 1` takes back what 'note milk and bread' did" in err
    assert "`tinyagent undo" not in shell("undo", 2)[2]
    assert shell("undo", 1)[0] == 0


def test_undo_goes_to_the_desktop_where_the_step_was_done(shell, tmp_path, capsys, monkeypatch):
    shell.run("note milk and bread", NOTES)
    script = tmp_path / "bin" / "osascript"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\necho "" && echo "asked for $2"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=":")
    with History(shell.home / "history.sqlite3") as history:
        handle = history.run(1).last[2].handle
    assert shell("undo", 1, 2, "--desktop", "macos")[1].startswith(f"asked for {handle}")
    assert shell.notes() == {"Milk", "Bread"}  # the other desktop was asked, as was said
    assert shell("undo", 1, 1)[0] == 0
    assert shell.notes() == {"Bread"}


def test_a_run_says_what_the_one_before_was_killed_at(shell, capsys):
    plan = parse_plan(NOTES)
    with History(shell.home / "history.sqlite3") as history:
        number = history.begin("note milk", NOW, read_tools())
        for event in (StepPlanned(plan.steps[0]), PlanReady(plan), StepStarted(plan.steps[0])):
            history.record(number, event)
    with History(shell.home / "history.sqlite3") as history:
        run_verb.report_killed(history)
        assert (
            "step 1 of the last request, create_note, was running when the program was killed"
            in capsys.readouterr().err
        )
        history.end(history.begin("another", NOW, read_tools()))
        run_verb.report_killed(history)
        assert capsys.readouterr().err == ""
    assert shell("history")[1].splitlines()[1].split()[3] == "killed"


def test_the_run_verb_writes_down_what_it_does_and_a_dry_run_does_not(shell, llama_folder, tmp_path):
    model = ("--model", llama_folder, "--retrieval", "none", "--desktop", shell.desktop)
    assert shell("run", "what is the number of Sid", *model, "--dry-run")[0] == 0
    assert shell.json("history") == {"requests": []}
    status, out, _ = shell("run", "what is the number of Sid", *model, "--yes", "--json")
    (run,) = shell.json("history")["requests"]
    done = json.loads(out)
    assert status == (0 if done["ok"] else 1)
    assert (run["query"], run["place"]) == ("what is the number of Sid", str(shell.desktop))
    assert [step["state"] for step in run["steps"]] == [row["ended"] for row in done["outcome"]]


def test_a_saved_request_is_a_case_of_ones_own(shell):
    status, _, err = shell("eval", "--mine")
    assert status == 2
    assert "there are no cases of your own yet" in err
    shell.run("text 555-0199 hello", SMS)
    assert shell.json("history", "save-case", 1)["file"] == str(shell.home / "cases.jsonl")
    assert shell.json("eval", "--mine")["cases"] == 1
