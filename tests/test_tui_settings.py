"""The Settings screen: each row is changed at once in settings.yaml, and a wrong file is named with its line."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from tests.tui_fakes import FakeDesktop, FakePlanner, make_app, read_tools, text_of, until
from tinyagent_mlx import settings
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.retriever import EveryTool
from tui.choices import Choices
from tui.choose import ChooseScreen
from tui.settings import ROWS, SettingsScreen, Stock

PLANNERS = [("", "the shipped planner"), ("small/source", "small/source  0.10 GB"), ("broken/source", "broken")]
SPEECH = [("base", "base  0.15 GB  here, the default"), ("small", "small  0.5 GB  not here")]


@dataclass
class Home:
    """A home folder with its settings, and an app on it that remembers which models were loaded."""

    folder: object
    loaded: list = field(default_factory=list)

    @property
    def file(self):
        return self.folder / "settings.yaml"

    def app(self, **more):
        def agent():
            model = settings.read(self.file).model
            self.loaded.append(model)
            if model == "broken/source":
                raise ConfigError("broken/source: is no model folder")
            return Agent(read_tools(), FakePlanner("", name=model or "shipped"), EveryTool(), FakeDesktop())

        stock = Stock(lambda: PLANNERS, lambda: SPEECH)
        return make_app(make_agent=agent, choices=Choices(self.file), stock=stock, **more)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def shown(pilot):
    return "\n".join(str(option.prompt) for option in pilot.app.screen.query_one("#settings").options)


def trouble(pilot):
    return text_of(pilot, "#settings-trouble")


async def to_settings(pilot):
    await until(pilot, lambda: pilot.app.engine.ready)
    await pilot.press("f6")
    await until(pilot, lambda: isinstance(pilot.app.screen, SettingsScreen) and trouble(pilot))


async def open_row(pilot, name):
    pilot.app.screen.query_one("#settings").highlighted = list(ROWS).index(name)
    await pilot.press("enter")


async def choose(pilot, name, *keys):
    """Open a row's form and answer it."""
    await open_row(pilot, name)
    await until(pilot, lambda: isinstance(pilot.app.screen, ChooseScreen))
    await pilot.pause()
    await pilot.press(*keys)
    await until(pilot, lambda: isinstance(pilot.app.screen, SettingsScreen))


def on_settings(home, flow, **more):
    async def run():
        async with home.app(**more).run_test(size=(80, 24)) as pilot:
            await to_settings(pilot)
            await flow(pilot)

    asyncio.run(run())


CHANGES = {
    "speech model": ("voice", ("down", "down", "enter"), {"voice": settings.Voice("small")}),
    "this machine's speech model": ("voice", ("enter",), {}),
    "language": ("language", (*"de", "enter"), {"voice": settings.Voice("", "de")}),
    "planner": ("model", ("down", "enter"), {"model": "small/source"}),
    "writer": ("writer", ("down", "enter"), {"writer": "small/source"}),
    "instruction": ("instructions", (*"hush", "enter"), {"instructions": ("hush",)}),
    "leave": ("model", ("down", "escape"), {}),
}


@pytest.mark.parametrize(("row", "keys", "changed"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_written_at_once_and_comments_stay(home, row, keys, changed):
    home.file.write_text("# mine\ntheme: nord\n")

    async def flow(pilot):
        await choose(pilot, row, *keys)
        await until(pilot, lambda: settings.read(home.file) == settings.Settings(theme="nord", **changed))
        await until(pilot, lambda: "loading" not in trouble(pilot))

    on_settings(home, flow)
    assert home.file.read_text().startswith("# mine\ntheme: nord\n")


def test_a_theme_is_put_on_and_kept(home):
    async def flow(pilot):
        await choose(pilot, "theme", "home", "enter")
        await until(pilot, lambda: "Written." in trouble(pilot))
        assert pilot.app.theme == settings.read(home.file).theme == sorted(pilot.app.available_themes)[0]
        assert f"Theme             {pilot.app.theme}" in shown(pilot)

    on_settings(home, flow)


def test_another_planner_is_loaded_at_once(home):
    async def flow(pilot):
        await choose(pilot, "model", "down", "enter")
        await until(pilot, lambda: "in use" in trouble(pilot))
        assert home.loaded == ["", "small/source"]
        assert pilot.app.status.startswith("small/source")

    on_settings(home, flow)


def test_a_planner_that_can_not_be_loaded_is_not_kept(home):
    async def flow(pilot):
        await choose(pilot, "model", "end", "enter")
        await until(pilot, lambda: "It stays as it was." in trouble(pilot))
        assert settings.read(home.file).model == ""
        assert pilot.app.status.startswith("shipped")

    on_settings(home, flow)


def test_a_tool_that_was_allowed_asks_again(home):
    home.file.write_text("allow: [create_note]\nallow_sends: [send_sms]\n")

    async def flow(pilot):
        assert "create_note, send_sms" in shown(pilot)
        await choose(pilot, "allow", "down", "enter")
        await until(pilot, lambda: "send_sms asks again." in trouble(pilot))
        assert settings.read(home.file).allow_sends == ()
        assert settings.read(home.file).allow == ("create_note",)

    on_settings(home, flow)


def test_folders_are_added_and_taken_away(home, tmp_path):
    async def flow(pilot):
        await choose(pilot, "files", *_typed(str(tmp_path)), "enter")
        await until(pilot, lambda: settings.read(home.file).files.roots == (tmp_path,))
        await until(pilot, lambda: "in use" in trouble(pilot))
        await choose(pilot, "files", "tab", "enter")
        await until(pilot, lambda: settings.read(home.file).files.roots == ())

    on_settings(home, flow)


def test_instructions_are_taken_away_and_loaded(home):
    home.file.write_text("instructions: [always cc Nick, hush]\n")

    async def flow(pilot):
        assert "always cc Nick; hush" in shown(pilot)
        await choose(pilot, "instructions", "tab", "enter")
        await until(pilot, lambda: settings.read(home.file).instructions == ("hush",))
        await until(pilot, lambda: "in use" in trouble(pilot))
        assert len(home.loaded) == 2

    on_settings(home, flow)


def test_a_folder_that_is_not_there_is_refused(home):
    async def flow(pilot):
        await choose(pilot, "files", *_typed("/nowhere"), "enter")
        await until(pilot, lambda: "there is no such folder" in trouble(pilot))
        assert not home.file.exists()

    on_settings(home, flow)


def _typed(text):
    from textual.keys import _character_to_key

    return [_character_to_key(character) for character in text]


def test_a_wrong_file_is_named_with_its_line_and_nothing_is_written_over_it(home):
    async def flow(pilot):
        home.file.write_text("theme: nord\nvoice: {speed: 2}\n")
        await choose(pilot, "language", *"de", "enter")
        await until(pilot, lambda: "settings.yaml:2: key 'voice'" in trouble(pilot))

    on_settings(home, flow)
    assert home.file.read_text() == "theme: nord\nvoice: {speed: 2}\n"


def test_the_file_is_opened_in_the_editor_and_read_again(home):
    opened = []

    def edit(app, file, line):
        opened.append(file)
        file.write_text("keys: {ask.undo: f1}\n")
        return ""

    async def flow(pilot):
        await pilot.press("e")
        await until(pilot, lambda: "'f1' is 'app.help' already" in trouble(pilot))
        await choose(pilot, "keys", "enter")
        await until(pilot, lambda: len(opened) == 2)

    on_settings(home, flow, edit=edit)
    assert opened == [home.file, home.file]
