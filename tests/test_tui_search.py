"""The search through the requests from before: it narrows as one types, Enter takes, Esc leaves all as it was."""

from __future__ import annotations

import asyncio

import pytest

from tests.tui_fakes import make_app, until
from tui.history import History
from tui.search import SearchScreen

ASKED = ("call the dentist", "email Sid about lunch", "lunch with Ines on Friday", "call the dentist")


@pytest.fixture
def home(tmp_path):
    history = History(tmp_path / "requests.jsonl")
    for request in ASKED:
        history.add(request)
    (tmp_path / "greeted").touch()
    return tmp_path


def searching(home, *keys, prompt=""):
    """The prompt after Ctrl+R and these keys, and the requests that were found last."""

    async def flow():
        async with make_app(home=home).run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: pilot.app.screen.query("#prompt"))
            ask = pilot.app.screen
            ask.prompt.write(prompt)
            await pilot.press("ctrl+r")
            await until(pilot, lambda: isinstance(pilot.app.screen, SearchScreen))
            await pilot.pause()
            search = pilot.app.screen
            await pilot.press(*keys)
            await pilot.pause()
            await until(pilot, lambda: pilot.app.screen is ask)
            assert ask.prompt.has_focus
            return ask.prompt.text, search.found

    return asyncio.run(flow())


def test_typing_narrows_and_enter_takes_the_newest_into_the_prompt(home):
    assert searching(home, *"LUNCH", "enter") == (ASKED[2], [ASKED[2], ASKED[1]])


def test_every_request_is_found_once_the_newest_first(home):
    assert searching(home, "enter") == (ASKED[3], [ASKED[3], ASKED[2], ASKED[1]])


@pytest.mark.parametrize("key", ["down", "ctrl+r"])
def test_a_key_goes_to_the_one_before(home, key):
    assert searching(home, *"lunch", key, "enter")[0] == ASKED[1]


def test_all_words_are_looked_for_in_any_order(home):
    assert searching(home, *"friday lunch", "enter")[1] == [ASKED[2]]


def test_what_stands_in_the_prompt_is_searched_for_and_stays_on_esc(home):
    assert searching(home, "escape", prompt="lunch") == ("lunch", [ASKED[2], ASKED[1]])


def test_nothing_found_takes_nothing(home):
    assert searching(home, *"zzz", "enter", prompt="") == ("", [])
