"""Editing a plan before it is approved, and the texts of its fields."""

from __future__ import annotations

import asyncio

import pytest

from tests.tui_fakes import FakeDesktop, FakePlanner, ask, done, make_app, text_of, to_approval, unlock, until
from tinyagent_mlx.errors import NotFound, PlanError
from tinyagent_mlx.plan import parse_plan
from tui.edit import ArgumentRow, EditScreen
from tui.fields import from_text, to_text
from tui.hesitation import TYPING


async def to_editor(pilot):
    await to_approval(pilot)
    await pilot.press("e")
    await until(pilot, lambda: isinstance(pilot.app.screen, EditScreen) and pilot.app.screen.query(ArgumentRow))
    return pilot.app.screen


def field(screen, step, name):
    return next(row for row in screen.forms[step].rows if row.argument.name == name)


async def keep_and_approve(pilot):
    await pilot.press("ctrl+s")
    await until(pilot, lambda: not isinstance(pilot.app.screen, EditScreen))
    await unlock(pilot)
    await pilot.press("a")
    await pilot.pause(TYPING + 0.1)
    await done(pilot)


def test_edited_argument_is_what_is_carried_out():
    async def flow():
        desktop = FakeDesktop()
        async with make_app(desktop=desktop).run_test(size=(80, 24)) as pilot:
            screen = await to_editor(pilot)
            field(screen, 3, "title").field.value = "Planning"
            field(screen, 3, "start_date").field.value = "saturday at 4pm"
            await pilot.pause()
            assert str(field(screen, 3, "start_date").note.visual) == "Sat 28 Nov 2026, 16:00"
            await keep_and_approve(pilot)
            event = desktop.called("create_calendar_event")[0]
            assert (event["title"], event["start_date"]) == ("Planning", "2026-11-28 16:00:00")
            assert "start_date: Sat 28 Nov 2026, 16:00" in text_of(pilot)

    asyncio.run(flow())


def test_changed_lookup_runs_again_and_its_new_result_is_used():
    async def flow():
        desktop = FakeDesktop()
        async with make_app(desktop=desktop).run_test() as pilot:
            screen = await to_editor(pilot)
            field(screen, 1, "name").field.value = "Ines"
            await keep_and_approve(pilot)
            assert desktop.called("create_calendar_event")[0]["invitees"] == ("ines@example.org", "lutfi@example.org")

    asyncio.run(flow())


FOLLOWING = """1. open_and_get_file_path("roadmap")
2. summarize_pdf("$1")
3. create_note("sum", "$2", "")
4. create_note("other", "x", "")"""


SLOW = """1. get_email_address("Sid")
2. create_note("a", "$1", "")"""


@pytest.mark.parametrize("answer", ["a", "r"])
def test_a_look_up_from_before_the_edit_answers_nothing(answer):
    async def flow():
        gate = asyncio.Event()
        desktop = FakeDesktop(
            answers={("get_email_address", "Sid"): NotFound("no Sid", "")}, hold={"get_email_address": gate}
        )
        async with make_app(FakePlanner(SLOW), desktop).run_test(size=(100, 40)) as pilot:
            screen = await to_editor(pilot)
            field(screen, 1, "name").field.value = "Ines"
            await pilot.press("ctrl+s")
            await until(pilot, lambda: not isinstance(pilot.app.screen, EditScreen))
            await unlock(pilot)
            gate.set()
            await pilot.pause(0.1)
            assert pilot.app.screen.bar.asking
            assert not desktop.called("create_note")
            assert "no Sid" not in text_of(pilot)
            await pilot.press(answer)
            await pilot.pause(TYPING + 0.1)
            await done(pilot)
            notes = desktop.called("create_note")
            assert [note["content"] for note in notes] == (["ines@example.org"] if answer == "a" else [])
            assert ("no Sid" in text_of(pilot)) == (answer == "r")

    asyncio.run(flow())


@pytest.mark.parametrize("dropped", [False, True], ids=["with another write", "alone"])
def test_what_takes_a_changed_step_s_result_is_asked_about(dropped):
    async def flow():
        desktop = FakeDesktop(answers={("open_and_get_file_path", "roadmap"): NotFound("no such file", "")})
        async with make_app(FakePlanner(FOLLOWING), desktop).run_test(size=(100, 40)) as pilot:
            screen = await to_editor(pilot)
            field(screen, 1, "file_name").field.value = "Q3 roadmap.pdf"
            if dropped:
                field(screen, 4, "name").field.focus()
                await pilot.press("ctrl+x")
                assert screen.dropped == {4}
            await pilot.press("ctrl+s")
            await until(pilot, lambda: not isinstance(pilot.app.screen, EditScreen))
            await unlock(pilot)
            assert not desktop.called("create_note")
            wanted = "1 step writes" if dropped else "2 steps write"
            assert wanted in text_of(pilot, "#question")
            await pilot.press("a")
            await pilot.pause(TYPING + 0.1)
            await done(pilot)
            assert [note["name"] for note in desktop.called("create_note")].count("sum") == 1

    asyncio.run(flow())


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("invitees", "$1, nobody", "'nobody', which is no email"),
        ("invitees", "$7", "'$7', which is no email"),
        ("start_date", "when pigs fly", "says no clear time"),
    ],
    ids=["no address", "no such step", "no moment"],
)
def test_wrong_field_says_so_beside_it_and_can_not_be_kept(name, text, problem):
    async def flow():
        async with make_app().run_test(size=(100, 40)) as pilot:
            screen = await to_editor(pilot)
            field(screen, 3, name).field.value = text
            await pilot.pause()
            assert problem in str(field(screen, 3, name).note.visual)
            await pilot.press("ctrl+s")
            await pilot.pause()
            assert pilot.app.screen is screen

    asyncio.run(flow())


def test_dropped_step_takes_what_waits_for_it_along_and_says_so():
    async def flow():
        desktop = FakeDesktop()
        async with make_app(desktop=desktop).run_test() as pilot:
            screen = await to_editor(pilot)
            await pilot.press("ctrl+x")
            await pilot.pause()
            assert screen.dropped == {1, 3}
            assert "Step 1 dropped, and 3 with it" in text_of(pilot, "#verdict")
            await pilot.press("ctrl+s")
            await done(pilot) if pilot.app.screen is not screen else None
            await until(pilot, lambda: not getattr(pilot.app.screen, "running", True))
            assert not desktop.called("create_calendar_event")
            assert "left out by you" in text_of(pilot)

    asyncio.run(flow())


def test_down_and_up_go_from_field_to_field_and_to_what_brings_a_dropped_step_back():
    async def flow():
        async with make_app().run_test(size=(80, 24)) as pilot:
            screen = await to_editor(pilot)
            await pilot.press("down")
            assert screen.focused is field(screen, 2, "name").field
            await pilot.press("ctrl+x", "up")
            assert screen.focused is field(screen, 1, "name").field
            await pilot.press("down", "enter")
            assert screen.dropped == {3}
            await pilot.press("down")
            assert screen.focused is screen.forms[3].button

    asyncio.run(flow())


def test_dropped_step_comes_back_with_what_it_needs():
    async def flow():
        async with make_app().run_test() as pilot:
            screen = await to_editor(pilot)
            screen.toggle(1)
            screen.toggle(3)
            assert screen.dropped == set()

    asyncio.run(flow())


def test_reference_that_was_edited_away_binds_nothing():
    async def flow():
        async with make_app().run_test() as pilot:
            screen = await to_editor(pilot)
            field(screen, 3, "invitees").field.value = "$2"
            await pilot.pause()
            screen.toggle(1)
            assert screen.dropped == {1}

    asyncio.run(flow())


def test_leaving_the_form_changes_nothing():
    async def flow():
        desktop = FakeDesktop()
        async with make_app(desktop=desktop).run_test() as pilot:
            screen = await to_editor(pilot)
            field(screen, 3, "title").field.value = "Planning"
            await pilot.press("escape")
            await unlock(pilot)
            await pilot.press("a")
            await pilot.pause(TYPING + 0.1)
            await done(pilot)
            assert desktop.called("create_calendar_event")[0]["title"] == "Sync"

    asyncio.run(flow())


def test_what_failed_can_be_edited_and_carried_out():
    async def flow():
        desktop = FakeDesktop(answers={("get_email_address", "Syd"): NotFound("no contact is called 'Syd'")})
        planner = FakePlanner('1. get_email_address("Syd")')
        async with make_app(planner, desktop).run_test() as pilot:
            await ask(pilot, "syd's address")
            await done(pilot)
            await pilot.press("tab", "down", "enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, EditScreen))
            await pilot.pause()
            field(pilot.app.screen, 1, "name").field.value = "Sid"
            await pilot.press("ctrl+s")
            await until(pilot, lambda: "→ sid@example.org" in text_of(pilot))

    asyncio.run(flow())


VALUES = [
    ("text", '1. create_note("a, b \\"c\\"", "", "")', 0),
    ("mixed", '1. get_email_address("x")\n2. create_note("n", "mail ${1}0 for $15", "")', 1),
    ("list", '1. compose_new_email(["a@b.org", "c@d.org"], [], "", "", [])', 0),
    ("empty list", '1. compose_new_email([], [], "", "", [])', 0),
    ("integer", '1. create_reminder("x", "", "", "", 5, False)', 4),
    ("boolean", '1. create_reminder("x", "", "", "", 5, True)', 5),
    ("commas", '1. open_and_get_file_path("x")\n2. compose_new_email([], [], "", "", ["$1", "/a, b.pdf"])', 4),
]


@pytest.mark.parametrize(("plan", "index"), [row[1:] for row in VALUES], ids=[row[0] for row in VALUES])
def test_field_text_reads_back_as_the_same_value(plan, index, shipped_tools):
    step = parse_plan(plan).steps[-1]
    argument = shipped_tools[step.tool].arguments[index]
    assert from_text(to_text(step.arguments[index], step.id), argument, step.id) == step.arguments[index]


@pytest.mark.parametrize(("index", "text"), [(4, "high"), (5, "maybe")], ids=["integer", "boolean"])
def test_field_text_of_another_type_is_refused(index, text, shipped_tools):
    with pytest.raises(PlanError, match=text):
        from_text(text, shipped_tools["create_reminder"].arguments[index], 1)
