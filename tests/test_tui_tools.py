"""The Tools screen on a user's own tools: several files watched, tools switched off and on, a tool tried."""

from __future__ import annotations

import argparse
import asyncio

import pytest

from tests.tui_fakes import FakePlanner, make_app, text_of, until
from tinyagent_mlx.cli import setup
from tui.attempt import AttemptScreen

OWN = """\
version: 1
tools:
  - name: play_song
    app: Music
    description: Plays a song.
    arguments:
      - {name: song, type: text, description: which song, from: request}
    returns: status
    effect: read
    examples:
      - request: play Take Five
        plan: |
          1. play_song("Take Five")
"""


@pytest.fixture
def options(home):
    return argparse.Namespace(tools_file=None, home=home)


def app_on(options, **settings):
    first, *more = setup.tool_files(options)
    return make_app(
        tools_file=first,
        more_tools=tuple(more),
        load_tools=lambda: setup.toolbox(options),
        switch=lambda word, on: setup.switch(options, word, on),
        **settings,
    )


async def on_tools(pilot):
    await pilot.press("f3")
    await until(pilot, lambda: pilot.app.screen.query("#names"))
    await until(pilot, lambda: pilot.app.screen.query_one("#names").option_count)


async def choose(pilot, name):
    pilot.app.screen.query_one("#search").value = name
    await until(pilot, lambda: text_of(pilot, "#entry-text").startswith(f"{name}("))


def test_an_own_file_that_appears_is_taken_up_and_a_broken_save_keeps_the_tools(home, options):
    async def flow():
        app = app_on(options)
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.engine.ready and app.shelf.toolbox)
            (home / "tools.yaml").write_text(OWN)
            await app.shelf.look()
            assert "play_song" in (await app.engine.agent()).toolbox
            (home / "tools.yaml").write_text(OWN.replace("effect: read", "effect: reads"))
            await app.shelf.look()
            assert app.shelf.trouble.startswith(f"{home / 'tools.yaml'}:9: tool 'play_song', key 'effect'")
            assert "play_song" in (await app.engine.agent()).toolbox
            (home / "tools.yaml").write_text(OWN.replace("Plays a song", "Plays my song"))
            await app.shelf.look()
            assert (await app.engine.agent()).toolbox["play_song"].description == "Plays my song."

    asyncio.run(flow())


def test_editing_opens_the_file_that_declares_the_tool_or_what_is_wrong(home, options):
    opened = []
    (home / "tools.yaml").write_text(OWN)

    def edit(app, file, line):
        opened.append((file, file.read_text().splitlines()[line - 1].strip()))
        (home / "tools.yaml").write_text(OWN.replace("effect: read", "effect: reads"))
        return ""

    async def flow():
        async with app_on(options, edit=edit).run_test() as pilot:
            await on_tools(pilot)
            await choose(pilot, "play_song")
            await pilot.press("e")
            await until(pilot, lambda: len(opened) == 1)
            await until(pilot, lambda: pilot.app.shelf.trouble)
            await choose(pilot, "play_song")
            await pilot.press("e")
            await until(pilot, lambda: len(opened) == 2)

    asyncio.run(flow())
    assert opened == [(home / "tools.yaml", "- name: play_song"), (home / "tools.yaml", "effect: reads")]


def test_a_key_switches_a_tool_off_and_on_again_in_the_own_file(home, options):
    (home / "tools.yaml").write_text(f"# mine\n{OWN}")

    async def flow():
        app = app_on(options)
        async with app.run_test() as pilot:
            await on_tools(pilot)
            await choose(pilot, "send_sms")
            await pilot.press("o")
            await until(pilot, lambda: "send_sms" not in app.shelf.toolbox)
            await until(pilot, lambda: "Switched off" in text_of(pilot, "#entry-text"))
            assert "off:\n  - send_sms\n" in (home / "tools.yaml").read_text()
            assert app.screen.query_one("#names").option_count == 1  # still listed
            assert "send_sms" not in (await app.engine.agent()).toolbox
            await pilot.press("o")
            await until(pilot, lambda: "send_sms" in app.shelf.toolbox)
            await until(pilot, lambda: "Switched off" not in text_of(pilot, "#entry-text"))

    asyncio.run(flow())
    assert (
        home / "tools.yaml"
    ).read_text() == f"# mine\n{OWN.replace('version: 1', 'version: 1' + chr(10) + 'off: []')}"


def test_a_switch_that_fails_says_why_and_changes_nothing(home, options):
    (home / "tools.yaml").write_text(OWN)

    async def flow():
        app = app_on(options)
        async with app.run_test() as pilot:
            await on_tools(pilot)
            await choose(pilot, "send_sms")
            (home / "tools.yaml").write_text("version: [\n")
            await pilot.press("o")
            await until(pilot, lambda: any("is not YAML" in note.message for note in app._notifications))
            assert "send_sms" in app.shelf.toolbox
            assert (home / "tools.yaml").read_text() == "version: [\n"

    asyncio.run(flow())


def test_a_tool_is_tried_on_a_request_and_on_its_examples(home, options):
    (home / "tools.yaml").write_text(OWN)
    planner = FakePlanner({"play x": '1. play_song("x")', "play Take Five": '1. play_song("five")'})

    async def flow():
        app = app_on(options, planner=planner)
        async with app.run_test(size=(100, 30)) as pilot:
            await on_tools(pilot)
            await until(pilot, lambda: app.engine.ready)
            app.engine.use(app.shelf.toolbox)
            await choose(pilot, "play_song")
            await pilot.press("t")
            await until(pilot, lambda: isinstance(app.screen, AttemptScreen))
            await pilot.press(*"play", "space", "x", "enter")
            await until(pilot, lambda: '✓ play x\n    1. play_song("x")' in text_of(pilot, "#attempts"))
            app.screen.query_one("Input").value = ""
            await pilot.press("enter")
            await until(pilot, lambda: "✗ play Take Five" in text_of(pilot, "#attempts"))
            assert '- 1. play_song("Take Five")' in text_of(pilot, "#attempts")
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(app.screen, AttemptScreen))

    asyncio.run(flow())
    assert planner.asked == ["play x", "play Take Five"]


def test_without_a_planner_trying_says_why(home, options):
    def no_agent():
        from tinyagent_mlx.errors import PlannerError

        raise PlannerError("there are no weights")

    async def flow():
        app = app_on(options, make_agent=no_agent)
        async with app.run_test(size=(100, 30)) as pilot:
            await on_tools(pilot)
            await choose(pilot, "send_sms")
            await pilot.press("t")
            await until(pilot, lambda: isinstance(app.screen, AttemptScreen))
            await pilot.press("x", "enter")
            await until(pilot, lambda: "there are no weights" in text_of(pilot, "#attempts"))

    asyncio.run(flow())


def test_left_and_right_turn_the_leaves_and_up_and_down_go_on_with_the_list(home, options):
    async def flow():
        async with app_on(options).run_test(size=(120, 40)) as pilot:
            await on_tools(pilot)
            names, leaves = pilot.app.screen.query_one("#names"), pilot.app.screen.query_one("#leaves")
            first = leaves.active
            await pilot.press("right")
            await until(pilot, lambda: leaves.active != first)
            at = names.highlighted
            await pilot.press("down")
            await until(pilot, lambda: names.has_focus and names.highlighted == at + 1)
            await pilot.press("left")
            await until(pilot, lambda: leaves.active == first)
            await pilot.press("escape")
            await until(pilot, lambda: names.has_focus)

    asyncio.run(flow())
