"""The eight scenarios of somebody's own tools: they load, they check, and no test request is a copy of what is taught."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from rapidfuzz import fuzz, process

from tinyagent_mlx import yamlmarks
from tinyagent_mlx.cases import Case, read_cases, same_plan
from tinyagent_mlx.check import check_plan
from tinyagent_mlx.decisions import Cursor, Layout
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.lab import corpus
from tinyagent_mlx.lab.dataset import fault
from tinyagent_mlx.lab.oracle import Oracle
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.plan import Plan, parse_plan, print_plan
from tinyagent_mlx.scripts import lint
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import load_toolbox
from tinyagent_mlx.values import Mixed, references, scalars
from tinyagent_mlx.when import resolve
from tinyagent_mlx.words import split_words

FOLDER = Path(__file__).parent / "scenarios"
NAMES = ("browser", "expenses", "language", "lights", "music", "photos", "settings", "timers")
SHIPPED = load_toolbox(shipped("tools.yaml"))
EXAMPLES = 12  # that many of the teaching requests become examples where examples are measured


@dataclass(frozen=True)
class Scenario:
    own: Toolbox
    tools: Toolbox  # the shipped ones and its own
    teach: list[Case]
    test: list[Case]

    def split(self, plan: Plan) -> tuple[set[str], set[str]]:
        """The tools of a plan: its own ones, shipped ones."""
        used = {step.tool for step in plan.steps}
        return used & set(self.own.names), used - set(self.own.names)

    def crossings(self) -> Iterator[tuple[str, str]]:
        """For each reference in a test from an own tool to a shipped one, or back: (who takes it, whose it is)."""
        for case in self.test:
            steps = case.plans[0].steps
            for step in steps:
                for giver in {steps[k - 1].tool for value in step.arguments for k in references(value)}:
                    if (giver in SHIPPED) != (step.tool in SHIPPED):
                        yield step.tool, giver


def read(name: str) -> Scenario:
    folder = FOLDER / name
    own = load_toolbox(folder / "tools.yaml")
    tools = Toolbox((*SHIPPED, *own), SHIPPED.rules)
    return Scenario(own, tools, read_cases(folder / "teach.jsonl"), read_cases(folder / "test.jsonl"))


@pytest.fixture(scope="module")
def scenarios() -> dict[str, Scenario]:
    return {name: read(name) for name in NAMES}


@pytest.fixture(params=NAMES)
def scenario(request, scenarios) -> Scenario:
    return scenarios[request.param]


# Counts


def test_there_are_eight():
    assert sorted(file.name for file in FOLDER.iterdir() if file.is_dir()) == sorted(NAMES)


def test_a_scenario_has_one_to_three_tools_that_nobody_knows(scenario):
    assert 1 <= len(scenario.own) <= 3
    assert len({*scenario.tools.names}) == len(scenario.tools)  # no name is a shipped one's
    assert not any(tool.examples for tool in scenario.own)
    assert all(tool.script for tool in scenario.own)


def test_twelve_to_fifteen_requests_teach_only_own_tools(scenario):
    assert EXAMPLES <= len(scenario.teach) <= 15
    assert all(scenario.split(case.plans[0])[0] for case in scenario.teach)
    shown = set().union(*(scenario.split(case.plans[0])[0] for case in scenario.teach[:EXAMPLES]))
    assert shown == set(scenario.own.names)


def test_sixteen_of_25_tests_need_own_tools_and_nine_do_not(scenario):
    assert len(scenario.test) == 25
    needs = [bool(scenario.split(case.plans[0])[0]) for case in scenario.test]
    assert needs.count(True) == 16
    assert [("new" in case.tags, "shipped" in case.tags) for case in scenario.test] == [(n, not n) for n in needs]
    assert not any(case.refusal for case in scenario.test)
    needed = set().union(*(scenario.split(case.plans[0])[0] for case in scenario.test))
    assert needed == set(scenario.own.names)


def test_four_to_six_tests_join_own_and_shipped_tools(scenario):
    joined = [all(scenario.split(case.plans[0])) for case in scenario.test]
    assert 4 <= joined.count(True) <= 6
    assert ["chain" in case.tags for case in scenario.test] == joined


def test_ids_and_requests_are_unique(scenarios):
    cases = [case for scenario in scenarios.values() for case in (*scenario.teach, *scenario.test)]
    assert len({case.id for case in cases}) == len(cases)
    assert len({words(case.query) for case in cases}) == len(cases)


# What they cover


def test_results_pass_between_own_and_shipped_tools_in_both_directions(scenarios):
    takes, gives = set(), set()
    for name, scenario in scenarios.items():
        for taker, giver in scenario.crossings():
            (gives if taker in SHIPPED else takes).add((name, taker, giver))
    assert {"language", "browser"} <= {name for name, _, _ in takes}
    assert {giver for _, _, giver in takes} >= {"summarize_pdf", "get_zoom_meeting_link"}
    assert len({name for name, _, _ in gives}) >= 3


def test_argument_types_are_varied(scenarios):
    types = {a.type.name for s in scenarios.values() for tool in s.own for a in tool.arguments}
    assert types >= {
        "text", "datetime", "integer", "choice", "boolean", "url", "file_path", "list[person]", "list[email]",
    }  # fmt: skip
    assert {tool.returns for s in scenarios.values() for tool in s.own} >= {"status", "text", "url", "file_path"}


# They load and check


def test_every_plan_checks_and_its_request_says_what_it_takes(scenario):
    for case in (*scenario.teach, *scenario.test):
        for plan in case.plans:
            check_plan(plan, scenario.tools)
            assert fault(case.query, plan, scenario.tools) is None, case.id


def test_every_date_resolves(scenario):
    for case in (*scenario.teach, *scenario.test):
        for step in case.plans[0].steps:
            start = None
            for argument, value in zip(scenario.tools[step.tool].arguments, step.arguments, strict=True):
                if argument.type.name == "datetime" and value:
                    assert case.now, case.id
                    moment = resolve(str(value), case.now, start)
                    start = start or moment


def test_the_pointer_planner_can_spell_every_first_plan(scenario):
    layout = Layout(scenario.tools)
    for case in (*scenario.teach, *scenario.test):
        cursor = Cursor(layout, case.query, split_words(case.query))
        for candidate in Oracle(layout).decisions(case.query, case.plans[0]):
            assert cursor.legal()[candidate], case.id
            cursor.choose(candidate)
        assert same_plan(Plan(tuple(cursor.steps)), case.plans[0], scenario.tools, case.now), case.id


def test_taught_requests_can_stand_as_examples_in_one_merged_file(scenario, request, tmp_path):
    name = request.node.callspec.params["scenario"]
    for scripts in (shipped("applescripts"), FOLDER / name / "applescripts"):
        shutil.copytree(scripts, tmp_path / "applescripts", dirs_exist_ok=True)
    data, own = (
        yaml.safe_load(file.read_text(encoding="utf-8"))
        for file in (shipped("tools.yaml"), FOLDER / name / "tools.yaml")
    )
    for case in scenario.teach[:EXAMPLES]:
        first = next(step.tool for step in case.plans[0].steps if step.tool in scenario.own)
        entry = next(tool for tool in own["tools"] if tool["name"] == first)
        entry["examples"].append({"request": case.query, "plan": print_plan(case.plans[0])})
    data["tools"] += own["tools"]
    merged = tmp_path / "tools.yaml"
    merged.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
    tools = load_toolbox(merged)
    assert [tool.signature for tool in tools] == [tool.signature for tool in scenario.tools]
    assert sum(len(tools[own.name].examples) for own in scenario.own) == EXAMPLES


def test_every_script_is_used_and_has_no_finding(scenario):
    scripts = {tool.script for tool in scenario.own}
    folder = next(iter(scripts)).parent
    assert set(folder.iterdir()) == scripts
    assert {script.name: lint(script.read_text(encoding="utf-8")) for script in scripts} == {
        s.name: [] for s in scripts
    }


# No copies


def words(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def frame(case: Case, tools: Toolbox) -> str:
    """The words of a request around the texts that its plan takes from it, in the form of a corpus wording's key."""
    taken = {
        part
        for step in case.plans[0].steps
        for argument, value in zip(tools[step.tool].arguments, step.arguments, strict=True)
        for scalar in scalars(value)
        for part in (scalar.parts if isinstance(scalar, Mixed) else (scalar,))
        if isinstance(part, str) and part not in argument.choices
    }
    said = sorted(taken - {""}, key=len, reverse=True)
    pattern = "|".join(rf"(?<!\w){re.escape(text)}(?!\w)" for text in said)
    return words(re.sub(pattern, " _ ", case.query, flags=re.IGNORECASE) if said else case.query)


def near_copies(ours: dict[str, str], theirs: list[str]) -> dict[str, str]:
    """The ids whose text is nearly one of `theirs`, with that text."""
    scores = process.cdist(list(ours.values()), theirs, scorer=fuzz.ratio)
    return {name: theirs[row.argmax()] for name, row in zip(ours, scores, strict=True) if row.max() >= corpus.NEAR_COPY}


def test_a_near_copy_is_found():
    ours = {"a": words("Text Ines that I'm late!"), "b": words("play Hey Jude")}
    assert near_copies(ours, [words("text ines that im late"), "open _"]) == {"a": "text ines that im late"}


def test_no_test_request_is_a_taught_one(scenario):
    for form in (lambda case: words(case.query), lambda case: frame(case, scenario.tools)):
        assert (
            near_copies({case.id: form(case) for case in scenario.test}, [form(case) for case in scenario.teach]) == {}
        )


def test_no_test_request_is_another_one(scenarios):
    tests = [case for scenario in scenarios.values() for case in scenario.test]
    for number, case in enumerate(tests[1:], 1):
        assert near_copies({case.id: words(case.query)}, [words(other.query) for other in tests[:number]]) == {}


def training() -> Iterator[str]:
    """Every wording of the corpus and every text of the YAML files below it, slots as in a wording's key."""
    yield from (wording.key for wording in corpus.read_corpus())
    for file in corpus.FOLDER.rglob("*.yaml"):
        for text in texts(yamlmarks.read(file).data):
            for line in text.splitlines():
                yield words(re.sub(r"\{\w+\}", " _ ", line.rpartition(" | ")[2]))


def texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, (dict, list)):
        for item in data.values() if isinstance(data, dict) else data:
            yield from texts(item)


def test_no_test_request_is_in_training(scenarios):
    """Neither as it stands nor with its values taken out. Where this fails, the wording leaves the corpus."""
    known = sorted(set(training()))
    plain = {case.id: words(case.query) for scenario in scenarios.values() for case in scenario.test}
    frames = {case.id: frame(case, s.tools) for s in scenarios.values() for case in s.test}
    assert near_copies(plain, known) == {}
    assert near_copies(frames, known) == {}


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [('1. play_song("Hey Jude")', "takes 2 arguments"), ('1. set_volume("40")', "expected integer")],
    ids=["arity", "type"],
)
def test_a_wrong_plan_does_not_check(scenarios, plan, complaint):
    with pytest.raises(PlanError, match=complaint):
        check_plan(parse_plan(plan), scenarios["music"].tools)
