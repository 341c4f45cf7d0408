"""A writer's text on the screen: it streams, nothing is used by accident, and each answer does what it says."""

from __future__ import annotations

import pytest

from tests.test_tui_history import NOTE, Home, answer, flow
from tests.tui_fakes import FakeDesktop, FakePlanner, ask, done, read_tools, text_of, until
from tests.writers import FakeWriter
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.retriever import EveryTool
from tui.approval import QUIET
from tui.writing import WritingScreen


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home", FakeDesktop(handles=True))


def app(home, writer):
    return home.app(make_agent=lambda: Agent(read_tools(), FakePlanner(NOTE), EveryTool(), home.desktop, writer))


async def to_the_text(pilot, whole=True):
    """Approve, and wait for the text; with `whole` until its quiet time is over."""
    await answer(pilot, "a")
    await until(pilot, lambda: isinstance(pilot.app.screen, WritingScreen))
    screen = pilot.app.screen
    if whole:
        await until(pilot, lambda: screen.draft.ended and not screen.query_one("#use").disabled)
        pilot.app.clock.seconds += QUIET + 0.1
    return screen


def saved(home):
    return [given["content"] for given in home.desktop.called("create_note")]


PRESSED = {
    "use": (("tab", "enter"), ["Milk: two litres"]),
    "edit": (("tab", "tab", "enter", "X", "tab", "QUIET", "enter"), ["XMilk: two litres"]),
    "own words": (("tab", "tab", "tab", "enter"), ["two litres"]),
    "no": (("tab", "tab", "tab", "tab", "enter"), []),
    "escape": (("escape",), []),
}


@pytest.mark.parametrize(("keys", "notes"), PRESSED.values(), ids=PRESSED.keys())
def test_each_answer_does_what_it_says(home, keys, notes):
    async def steps(pilot):
        screen = await to_the_text(pilot)
        assert screen.area.text == "Milk: two litres"
        assert saved(home) == []
        for key in keys:
            if key == "QUIET":
                pilot.app.clock.seconds += QUIET + 0.1
            elif key == "X":
                screen.area.cursor_location = (0, 0)
                await pilot.press(key)
            else:
                await pilot.press(key)
        await done(pilot)

    flow(app(home, FakeWriter("Milk: two litres")), steps)
    assert saved(home) == notes


def test_it_streams_and_can_not_be_used_before_it_is_whole(home):
    writer = FakeWriter("Milk: two litres", stop_at=2)

    async def steps(pilot):
        screen = await to_the_text(pilot, whole=False)
        await until(pilot, lambda: screen.area.text == "Milk: two")
        assert screen.query_one("#use").disabled
        pilot.app.clock.seconds += 60
        await pilot.press("enter", "enter")
        assert pilot.app.screen is screen
        writer.let.set()
        await until(pilot, lambda: screen.area.text == "Milk: two litres")
        await pilot.press("escape")
        await done(pilot)

    flow(app(home, writer), steps)


def test_what_is_typed_ahead_uses_nothing_and_goes_to_the_prompt(home):
    async def steps(pilot):
        screen = await to_the_text(pilot)
        screen.query_one("#use").focus()
        await pilot.press("h", "i", "enter")
        assert pilot.app.screen is screen, "too soon after a letter"
        assert pilot.app.screen_stack[0].prompt.text == "hi"
        await pilot.press("escape")
        await done(pilot)

    flow(app(home, FakeWriter()), steps)
    assert saved(home) == []


def test_esc_stops_the_writer_at_its_next_piece_and_what_came_can_be_used(home):
    writer = FakeWriter("word " * 500, pace=0.02)

    async def steps(pilot):
        screen = await to_the_text(pilot, whole=False)
        await until(pilot, lambda: screen.area.text.startswith("word word"))
        await pilot.press("escape")
        await until(pilot, lambda: "as far as it came" in text_of(pilot, "*"))
        pilot.app.clock.seconds += QUIET + 0.1
        await pilot.press("tab", "enter")
        await done(pilot)

    flow(app(home, writer), steps)
    (text,) = saved(home)
    assert text.startswith("word word")
    assert len(text.split()) <= writer.drawn < 500


def test_own_words_do_not_wait_for_the_end(home):
    writer = FakeWriter("Milk: two litres", stop_at=1)

    async def steps(pilot):
        screen = await to_the_text(pilot, whole=False)
        await until(pilot, lambda: screen.area.text)
        pilot.app.clock.seconds += QUIET + 0.1
        screen.query_one("#own").focus()
        await pilot.press("enter")
        await done(pilot)
        writer.let.set()

    flow(app(home, writer), steps)
    assert saved(home) == ["two litres"]


def test_a_writer_that_fails_is_told_of_and_the_own_words_are_used(home):
    async def steps(pilot):
        await answer(pilot, "a")
        await done(pilot)
        assert "scribe failed: no memory" in " ".join(notice.message for notice in pilot.app._notifications)

    flow(app(home, FakeWriter(error=RuntimeError("no memory"), stop_at=0)), steps)
    assert saved(home) == ["two litres"]
    assert "scribe failed" in home.runs()[0].steps[0].message


def test_the_history_has_the_text_that_was_used(home):
    async def steps(pilot):
        await to_the_text(pilot)
        await pilot.press("tab", "enter")
        await done(pilot)

    flow(app(home, FakeWriter("Milk: two litres")), steps)
    assert home.runs()[0].steps[0].arguments["content"] == "Milk: two litres"


def test_what_is_allowed_always_still_shows_what_was_written(home):
    home.settings.write_text("allow: [create_note]\n")

    async def steps(pilot):
        await ask(pilot, "a note about milk")
        await until(pilot, lambda: isinstance(pilot.app.screen, WritingScreen))
        await until(pilot, lambda: pilot.app.screen.draft.ended)
        await pilot.press("escape")
        await done(pilot)

    flow(app(home, FakeWriter("Milk: two litres")), steps)
    assert saved(home) == []
