"""What keeps typing smooth: garbage goes when nobody types and nothing runs, older requests are folded."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from tests.tui_fakes import FakeClock, FakePlanner, ask, done, make_app, text_of, until
from tui.tidy import LONGEST, QUIET, Tidy


class Knot:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def working():
    return {"busy": False}


@pytest.fixture
def tidy(clock, working):
    before = gc.get_threshold()
    tidy = Tidy(lambda: working["busy"], clock)
    tidy.settle()
    yield tidy
    tidy.stop()
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


def old_knot() -> weakref.ref[Knot]:
    """Garbage that has outlived the collections of younger objects."""
    knot = Knot()
    for _ in range(12):
        gc.collect(1)
    return weakref.ref(knot)


def test_garbage_goes_when_nobody_types(tidy, clock):
    knot = old_knot()
    clock.seconds = QUIET
    tidy.touch()
    clock.seconds += QUIET / 2
    assert not tidy.look()
    assert knot() is not None
    clock.seconds += QUIET
    assert tidy.look()
    assert knot() is None


def test_work_puts_it_off_but_not_for_ever(tidy, clock, working):
    working["busy"] = True
    old_knot()
    clock.seconds = QUIET
    assert not tidy.look()
    clock.seconds = LONGEST
    assert tidy.look()


def test_where_little_has_happened_nothing_is_collected(tidy, clock):
    gc.collect()
    clock.seconds = LONGEST
    assert not tidy.look()


def test_before_the_planner_is_loaded_the_interpreter_is_left_alone(clock):
    tidy = Tidy(lambda: False, clock)
    old_knot()
    clock.seconds = LONGEST
    assert not tidy.look()
    tidy.stop()


def test_steps_of_older_requests_are_folded_away_and_shown_on_enter():
    async def flow():
        async with make_app(FakePlanner('1. get_email_address("Sid")')).run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: pilot.app.screen.query("#prompt"))
            for number in range(5):
                await ask(pilot, f"request {number}")
                await done(pilot)
            transcript = pilot.app.screen.transcript
            assert [view.folded for view in transcript.runs] == [True, True, True, False, False]
            assert "request 1  1 step ▸" in text_of(pilot)
            await pilot.press("tab", *["up"] * 3)
            await until(pilot, lambda: transcript.target is transcript.runs[1])
            await pilot.press("enter")
            await until(pilot, lambda: not transcript.runs[1].folded)
            assert transcript.target is transcript.runs[1].nodes[1]
            assert "request 1  1 step ▸" not in text_of(pilot)

    asyncio.run(flow())
