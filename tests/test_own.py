"""A user's examples become wordings: what stands in the plan becomes a slot, and nothing else does."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from tinyagent_mlx.lab import own
from tinyagent_mlx.lab.generate import Generator
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.plan import parse_plan, print_plan
from tinyagent_mlx.toolbox import Example
from tinyagent_mlx.toolfile import load_toolbox

NOW = datetime(2026, 11, 23, 9)
TOOLS = load_toolbox(shipped("tools.yaml"))


def shown(request: str, plan: str) -> tuple[str, str]:
    """The wording of an example, and its plan with slots in braces."""
    found = own.wording(Example(request, parse_plan(plan)), TOOLS, "test", {})
    plan = print_plan(found.plan).replace("\\ue000", "{").replace("\\ue001", "}")
    return found.text, plan


@pytest.mark.parametrize(
    ("request_text", "plan", "text", "slots"),
    [
        (
            "text Ana that I'm late",
            '1. get_phone_number("Ana")\n2. send_sms(["$1"], "I\'m late")',
            "text {person} that {message}",
            '1. get_phone_number("{person}")\n2. send_sms(["$1"], "{message}")',
        ),
        (
            "zoom link for standup tomorrow at 9 for 45 minutes",
            '1. get_zoom_meeting_link("standup", "tomorrow at 9", 45, [])',
            "zoom link for {topic} {when} for {length}",
            '1. get_zoom_meeting_link("{topic}", "{when}", "{length}", [])',
        ),
        (
            "remind me to pay rent on friday",
            '1. create_reminder("pay rent", "friday", "", "", 0, True)',
            "remind me to {task} on {date}",
            '1. create_reminder("{task}", "{date}", "", "", 0, True)',
        ),
        (
            "find tea, tea and more tea",
            '1. open_and_get_file_path("tea")',
            "find tea, tea and more tea",
            '1. open_and_get_file_path("tea")',
        ),
    ],
    ids=["names and words", "numbers with their unit", "a day", "a value that stands there often stays"],
)
def test_values_become_slots(request_text, plan, text, slots):
    assert shown(request_text, plan) == (text, slots)


@pytest.mark.parametrize(
    ("request_text", "iso", "words"),
    [
        ("put a sync on friday at noon please", "2026-11-27 12:00:00", "friday at noon"),
        ("call the bank tomorrow", "2026-11-24", "tomorrow"),
        ("call the bank", "2026-11-24", ""),
    ],
    ids=["day and time", "a day", "not said"],
)
def test_a_moment_is_found_in_the_requests_words(request_text, iso, words):
    assert own.words_of_moment(request_text, iso, NOW) == words


def test_examples_of_cases_hold_words_instead_of_dates():
    plan = parse_plan('1. create_reminder("call the bank", "2026-11-24", "", "", 0, True)')
    changed = own.in_words(Example("remind me tomorrow to call the bank", plan), TOOLS, NOW)
    assert changed.plan.steps[0].arguments[1] == "tomorrow"


def test_wordings_make_rows_that_check():
    example = Example(
        "text Ana that I'm late", parse_plan('1. get_phone_number("Ana")\n2. send_sms(["$1"], "I\'m late")')
    )
    (found,) = own.wordings(example, TOOLS, {})
    assert found.text == "text {person} that {message}"
    generator = Generator([found], TOOLS, ["amber", "basil", "cedar"], 0)
    requests = {row.request for row, _ in zip(generator.rows(), range(20), strict=False)}
    assert len(requests) > 15


def test_a_choice_that_is_said_is_said_otherwise_too():
    example = Example("how do I walk to the zoo", parse_plan('1. maps_show_directions("", "the zoo", "w")'))
    assert not list(own.other_choices(example, TOOLS))  # "w" is not a word of the request
    lights = load_toolbox(Path(__file__).parent / "scenarios" / "lights" / "tools.yaml")
    example = Example("all lights off", parse_plan('1. set_lights("", "off", 0)'))
    (found,) = own.other_choices(example, lights)
    assert [w.text for w in own.wordings(example, lights, {})] == ["all lights off", "all lights on"]
    assert (found.request, print_plan(found.plan).splitlines()[0]) == ("all lights on", '1. set_lights("", "on", 0)')
    twice = Example("lights off, all off", example.plan)
    assert not list(own.other_choices(twice, lights))
