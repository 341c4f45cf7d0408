"""Made-up tools: what their files hold checks, and worlds are what their numbers say."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import replace

import pytest

from tests.test_scenarios import FOLDER as SCENARIOS
from tinyagent_mlx.check import check_plan
from tinyagent_mlx.decisions import Layout
from tinyagent_mlx.errors import ConfigError, PlanError
from tinyagent_mlx.lab import corpus
from tinyagent_mlx.lab.generate import Generator
from tinyagent_mlx.lab.madeup import MISSING, ROUNDABOUT, Worlds, read_madeup
from tinyagent_mlx.lab.oracle import Oracle
from tinyagent_mlx.plan import print_plan
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import load_toolbox

DICTIONARY = ["amber", "basil", "cedar", "delta", "ember", "fjord", "grove"]
MADEUP = read_madeup()


@pytest.fixture(scope="module")
def wordings():
    return corpus.split(corpus.read_corpus()).train


@pytest.fixture(scope="module")
def worlds(wordings, shipped_tools):
    return Worlds(wordings, shipped_tools, MADEUP, DICTIONARY, 0)


@pytest.mark.parametrize("tool", MADEUP, ids=lambda tool: tool.name)
def test_the_wordings_of_a_tool_become_plans_that_check(tool, shipped_tools):
    siblings = [t for t in MADEUP if t is tool or (tool.family and t.family == tool.family)]
    toolbox = Toolbox((*shipped_tools, *(t.declare(random.Random(0), t.name) for t in siblings)))
    generator, oracle = Generator(tool.wordings, toolbox, DICTIONARY, 0), Oracle(Layout(toolbox))
    failed = [w.text for w in tool.wordings if not any(_spells(generator, oracle, w, toolbox) for _ in range(8))]
    assert failed == []
    assert len(tool.wordings) >= 8
    assert len(tool.descriptions) >= 3


def _spells(generator: Generator, oracle: Oracle, wording, toolbox: Toolbox) -> bool:
    try:
        row = generator.fill([wording])
        oracle.decisions(row.request, row.plan, row.spans)
        check_plan(row.graded(toolbox), toolbox)
    except PlanError:
        return False
    return True


def test_no_made_up_tool_is_a_scenarios():
    """The scenarios measure tools that training never saw."""
    names = {tool.name for file in SCENARIOS.glob("*/tools.yaml") for tool in load_toolbox(file)}
    assert len(names) > 15
    assert not names & {tool.name for tool in MADEUP}


def drawn(world, count=40):
    return [(row.request, print_plan(row.plan)) for row in itertools.islice(world.generator.rows(), count)]


def test_a_world_is_the_same_whenever_it_is_drawn(wordings, shipped_tools, worlds):
    again = Worlds(wordings, shipped_tools, MADEUP, DICTIONARY, 0)
    for number in (0, 1, 2):
        here, there = worlds.draw(number), again.draw(number)
        assert here.tools == there.tools
        assert drawn(here) == drawn(there)


def test_ranks_share_a_toolbox_and_no_requests(worlds):
    here, there = (worlds.draw(3, rank) for rank in (0, 1))
    assert here.tools == there.tools
    assert drawn(here) != drawn(there)


def test_a_family_stands_in_a_world_whole(wordings, shipped_tools):
    told = [replace(tool, family=f"family {n // 3}") for n, tool in enumerate(MADEUP[:30])]
    worlds = Worlds(wordings, shipped_tools, told, DICTIONARY, 0)
    for seed in range(12):
        counts = Counter(tool.family for tool in worlds.chosen(random.Random(seed)))
        assert set(counts.values()) == {3}


def test_neighbours_in_a_file_are_often_in_a_world_together(worlds):
    rng = random.Random(1)
    chosen = [worlds.chosen(rng) for _ in range(200)]
    places = {tool.name: n for n, tool in enumerate(MADEUP)}
    pairs = sum(places[a.name] + 1 == places[b.name] for tools in chosen for a, b in itertools.pairwise(tools))
    assert pairs / sum(map(len, chosen)) > 0.2


def mixed(worlds, count=12):
    return [world for world in map(worlds.draw, range(count)) if world.tools is not worlds.tools]


def test_worlds_hold_other_tools_and_ask_for_them(worlds):
    some = mixed(worlds)
    assert 4 <= len(some) < 12
    assert len({world.tools.names for world in some}) == len(some)
    for world in some:
        new = set(world.tools.names) - set(worlds.tools.names)
        called = {step.tool for row in itertools.islice(world.generator.rows(), 60) for step in row.plan.steps}
        assert called & new
        assert called <= set(world.tools.names)


class Loud:
    """Says every wording in capitals, and notes about which tools it was asked."""

    def __init__(self):
        self.tools: list[str] = []

    def __call__(self, tools, said):
        self.tools += [tool.name for tool in tools]
        return self

    def paraphrase(self, wording, rng):
        return replace(wording, text=f"LOUD {wording.text}")


def test_requests_for_made_up_tools_are_paraphrased_but_not_what_asks_in_a_roundabout_way(wordings, shipped_tools):
    loud = Loud()
    (world, *_) = mixed(Worlds(wordings, shipped_tools, MADEUP, DICTIONARY, 0, paraphraser_of=loud), 3)
    assert set(world.tools.names) - set(shipped_tools.names) <= set(loud.tools)
    registers = {(w.text.startswith("LOUD"), w.register in ROUNDABOUT) for w in world.generator.asked}
    assert registers == {(True, False), (False, True)}
    assert not [w for w in world.generator.singles if w.text.startswith("LOUD")]


def test_some_tools_have_examples_that_check_and_some_have_none(worlds):
    counts = []
    for world in mixed(worlds):
        for tool in world.tools:
            counts += [len(tool.examples)] if tool.name not in worlds.tools else []
            for example in tool.examples:
                check_plan(example.plan, world.tools)
    assert counts.count(0) > len(counts) // 5
    assert max(counts) >= 6


def test_what_an_absent_tool_could_do_is_refused(worlds):
    world = mixed(worlds)[0]
    absent = {w.text for tool in MADEUP if tool.name not in world.tools for w in tool.wordings}
    refused = [w for w in world.generator.refusals if w.text in absent]
    assert MISSING // 4 < len(refused) <= MISSING


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {name: x}", "tool 'x': KeyError"),
        ("- {name: x, descriptions: [d], arguments: [], returns: nothing, effect: read, wordings: []}", "returns 'nothing'"),
        (
            "- {name: x, descriptions: [d], arguments: [], returns: text, effect: read,"
            " wordings: [{plan: 'x()', texts: ['terse | look at {text}']}]}",
            "the slots of",
        ),
    ],
    ids=["a key is missing", "a value is unknown", "a slot is in no plan"],
)  # fmt: skip
def test_a_broken_file_is_named(tmp_path, text, message):
    (tmp_path / "a.yaml").write_text(f"tools:\n{text}\n")
    with pytest.raises(ConfigError, match=message):
        read_madeup(tmp_path)
