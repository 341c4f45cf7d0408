"""The Fine-tune screen: started, stopped, resumed, installed, not better, nothing to learn, and the real training in it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from tests.models import small_engine
from tests.test_finetune import EXAMPLES, OWN
from tests.tui_fakes import FakeDesktop, FakePlanner, FakeTuner, ask, done, make_app, read_tools, text_of, until
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab import finetune
from tinyagent_mlx.lab.finetune import Outcome, Scores
from tinyagent_mlx.planners import Planners
from tinyagent_mlx.retriever import EveryTool
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import load_toolbox
from tui.curve import braille
from tui.finetune import FinetuneScreen, time_left
from tui.tuner import OwnTuner


def on_screen(flow, size=(80, 24), **settings):
    """Run `flow(pilot, screen)` on the Fine-tune screen."""

    async def run():
        app = make_app(**settings)
        async with app.run_test(size=size) as pilot:
            await pilot.press("f3")
            await until(pilot, lambda: app.screen.query("#names"))
            await pilot.press("f")
            await until(pilot, lambda: isinstance(app.screen, FinetuneScreen))
            await idle(pilot)
            await flow(pilot, app.screen)

    asyncio.run(run())


async def idle(pilot):
    await until(pilot, lambda: pilot.app.screen.working is None, 20)
    await pilot.pause()


def keys(pilot):
    return {binding.binding.description for binding in pilot.app.screen.active_bindings.values() if binding.enabled}


def test_it_says_what_it_will_learn_from():
    async def flow(pilot, screen):
        said = text_of(pilot, "#matter")
        assert "play_song, set_volume" in said
        assert "6 to learn from, 2 held back" in said
        assert "shipped planner" in said
        assert {"Start", "Planner before"} <= keys(pilot)
        assert not {"Stop", "Go on", "Begin anew"} & keys(pilot)

    on_screen(flow)


def test_it_trains_installs_what_is_better_and_plans_with_it_at_once():
    made = []

    def make_agent():
        made.append(FakePlanner("", name=f"planner {len(made)}"))
        return Agent(read_tools(), made[-1], EveryTool(), FakeDesktop())

    tuner = FakeTuner()

    async def flow(pilot, screen):
        await until(pilot, lambda: pilot.app.engine.ready)
        await pilot.press("s")
        await until(pilot, lambda: tuner.did)
        await idle(pilot)
        assert tuner.did == ["tune from 0", "install"]
        said = text_of(pilot, "#outcome")
        assert "your tools        50.0%   100.0%" in said
        assert "installed: fine-tuned planner 1" in said
        assert "planner 1" in pilot.app.status
        await pilot.press("f2")
        await until(pilot, lambda: pilot.app.screen.query("#prompt"))
        await ask(pilot, "play something")
        await done(pilot)
        assert [planner.asked for planner in made] == [[], ["play something"]]

    on_screen(flow, tuner=tuner, make_agent=make_agent)


def test_progress_and_time_left_are_shown_while_asking_goes_on():
    hold = threading.Event()
    tuner = FakeTuner(hold={4: hold})

    async def flow(pilot, screen):
        await pilot.press("s")
        await until(pilot, lambda: "Step 3 of 6" in text_of(pilot, "#standing"))
        assert "loss 0.333, 2 min left" in text_of(pilot, "#standing")
        assert screen.losses == {1: 1.0, 2: 0.5, 3: 1 / 3}
        assert {"Stop"} <= keys(pilot)
        assert not {"Start", "Planner before"} & keys(pilot)
        await pilot.press("f2")
        await until(pilot, lambda: pilot.app.screen.query("#prompt"))
        await ask(pilot, "anything")
        await done(pilot)
        assert "None of the tools can do that" in text_of(pilot)
        hold.set()
        await until(pilot, lambda: "install" in tuner.did)

    on_screen(flow, tuner=tuner, planner=FakePlanner(""))


def test_it_stops_and_goes_on_from_there():
    hold = threading.Event()
    tuner = FakeTuner(hold={3: hold})

    async def flow(pilot, screen):
        await pilot.press("s")
        await until(pilot, lambda: 2 in screen.losses)
        await pilot.press("s")
        assert "Stops after this step" in text_of(pilot, "#standing")
        hold.set()
        await idle(pilot)
        assert "Stopped at step 3 of 6" in text_of(pilot, "#standing")
        assert {"Go on", "Begin anew"} <= keys(pilot)
        await pilot.press("s")
        await until(pilot, lambda: "install" in tuner.did)
        await idle(pilot)
        assert tuner.did == ["tune from 0", "tune from 3", "install"]

    on_screen(flow, tuner=tuner)


def test_what_was_stopped_before_a_restart_is_there_again():
    async def flow(pilot, screen):
        assert "Stopped at step 2 of 6" in text_of(pilot, "#standing")
        assert screen.losses == {1: 0.9, 2: 0.7}
        assert "0.90" in screen.query_one("#losses").render().plain

    on_screen(flow, tuner=FakeTuner(reached=2, losses={1: 0.9, 2: 0.7}))


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (Scores(0.5, 0.9), Scores(1.0, 0.8), "the shipped tools lost more than a point"),
        (Scores(0.5, 0.9), Scores(0.25, 0.895), "Not installed: fewer requests for your tools are planned right. The"),
    ],
    ids=["shipped tools lost", "own tools lost"],
)
def test_what_is_not_better_is_not_installed_and_it_says_why(before, after, why):
    tuner = FakeTuner(Outcome(before, after))

    async def flow(pilot, screen):
        await pilot.press("s")
        await until(pilot, lambda: tuner.did)
        await idle(pilot)
        assert " ".join(text_of(pilot, "#outcome").split()).find(why) > 0
        assert tuner.did == ["tune from 0"]
        await pilot.press("n")
        await until(pilot, lambda: len(tuner.did) == 3)
        await idle(pilot)
        assert tuner.did[1:] == ["anew", "tune from 0"]

    on_screen(flow, tuner=tuner)


def test_without_an_own_tool_it_says_how_to_make_one():
    trouble = ConfigError("there is no tool of your own to fine-tune on: `tinyagent tools new` makes one")

    async def flow(pilot, screen):
        assert "Nothing to learn yet: there is no tool of your own" in text_of(pilot, "#matter")
        assert not {"Start", "Go on", "Stop", "Begin anew"} & keys(pilot)
        await pilot.press("s")
        await pilot.pause()
        screen.tuner.trouble = None  # a tool was made meanwhile
        await pilot.press("f3", "f")
        await idle(pilot)
        assert "Start" in keys(pilot)

    on_screen(flow, tuner=FakeTuner(trouble=trouble))


def test_it_goes_back_to_the_planner_before():
    tuner = FakeTuner()

    async def flow(pilot, screen):
        await pilot.press("b")
        await until(pilot, lambda: tuner.did)
        await idle(pilot)
        assert "In use now: shipped planner" in text_of(pilot, "#standing")

    on_screen(flow, tuner=tuner)


class Breaking(FakeTuner):
    def tune(self, stepped, measured):
        raise MemoryError("too large")


def test_a_fault_in_training_leaves_the_screen_alive():
    async def flow(pilot, screen):
        await pilot.press("s")
        await until(pilot, lambda: "MemoryError: too large" in text_of(pilot, "#standing"))
        await idle(pilot)
        assert "Start" in keys(pilot)

    on_screen(flow, tuner=Breaking())


def test_closing_the_program_stops_the_training():
    hold = threading.Event()
    tuner = FakeTuner(hold={2: hold})

    async def flow(pilot, screen):
        await pilot.press("s")
        await until(pilot, lambda: 1 in screen.losses)
        asyncio.get_running_loop().call_later(0.3, hold.set)

    on_screen(flow, tuner=tuner)
    assert (tuner.reached, tuner.did) == (2, ["tune from 0"])


@pytest.mark.parametrize(("seconds", "said"), [(3, "3 s"), (89, "89 s"), (130, "2 min")])
def test_time_left_is_said_in_words(seconds, said):
    assert time_left(seconds) == said


def test_a_curve_falls_from_the_top_left_to_the_bottom_right():
    rows = braille({0: 1.0, 8: 0.0}, 8, 1.0, 4, 4)
    assert [len(row) - len(row.lstrip()) for row in rows] == [0, 1, 2, 3]


class SmallTuner(OwnTuner):
    """The real one with a small batch and few requests to measure."""

    def lesson(self):
        about, out = super().lesson()
        return replace(about, old_cases=1), out

    def recipe(self, out):
        return replace(super().recipe(out), batch=4)


def own_toolbox() -> Toolbox:
    own = load_toolbox(OWN)
    with_examples = (replace(tool, examples=EXAMPLES if tool.name == "play_song" else ()) for tool in own)
    shipped = read_tools()
    return Toolbox((*shipped, *with_examples), shipped.rules)


def test_the_real_training_is_stopped_goes_on_and_ends_on_the_screen(tmp_path, monkeypatch):
    for bound in ("STRANGE", "REFUSALS", "LURES_OF"):  # what is looked through before the first step: a few will do
        monkeypatch.setattr(finetune, bound, 8)
    small_engine(tmp_path / "made")
    home = tmp_path / "home"
    planner = Planners(home / "planners").install(tmp_path / "made")
    tuner = SmallTuner(own_toolbox, home, steps=8)

    async def flow(pilot, screen):
        assert "6 to learn from, 2 held back" in text_of(pilot, "#matter")
        assert "fine-tuned planner 1" in text_of(pilot, "#matter")
        await pilot.press("s")
        await until(pilot, lambda: screen.losses, 30)
        await pilot.press("s")
        await idle(pilot)
        assert "Stopped at step" in text_of(pilot, "#standing")
        reached = screen.matter.reached
        assert 0 < reached < 8
        again = SmallTuner(own_toolbox, home, steps=8).matter()
        assert (again.reached, sorted(again.losses)) == (reached, list(range(1, reached + 1)))
        await pilot.press("s")
        await until(pilot, lambda: "before" in text_of(pilot, "#outcome"), 30)
        await idle(pilot)
        installed = Planners(home / "planners").in_use
        assert ("installed: fine-tuned planner 2" in text_of(pilot, "#outcome")) == (installed != planner)

    on_screen(flow, tuner=tuner)
