"""The line of keys: what it holds, what it leaves out, and that a click is a key."""

from __future__ import annotations

import asyncio

import pytest

from tests.tui_fakes import make_app, to_approval, until
from tui.edit import EditScreen
from tui.footer import Footer
from tui.help import HelpScreen


def line(pilot):
    return str(pilot.app.screen.query_one(Footer).render())


def test_keys_follow_the_focus():
    async def flow():
        async with make_app().run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            assert "Ask" in line(pilot)
            assert "Approve" not in line(pilot)
            await to_approval(pilot)
            await pilot.pause()
            assert "a Approve" in line(pilot)

    asyncio.run(flow())


@pytest.mark.parametrize("width", [30, 60, 80, 140])
def test_help_and_palette_stay_in_sight_and_a_mark_says_that_keys_are_left_out(width):
    async def flow():
        async with make_app().run_test(size=(width, 24)) as pilot:
            await to_approval(pilot)
            await pilot.pause()
            text = line(pilot)
            assert "f1 Help" in text
            assert "^p palette" in text
            assert ("…" in text) != ("w Always allow" in text)
            assert len(text) <= width

    asyncio.run(flow())


def test_click_does_what_its_key_does():
    async def flow():
        async with make_app().run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            await pilot.click(Footer, offset=(line(pilot).index("Help"), 0))
            await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))

    asyncio.run(flow())


def test_form_shows_its_own_keys():
    async def flow():
        async with make_app().run_test(size=(80, 24)) as pilot:
            await to_approval(pilot)
            await pilot.press("e")
            await until(pilot, lambda: isinstance(pilot.app.screen, EditScreen))
            await pilot.pause()
            assert "^s Keep the changes" in line(pilot)

    asyncio.run(flow())
