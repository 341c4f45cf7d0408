"""The History screen, undo, and what was allowed for good: each flow as a user goes through it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.tui_fakes import NOW, SYNC, FakeDesktop, FakePlanner, ask, done, make_app, text_of, to_approval, until
from tinyagent_mlx import events
from tinyagent_mlx.cases import read_cases
from tinyagent_mlx.desktop.base import Result
from tinyagent_mlx.errors import HistoryError, NotFound, OutcomeUnknown
from tinyagent_mlx.history import History
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.plan import parse_plan
from tinyagent_mlx.toolfile import load_toolbox
from tui.choices import Choices
from tui.hesitation import TYPING
from tui.past import PAGE
from tui.record import RecordedStep, RecordScreen
from tui.trail import Trail

TOOLS = load_toolbox(shipped("tools.yaml"))
NOTE = '1. create_note("Milk", "two litres", "")'
TWO = '1. create_note("Milk", "two litres", "")\n2. create_reminder("Bread", "tomorrow at 9am", "", "", 0, False)'
SMS = '1. create_note("Milk", "", "")\n2. send_sms(["555-0199"], "hello")'


@dataclass
class Home:
    """A home folder that was greeted before."""

    folder: Path
    desktop: FakeDesktop = field(default_factory=lambda: FakeDesktop(handles=True))

    def __post_init__(self):
        self.folder.mkdir()
        (self.folder / "greeted").touch()
        self.file, self.cases = self.folder / "history.sqlite3", self.folder / "cases.jsonl"
        self.settings = self.folder / "settings.yaml"

    def app(self, plan=NOTE, **more):
        trail = Trail(lambda: History(self.file), "the desk", lambda place: self.desktop)
        planner = plan if isinstance(plan, FakePlanner) else FakePlanner(plan)
        given = {"trail": trail, "choices": Choices(self.settings), "cases": self.cases, "home": self.folder}
        return make_app(planner, self.desktop, **(given | more))

    def runs(self):
        with History(self.file) as history:
            return history.runs()

    def write(self, *requests, plan=NOTE):
        """Requests that were carried out before."""
        with History(self.file) as history:
            for request in requests:
                number = history.begin(request, NOW, TOOLS, "the desk")
                steps = parse_plan(plan).steps
                for step in steps:
                    history.record(number, events.StepPlanned(step))
                history.record(number, events.PlanReady(parse_plan(plan)))
                history.approval(number, "approved")
                for step in steps:
                    history.record(number, events.StepStarted(step))
                    done = Result(f"made {step.id}", f"{step.tool} {step.id}")
                    history.record(number, events.StepDone(step, done, 0.5))
                history.end(number)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


def flow(app, steps, size=(80, 24)):
    """Carry out `steps(pilot)` on the app."""

    async def go():
        async with app.run_test(size=size) as pilot:
            await steps(pilot)
        app.trail.close()

    asyncio.run(go())


async def answer(pilot, key, request="a note about milk"):
    await to_approval(pilot, request)
    await pilot.press(key)
    await pilot.pause(TYPING + 0.1)


async def carried_out(pilot, request="a note about milk"):
    await answer(pilot, "a", request)
    await done(pilot)


async def on_history(pilot):
    await pilot.press("f5")
    await until(pilot, lambda: pilot.app.screen.query("#past"))
    await until(pilot, lambda: pilot.app.screen.query_one("#past").option_count or "Nothing" in text_of(pilot, "*"))


def notices(pilot):
    return " ".join(notice.message for notice in pilot.app._notifications)


def listed(pilot):
    return [row.query for row in pilot.app.screen.rows]


# Writing down


def test_every_request_is_written_down_with_its_approval_and_steps(home):
    async def steps(pilot):
        await carried_out(pilot, "sync with sid and lutfi")

    flow(home.app(SYNC), steps)
    (run,) = home.runs()
    assert (run.query, run.state, run.approval, run.place) == (
        "sync with sid and lutfi",
        "done",
        "approved",
        "the desk",
    )
    assert run.last[3].arguments["invitees"] == ["sid@example.org", "lutfi@example.org"]
    assert len(run.last[3].script) == 64
    assert not home.settings.exists(), "who only looks around chooses nothing"


@pytest.mark.parametrize(
    ("key", "approval", "state"), [("r", "refused", "not approved"), ("escape", "asked", "stopped")]
)
def test_what_was_not_approved_is_written_down_as_such(home, key, approval, state):
    async def steps(pilot):
        await answer(pilot, key)
        await done(pilot)

    flow(home.app(), steps)
    (run,) = home.runs()
    assert (run.approval, run.state) == (approval, state)
    assert not home.desktop.calls


class Deaf(History):
    """A history that can no longer write down that a step starts."""

    def record(self, run, event):
        if isinstance(event, events.StepStarted):
            raise HistoryError("the disk is full")
        super().record(run, event)


def test_a_step_whose_start_can_not_be_written_down_is_not_carried_out(home):
    async def steps(pilot):
        await carried_out(pilot)
        assert "the disk is full" in text_of(pilot)

    flow(home.app(trail=Trail(lambda: Deaf(home.file))), steps)
    assert not home.desktop.calls
    assert home.runs()[0].state == "failed"


def test_a_history_that_can_not_be_used_stops_the_request_before_it_is_planned(home):
    home.file.write_text("this is no database, and it is longer than a hundred bytes " * 3)
    planner = FakePlanner(NOTE)

    async def steps(pilot):
        await ask(pilot, "a note")
        await until(pilot, lambda: "the history can't be used" in text_of(pilot))

    flow(home.app(planner), steps)
    assert not planner.asked


# Undo


def test_one_key_undoes_what_a_request_did_last_step_first(home):
    async def steps(pilot):
        await carried_out(pilot)
        await until(pilot, lambda: "F9 undoes steps 1, 2." in text_of(pilot))
        await pilot.press("f9")
        await until(pilot, lambda: "Undone: step 2 (Removed create_reminder 2), step 1" in text_of(pilot))
        assert "undone: Removed create_note 1" in text_of(pilot)
        await pilot.press("f9")
        await until(pilot, lambda: "nothing to undo" in notices(pilot))

    flow(home.app(TWO), steps)
    assert [tool for tool, _ in home.desktop.undone] == ["create_reminder", "create_note"]
    assert all(step.undone for step in home.runs()[0].steps)


def test_what_was_sent_is_named_and_stays(home):
    async def steps(pilot):
        await carried_out(pilot)
        await until(pilot, lambda: "F9 undoes step 1." in text_of(pilot))
        await pilot.press("f9")
        await until(pilot, lambda: "Not undone: step 2, send_sms" in text_of(pilot))
        assert "what was sent can't be taken back" in text_of(pilot)
        assert "Undone: step 1" in text_of(pilot)

    flow(home.app(SMS), steps)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotFound("the note 'Milk' is gone"), "the note 'Milk' is gone"),
        (OutcomeUnknown("no answer", "look in Notes"), "no answer. look in Notes"),
    ],
    ids=["gone", "unknown"],
)
def test_an_undo_that_fails_says_why_and_leaves_the_rest(home, error, said):
    home.desktop.undo_answers = {"create_reminder": error}

    async def steps(pilot):
        await carried_out(pilot)
        await until(pilot, lambda: "F9 undoes" in text_of(pilot))
        await pilot.press("f9")
        await until(pilot, lambda: f"Not undone: step 2, create_reminder: {said}" in text_of(pilot))
        assert "step 1, create_note: left as it is" in text_of(pilot)

    flow(home.app(TWO), steps)
    assert not home.runs()[0].last[1].undone


def test_one_step_is_undone_alone(home):
    async def steps(pilot):
        await carried_out(pilot)
        await until(pilot, lambda: "F9 undoes" in text_of(pilot))
        await pilot.press("tab", "up", "u")
        await until(pilot, lambda: "Undone: step 1" in text_of(pilot))
        assert "F9 undoes step 2." in text_of(pilot)

    flow(home.app(TWO), steps)
    assert home.desktop.undone == [("create_note", "create_note 1")]


def test_a_failed_step_is_shown_and_only_what_was_done_can_be_undone(home):
    home.desktop.answers = {"create_reminder": NotFound("there is no list 'x'", "make it")}

    async def steps(pilot):
        await carried_out(pilot)
        await until(pilot, lambda: "F9 undoes step 1." in text_of(pilot))
        assert "failed: there is no list 'x'" in text_of(pilot)
        await on_history(pilot)
        assert pilot.app.screen.rows[0].state == "failed"
        assert pilot.app.screen.rows[0].steps == (("create_note", "done"), ("create_reminder", "failed"))

    flow(home.app(TWO), steps)


def test_a_step_that_was_running_when_the_program_was_killed_is_told_at_the_start(home):
    step = parse_plan(NOTE).steps[0]
    with History(home.file) as killed:
        number = killed.begin("a note", NOW, TOOLS)
        killed.record(number, events.StepPlanned(step))
        killed.record(number, events.StepStarted(step))

    async def steps(pilot):
        await until(pilot, lambda: "create_note, was running when the program was killed" in notices(pilot))
        await on_history(pilot)
        assert (pilot.app.screen.rows[0].state, pilot.app.screen.rows[0].steps) == (
            "killed",
            (("create_note", "unknown"),),
        )

    flow(home.app(), steps)
    assert not home.desktop.calls, "nothing runs again by itself"


# The screen


def test_requests_are_listed_newest_first_and_searched_live(home):
    home.write("a note about milk", "a note about bread")

    async def steps(pilot):
        await on_history(pilot)
        assert listed(pilot) == ["a note about bread", "a note about milk"]
        await pilot.press("slash", *"BREAD abo")
        await until(pilot, lambda: listed(pilot) == ["a note about bread"])
        await pilot.press("x")
        await until(pilot, lambda: "No request holds 'BREAD abox'." in text_of(pilot, "#past-status"))
        await pilot.press("escape")
        await until(pilot, lambda: len(listed(pilot)) == 2)

    flow(home.app(), steps)


class Counting(History):
    """Counts the runs that are read."""

    read = 0

    def runs(self, limit=50, search="", before=None):
        found = super().runs(limit, search, before)
        Counting.read = max(Counting.read, len(found))
        return found


def test_only_a_page_is_loaded_and_older_ones_are_a_key_away(home):
    home.write(*(f"request {number}" for number in range(PAGE + 3)))

    async def steps(pilot):
        await on_history(pilot)
        assert len(listed(pilot)) == PAGE
        await pilot.press("end", "enter")
        await until(pilot, lambda: listed(pilot) == ["request 2", "request 1", "request 0"])
        await pilot.press("home", "enter")
        await until(pilot, lambda: len(listed(pilot)) == PAGE)
        assert Counting.read == PAGE + 1

    flow(home.app(trail=Trail(lambda: Counting(home.file))), steps)


def test_an_open_request_shows_everything_and_undoes_a_step(home):
    home.write("milk and bread", plan=TWO.replace("tomorrow at 9am", "2026-11-24 09:00:00"))

    async def steps(pilot):
        await on_history(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecordScreen))
        await pilot.pause()
        assert pilot.app.screen.query_one("#record-text").scroll_y == 0
        assert pilot.app.screen.query(RecordedStep).first().has_focus
        shown = text_of(pilot, "#record")
        for said in ("approval: approved", 'due_date: "2026-11-24 09:00:00"', "script: sha256", "→ made 2", "the desk"):
            assert said in shown
        await pilot.press("down", "u")
        await until(pilot, lambda: "Undone: step 2" in text_of(pilot, "#record"))
        assert "Removed create_reminder 2" in str(pilot.app.screen.query(RecordedStep).last().visual)
        await pilot.press("U")
        await until(pilot, lambda: "Undone: step 1" in text_of(pilot, "#record"))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen.rows[0].steps[0][1] == "undone")

    flow(home.app(), steps)


def test_a_click_opens_a_request(home):
    home.write("a note about milk")

    async def steps(pilot):
        await on_history(pilot)
        await pilot.click("#past", offset=(10, 0))
        await until(pilot, lambda: isinstance(pilot.app.screen, RecordScreen))

    flow(home.app(), steps)


@pytest.mark.parametrize("opened", [False, True], ids=["from the list", "from the request"])
def test_running_again_puts_the_request_into_the_prompt_to_be_changed(home, opened):
    home.write("a note about milk")
    planner = FakePlanner(NOTE)

    async def steps(pilot):
        await until(pilot, lambda: pilot.app.screen.query("#prompt"))
        await pilot.press(*"draft")
        await on_history(pilot)
        await pilot.press(*(["enter"] if opened else []))
        await until(pilot, lambda: not opened or isinstance(pilot.app.screen, RecordScreen))
        await pilot.press("r")
        await until(pilot, lambda: getattr(pilot.app.screen, "prompt", None) and pilot.app.screen.prompt.has_focus)
        assert pilot.app.screen.prompt.text == "a note about milk"
        await pilot.press("up")
        assert pilot.app.screen.prompt.text == "draft", "what stood there is not lost"
        assert not planner.asked

    flow(home.app(planner), steps)


def test_a_request_is_saved_as_a_case_that_the_evaluation_reads(home):
    home.write("a note about milk")

    async def steps(pilot):
        await on_history(pilot)
        await pilot.press("s")
        await until(pilot, lambda: pilot.app.screen.query("#save-plan"))
        assert pilot.app.screen.query_one("#save-file").value == str(home.cases)
        plan = pilot.app.screen.query_one("#save-plan")
        plan.text = plan.text.replace("create_note", "no_such_tool")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "no_such_tool" in text_of(pilot, "#save-trouble"))
        assert not home.cases.exists()
        plan.text = NOTE.replace("Milk", "Oat milk")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: home.cases.exists())

    flow(home.app(), steps)
    (case,) = read_cases(home.cases)
    assert (case.query, case.plans[0].steps[0].arguments[0]) == ("a note about milk", "Oat milk")


def test_every_request_is_exported_and_nothing_is_overwritten(home):
    home.write("one", "two")
    file = home.folder / "out.jsonl"

    async def export(pilot):
        await pilot.press("x")
        await until(pilot, lambda: pilot.app.screen.query("#save-file"))
        pilot.app.screen.query_one("#save-file").value = str(file)
        await pilot.press("ctrl+s")

    async def steps(pilot):
        await on_history(pilot)
        await export(pilot)
        await until(pilot, lambda: file.exists() and not pilot.app.screen.query("#save-file"))
        await export(pilot)
        await until(pilot, lambda: "is there already" in text_of(pilot, "#save-trouble"))

    flow(home.app(), steps)
    assert [json.loads(line)["query"] for line in file.read_text().splitlines()] == ["one", "two"]


def test_a_history_that_is_held_by_another_program_does_not_stop_the_typing(home):
    home.write("one")

    async def steps(pilot):
        await ask(pilot, "a note")
        await pilot.press(*"next")
        assert pilot.app.screen.prompt.text == "next"
        other.rollback()
        other.close()
        await until(pilot, lambda: pilot.app.screen.bar.asking)

    other = sqlite3.connect(home.file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    flow(home.app(), steps)
