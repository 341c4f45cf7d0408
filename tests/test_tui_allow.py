"""What the user chose for good: tools that need not ask, colours and keys; and a plan that the planner is unsure of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.test_tui_history import NOTE, SMS, TWO, Home, answer, flow, notices
from tests.tui_fakes import FakePlanner, ask, done, text_of, to_approval, unlock, until
from tinyagent_mlx import settings
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.planner import PlanEnd
from tui import approval, keymap
from tui.choices import Choices
from tui.help import HelpScreen
from tui.hesitation import TYPING

LOOKUP = '1. get_email_address("Sid")'


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


def test_a_tool_that_was_allowed_always_acts_without_asking_and_that_is_shown(home):
    async def steps(pilot):
        await answer(pilot, "w")
        await done(pilot)
        assert "Allowed always: create_note" in notices(pilot)
        await ask(pilot, "another note")
        await until(pilot, lambda: "You were not asked: create_note. F3 takes that back." in text_of(pilot))
        assert not pilot.app.screen.bar.display

    flow(home.app(), steps)
    assert settings.read(home.settings).allow == ("create_note",)
    assert [run.approval for run in home.runs()] == ["approved beforehand", "approved"]


def test_a_plan_with_another_tool_asks_all_the_same(home):
    settings.change(home.settings, allow=("create_note",))

    async def steps(pilot):
        await to_approval(pilot)
        assert "2 steps write" in text_of(pilot, "#question")

    flow(home.app(TWO), steps)


@pytest.mark.parametrize(
    ("keys", "sends", "allowed"), [("s", ("send_sms",), True), ("o", (), False)], ids=["yes", "no"]
)
def test_a_tool_that_sends_takes_a_second_answer(home, keys, sends, allowed):
    async def steps(pilot):
        await answer(pilot, "w")
        await until(pilot, lambda: "may send_sms send from now on without asking?" in text_of(pilot, "#question"))
        assert not home.desktop.calls
        assert not home.settings.exists()
        await pilot.press(keys)
        await pilot.pause(TYPING + 0.1)
        await done(pilot)
        assert home.desktop.called("send_sms"), "this plan is approved either way"
        await ask(pilot, "once more")
        await until(pilot, lambda: allowed or pilot.app.screen.bar.asking)
        await until(pilot, lambda: len(home.desktop.called("send_sms")) == (2 if allowed else 1))

    flow(home.app(SMS), steps)
    chosen = settings.read(home.settings)
    assert (chosen.allow, chosen.allow_sends) == (("create_note",), sends)


def test_escape_leaves_the_second_answer_and_allows_nothing(home):
    async def steps(pilot):
        await answer(pilot, "w")
        await pilot.press("escape")
        await until(pilot, lambda: "Carry out this plan?" in text_of(pilot, "#question"))
        await pilot.press("r")
        await pilot.pause(TYPING + 0.1)
        await done(pilot)

    flow(home.app(SMS), steps)
    assert not home.desktop.calls
    assert not home.settings.exists()


def test_a_tool_that_was_allowed_to_write_and_now_sends_asks(home):
    settings.change(home.settings, allow=("create_note", "send_sms"))
    flow(home.app(SMS), to_approval)


def test_the_tools_screen_takes_it_back(home):
    settings.change(home.settings, allow=("create_note", "create_reminder"))

    async def steps(pilot):
        await pilot.press("f3")
        await until(pilot, lambda: pilot.app.screen.query("#names"))
        await until(pilot, lambda: pilot.app.screen.query_one("#names").option_count)
        pilot.app.screen.query_one("#search").value = "create_note"
        await until(pilot, lambda: "Allowed always: it writes without asking. W takes it back." in entry(pilot))
        await pilot.press("w")
        await until(pilot, lambda: "Allowed always" not in entry(pilot))
        await pilot.press("f2")
        await to_approval(pilot)

    def entry(pilot):
        return text_of(pilot, "#entry-text")

    flow(home.app(), steps)
    assert settings.read(home.settings).allow == ("create_reminder",)


def test_what_is_taken_back_in_the_file_asks_at_once_and_a_broken_file_lets_everything_ask(home):
    settings.change(home.settings, allow=("create_note",))

    async def steps(pilot):
        await until(pilot, lambda: pilot.app.screen.query("#prompt"))
        home.settings.write_text("allow: [")
        await to_approval(pilot)
        assert "Until then every plan asks." in notices(pilot)

    flow(home.app(), steps)
    assert home.settings.read_text() == "allow: ["


@dataclass
class Unsure(FakePlanner):
    """Is less sure of every plan than it needs to be."""

    ask_below: float = 0.5

    def plan(self, *given) -> Iterator[object]:
        for item in super().plan(*given):
            yield PlanEnd(1, 1, 1, confidence=0.2) if isinstance(item, PlanEnd) else item


@pytest.mark.parametrize("plan", [NOTE, LOOKUP], ids=["writes", "reads"])
def test_a_plan_that_the_planner_is_unsure_of_asks_whatever_was_allowed(home, plan):
    settings.change(home.settings, allow=("create_note",))

    async def steps(pilot):
        await to_approval(pilot)
        assert "not sure that this is what you meant" in text_of(pilot, "#question")
        assert not home.desktop.calls
        await pilot.press("a")
        await pilot.pause(TYPING + 0.1)
        await done(pilot)
        assert home.desktop.calls

    flow(home.app(Unsure(plan)), steps)


# Colours and keys


def test_the_theme_is_kept(home):
    async def choose(pilot):
        assert pilot.app.theme == "textual-dark"
        pilot.app.theme = "nord"
        await until(pilot, home.settings.exists)

    async def look(pilot):
        assert pilot.app.theme == "nord"

    flow(home.app(), choose)
    flow(home.app(), look)
    assert settings.read(home.settings).theme == "nord"


def test_an_unknown_theme_is_refused_with_the_nearest(home):
    home.settings.write_text("# mine\ntheme: nort\n")
    with pytest.raises(ConfigError, match=r"settings.yaml:2: key 'theme': 'nort' is not known; did you mean 'nord'\?"):
        home.app()


def test_keys_of_ones_own_take_the_place_of_the_others(home):
    keys = {"approval.approve": "y", "app.help": "f12", "approval.note": "f10"}
    settings.change(home.settings, keys=keys)

    async def steps(pilot):
        await pilot.press("f12")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        await pilot.pause()
        assert "approval.approve  y" in text_of(pilot, "#help")
        await pilot.press("escape")
        await to_approval(pilot)
        await pilot.press("a")
        await pilot.pause(TYPING + 0.1)
        assert pilot.app.screen.prompt.text == "a", "it is a letter again"
        await pilot.press("tab")
        await unlock(pilot)
        await pilot.press("y")
        await pilot.pause(TYPING + 0.1)
        await done(pilot)
        assert home.desktop.called("create_note")

    flow(home.app(), steps)


WRONG = {
    "unknown": ({"ask.und": "f9"}, "keys: 'ask.und' is not known; did you mean 'ask.undo'?"),
    "no key": ({"ask.undo": "f9, shiny"}, "'shiny' is no key"),
    "empty": ({"ask.undo": ""}, "'' is no key"),
    "kept": ({"ask.undo": "escape"}, "'escape' is kept for moving about"),
    "a letter in the prompt": ({"app.help": "h"}, "'h' is a letter of a request"),
    "a key of the prompt": ({"ask.undo": "ctrl+k"}, "'ctrl+k' moves or deletes in the prompt"),
    "taken beside it": ({"approval.edit": "a"}, "'a' is 'approval.approve' already"),
    "taken everywhere": ({"history.undo": "f1"}, "'f1' is 'app.help' already"),
}


@pytest.mark.parametrize(("keys", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_key_is_refused_with_file_and_line(home, keys, said):
    settings.change(home.settings, theme="nord", keys=keys)
    with pytest.raises(ConfigError) as refused:
        Choices(home.settings)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{home.settings}:3: ")


def test_keys_that_change_places_are_fine(home):
    settings.change(home.settings, keys={"approval.edit": "a", "approval.approve": "e"})
    Choices(home.settings)


def test_every_key_that_may_be_changed_is_some_binding_and_every_binding_with_a_name_may():
    from textual.widget import Widget

    import tui.app
    import tui.doctor
    import tui.edit
    import tui.finetune
    import tui.past
    import tui.plan_view
    import tui.reader
    import tui.save
    import tui.settings
    import tui.tools
    import tui.transcript

    def below(kind):
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    classes = [kind for kind in below(Widget) if kind.__module__.startswith("tui.")] + [tui.app.TinyAgentApp]
    named = {b.id for kind in classes for b in kind.__dict__.get("BINDINGS", ()) if not isinstance(b, tuple) and b.id}
    assert named == set(keymap.DEFAULTS)
    assert approval.ApprovalBar in classes
    for name in keymap.DEFAULTS:
        keymap.check({name: keymap.DEFAULTS[name].replace("enter,", "")}, "the defaults")
