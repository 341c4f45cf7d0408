"""Links as they are written and said, and that an argument which wants one takes nothing else of a request."""

from __future__ import annotations

import numpy as np
import pytest

from tinyagent_mlx.argtypes import TYPES
from tinyagent_mlx.decisions import EMPTY, SPECIALS, Cursor, Layout
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.lab.oracle import Oracle
from tinyagent_mlx.links import is_link, links, written
from tinyagent_mlx.plan import Step, parse_plan
from tinyagent_mlx.toolbox import Argument, Tool, Toolbox
from tinyagent_mlx.words import split_words


@pytest.mark.parametrize(
    "text",
    ["example.com", "www.bbc.co.uk/news", "https://a.b", "http://localhost:3000/a?b#c", "my-site.io:8080", "obsidian://open?vault=x"],
)  # fmt: skip
def test_what_is_a_link(text):
    assert is_link(text)


@pytest.mark.parametrize(
    "text", ["", "Safari", "the BBC", "3.30", "e.g.", "sid@acme.io", "example.com today", "a.b c.de", "v1.2"]
)
def test_what_is_none(text):
    assert not is_link(text)


@pytest.mark.parametrize(
    ("said", "link"),
    [
        ("amber dot org", "amber.org"),
        ("Docs dot Amber dot co dot uk slash price dash list", "Docs.Amber.co.uk/price-list"),
        ("https://amber.org/shop", "https://amber.org/shop"),
        ("polka dot dress", "polka.dress"),
        ("the dot", "the dot"),
        ("Safari", "Safari"),
    ],
)
def test_a_spoken_link_is_written(said, link):
    assert written(said) == link


@pytest.mark.parametrize(
    ("request_text", "found"),
    [
        ("open docs.python.org, please.", ["docs.python.org"]),
        ("look (https://a.io/b?c=1) and at my-site.com's page!", ["https://a.io/b?c=1", "my-site.com"]),
        ("um go to amber dot org slash shop and text sid", ["amber dot org slash shop"]),
        ("mail sid@acme.io at 3.30pm, e.g. today", []),
    ],
)
def test_links_stand_in_requests(request_text, found):
    assert [request_text[start:end] for start, end in links(request_text)] == found


@pytest.fixture
def layout(shipped_tools) -> Layout:
    page = Argument("page", TYPES["url"], "the page", "", extractive=True)
    visit = Tool("visit", "Web", "Opens a page.", (page,), "status", "read", None, None, 30.0, "", (), (), "")
    return Layout(Toolbox((*shipped_tools.tools, visit), shipped_tools.rules))


def asked(layout: Layout, request: str) -> tuple[Cursor, list[str]]:
    """A cursor that asks for the page, and the words it may begin with."""
    words = split_words(request)
    cursor = Cursor(layout, request, words)
    cursor.choose(SPECIALS + layout.tools.names.index("visit"))
    legal = np.flatnonzero(cursor.legal())
    assert EMPTY in legal
    return cursor, [words[n - layout.words_at].text for n in legal if n >= layout.words_at]


def test_only_a_link_can_fill_an_argument_that_wants_one(layout):
    cursor, starts = asked(layout, "open docs.python.org/about in Safari for Sid")
    assert starts == ["docs.python.org"]
    cursor.choose(layout.words_at + 1)
    (end,) = np.flatnonzero(cursor.legal())
    assert cursor.choose(int(end)).arguments == ("docs.python.org/about",)
    assert asked(layout, "open that in Safari")[1] == []


@pytest.mark.parametrize("request_text", ["visit amber dot org slash shop now", "visit amber.org/shop now"])
def test_what_is_said_is_learnt_as_what_is_written(layout, request_text):
    plan = parse_plan('1. visit("amber.org/shop")')
    cursor = Cursor(layout, request_text, split_words(request_text))
    for decision in Oracle(layout).decisions(request_text, plan):
        assert cursor.legal()[decision]
        cursor.choose(decision)
    assert cursor.steps == list(plan.steps)


def test_a_link_that_is_not_in_the_request_is_not_learnt(layout):
    with pytest.raises(PlanError, match=r"amber\.net"):
        Oracle(layout).decisions("visit amber.org", parse_plan('1. visit("amber.net")'))


def test_a_tool_that_needs_a_link_is_not_called_without_one(shipped_tools):
    page = Argument("page", TYPES["url"], "the page", "", extractive=True, required=True)
    opens = Tool("open_url", "Web", "Opens a page.", (page,), "status", "read", None, None, 30.0, "", (), (), "")
    layout = Layout(Toolbox((*shipped_tools, opens)))
    place = SPECIALS + layout.tools.names.index("open_url")
    with_a_link, without = (Cursor(layout, text, split_words(text)) for text in ("open amber.org", "open the lease"))
    assert with_a_link.legal()[place]
    assert not without.legal()[place]
    after_a_link = Cursor(layout, "a zoom link, opened", split_words("a zoom link, opened"))
    after_a_link.steps.append(Step(1, "get_zoom_meeting_link", ("", "", 60, ())))
    assert after_a_link.legal()[place]
