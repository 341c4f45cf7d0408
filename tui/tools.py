"""The Tools screen: each tool with its entry, script, JSON schema and examples; editing shows what the check finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static, TabbedContent, TabPane, Tabs
from textual.widgets.option_list import Option

from tinyagent_mlx.cli.show import ICONS
from tinyagent_mlx.errors import ConfigError, TinyAgentError
from tinyagent_mlx.plan import print_plan
from tinyagent_mlx.toolbox import Tool, Toolbox
from tui.choices import Choices
from tui.engine import Engine
from tui.footer import Footer
from tui.keymap import bind
from tui.shelf import Edit, Shelf
from tui.title import TitleBar
from tui.wording import EFFECT_WORDS

OFF = "–"
SWITCHED_OFF = "\n\nSwitched off: no plan calls it."


class ToolsScreen(Screen[None]):
    BINDINGS: ClassVar = [
        bind("tools.edit", "edit", "Edit tools.yaml"),
        bind("tools.search", "search", "Search"),
        bind("tools.try", "attempt", "Try"),
        bind("tools.switch", "switch", "On / off"),
        bind("tools.ask-again", "ask_again", "Let it ask again"),
        bind("tools.finetune", "app.go('finetune')", "Fine-tune"),
        Binding("left", "leaf(-1)", "Entry / script / …", show=False),
        Binding("right", "leaf(1)", "Entry / script / …", show=False),
        Binding("up", "to_names(-1)", show=False),
        Binding("down", "to_names(1)", show=False),
        Binding("escape", "leave", "Back"),
    ]
    HELP = "tools"

    def __init__(self, shelf: Shelf, edit: Edit | None, choices: Choices, engine: Engine, now: Callable[[], datetime]):
        super().__init__()
        self.shelf, self.edit, self.choices, self.engine, self.now = shelf, edit, choices, engine, now
        self._revision = -1

    def compose(self) -> ComposeResult:
        yield TitleBar("Tools")
        yield Static("", id="findings", markup=False)
        with Horizontal():
            with Vertical(id="shelf"):
                yield Input(placeholder="search", id="search", compact=True)
                yield OptionList(id="names", markup=False)
            with TabbedContent(id="leaves"):
                for name in ("Entry", "Script", "Schema", "Examples"):
                    with TabPane(name, id=name.lower()), VerticalScroll():
                        yield Static("", id=f"{name.lower()}-text", markup=False)
        yield Footer()

    async def on_mount(self) -> None:
        await self.shelf.look()
        self._renew()
        self.query_one("#names").focus()
        self.set_interval(0.5, self._renew)

    def _renew(self) -> None:
        """Show what is on the shelf, if that is other than what is shown."""
        if self._revision != self.shelf.revision:
            self._revision = self.shelf.revision
            self._say([self.shelf.trouble] if self.shelf.trouble else [])
            self._list()

    def _say(self, findings: list[str]) -> None:
        box = self.query_one("#findings", Static)
        box.update(Text("\n".join(findings)))
        box.display = bool(findings)

    @property
    def tools(self) -> Toolbox:
        """All of them, those that are switched off last."""
        return (self.shelf.toolbox or Toolbox(())).whole

    def _off(self, tool: Tool) -> bool:
        return bool(self.shelf.toolbox and tool.name not in self.shelf.toolbox)

    @on(Input.Changed, "#search")
    def _list(self) -> None:
        names = self.query_one("#names", OptionList)
        shown = self._tool()
        words = self.query_one("#search", Input).value.lower().split()
        found = [tool for tool in self.tools if all(word in _words(tool) for word in words)]
        names.clear_options()
        names.add_options(
            [Option(f"{OFF if self._off(tool) else ICONS[tool.effect]} {tool.name}", id=tool.name) for tool in found]
        )
        if found:
            kept = [n for n, tool in enumerate(found) if shown and tool.name == shown.name]
            names.highlighted = kept[0] if kept else 0
            self._show(found[names.highlighted])

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option.id in self.tools:
            self._show(self.tools[str(event.option.id)])

    @on(Input.Submitted, "#search")
    def _found(self) -> None:
        self.query_one("#names").focus()

    def _tool(self) -> Tool | None:
        names = self.query_one("#names", OptionList)
        chosen = names.highlighted_option
        return self.tools[str(chosen.id)] if chosen and chosen.id in self.tools else None

    def _show(self, tool: Tool) -> None:
        leaves = {
            "entry": entry_text(tool) + self._asks(tool) + (SWITCHED_OFF if self._off(tool) else ""),
            "script": script_text(tool),
            "schema": json.dumps(tool.json_schema(), ensure_ascii=False, indent=2),
            "examples": example_text(tool),
        }
        for name, text in leaves.items():
            self.query_one(f"#{name}-text", Static).update(Text(text))
        self.refresh_bindings()

    def _asks(self, tool: Tool) -> str:
        """What is said of a tool that was allowed for good."""
        if not self.choices.allows(tool):
            return ""
        return f"\n\nAllowed always: it {EFFECT_WORDS[tool.effect]} without asking. {self.choices.key('tools.ask-again')} takes it back."

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        tool = self._tool() if action == "ask_again" and self.is_mounted else None
        return action != "ask_again" or bool(tool and self.choices.allows(tool))

    async def on_screen_resume(self) -> None:
        """Take up what was allowed on the other screens, and what was changed in the settings."""
        try:
            await self.choices.renew()
        except ConfigError as error:
            self.notify(str(error), title="settings.yaml", severity="error", timeout=12, markup=False)
        if tool := self._tool():
            self._show(tool)

    async def action_ask_again(self) -> None:
        """Let a tool that was allowed for good ask before it acts."""
        tool = self._tool()
        if tool:
            try:
                await self.choices.ask_again(tool.name)
            except ConfigError as error:
                self.notify(str(error), title="Not kept", severity="error", timeout=12, markup=False)
                return
            self._show(tool)
            self.notify(f"{tool.name} asks again.", markup=False)

    def action_search(self) -> None:
        self.query_one("#search").focus()

    def action_leaf(self, by: int) -> None:
        """Turn to the leaf beside; from then on Left and Right do so by themselves."""
        tabs = self.query_one("#leaves Tabs", Tabs)
        tabs.focus()
        tabs.action_next_tab() if by > 0 else tabs.action_previous_tab()

    def action_to_names(self, by: int) -> None:
        """Go on with the list of tools, from the leaves."""
        names = self.query_one("#names", OptionList)
        names.focus()
        names.action_cursor_down() if by > 0 else names.action_cursor_up()

    async def action_leave(self) -> None:
        search = self.query_one("#search", Input)
        if self.query_one("#leaves Tabs").has_focus:
            self.query_one("#names").focus()
        elif search.has_focus or search.value:
            search.value = ""
            self.query_one("#names").focus()
        else:
            await self.app.run_action("app.go('ask')")

    async def action_switch(self) -> None:
        """Switch the tool that is shown off, or on again, in the user's own file."""
        if tool := self._tool():
            try:
                await self.shelf.switch(tool)
            except TinyAgentError as error:
                self.notify(str(error), title="Not switched", severity="error", timeout=12, markup=False)
            self._renew()

    def action_attempt(self) -> None:
        """Plan requests with the tool that is shown."""
        from tui.attempt import AttemptScreen

        if tool := self._tool():
            self.app.push_screen(AttemptScreen(tool, self.engine, self.now))

    async def action_edit(self) -> None:
        """Open tools.yaml at the tool that is shown; on return say what the check finds."""
        if self.edit is None:
            self.notify("There is no editor here.", severity="warning")
            return
        tool = self._tool()
        trouble = self.edit(self.app, *self.shelf.place(tool))
        await self.shelf.look()
        self._renew()
        findings = [trouble] if trouble else self.shelf.findings()
        self._say(findings or [f"{len(self.tools)} tools, and the check finds nothing wrong."])


def _words(tool: Tool) -> str:
    arguments = " ".join(argument.name for argument in tool.arguments)
    return f"{tool.name} {tool.app} {tool.description} {tool.effect} {arguments}".lower()


def entry_text(tool: Tool) -> str:
    """A tool's entry as people read it."""
    lines = [tool.signature, "", tool.description, ""]
    lines += [
        f"App      {tool.app}",
        f"Effect   {EFFECT_WORDS[tool.effect]}",
        f"Returns  {tool.returns}",
        f"Limit    {tool.timeout:g} s",
    ]
    lines += [f"Undo     {tool.inverse.name if tool.inverse else 'no inverse is declared'}", "", "Arguments"]
    for argument in tool.arguments:
        choices = f", one of {', '.join(map(str, argument.choices))}" if argument.choices else ""
        lines.append(f"  {argument.name} ({argument.type.name}{choices})\n    {argument.description}")
    if tool.rules:
        lines += ["", "Rules", *(f"  {rule}" for rule in tool.rules)]
    return "\n".join(lines)


def script_text(tool: Tool) -> str:
    """The scripts of a tool, whole."""
    parts = [
        f"-- {file.name}\n{file.read_text(encoding='utf-8')}"
        for file in (tool.script, tool.inverse)
        if file and file.is_file()
    ]
    return "\n\n".join(parts) or "This tool has no script."


def example_text(tool: Tool) -> str:
    return (
        "\n\n".join(f"“{example.request}”\n{print_plan(example.plan)}" for example in tool.examples) or "No examples."
    )
