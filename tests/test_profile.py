"""Layouts as data: read strictly, written again, filled in one pass, the same in every locale."""

from __future__ import annotations

from datetime import datetime

import pytest

from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.profile import Piece, Profile, fill, from_data, moment, to_data
from tinyagent_mlx.prompt import FRAMES, PROFILES, example_text, planner_prompt, system_text

NOW = datetime(2026, 11, 2, 9, 5, 7)
BLOCKS = {"open_note": "open_note(name)\n", "send_sms": "send_sms(to)\n"}


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_read_as_it_was_written(name: str) -> None:
    assert from_data(to_data(PROFILES[name]), "here") == PROFILES[name]


def test_all_that_a_learnt_profile_has_is_kept() -> None:
    pieces = (
        Piece("a", any=("open_note",)),
        Piece("{n}", each="tool"),
        Piece("b", all=("x", "y")),
        Piece("c", when="more"),
    )
    whole = Profile(
        "it", pieces, "Q {request}", "{system}|{user}", True, 7, "<e>", {"x": "X"}, ("y", "x"), {"q": "Q q"}, True
    )
    assert from_data(to_data(whole), "here") == whole


def test_fields_are_filled_in_one_pass_and_other_braces_stay() -> None:
    assert fill("{request} {other} {} {now:%d}", request="{now}", now=NOW) == "{now} {other} {} 02"


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("%A %Y-%m-%d %H:%M", "Monday 2026-11-02 09:05"),
        ("%A, %B %d, %Y", "Monday, November 02, 2026"),
        ("%a %b", "Mon Nov"),
    ],
    ids=["usual", "long", "short"],
)
def test_moments_are_written_in_english(layout: str, text: str) -> None:
    assert moment(NOW, layout) == text


@pytest.mark.parametrize(
    ("piece", "at_hand", "more", "stands"),
    [
        (Piece("!", any=("open_note", "x")), ("open_note",), False, True),
        (Piece("!", any=("x",)), ("open_note",), False, False),
        (Piece("!", all=("open_note", "send_sms")), ("open_note", "send_sms"), False, True),
        (Piece("!", all=("open_note", "send_sms")), ("open_note",), False, False),
        (Piece("!", when="more"), ("open_note",), True, True),
        (Piece("!", when="more"), ("open_note",), False, False),
        (Piece("!", when="rules"), ("open_note",), False, False),
    ],
    ids=["any", "none of any", "all", "one of all", "more", "no more", "no rules"],
)
def test_a_piece_stands_with_its_tools(piece: Piece, at_hand: tuple[str, ...], more: bool, stands: bool) -> None:
    blocks = {name: BLOCKS[name] for name in at_hand}
    assert system_text(Profile("it", (piece,)), blocks, NOW, more=more) == "!" * stands


def test_tools_stand_in_the_profile_s_order_and_words_and_others_after_them(shipped_tools) -> None:
    pieces = (Piece("{tools} of {entries}\n"), Piece("{number}. {block}", each="tool"))
    profile = Profile("it", pieces, blocks={"send_sms": "send!\n\n"}, order=("send_sms",))
    text = planner_prompt(shipped_tools.subset(["open_note", "send_sms"]), "hello", NOW, True, profile, [])
    assert text.startswith("2 of 3\n1. send!\n\n2. open_note(name: ")
    assert text.endswith("\n\nhello")


def test_examples_stand_word_for_word_or_in_the_profile_s_layout(shipped_tools) -> None:
    example = shipped_tools["open_note"].examples[0]
    layout = Piece("Q {request}\n{steps}{number}. join()\n", each="example")
    profile = Profile("it", (layout,), shown={example.request: "as it was\n"})
    assert planner_prompt(shipped_tools, "hi", NOW, profile=profile, examples=[example]) == "as it was\nhi"
    assert example_text(example, profile) == f'Q {example.request}\n1. open_note("packing list", "")\n2. join()\n'


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], "expected keys with values"),
        ({"system": [], "sistem": []}, "key 'sistem': is not known"),
        ({"system": [], "again": {"users": ""}}, "key 'again': 'users' is not known"),
        ({"system": "text"}, "key 'system': is 'text', expected a list of pieces"),
        ({"system": [{"each": "tool"}]}, "piece 1: has no 'text'"),
        ({"system": [{"text": "", "each": "day"}]}, "key 'each': is 'day', expected one of rule, tool, example"),
        ({"system": [{"text": "", "any": [1]}]}, "key 'any': is [1], expected a list of names"),
        ({"system": [], "examples": -1}, "key 'examples': is -1, expected a number from 0"),
        ({"system": [], "chat": "yes"}, "expected true or false"),
        ({"system": [], "user": "Q"}, "key 'user': has no {request}"),
        ({"system": [], "frame": "{system}"}, "key 'frame': has no {user}"),
        ({"system": [], "shown": {"a": 1}}, "expected names with texts"),
    ],
    ids=["list", "unknown", "again", "no list", "no text", "each", "any", "count", "chat", "user", "frame", "shown"],
)
def test_what_is_no_layout_is_told_with_its_key(data: object, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        from_data(data, "mine.json")
    assert told in str(error.value)
    assert str(error.value).startswith("mine.json: ")


def test_frames_hold_both_texts() -> None:
    assert {"text", "alpaca", "vicuna"} == set(FRAMES)
    assert all("{system}" in frame and "{user}" in frame for frame in FRAMES.values())
