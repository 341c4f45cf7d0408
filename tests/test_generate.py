"""Generated rows are what training may rest on: they check, they are in the request, and they come again."""

from __future__ import annotations

import itertools

import pytest

from tinyagent_mlx.check import check_plan
from tinyagent_mlx.decisions import Cursor, Layout
from tinyagent_mlx.lab import corpus
from tinyagent_mlx.lab.batches import collate, trace
from tinyagent_mlx.lab.generate import Generator, Mix, open_dictionary
from tinyagent_mlx.lab.oracle import Oracle
from tinyagent_mlx.plan import parse_plan, print_plan
from tinyagent_mlx.words import split_words

DICTIONARY = open_dictionary(
    ["amber", "basket", "candle", "drift", "ember", "fjord", "grain", "harbour", "island", "##ing", "12", "to"]
)


@pytest.fixture(scope="module")
def wordings() -> list[corpus.Wording]:
    return corpus.split(corpus.read_corpus()).train


def draw(wordings, tools, seed: int, count: int, mix: Mix | None = None):
    return list(itertools.islice(Generator(wordings, tools, DICTIONARY, seed, mix).rows(), count))


def test_the_dictionary_holds_whole_words_only():
    assert DICTIONARY == ["amber", "basket", "candle", "drift", "ember", "fjord", "grain", "harbour", "island"]


def test_rows_check_and_survive_printing(wordings, shipped_tools):
    for row in draw(wordings, shipped_tools, 1, 300):
        plan = row.graded(shipped_tools)
        check_plan(plan, shipped_tools)
        assert parse_plan(print_plan(plan)) == plan


def test_the_same_seed_gives_the_same_rows(wordings, shipped_tools):
    assert draw(wordings, shipped_tools, 3, 40) == draw(wordings, shipped_tools, 3, 40)
    assert draw(wordings, shipped_tools, 3, 40) != draw(wordings, shipped_tools, 4, 40)


def test_one_row_in_eight_is_refused(wordings, shipped_tools):
    rows = draw(wordings, shipped_tools, 5, 1200)
    assert sum(row.plan.refused for row in rows) / len(rows) >= 1 / 8


def test_decisions_spell_the_plan_again(wordings, shipped_tools):
    layout = Layout(shipped_tools)
    oracle = Oracle(layout)
    same = 0
    rows = draw(wordings, shipped_tools, 7, 300)
    for row in rows:
        cursor = Cursor(layout, row.request, split_words(row.request))
        for decision in oracle.decisions(row.request, row.plan, row.spans):
            assert cursor.legal()[decision]
            cursor.choose(decision)
        same += [step.tool for step in cursor.steps] == [step.tool for step in row.plan.steps]
    assert same == len(rows)


def test_batches_weigh_exactly_the_decisions(wordings, shipped_tools):
    layout = Layout(shipped_tools)
    rows = draw(wordings, shipped_tools, 9, 8)
    traces = [trace(row, Oracle(layout)) for row in rows]
    targets = collate(traces, layout, max(len(split_words(row.request)) for row in rows))
    assert targets.weight.sum() == sum(len(t.decisions) for t in traces)
    for i, t in enumerate(traces):
        assert all(targets.legal[i, j, d] for j, d in enumerate(t.decisions))
        assert targets.needed[i].sum() == len({step.tool for step in rows[i].plan.steps})
