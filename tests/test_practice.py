"""The practice scenarios: they load, they check, and no made-up tool of the training data is one of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyagent_mlx.check import check_plan
from tinyagent_mlx.lab.dataset import fault
from tinyagent_mlx.lab.madeup import read_madeup
from tinyagent_mlx.lab.scenarios import EXAMPLES, Scenario, read_scenarios
from tinyagent_mlx.scripts import lint

FOLDER = Path(__file__).parent / "practice"
ALL = read_scenarios(FOLDER)


@pytest.fixture(params=ALL, ids=lambda scenario: scenario.name)
def scenario(request) -> Scenario:
    return request.param


def test_every_plan_checks_and_its_request_says_what_it_takes(scenario, shipped_tools):
    tools = scenario.tools(shipped_tools, 0)
    for case in (*scenario.teach, *scenario.test):
        for plan in case.plans:
            check_plan(plan, tools)
            assert fault(case.query, plan, tools) is None, case.id


def test_sixteen_of_25_tests_need_own_tools_and_nine_do_not(scenario):
    needs = [any(step.tool in scenario.own for step in case.plans[0].steps) for case in scenario.test]
    assert (len(scenario.teach), len(needs), needs.count(True)) == (EXAMPLES, 25, 16)
    assert [("new" in case.tags, "shipped" in case.tags) for case in scenario.test] == [(n, not n) for n in needs]


def test_no_made_up_tool_is_one_of_theirs(scenario):
    assert not {made.name for made in read_madeup()} & set(scenario.own.names)


def test_every_script_has_no_finding(scenario):
    assert [lint(tool.script.read_text(encoding="utf-8")) for tool in scenario.own] == [[]] * len(scenario.own)
