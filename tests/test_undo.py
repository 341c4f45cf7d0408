from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.killing import NOW, TOOLS
from tinyagent_mlx import events
from tinyagent_mlx.desktop.base import Result
from tinyagent_mlx.errors import HistoryError, NotFound, OutcomeUnknown
from tinyagent_mlx.history import History
from tinyagent_mlx.plan import parse_plan
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.undo import last_undoable, obstacle, undo, undoable

PLAN = parse_plan("""\
1. get_email_address("Sid")
2. create_note("one", "", "")
3. create_note("two", "", "")
4. send_sms(["555-0199"], "hi")""")


class Undoer:
    """Remembers the handles it was given; `error` is raised in the place of an answer."""

    name = "undoer"

    def __init__(self, error: Exception | None = None, seconds: float = 0):
        self.error, self.seconds, self.handles = error, seconds, []

    async def undo(self, tool, handle):
        self.handles.append(handle)
        await asyncio.sleep(self.seconds)
        if self.error:
            raise self.error
        return f"Removed {handle}"


@pytest.fixture
def history(tmp_path):
    with History(tmp_path / "history.sqlite3") as made:
        yield made


@pytest.fixture
def run(history):
    """A run whose steps were all done, with handles but for the read."""
    number = history.begin("x", NOW, TOOLS)
    for step in PLAN.steps:
        handle = "" if step.tool == "get_email_address" else f"handle {step.id}"
        done = events.StepDone(step, Result("done", handle), 0.1)
        for event in (events.StepPlanned(step), events.StepStarted(step), done):
            history.record(number, event)
    history.end(number)
    return number


def take_back(history, run, step, desktop, tools=TOOLS):
    return asyncio.run(undo(history, desktop, tools, run, step))


def test_a_step_is_undone_by_its_handle_and_that_is_written_down(history, run):
    desktop = Undoer()
    assert take_back(history, run, 2, desktop) == "Removed handle 2"
    step = history.run(run).last[2]
    assert (desktop.handles, step.state, step.undo_text) == (["handle 2"], "done", "Removed handle 2")
    assert step.undo_started <= step.undone


def test_a_step_of_a_tool_that_was_switched_off_since_is_undone(history, run):
    off = tuple(tool for tool in TOOLS if tool.app == "Notes")
    tools = Toolbox(tuple(tool for tool in TOOLS if tool.app != "Notes"), (), off)
    assert last_undoable(history.run(run), tools).number in (2, 3)
    assert take_back(history, run, 2, Undoer(), tools) == "Removed handle 2"


def test_nothing_is_undone_twice(history, run):
    desktop = Undoer()
    take_back(history, run, 2, desktop)
    with pytest.raises(HistoryError, match="was undone before, at 2"):
        take_back(history, run, 2, desktop)
    with pytest.raises(HistoryError, match="undone before"):
        history.mark_undone(run, 2, "again")
    assert desktop.handles == ["handle 2"]


def test_two_who_undo_at_once_call_the_desktop_once(history, run):
    desktop = Undoer(seconds=0.05)

    async def both():
        return await asyncio.gather(*(undo(history, desktop, TOOLS, run, 2) for _ in range(2)), return_exceptions=True)

    one, two = asyncio.run(both())
    assert one == "Removed handle 2"
    assert isinstance(two, HistoryError)
    assert desktop.handles == ["handle 2"]


def test_the_last_step_goes_first_and_what_is_gone_is_passed_over(history, run):
    for expected in (3, 2):
        number = last_undoable(history.run(run), TOOLS).number
        assert number == expected
        take_back(history, run, number, Undoer())
    with pytest.raises(
        HistoryError, match=r"nothing to undo: step 1, .*only read.*; step 2, .*undone before.*step 4, .*sent"
    ):
        last_undoable(history.run(run), TOOLS)


def test_an_undo_that_failed_may_be_tried_again(history, run):
    with pytest.raises(NotFound):
        take_back(history, run, 2, Undoer(NotFound("the note is not there")))
    step = history.run(run).last[2]
    assert (step.undone, step.undo_started, step.undo_text) == ("", "", "the note is not there")
    assert take_back(history, run, 2, Undoer()) == "Removed handle 2"


CUT_OFF = {
    "no answer": (Undoer(OutcomeUnknown("no answer")), OutcomeUnknown),
    "too slow": (Undoer(seconds=5), OutcomeUnknown),
    "stopped": (Undoer(asyncio.CancelledError()), asyncio.CancelledError),
    "a fault": (Undoer(ValueError("no calendar")), OutcomeUnknown),
}


@pytest.mark.parametrize(("desktop", "error"), CUT_OFF.values(), ids=CUT_OFF.keys())
def test_an_undo_that_was_cut_off_is_not_tried_again(history, run, desktop, error):
    hasty = Toolbox(tuple(replace(tool, timeout=0.05) for tool in TOOLS))
    with pytest.raises(error):
        take_back(history, run, 2, desktop, hasty)
    assert not history.run(run).last[2].undone
    with pytest.raises(HistoryError, match="was cut off: look whether it happened"):
        take_back(history, run, 2, Undoer())


def test_an_undo_whose_program_was_killed_is_not_tried_again(history, run):
    history.start_undo(run, 3)
    with pytest.raises(HistoryError, match="was cut off"):
        undoable(history.run(run), 3, TOOLS)
    assert last_undoable(history.run(run), TOOLS).number == 2


def test_a_step_that_is_not_there_cannot_be_undone(history, run):
    with pytest.raises(HistoryError, match="no step 9"):
        take_back(history, run, 9, Undoer())
    with pytest.raises(HistoryError, match="not there"):
        history.start_undo(run, 9)


OBSTACLES = {
    "a read": ({"tool": "get_email_address", "effect": "read"}, "only read"),
    "a sent text": ({"tool": "send_sms", "effect": "send"}, "can't be taken back"),
    "no way back": ({"tool": "get_zoom_meeting_link"}, "declares no way back"),
    "no handle": ({"handle": ""}, "undo it in Notes"),
    "unknown": ({"state": "unknown"}, "nobody knows"),
    "failed": ({"state": "failed"}, "is failed"),
    "running": ({"state": "running"}, "is running"),
    "a tool that is gone": ({"tool": "brew_tea"}, "no tool 'brew_tea'"),
    "nothing": ({}, ""),
}


@pytest.mark.parametrize(("changes", "says"), OBSTACLES.values(), ids=OBSTACLES.keys())
def test_what_cannot_be_undone_says_why(history, run, changes, says):
    reason = obstacle(replace(history.run(run).last[2], **changes), TOOLS)
    assert says in reason
    assert bool(reason) == bool(says)
