"""The corpus parses, says what it must, and is split so that nothing held back is in training."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from rapidfuzz import fuzz, process

from tinyagent_mlx.cases import read_cases
from tinyagent_mlx.check import check_plan
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab import corpus
from tinyagent_mlx.lab.madeup import read_madeup
from tinyagent_mlx.plan import print_plan

CASES = Path(__file__).parent / "cases"


@pytest.fixture(scope="module")
def wordings() -> list[corpus.Wording]:
    return corpus.read_corpus()


def test_every_plan_checks_once_its_slots_are_filled(wordings, shipped_tools):
    values = {"email": "sid@acme.io", "phone": "555-0199"}
    for wording in wordings:
        filled = corpus.fill_plan(
            wording.plan, {slot: values.get(slot.rstrip("0123456789"), "x y") for slot in wording.slots}
        )
        numbers = print_plan(filled).replace(', "x y", [', ", 30, [") if "get_zoom" in print_plan(filled) else None
        if numbers is None:
            check_plan(filled, shipped_tools)


def test_every_tool_has_at_least_150_wordings(wordings, shipped_tools):
    counts = Counter(name for w in wordings for name in {step.tool for step in w.plan.steps})
    assert {name: counts[name] for name in shipped_tools.names if counts[name] < 150} == {}


def test_the_corpus_is_large_and_spread(wordings):
    assert len(wordings) >= 4000
    registers = Counter(w.register for w in wordings)
    assert set(registers) == set(corpus.REGISTERS)
    assert min(registers.values()) >= 150


def test_no_held_wording_nor_a_near_copy_is_in_training(wordings):
    parts = corpus.split(wordings)
    held = [w.key for w in (*parts.test, *parts.valid)]
    scores = process.cdist(held, [w.key for w in parts.train], scorer=fuzz.ratio, workers=-1)
    assert scores.max() < corpus.NEAR_COPY
    assert len(parts.test) > 100
    assert len(parts.valid) > 100


def test_splitting_does_not_depend_on_order(wordings):
    here, there = corpus.split(wordings), corpus.split(wordings[::-1])
    assert {w.key for w in here.test} == {w.key for w in there.test}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("refuse\nloud | hello there\n", "t.txt:2"),
        ("1. get_phone_number({person})\nterse | number of {place}\n", "t.txt:2"),
        ("refuse\nterse hello\n", "t.txt:2"),
    ],
    ids=["register", "slots", "bar"],
)
def test_a_broken_block_is_named(tmp_path, text, complaint):
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        corpus.read_corpus(tmp_path)


@pytest.mark.parametrize("name", ["natural_dev", "natural_test"])
def test_no_measured_request_nor_a_near_copy_is_in_the_corpus(name, wordings):
    made_up = [w for tool in read_madeup() for w in tool.wordings]
    texts = [w.text.lower() for w in (*wordings, *made_up)]
    queries = [case.query.lower() for case in read_cases(CASES / f"{name}.jsonl")]
    scores = process.cdist(queries, texts, scorer=fuzz.ratio, score_cutoff=corpus.NEAR_COPY, workers=1)
    assert len(queries) >= 300
    assert [query for query, row in zip(queries, scores.max(axis=1), strict=True) if row] == []
