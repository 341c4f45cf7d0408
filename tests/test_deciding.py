"""A plan without the tool that fine-tuned weights expect gives way to one with it, or to what the weights before plan."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from tests.models import small_engine
from tinyagent_mlx import deciding, weights
from tinyagent_mlx.deciding import At, expecting, next_step, share, whole
from tinyagent_mlx.decisions import SPECIALS
from tinyagent_mlx.plan import Step
from tinyagent_mlx.planner import PlanEnd
from tinyagent_mlx.pointing import BEFORE, PointerEngine, PointerPlanner

NOW = datetime(2026, 11, 23, 9)
REQUEST = "email Sid"
OWN = ["open_note", "get_phone_number"]


@pytest.fixture
def tools(shipped_tools):
    """Few, so that random weights soon come to an end."""
    return shipped_tools.subset(["create_reminder", "get_email_address", *OWN])


@pytest.fixture
def tuned(tmp_path) -> PointerEngine:
    """Weights that pass for tuned on two tools and are sure that these are meant, with others before them."""
    engine = small_engine(tmp_path, seed=4)
    before = small_engine(tmp_path / "other", seed=3).folder
    weights.save_manifest(engine.folder, {**engine.manifest, "tuned": {"own_tools": OWN}})
    (engine.folder / BEFORE).mkdir()
    for file in weights.FILES:
        shutil.copy(before / file, engine.folder / BEFORE)
    sure = PointerEngine(engine.folder)
    sure.own_chance = lambda text, tools: 1.0
    return sure


def greedy(engine: PointerEngine, tools) -> At:
    return whole(engine.start(REQUEST, tools))[-1]


def planned(engine: PointerEngine, tools) -> tuple[list[Step], PlanEnd]:
    *steps, end = PointerPlanner(engine).plan(REQUEST, tools, tools.names, NOW)
    assert all(isinstance(step, Step) for step in steps)
    assert isinstance(end, PlanEnd)
    return steps, end


def take(at: At, candidate: int | None = None) -> None:
    """A decision: the most likely one, or another."""
    chances = at.decoding.probabilities(at.cursor, at.cursor.legal())
    assert np.exp(chances).sum() == pytest.approx(1)
    candidate = int(chances.argmax()) if candidate is None else candidate
    at.likely, at.least = at.likely + float(chances[candidate]), min(at.least, float(np.exp(chances[candidate])))
    at.decoding.remember(at.cursor, candidate)
    at.cursor.choose(candidate)


def test_how_likely_a_step_is_counts_every_decision(tuned, tools):
    at, again = next_step(tuned.start(REQUEST, tools)), tuned.start(REQUEST, tools)
    while not again.cursor.steps:
        take(again)
    assert again.cursor.steps == at.cursor.steps
    assert (at.likely, at.least) == pytest.approx((again.likely, again.least))


def test_the_likeliest_plan_with_an_expected_tool_is_found(tuned, tools, monkeypatch):
    monkeypatch.setattr(deciding, "WORTH", 1e9)
    ahead = whole(tuned.start(REQUEST, tools))
    assert not any(step.tool in OWN for step in ahead[-1].cursor.steps)
    found, passes = expecting(OWN, tuned.start(REQUEST, tools))
    others = []
    for at in ahead[:-1]:
        for name in OWN:
            tool = SPECIALS + tools.names.index(name)
            if at.cursor.legal()[tool]:
                other = at.fork()
                take(other, tool)
                while len(other.cursor.steps) == len(at.cursor.steps):
                    take(other)
                others.append(whole(other)[-1])
    assert any(step.tool in OWN for step in found.cursor.steps)
    assert any(found.likely == pytest.approx(other.likely) for other in others)
    assert passes > ahead[-1].decoding.passes


def test_a_plan_that_is_much_less_likely_is_not_worth_it(tuned, tools, monkeypatch):
    monkeypatch.setattr(deciding, "WORTH", 1e9)
    best, passes = expecting(OWN, tuned.start(REQUEST, tools))
    lost = greedy(tuned, tools).likely - best.likely
    monkeypatch.setattr(deciding, "WORTH", lost + 0.01)
    assert expecting(OWN, tuned.start(REQUEST, tools))[0].cursor.steps == best.cursor.steps
    monkeypatch.setattr(deciding, "WORTH", lost - 0.01)
    assert expecting(OWN, tuned.start(REQUEST, tools)) == (None, passes)


def test_where_no_such_tool_may_be_called_there_is_no_plan(tuned, tools):
    at = greedy(tuned, tools)
    assert expecting(["no_such_tool"], tuned.start(REQUEST, tools)) == (None, at.decoding.passes)


def test_a_plan_that_calls_an_expected_tool_is_as_it_is(tuned, tools):
    at = greedy(tuned, tools)
    found, passes = expecting([at.cursor.steps[-1].tool], tuned.start(REQUEST, tools))
    assert (found.cursor.steps, passes) == (at.cursor.steps, at.decoding.passes)


@pytest.mark.parametrize(
    ("worth", "needed", "own"),
    [(1e9, 0.0, True), (-1e9, 0.0, False), (1e9, 1.1, False)],
    ids=["likely enough", "not likely", "too small a share"],
)
def test_the_weights_before_answer_what_tuned_ones_do_not(tuned, tools, worth, needed, own, monkeypatch):
    monkeypatch.setattr(deciding, "WORTH", worth)
    tuned.manifest["tuned"]["share"] = needed
    before, (plan, passes) = greedy(tuned.before, tools), expecting(OWN, tuned.start(REQUEST, tools))
    steps, end = planned(tuned, tools)
    answer = plan if own else before
    assert steps == answer.cursor.steps
    assert end.generated_tokens == answer.decoding.decisions
    assert end.forward_passes == passes + before.decoding.passes


def test_two_plans_share_the_probability_of_both(tuned, tools, monkeypatch):
    monkeypatch.setattr(deciding, "WORTH", 1e9)
    before, (plan, _) = greedy(tuned.before, tools), expecting(OWN, tuned.start(REQUEST, tools))
    mine, other = np.exp(plan.likely), np.exp(before.likely)
    assert share(plan, before, ["no_such_tool"]) == pytest.approx(mine / (mine + other))
    rivals = PointerPlanner(tuned).rivals(REQUEST, tools, ())
    assert (rivals.share, rivals.own.cursor.steps) == (share(plan, before, OWN), plan.cursor.steps)


@pytest.mark.parametrize(("more", "found"), [(0.1, 1.0), (0.0, 1.0), (-0.1, 0.0)])
def test_of_two_plans_that_call_an_expected_tool_the_likelier_counts(tuned, tools, more, found):
    before = greedy(tuned.before, tools)
    plan = replace(before, likely=before.likely + more)
    assert share(plan, before, [before.cursor.steps[-1].tool]) == found
    assert 0 < share(plan, before, ["no_such_tool"]) < 1


@pytest.mark.parametrize(("manifest", "found"), [({}, 0.5), ({"share": 0.2}, 0.2), ({"sure": 0.9}, 0.5)])
def test_the_likelier_plan_counts_where_a_manifest_names_no_share(tuned, manifest, found):
    tuned.manifest["tuned"] = manifest
    assert tuned.share_from == found


def test_weights_that_nobody_tuned_decide_alone(tmp_path, tools):
    engine = small_engine(tmp_path)
    steps, end = planned(engine, tools)
    assert steps == greedy(engine, tools).cursor.steps
    assert end.forward_passes == end.generated_tokens + 1
