"""The Settings screen: what stands in settings.yaml, changed one row at a time and written at once.

What is wrong in the file is told with its line, and nothing is written over it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tinyagent_mlx.errors import TinyAgentError
from tinyagent_mlx.settings import Files, Settings
from tui import keymap
from tui.choices import Choices
from tui.choose import Choice, ChooseScreen
from tui.engine import Engine
from tui.footer import Footer
from tui.keymap import bind
from tui.shelf import Edit
from tui.title import TitleBar

NAME = 18  # cells of a row's name
FETCH = "Speech model (`hf download REPOSITORY` fetches one, once)"


@dataclass(frozen=True)
class Stock:
    """What there is to choose from; each may look through folders, so that it is called in a thread."""

    planners: Callable[[], Sequence[Choice]]
    speech: Callable[[], Sequence[Choice]]


@dataclass(frozen=True)
class Row:
    """`shown` says what holds now, `about` what it is for."""

    name: str
    shown: Callable[[Settings], str]
    about: str


ROWS = {
    "theme": Row("Theme", lambda s: s.theme, "The colours of the screen."),
    "model": Row(
        "Planner",
        lambda s: s.model or "the shipped planner",
        "The model that makes plans. `tinyagent models pull` fetches others; a change is loaded at once.",
    ),
    "writer": Row(
        "Writer",
        lambda s: s.writer or "nobody: the request's own words",
        "A chat model that writes mail bodies, notes and summaries; each text is shown before it is saved (docs/writers.md).",
    ),
    "instructions": Row(
        "Instructions",
        lambda s: "; ".join(s.instructions) or "none",
        "What you always want, such as: always cc Nick. Planner and writer are told.",
    ),
    "voice": Row(
        "Speech model",
        lambda s: s.voice.model or "this machine's default",
        "What writes down a spoken request (Ctrl+T, `tinyagent listen`, --audio). It is read from this machine, never fetched.",
    ),
    "language": Row(
        "Spoken language",
        lambda s: s.voice.language or "detected each time",
        "A code such as en, de or fr; empty to detect it each time.",
    ),
    "allow": Row(
        "Allowed always",
        lambda s: ", ".join((*s.allow, *s.allow_sends)) or "nothing: every plan that acts asks",
        "Tools that act without asking. `w` at an approval adds to them; taken back here, they ask again.",
    ),
    "files": Row(
        "File folders",
        lambda s: ", ".join(map(str, s.files.roots)) or "the desktop's own",
        "Folders whose files may be found, summarized and attached, beside the desktop's own.",
    ),
    "keys": Row(
        "Keys",
        lambda s: f"{len(s.keys)} of your own" if s.keys else "as shipped",
        "Every key and what it does. `keys:` in settings.yaml gives others, from the next start on.",
    ),
}


class SettingsScreen(Screen[None]):
    BINDINGS: ClassVar = [
        bind("settings.edit", "edit", "Edit settings.yaml"),
        Binding("escape", "app.go('ask')", "Back"),
    ]
    HELP = "settings"

    def __init__(self, choices: Choices, stock: Stock, engine: Engine, edit: Edit | None):
        super().__init__()
        self.choices, self.stock, self.engine, self.edit = choices, stock, engine, edit
        self._wrong = True  # until the file was read

    def compose(self) -> ComposeResult:
        yield TitleBar("Settings")
        yield OptionList(id="settings", markup=False)
        yield Static("", id="setting-about", markup=False)
        yield Static("", id="settings-trouble", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        box = self.query_one("#settings", OptionList)
        box.add_options([Option("", id=name) for name in ROWS])
        box.highlighted = 0
        box.focus()
        self._draw()

    async def on_screen_resume(self) -> None:
        await self._renew()

    async def _renew(self) -> None:
        """Read the file again: it may have been edited. What was said of a change stays, unless the file is wrong."""
        try:
            await self.choices.renew()
            if self.choices.file and self.choices.settings.keys:
                keymap.check(self.choices.settings.keys, f"{self.choices.file}: key 'keys'")
        except TinyAgentError as error:
            self._wrong = True
            self._say(str(error), "red")
        else:
            if self._wrong:
                where = f"All of it stands in {self.choices.file}." if self.choices.file else "It is not kept."
                self._say(f"Enter changes a row. {where}")
            self._wrong = False
        self._draw()

    def _draw(self) -> None:
        box = self.query_one("#settings", OptionList)
        now = self.choices.settings
        for name, row in ROWS.items():
            shown = row.shown(now) or self.app.theme
            text = Text(f"{row.name:<{NAME}}", "bold", no_wrap=True, overflow="ellipsis").append(shown, "not bold")
            box.replace_option_prompt(name, text)

    def _say(self, text: str, style: str = "dim") -> None:
        self.query_one("#settings-trouble", Static).update(Text(text, style))

    @on(OptionList.OptionHighlighted, "#settings")
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self.query_one("#setting-about", Static).update(ROWS[str(event.option.id)].about)

    @on(OptionList.OptionSelected, "#settings")
    def _selected(self, event: OptionList.OptionSelected) -> None:
        change = getattr(self, f"_change_{event.option.id}")
        self.run_worker(change(), exclusive=True, exit_on_error=False)

    async def _ask(self, title: str, choices: Sequence[Choice], chosen: str = "", write: str = "") -> str | None:
        return await self.app.push_screen_wait(ChooseScreen(title, choices, chosen, write))

    async def _keep(self, **values: Any) -> bool:
        """Write it down; says whether that went well."""
        try:
            await self.choices.choose(**values)
        except TinyAgentError as error:
            self._say(str(error), "red")
            return False
        self._say("Written.")
        self._draw()
        return True

    async def _change_theme(self) -> None:
        names = sorted(self.app.available_themes)
        theme = await self._ask("Theme", [(name, name) for name in names], self.app.theme)
        if theme and await self._keep(theme=theme):
            self.app.theme = theme

    async def _change_model(self) -> None:
        """Take another planner. One that can't be loaded is not kept."""
        before = self.choices.settings.model
        model = await self._ask("Planner", await asyncio.to_thread(self.stock.planners), before)
        if model is None or model == before or not await self._keep(model=model):
            return
        await self._load(model=before)

    async def _change_writer(self) -> None:
        """Take a chat model that writes, or none."""
        before = self.choices.settings.writer
        models = [(name, text) for name, text in await asyncio.to_thread(self.stock.planners) if name]
        writer = await self._ask("Writer", [("", "nobody: the request's own words"), *models], before)
        if writer is not None and writer != before and await self._keep(writer=writer):
            await self._load(writer=before)

    async def _change_instructions(self) -> None:
        """Add a sentence, or take one away."""
        before = self.choices.settings.instructions
        said = [(sentence, f"take away: {sentence}") for sentence in before]
        word = await self._ask("Instructions", said, write="add what you always want, such as: always cc Nick")
        if not word:
            return
        kept = tuple(sentence for sentence in before if sentence != word)
        if await self._keep(instructions=kept if len(kept) < len(before) else (*before, " ".join(word.split()))):
            await self._load(instructions=before)

    async def _load(self, **before: Any) -> None:
        """Load planner, writer and desktop as they now are chosen; where that fails, put back what was there."""
        self._say("loading…")
        try:
            await self.engine.renew()
        except TinyAgentError as error:
            if await self._keep(**before):
                self._say(f"{error}. It stays as it was.", "red")
        else:
            self._say("Written, and in use.")

    async def _change_voice(self) -> None:
        voice = self.choices.settings.voice
        models = await asyncio.to_thread(self.stock.speech)
        model = await self._ask(FETCH, [("", "this machine's default"), *models], voice.model)
        if model is not None:
            await self._keep(voice=replace(self.choices.settings.voice, model=model))

    async def _change_language(self) -> None:
        language = await self._ask(
            "Spoken language", [("", "detect it each time")], write="a code such as en, de or fr"
        )
        if language is not None:
            await self._keep(voice=replace(self.choices.settings.voice, language=language))

    async def _change_allow(self) -> None:
        """Take a permission back."""
        now = self.choices.settings
        tools = [(name, f"{name} writes without asking") for name in now.allow]
        tools += [(name, f"{name} sends without asking") for name in now.allow_sends]
        if not tools:
            self._say("No tool acts without asking.")
            return
        name = await self._ask("Enter lets a tool ask again", tools)
        if name:
            try:
                await self.choices.ask_again(name)
            except TinyAgentError as error:
                self._say(str(error), "red")
                return
            self._say(f"{name} asks again.")
            self._draw()

    async def _change_files(self) -> None:
        """Add a folder, or take one away."""
        before = self.choices.settings.files
        roots = [(str(root), f"take away {root}") for root in before.roots]
        word = await self._ask("File folders", roots, write="add a folder, such as ~/Documents")
        if not word:
            return
        root = Path(word).expanduser()
        if word not in map(str, before.roots) and not root.is_dir():
            self._say(f"{root}: there is no such folder.", "red")
            return
        kept = tuple(other for other in before.roots if other != root)
        if await self._keep(files=Files(kept if len(kept) < len(before.roots) else (*kept, root))):
            await self._load(files=before)

    async def _change_keys(self) -> None:
        own = self.choices.settings.keys
        width = max(map(len, keymap.DEFAULTS)) + 2
        rows = [(name, f"{name:<{width}}{own.get(name, keys)}") for name, keys in keymap.DEFAULTS.items()]
        if await self._ask("Keys: Enter opens settings.yaml in your editor", rows):
            await self.action_edit()

    async def action_edit(self) -> None:
        """Open the file in $EDITOR; on return say what is wrong in it."""
        if self.edit is None or self.choices.file is None:
            self._say("There is no file to edit here.", "red")
            return
        trouble = self.edit(self.app, self.choices.file, 1)
        await self._renew()
        if trouble:
            self._say(trouble, "red")
