"""The planner keeps its promise with any weights: here random ones, so that nothing but the decoding can keep it."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from functools import lru_cache

import pytest

from tests.models import small_engine
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.check import check_plan
from tinyagent_mlx.desktop.base import NoDesktop
from tinyagent_mlx.errors import PlannerError
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.plan import Plan, Step, parse_plan, print_plan
from tinyagent_mlx.planner import PlanEnd
from tinyagent_mlx.pointing import UNLIKELY, PointerEngine, PointerPlanner, PointerRetriever

NOW = datetime(2026, 11, 23, 9)
REQUESTS = [
    "",
    " ",
    "text 555-0199 that the package arrived",
    "email Sid the Q3 deck and put a sync on Friday at 3",
    "what is $1 and ${2} worth? \"quoted\" 'single' \\ back",
    "line one\nline two\ttab\x00nul",
    "😀 emoji 👩‍👩‍👧 família naïve ñ",
    "word " * 160,
    "‮rtl override‬ and ​ zero width",
    bytes(range(128)).decode(),
    bytes(range(128, 256)).decode("latin-1"),
]


@pytest.fixture(scope="module", params=[0, 1, 2])
def engine(request, tmp_path_factory):
    return small_engine(tmp_path_factory.mktemp("planner"), seed=request.param)


@pytest.mark.parametrize("text", REQUESTS, ids=[repr(text[:20]) for text in REQUESTS])
def test_any_weights_make_plans_that_check(engine, shipped_tools, text):
    *steps, end = PointerPlanner(engine).plan(text, shipped_tools, shipped_tools.names, NOW)
    plan = Plan(tuple(step for step in steps if isinstance(step, Step)))
    check_plan(plan, shipped_tools)
    assert parse_plan(print_plan(plan)) == plan
    assert isinstance(end, PlanEnd)
    assert 0 <= end.confidence <= 1


@pytest.mark.parametrize("text", REQUESTS, ids=[repr(text[:20]) for text in REQUESTS])
def test_retrieval_is_never_empty_and_in_order(engine, shipped_tools, text):
    names = PointerRetriever(engine, threshold=1.1).retrieve(text, shipped_tools)
    assert len(names) == 1
    every = PointerRetriever(engine, threshold=0.0).retrieve(text, shipped_tools)
    assert every == shipped_tools.names


@pytest.mark.parametrize(
    "text",
    [f"text Ines that {'very ' * 160}good", "word " * 20_000, "text Ines " + "ß" * 30 + " Übergrößenträger" * 60],
)
def test_a_request_whose_end_is_not_read_is_planned_with_a_word_and_not_carried_out(engine, shipped_tools, text):
    agent = Agent(shipped_tools, PointerPlanner(engine), PointerRetriever(engine), NoDesktop())
    end = agent.plan(text, NOW).end
    assert re.match(r"the request is too long: of \d+ words.* reads \d+, up to", end.unread)
    assert end.confidence == 0

    async def approve(plan: Plan) -> Plan:
        raise AssertionError("asked about half of a request")

    told: list[object] = []
    with pytest.raises(PlannerError, match="too long"):
        asyncio.run(agent.run(text, NOW, approve, told.append))
    assert not told, "no step of half a request is shown"


def test_steps_come_out_before_the_end(engine, shipped_tools):
    stream = PointerPlanner(engine).plan(REQUESTS[3], shipped_tools, shipped_tools.names, NOW)
    kinds = [type(item) for item in stream]
    assert kinds[-1] is PlanEnd
    assert kinds.count(PlanEnd) == 1


def test_confidence_is_read_off_the_manifests_curve(tmp_path, shipped_tools):
    engine = small_engine(tmp_path)
    raw = [*PointerPlanner(engine).plan(REQUESTS[3], shipped_tools, shipped_tools.names, NOW)][-1].confidence
    engine.manifest["confidence"] = {"least": [0.0, raw, 1.0], "right": [0.0, 0.25, 0.5], "ask_below": 0.6}
    planner = PointerPlanner(engine)
    found = [*planner.plan(REQUESTS[3], shipped_tools, shipped_tools.names, NOW)][-1].confidence
    assert found == pytest.approx(0.25)
    assert planner.ask_below == 0.6
    uncalibrated = PointerPlanner(engine, calibrated=False)
    assert uncalibrated.ask_below == 0
    assert [*uncalibrated.plan(REQUESTS[3], shipped_tools, shipped_tools.names, NOW)][-1].confidence == raw


NEGATED = {
    "don't text Ines that I'm late": True,
    "please do not put lunch on the calendar.": True,
    "stop reminding me to drink water": True,
    "do not email sid@example.com that I'm late": True,
    "don't text 555-0199 that I'm late, please": True,
    "please don't text 555-0199, it's late.": True,
    "no need to text 555-0199 that I'm late": True,
    "never email Sid the Q3 deck.pdf": True,
    "don't let Sid forget to bring milk": False,
    "don't hesitate to email Sid that I'm late": False,
    "stop what you're doing and text 555-0199 that I'm late": False,
    "Don\N{RIGHT SINGLE QUOTATION MARK}t email Sid": True,
    "don't forget to text Ines": False,
    "don't let me forget to renew my passport": False,
    "don't call, just text Ines": False,
    "text Ines that I don't mind": False,
    "open the file stop words.txt": False,
}


@pytest.mark.parametrize(("text", "doubted"), NEGATED.items(), ids=NEGATED)
def test_a_plan_for_what_shall_not_be_done_is_doubted(shipped_tools, text, doubted):
    planner = PointerPlanner(shipped_engine())
    *steps, end = planner.plan(text, shipped_tools, shipped_tools.names, NOW)
    if doubted and steps:
        assert end.confidence <= UNLIKELY < planner.ask_below
    if not doubted:
        assert end.confidence > UNLIKELY


@lru_cache(1)
def shipped_engine() -> PointerEngine:
    return PointerEngine(shipped("weights") / "planner")
