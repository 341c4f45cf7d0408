"""The app around the Ask screen: Tools, Doctor, help, palette, first run, and what the core must not load."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import threading

import pytest
from textual import events

from tests.tui_fakes import (
    FakeDesktop,
    FakePlanner,
    ask,
    done,
    file_at,
    make_app,
    read_tools,
    text_of,
    to_approval,
    until,
)
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cli import main
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.retriever import EveryTool
from tinyagent_mlx.toolfile import load_toolbox
from tui.edit import EditScreen
from tui.help import HelpScreen
from tui.history import History


@pytest.fixture
def tools_file(tmp_path):
    shutil.copytree(shipped("applescripts"), tmp_path / "applescripts")
    return file_at(tmp_path, "tools.yaml", shipped("tools.yaml").read_text(encoding="utf-8"))


def app_on(file, **settings):
    return make_app(tools_file=file, load_tools=lambda: load_toolbox(file), **settings)


async def on_tools(pilot):
    await pilot.press("f3")
    await until(pilot, lambda: pilot.app.screen.query("#names"))
    await until(pilot, lambda: pilot.app.screen.query_one("#names").option_count)


def test_tools_are_searched_and_shown_whole():
    async def flow():
        async with make_app().run_test(size=(80, 24)) as pilot:
            await on_tools(pilot)
            assert pilot.app.screen.query_one("#names").option_count == 16
            await pilot.press("slash", *"phone", "enter")
            await until(pilot, lambda: "get_phone_number(name: person) -> phone" in text_of(pilot, "#entry-text"))
            assert "Contacts" in text_of(pilot, "#script-text")
            assert '"inputSchema"' in text_of(pilot, "#schema-text")
            assert 'get_phone_number("Ines")' in text_of(pilot, "#examples-text")
            await pilot.press("escape")
            assert pilot.app.screen.query_one("#names").option_count == 16

    asyncio.run(flow())


def test_editing_opens_the_tool_and_shows_what_the_check_finds(tools_file):
    opened = []

    def edit(app, file, line):
        opened.append((file, file.read_text().splitlines()[line - 1].strip()))
        file.write_text(file.read_text().replace("effect: write", "effect: wrote", 1))
        return ""

    async def flow():
        async with app_on(tools_file, edit=edit).run_test() as pilot:
            await on_tools(pilot)
            await pilot.press("down", "e")
            await until(pilot, lambda: "unknown value 'wrote'; did you mean 'write'?" in text_of(pilot, "#findings"))
            assert opened == [(tools_file, "- name: get_phone_number")]
            assert pilot.app.screen.query_one("#names").option_count == 16

    asyncio.run(flow())


def test_saved_change_is_taken_up_and_a_broken_one_leaves_the_old_tools(tools_file):
    good = tools_file.read_text()

    async def flow():
        app = app_on(tools_file)
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.engine.ready and app.shelf.toolbox)
            tools_file.write_text(good.replace("Look up a person's phone number", "Find a person's phone number"))
            await until(pilot, lambda: "Find a" in app.shelf.toolbox["get_phone_number"].description)
            assert "Find a" in (await app.engine.agent()).toolbox["get_phone_number"].description
            tools_file.write_text("version: 1\ntools: no\n")
            await until(pilot, lambda: app.shelf.trouble)
            assert "\n" not in app.shelf.trouble
            assert len((await app.engine.agent()).toolbox) == 16

    asyncio.run(flow())


def test_doctor_shows_checks_with_remedies():
    async def flow():
        async with make_app().run_test(size=(80, 24)) as pilot:
            await pilot.press("f4")
            await until(pilot, lambda: "→ install it" in text_of(pilot, "#checks"))
            assert "✗ voice" in text_of(pilot, "#checks")

    asyncio.run(flow())


def test_first_run_greets_once_and_offers_requests_without_submitting_them(tmp_path):
    async def flow():
        planner = FakePlanner("")
        app = make_app(planner, home=tmp_path / "home")
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.screen.query("#requests"))
            await pilot.pause()
            assert app.screen.query_one("#requests").option_count == 3
            await pilot.press("enter")
            await until(pilot, lambda: getattr(app.screen, "prompt", None) and app.screen.prompt.text)
            assert app.screen.prompt.text.startswith("Remind me")
            assert not planner.asked
        async with make_app(home=tmp_path / "home").run_test() as pilot:
            await until(pilot, lambda: pilot.app.screen.query("#prompt"))

    asyncio.run(flow())


def test_who_begins_to_type_over_the_greeting_is_in_the_prompt(tmp_path):
    async def flow():
        app = make_app(home=tmp_path / "home")
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.screen.query("#requests"))
            await pilot.press(*"remind me", "space", *"now")
            await until(pilot, lambda: getattr(app.screen, "prompt", None) and len(app.screen.prompt.text) >= 13)
            assert app.screen.prompt.text == "remind me now"

    asyncio.run(flow())


def test_enter_right_after_letters_over_the_greeting_asks_what_was_typed(tmp_path):
    async def flow():
        planner = FakePlanner("")
        app = make_app(planner, home=tmp_path / "home")
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.screen.query("#requests"))
            for key in (*"now", "enter"):  # before the prompt is there
                app.post_message(events.Key(key, key if len(key) == 1 else "\r"))
            await until(pilot, lambda: planner.asked)
            assert planner.asked == ["now"]

    asyncio.run(flow())


@pytest.mark.parametrize(
    ("key", "said"), [("f2", "When a plan waits"), ("f3", "edit tools.yaml"), ("f4", "check again")]
)
def test_help_is_of_the_screen_it_is_asked_on(key, said):
    async def flow():
        async with make_app().run_test(size=(80, 24)) as pilot:
            await pilot.press(key)
            await pilot.pause(0.1)
            await pilot.press("f1")
            await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
            await pilot.pause()
            assert said in text_of(pilot, "#help")
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(pilot.app.screen, HelpScreen))

    asyncio.run(flow())


def test_help_opens_over_a_form_and_its_key_closes_it():
    async def flow():
        async with make_app().run_test(size=(80, 24)) as pilot:
            await to_approval(pilot)
            await pilot.press("e")
            await until(pilot, lambda: isinstance(pilot.app.screen, EditScreen))
            await pilot.press("f1")
            await until(pilot, lambda: "Each change is checked at once" in text_of(pilot, "#help"))
            await pilot.press("f1")
            await until(pilot, lambda: isinstance(pilot.app.screen, EditScreen))

    asyncio.run(flow())


def test_palette_holds_our_commands():
    async def flow():
        async with make_app().run_test() as pilot:
            await pilot.pause(0.1)
            titles = [command.title for command in pilot.app.get_system_commands(pilot.app.screen)]
            assert titles == [
                "Ask", "Tools", "Doctor", "Fine-tune", "History", "Settings", "Help", "Search", "Talk", "Undo", "Stop", "Theme", "Quit"
            ]  # fmt: skip

    asyncio.run(flow())


def test_transcript_keeps_only_the_last_runs():
    async def flow():
        async with make_app(FakePlanner("")).run_test() as pilot:
            await until(pilot, lambda: pilot.app.screen.query("#prompt"))
            pilot.app.screen.kept_runs = 3
            for number in range(5):
                await ask(pilot, f"request {number}")
                await done(pilot)
            assert len(pilot.app.screen.transcript.runs) == 3
            assert "request 1\n" not in text_of(pilot)
            assert "request 4" in text_of(pilot)

    asyncio.run(flow())


def test_requests_are_kept_over_a_restart_and_a_torn_line_is_skipped(tmp_path):
    file = tmp_path / "home" / "requests.jsonl"
    first = History(file)
    first.add("one")
    first.add("two")
    first.add("two")
    file.write_text(file.read_text() + '"half')
    again = History(file)
    assert again.requests == ["one", "two"]
    again.add("three")
    again.add("four")
    assert History(file).requests == ["one", "two", "three", "four"]
    assert file.stat().st_mode & 0o077 == 0


def test_first_frame_needs_neither_mlx_nor_a_model():
    code = "import sys, tui.app, tui.run_view, tui.edit; print([m for m in ('mlx', 'mlx_lm', 'transformers', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("arguments", [[], ["--home", "x"]], ids=["none", "options"])
def test_without_a_terminal_the_help_is_printed(arguments, capsys):
    assert main.main(arguments) == 2
    assert "usage: tinyagent" in capsys.readouterr().err


def test_plans_and_retrieval_share_one_thread():
    threads = set()

    class Watched(FakePlanner):
        def plan(self, *given):
            threads.add(threading.get_ident())
            yield from super().plan(*given)

    class WatchedRetriever(EveryTool):
        def retrieve(self, *given):
            threads.add(threading.get_ident())
            return super().retrieve(*given)

    async def flow():
        def agent():
            threads.add(threading.get_ident())
            return Agent(read_tools(), Watched(""), WatchedRetriever(), FakeDesktop())

        async with make_app(make_agent=agent).run_test() as pilot:
            for number in range(3):
                await ask(pilot, f"request {number}")
                await done(pilot)
        assert len(threads) == 1
        assert threading.get_ident() not in threads

    asyncio.run(flow())
