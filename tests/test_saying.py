"""Which declared choices a request says."""

from __future__ import annotations

import pytest

from tinyagent_mlx.argtypes import TYPES
from tinyagent_mlx.decisions import Layout
from tinyagent_mlx.saying import MEANT, NAMED, said
from tinyagent_mlx.toolbox import Argument, Tool, Toolbox
from tinyagent_mlx.words import split_words


def heard(choices: dict, request: str, kind: str = "choice") -> dict:
    """How clearly each choice is said."""
    argument = Argument("what", TYPES[kind], "which one", "", choices)
    tool = Tool("act", "App", "Does it.", (argument,), "status", "write", None, None, 30.0, "", (), (), "")
    slot = Layout(Toolbox((tool,))).slots[0]
    values = said(slot, [word.text for word in split_words(request)])
    return {value: float(clear) for (value, _), clear in zip(slot.constants, values, strict=True) if clear}


KINDS = {"web": "normal pages", "images": "pictures", "news": "news and headlines"}
STATES = {"on": "the lamps burn", "off": "the lamps are dark"}
SPEEDS = {1: "high", 5: "medium", 9: "low"}


@pytest.mark.parametrize(
    ("choices", "request_text", "expected"),
    [
        (STATES, "lamps OFF in the attic", {"off": NAMED}),
        (STATES, "something else", {}),
        (KINDS, "show me a picture of red pandas", {"images": MEANT}),
        (KINDS, "any news, and images too", {"news": NAMED, "images": NAMED}),
        ({"very_high": "most", "high": "more"}, "make it very high", {"very_high": NAMED, "high": NAMED}),
        ({"d": "by car", "w": "walking"}, "d w walk there", {"w": MEANT}),
        (SPEEDS, "with low priority", {9: MEANT}),
        ({"off": "dark", "offer": "a price"}, "make an offer", {"offer": NAMED}),
        ({"Italian": "", "German": ""}, "what would a german say", {"German": NAMED}),
    ],
)
def test_a_choice_is_said_by_name_or_by_a_word_of_its_own(choices, request_text, expected):
    assert heard(choices, request_text) == expected


def test_a_word_that_several_choices_share_says_none():
    assert heard({"all": "every lamp", "one": "a single lamp"}, "the lamp") == {}


def test_yes_and_no_are_not_words_of_a_request():
    assert heard({}, "true or false", "boolean") == {}
