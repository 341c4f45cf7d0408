"""The history as it is read back; at the end the programs that are killed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.killing import NOW, TOOLS, campaign, campaign_on_screen, judge, programs
from tinyagent_mlx import events
from tinyagent_mlx.cases import read_cases
from tinyagent_mlx.desktop.base import Result
from tinyagent_mlx.errors import ConfigError, HistoryError
from tinyagent_mlx.executor import execute
from tinyagent_mlx.history import VERSION, History, recording
from tinyagent_mlx.plan import Plan, parse_plan
from tinyagent_mlx.records import KILLED, UNWRITTEN

MAIL = """\
1. get_email_address("Sid")
2. create_note("Sid", "his address is $1", "Work")"""
SYNC = parse_plan(MAIL)
NOTE = parse_plan('1. create_note("Milk", "two litres", "")')
MOMENT = datetime(2026, 11, 23, 9, 0, 1, tzinfo=timezone(timedelta(hours=1)))


@pytest.fixture
def history(tmp_path):
    with History(tmp_path / "history.sqlite3", clock=lambda: MOMENT) as made:
        yield made


async def in_pieces(plan: Plan):
    for step in plan.steps:
        yield step


async def yes(plan: Plan) -> Plan | None:
    return plan


def carry_out(history, plan, approve=yes, desktop=None, query="note Sid's address", emit=lambda event: None, **also):
    """Run a plan through the real executor; gives the run's number."""
    run = history.begin(query, NOW, TOOLS, "folder")
    with recording(history, run, emit, approve, **also) as (told, asked):
        asyncio.run(execute(in_pieces(plan), TOOLS, desktop or Echo(), asked, told, NOW))
    return run


class Echo:
    """Does everything at once; `answers` map a tool's name to a result or an error."""

    name = "echo"

    def __init__(self, **answers):
        self.answers, self.calls = answers, []

    async def call(self, tool, arguments, now):
        self.calls.append(tool.name)
        answer = self.answers.get(tool.name, Result(f"{tool.name} did it", "handle"))
        if isinstance(answer, Exception):
            raise answer
        return answer


def told(history, plan, *happened) -> int:
    """A run that a front end told step by step, and never ended."""
    run = history.begin("a request", NOW, TOOLS)
    for event in (*map(events.StepPlanned, plan.steps), events.PlanReady(plan), *happened):
        history.record(run, event)
    return run


# What is written down


def test_a_run_is_read_back_as_it_was(history):
    desktop = Echo(get_email_address=Result("sid@x.org"), create_note=Result("made", "n/1", (Path("/n/1.md"),)))
    run = history.run(carry_out(history, SYNC, desktop=desktop))
    assert (run.query, run.now, run.place, run.state) == ("note Sid's address", "2026-11-23 09:00:00", "folder", "done")
    assert (run.plan, run.approval, run.approved_plan, run.fault) == (MAIL, "approved", None, "")
    assert run.began == run.asked == run.answered == run.ended == "2026-11-23T09:00:01.000+01:00"
    look_up, note = run.steps
    assert (look_up.state, look_up.effect, look_up.value) == ("done", "read", "sid@x.org")
    assert note.arguments == {"name": "Sid", "content": "his address is sid@x.org", "folder": "Work"}
    assert (note.value, note.handle, note.files) == ("made", "n/1", ("/n/1.md",))
    assert note.script == hashlib.sha256(TOOLS["create_note"].script.read_bytes()).hexdigest()
    assert note.started
    assert note.ended
    assert note.seconds is not None


HOSTILE = "a\0b \x1b[31m \ud83d half 'quote' \"double\" \\ $1 \r\n\u2028 日本 👩‍👩‍👧‍👦 %_"


def test_any_text_is_kept(history):
    plan = Plan((NOTE.steps[0].__class__(1, "create_note", (HOSTILE, HOSTILE, "")),))
    run = carry_out(
        history, plan, desktop=Echo(create_note=Result(HOSTILE, HOSTILE, (Path("a\udcff"),))), query=HOSTILE
    )
    (step,) = history.run(run).steps
    assert step.arguments["name"] == HOSTILE
    assert step.handle == HOSTILE
    assert step.files == ("a\udcff",)
    assert step.value == HOSTILE.replace("\ud83d", "\\ud83d")
    assert json.dumps(history.run(run).as_json())


EDITED = parse_plan(MAIL.replace("Work", "Home"))
ANSWERS = {
    "as it stands": (SYNC, SYNC, False, "approved", None),
    "edited": (SYNC, EDITED, False, "approved", MAIL.replace("Work", "Home")),
    "refused": (SYNC, None, False, "refused", None),
    "beforehand": (SYNC, SYNC, True, "approved beforehand", None),
    "nothing to ask": (Plan(SYNC.steps[:1]), None, False, "not needed", None),
    "no plan": (Plan(), None, False, "not needed", None),
}


@pytest.mark.parametrize(("plan", "answer", "beforehand", "approval", "edited"), ANSWERS.values(), ids=ANSWERS.keys())
def test_the_approval_is_written_down(history, plan, answer, beforehand, approval, edited):
    async def approve(plan):
        return answer

    run = history.run(carry_out(history, plan, approve, beforehand=beforehand))
    assert (run.approval, run.approved_plan) == (approval, edited)
    assert bool(run.asked) == (approval in ("approved", "refused"))


STEP = NOTE.steps[0]
ENDINGS = {
    "done": (events.StepDone(STEP, Result("x"), 0.5), "done", "done", ""),
    "failed": (events.StepFailed(STEP, "no such folder", "make it", 0.5), "failed", "failed", "no such folder"),
    "unknown": (events.StepUnknown(STEP, "no answer", "look"), "unknown", "unknown", "no answer"),
    "skipped": (events.StepSkipped(STEP, 3), "skipped", "done", "step 3 gave no result"),
    "refused": (events.StepRefused(STEP), "refused", "done", ""),
    "cancelled": (events.StepCancelled(STEP), "cancelled", "stopped", ""),
}


@pytest.mark.parametrize(("ending", "state", "whole", "message"), ENDINGS.values(), ids=ENDINGS.keys())
def test_every_ending_is_written_down(history, ending, state, whole, message):
    tried = state in ("done", "failed", "unknown")
    run = told(history, NOTE, *([events.StepStarted(STEP)] if tried else []), ending)
    history.end(run)
    (step,) = history.run(run).steps
    assert (step.state, step.message, bool(step.started)) == (state, message, tried)
    assert step.advice == getattr(ending, "advice", "")
    assert history.run(run).state == whole


def test_a_read_that_an_edit_runs_anew_keeps_both_attempts(history):
    first, second = SYNC.steps[0], parse_plan('1. get_email_address("Lutfi")').steps[0]
    for ending in ([events.StepDone(first, Result("sid"), 0.1)], []):
        start = events.StepStarted(first)
        anew = (events.StepStarted(second), events.StepDone(second, Result("lutfi"), 0.1))
        run = history.run(told(history, SYNC, start, *ending, *anew))
        one, two, *_ = run.steps
        assert (one.arguments, one.state) == ({"name": "Sid"}, "done" if ending else "replaced")
        assert (two.arguments, two.state, two.attempt) == ({"name": "Lutfi"}, "done", 2)
        assert run.last[1] == two


def test_a_read_that_an_edit_stopped_and_that_never_began_anew_is_two_attempts(history):
    run = told(history, SYNC, events.StepStarted(SYNC.steps[0]), events.StepCancelled(SYNC.steps[0]))
    assert [step.state for step in history.run(run).steps] == ["replaced", "cancelled", "waiting"]


def test_what_breaks_a_run_off_is_written_down(history):
    run = history.begin("x", NOW, TOOLS)
    with pytest.raises(ValueError, match="broken"), recording(history, run, print, yes):
        raise ValueError("broken model")
    assert (history.run(run).fault, history.run(run).state, history.run(run).approval) == ("broken model", "failed", "")


def test_a_step_whose_start_cannot_be_written_down_is_not_carried_out(tmp_path):
    history, desktop, shown = History(tmp_path / "h"), Echo(), []
    run = history.begin("x", NOW, TOOLS)

    async def full_disk(plan):
        history.close()
        return plan

    with pytest.raises(HistoryError), recording(history, run, shown.append, full_disk) as (emit, _):
        asyncio.run(execute(in_pieces(NOTE), TOOLS, desktop, full_disk, emit, NOW))
    assert desktop.calls == []
    assert not any(isinstance(event, events.StepDone) for event in shown)


def test_an_ending_that_cannot_be_written_down_is_shown_and_not_claimed(tmp_path):
    history, shown = History(tmp_path / "h"), []
    run = told(history, NOTE, events.StepStarted(STEP))
    done = events.StepDone(STEP, Result("x"), 0.1)
    history.close()
    with pytest.raises(HistoryError), recording(history, run, shown.append, yes) as (emit, _):
        emit(done)
    assert shown == [done]
    with History(tmp_path / "h") as again:
        assert again.run(run).steps[0].state == "unknown"


def test_a_step_without_an_ending_in_a_run_with_one_is_unknown(history):
    run = told(history, NOTE, events.StepStarted(STEP))
    history.end(run)
    (step,) = history.run(run).steps
    assert (step.state, step.message, history.run(run).cut_off) == ("unknown", UNWRITTEN, ())


def test_facts_are_synchronised_with_the_disk_and_notes_are_not(history):
    spoken: list[str] = []
    history._db.set_trace_callback(spoken.append)
    run = history.begin("x", NOW, TOOLS)
    history.record(run, events.StepPlanned(STEP))
    history.record(run, events.StepStarted(STEP))
    history.record(run, events.StepDone(STEP, Result("x"), 0.1))
    levels = [line.rpartition(" ")[2] for line in spoken if "synchronous" in line]
    assert levels == ["FULL", "NORMAL", "FULL", "FULL"]


# The file


def test_the_file_is_private(history):
    history.begin("x", NOW, TOOLS)
    files = [file for file in history.file.parent.rglob("*") if file.is_file()]
    assert len(files) >= 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_many_programs_may_make_the_same_history_at_once(tmp_path):
    trouble: list[Exception] = []

    def begin() -> None:
        try:
            with History(tmp_path / "h") as history:
                carry_out(history, NOTE)
        except Exception as error:
            trouble.append(error)

    threads = [threading.Thread(target=begin) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    with History(tmp_path / "h") as history:
        assert [run.state for run in history.runs()] == ["done"] * 12


def test_a_newer_history_is_refused_and_left_alone(tmp_path):
    file = tmp_path / "history.sqlite3"
    History(file).close()
    with sqlite3.connect(file) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 3}")
    db.close()
    before = file.read_bytes()
    with pytest.raises(HistoryError, match=f"newer tinyagent .schema {VERSION + 3}, this one knows {VERSION}"):
        History(file)
    assert file.read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(tmp_path):
    file = tmp_path / "history.sqlite3"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE bookmarks (url TEXT)")
    db.close()
    before = file.read_bytes()
    with pytest.raises(HistoryError, match="something else"):
        History(file)
    assert file.read_bytes() == before


def test_what_is_no_database_is_one_clear_error(tmp_path):
    (tmp_path / "text").write_text("not a database at all, and longer than a head of SQLite's" * 20)
    (tmp_path / "folder").mkdir()
    for name in ("text", "folder", "text/below"):
        with pytest.raises(HistoryError, match=name):
            History(tmp_path / name)


# Reading


def test_the_newest_runs_come_first(history):
    numbers = [carry_out(history, NOTE) for _ in range(5)]
    assert [run.id for run in history.runs(limit=3)] == numbers[:1:-1]
    with pytest.raises(HistoryError, match="no request 99"):
        history.run(99)


SEARCHES = {
    "the request": ("ADDRESS sid", ["note Sid's address"]),
    "the plan": ("create_note litres", ["Übung"]),
    "a result": ("lutfi@x.org", ["note Sid's address"]),
    "other case beyond ASCII": ("übung", ["Übung"]),
    "wildcards are text": ("%", []),
    "all words": ("sid litres", []),
    "nothing": ("", ["Übung", "note Sid's address"]),
}


@pytest.mark.parametrize(("words", "found"), SEARCHES.values(), ids=SEARCHES.keys())
def test_search_finds_all_words_anywhere_in_a_run(history, words, found):
    carry_out(history, SYNC, desktop=Echo(get_email_address=Result("Lutfi@x.org")))
    carry_out(history, NOTE, query="Übung")
    assert [run.query for run in history.runs(search=words)] == found


def test_export_holds_every_run_and_overwrites_nothing(history, tmp_path):
    numbers = [carry_out(history, SYNC, query=HOSTILE), carry_out(history, NOTE)]
    file = tmp_path / "out.jsonl"
    assert history.export(file) == 2
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["id"] for row in rows] == numbers
    assert rows[0]["steps"][1]["arguments"]["folder"] == "Work"
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(HistoryError, match="is there already"):
        history.export(file)
    with pytest.raises(HistoryError, match="nowhere"):
        history.export(tmp_path / "nowhere" / "out.jsonl")


# Cases


def test_a_saved_case_is_a_case(history, tmp_path):
    file = tmp_path / "new" / "cases.jsonl"
    run = carry_out(history, SYNC)
    assert history.save_case(run, file) == f"history-2026-11-23-{run}"
    file.write_text(file.read_text().rstrip("\n"))  # as some editors leave it
    assert history.save_case(run, file, NOTE) == f"history-2026-11-23-{run}-2"
    one, two = read_cases(file)
    assert (one.query, one.plans, one.now) == ("note Sid's address", (SYNC,), NOW)
    assert two.plans == (NOTE,)


def test_a_case_of_any_text_is_one_line(history, tmp_path):
    file = tmp_path / "cases.jsonl"
    for _ in range(2):
        history.save_case(carry_out(history, NOTE, query=HOSTILE), file)
    assert [case.query for case in read_cases(file)] == [HOSTILE.replace("\ud83d", "\\ud83d")] * 2


def test_a_case_takes_the_plan_as_it_was_edited_numbered_anew(history, tmp_path):
    plan = parse_plan('1. create_note("a", "", "")\n2. get_email_address("Sid")\n3. create_note("\\$1", "is $2", "")')

    async def drop_the_first(plan):
        return Plan(plan.steps[1:])

    run = carry_out(history, plan, drop_the_first)
    history.save_case(run, tmp_path / "cases.jsonl")
    (case,) = read_cases(tmp_path / "cases.jsonl")
    assert case.plans == (parse_plan('1. get_email_address("Sid")\n2. create_note("\\$1", "is $1", "")'),)


def test_a_request_that_no_tool_serves_is_a_case_too(history, tmp_path):
    history.save_case(carry_out(history, Plan()), tmp_path / "cases.jsonl")
    (case,) = read_cases(tmp_path / "cases.jsonl")
    assert case.refusal


def test_a_plan_that_was_not_approved_is_no_case_by_itself(history, tmp_path):
    async def no(plan):
        return None

    file = tmp_path / "cases.jsonl"
    refused, unfinished = carry_out(history, SYNC, no), history.begin("x", NOW, TOOLS)
    for run in (refused, unfinished):
        with pytest.raises(HistoryError, match="not approved"):
            history.save_case(run, file)
    assert not file.exists()
    history.save_case(refused, file, NOTE)
    assert read_cases(file)[0].plans == (NOTE,)


def test_a_broken_case_file_is_left_alone(history, tmp_path):
    file = tmp_path / "cases.jsonl"
    file.write_text("half a line")
    with pytest.raises(ConfigError, match=r"cases.jsonl:1"):
        history.save_case(carry_out(history, NOTE), file)
    assert file.read_text() == "half a line"


# Programs that are killed


def hang(file, ready):
    """A program that is at the second step of a run, and stays there."""
    history = History(file)
    first, second = SYNC.steps
    done = events.StepDone(first, Result("sid@x.org"), 0.1)
    told(history, SYNC, events.StepStarted(first), done, events.StepStarted(second))
    ready.send(True)
    threading.Event().wait()


def test_a_step_is_running_while_its_program_lives_and_unknown_when_it_was_killed(tmp_path):
    file = tmp_path / "history.sqlite3"
    context = programs()
    here, there = context.Pipe(duplex=False)
    program = context.Process(target=hang, args=(file, there), daemon=True)
    program.start()
    here.recv()
    with History(file) as history:
        (run,) = history.runs()
        assert (run.state, [step.state for step in run.steps]) == ("running", ["done", "running"])
        assert history.interrupted() == []
        program.kill()
        program.join()
        (run,) = history.interrupted()
        assert (run.state, [step.state for step in run.steps]) == ("killed", ["done", "unknown"])
        assert [(step.number, step.message) for step in run.cut_off] == [(2, KILLED)]


def test_a_run_that_its_program_left_without_an_end_is_killed(tmp_path):
    with History(tmp_path / "h") as history:
        run = told(history, SYNC, events.StepStarted(SYNC.steps[0]))
        assert history.run(run).state == "running"
    with History(tmp_path / "h") as history:
        assert [step.state for step in history.run(run).steps] == ["unknown", "not started"]


def test_thirty_programs_are_killed_and_nothing_is_lost_claimed_or_done_twice(tmp_path):
    verdict = campaign(tmp_path, kills=30, seed=3)
    assert verdict.wrong == []
    assert verdict.seen["run killed"] >= 5
    assert verdict.seen["step done"] >= 30
    assert verdict.seen["cut off before it was done"] + verdict.seen["cut off after it was done"] >= 3


def test_the_terminal_ui_is_killed_and_nothing_is_lost_claimed_or_done_twice(tmp_path):
    verdict = campaign_on_screen(tmp_path, kills=4, seed=5)
    assert verdict.wrong == []
    assert sum(times for what, times in verdict.seen.items() if what.startswith("killed")) == 4


FAULTS = {
    "a lost start": (["did never.written"], "no start is written down"),
    "done twice": (["did mark", "did mark"], "twice: did mark"),
    "claimed and not done": ([], "is said to be done and is not"),
    "an undo that nobody began": (["did mark", "undid mark"], "no start is written down for: undid"),
}


@pytest.mark.parametrize(("lines", "says"), FAULTS.values(), ids=FAULTS.keys())
def test_the_judge_finds_what_is_wrong(tmp_path, lines, says):
    step = parse_plan('1. get_email_address("mark")').steps[0]
    with History(tmp_path / "history.sqlite3") as history:
        told(history, Plan((step,)), events.StepStarted(step), events.StepDone(step, Result("x"), 0.1))
    (tmp_path / "side").write_text("".join(f"{line}\n" for line in lines))
    assert any(says in wrong for wrong in judge(tmp_path).wrong)


def test_the_judge_finds_what_was_done_and_is_said_to_have_failed(tmp_path):
    with History(tmp_path / "history.sqlite3") as history:
        told(history, NOTE, events.StepStarted(STEP), events.StepFailed(STEP, "x", "", 0.1))
    (tmp_path / "side").write_text("did Milk\n")
    wrong = judge(tmp_path).wrong
    assert any("is said to be failed and was done" in line for line in wrong)
    assert any("started without an approval" in line for line in wrong)
