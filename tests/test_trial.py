"""Trying a tool: its examples against their own plans, requests of one's own, and what is said of each."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from datetime import datetime

import pytest

from tests.models import small_engine
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cli import trying
from tinyagent_mlx.cli.main import main
from tinyagent_mlx.desktop.base import NoDesktop
from tinyagent_mlx.plan import parse_plan
from tinyagent_mlx.planner import PlanEnd
from tinyagent_mlx.retriever import EveryTool
from tinyagent_mlx.trial import trials

NOW = datetime(2026, 11, 23, 9)
# The two examples of create_calendar_event
DENTIST = "put dentist on my calendar for friday at 3pm"
REVIEW = "Schedule a design review with Ines tomorrow at 10 in Room 4"
RIGHT = {
    DENTIST: '1. create_calendar_event("dentist", "2026-11-27 15:00:00", "", "", [], "", "")',
    REVIEW: '1. get_email_address("ines")\n2. create_calendar_event("Design review", "tomorrow at 10", "", "Room 4", ["$1"], "", "")',
}


@dataclass
class Planner:
    plans: dict[str, str]
    confidence: float | None = 0.5
    name: str = "fake"
    ask_below: float = 0.6

    def plan(self, text, tools, retrieved, now):
        yield from parse_plan(self.plans.get(text, "")).steps
        yield PlanEnd(1, 1, 1, self.confidence)


def tried(shipped_tools, plans: dict[str, str], *requests: str, confidence: float | None = 0.5):
    agent = Agent(shipped_tools, Planner(plans, confidence), EveryTool(), NoDesktop())
    return list(trials(agent, shipped_tools["create_calendar_event"], requests, NOW))


MISSES = {
    "none": (RIGHT, [True, True], [True, True]),
    "another argument": (RIGHT | {DENTIST: RIGHT[DENTIST].replace("15:", "16:")}, [False, True], [True, True]),
    "a step less": (RIGHT | {REVIEW: RIGHT[DENTIST]}, [True, False], [True, False]),
    "refused": (RIGHT | {DENTIST: ""}, [False, True], [False, True]),
}


@pytest.mark.parametrize(("plans", "right", "graph"), MISSES.values(), ids=MISSES)
def test_an_example_is_missed_when_its_plan_is_another(shipped_tools, capsys, plans, right, graph):
    found = tried(shipped_tools, plans)
    assert [trial.right for trial in found] == right
    assert [trial.graph for trial in found] == graph
    assert trying.show(shipped_tools["create_calendar_event"], found) == (0 if all(right) else 1)
    out = capsys.readouterr().out
    assert out.count("✗") == right.count(False)
    assert f"{right.count(True)} of 2 examples" in out


def test_a_miss_is_shown_beside_what_was_wanted(shipped_tools, capsys):
    wrong = RIGHT[DENTIST].replace("dentist", "my dentist")
    trying.show(shipped_tools["create_calendar_event"], tried(shipped_tools, RIGHT | {DENTIST: wrong}))
    out = capsys.readouterr().out
    assert '    - 1. create_calendar_event("dentist", "2026-11-27 15:00:00"' in out
    assert '    + 1. create_calendar_event("my dentist", "2026-11-27 15:00:00"' in out
    assert "same tools, other arguments" in out


def test_a_request_of_ones_own_says_whether_the_tool_is_called_and_misses_nothing(shipped_tools, capsys):
    plans = RIGHT | {"sync": RIGHT[DENTIST]}
    found = tried(shipped_tools, plans, "sync", "sing")
    assert [(trial.wanted, trial.right) for trial in found[2:]] == [(None, True), (None, False)]
    assert trying.show(shipped_tools["create_calendar_event"], found) == 0
    out = capsys.readouterr().out
    assert "✓ sync  (confidence 50%, asks about the whole plan)" in out
    assert "· sing" in out
    assert "(refused)\n    (this tool is not called)" in out


def test_a_planner_that_knows_no_confidence_says_none(shipped_tools, capsys):
    trying.show(shipped_tools["create_calendar_event"], tried(shipped_tools, RIGHT, confidence=None))
    assert "confidence" not in capsys.readouterr().out


def test_trials_as_json(shipped_tools, capsys):
    found = tried(shipped_tools, RIGHT | {REVIEW: ""}, "sync")
    assert trying.show(shipped_tools["create_calendar_event"], found, as_json=True) == 1
    out = json.loads(capsys.readouterr().out)
    assert (out["tool"], out["missed"], len(out["trials"])) == ("create_calendar_event", 1, 3)
    assert out["trials"][0] == {
        "query": DENTIST, "plan": RIGHT[DENTIST], "wanted": RIGHT[DENTIST], "right": True, "same_graph": True,
        "confidence": 0.5, "doubtful": True, "seconds": out["trials"][0]["seconds"],
    }  # fmt: skip


def test_the_command_plans_with_a_real_model(tmp_path, home, capsys):
    small_engine(tmp_path / "planner")
    main(["tools", "new", "play_song", "--yes", "--argument", "song", "--example", "play x", '1. play_song("x")'])
    capsys.readouterr()
    status = main(["tools", "try", "play_song", "play y", "--model", str(tmp_path / "planner"), "--json"])
    out = json.loads(capsys.readouterr().out)
    assert [trial["query"] for trial in out["trials"]] == ["play x", "play y"]
    assert status == out["missed"]
    assert list((home / "applescripts").iterdir()) == [home / "applescripts" / "play_song.applescript"]


@pytest.mark.parametrize(
    ("name", "says"),
    [("play_sng", "no tool is called 'play_sng'; did you mean 'play_song'?"), ("send_sms", "switched off")],
)
def test_a_tool_that_is_not_there_is_named(home, capsys, name, says):
    main(["tools", "new", "play_song", "--yes"])
    main(["tools", "off", "send_sms"])
    assert main(["tools", "try", name]) == 2
    assert says in capsys.readouterr().err


def test_the_options_of_a_plan_are_taken():
    parser = argparse.ArgumentParser()
    trying.add_options(parser)
    options = parser.parse_args(["play_song", "one", "two", "--now", "2026-11-23"])
    assert (options.requests, options.now) == (["one", "two"], "2026-11-23")
