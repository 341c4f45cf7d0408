"""The data set of the corpus: checked, without repeats, the same whoever makes it."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tinyagent_mlx.cases import read_cases
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab.dataset import Sieve, fault, key
from tinyagent_mlx.lab.shards import REFUSED, Order, choose, write_dataset
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.toolfile import Source

COUNT = 1200  # more than two shards


def order(part: str = "train", seed: int = 0, tools: Path | None = None) -> Order:
    source = Source(tools or shipped("tools.yaml"), shipped("applescripts"))
    return Order((source,), shipped("weights") / "planner", part, seed)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("data") / "rows.jsonl"
    write_dataset(order(), COUNT, out)
    return out


def test_every_row_is_fit_and_new(written, shipped_tools):
    cases = read_cases(written)
    assert [fault(case.query, case.plans[0], shipped_tools) for case in cases] == [None] * COUNT
    assert len({key(case.query) for case in cases}) == COUNT
    assert all(case.now for case in cases)


def test_every_row_lists_the_tools_that_it_needs(written, shipped_tools):
    rows = [json.loads(line) for line in written.read_text().splitlines()]
    for row, case in zip(rows, read_cases(written), strict=True):
        assert {step.tool for step in case.plans[0].steps} <= set(row["tools"]) <= set(shipped_tools.names)


def test_one_row_in_eight_is_refused_in_every_beginning(written):
    refused = 0
    for number, case in enumerate(read_cases(written), 1):
        refused += case.refusal
        assert refused >= number // REFUSED


def test_workers_do_not_change_the_rows(written, tmp_path):
    write_dataset(order(), COUNT, tmp_path / "rows.jsonl", workers=2)
    assert (tmp_path / "rows.jsonl").read_bytes() == written.read_bytes()


def test_fewer_rows_are_the_beginning_of_more(written, tmp_path):
    write_dataset(order(), 30, tmp_path / "rows.jsonl")
    assert written.read_text().startswith((tmp_path / "rows.jsonl").read_text())


def test_another_seed_and_another_part_give_other_rows(written, tmp_path):
    for other in (order(seed=1), order("test")):
        write_dataset(other, 100, tmp_path / "rows.jsonl")
        rows = {case.query for case in read_cases(tmp_path / "rows.jsonl")}
        assert len(rows & {case.query for case in read_cases(written)}) < 10


def test_tools_without_a_wording_are_told(tmp_path):
    strange = tmp_path / "tools.yaml"
    text = shipped("tools.yaml").read_text()
    head, entry = text[: text.index("tools:\n") + 7], text[text.index("  - name: open_note") :]
    entry = (
        entry[: entry.index("\n\n") + 1]
        .replace("open_note(", "unroll_map(")
        .replace("name: open_note", "name: unroll_map")
    )
    strange.write_text(head + entry)
    with pytest.raises(ConfigError, match="no wording"):
        write_dataset(order(tools=strange), 10, tmp_path / "rows.jsonl")


def row(query: str, plan: str = "") -> dict:
    return {"query": query, "plans": [plan]}


def test_a_corpus_that_runs_dry_is_told(shipped_tools):
    with pytest.raises(ConfigError, match="no more than 1 "):
        list(choose(itertools.repeat([row("sing"), row("SING")]), 10, Sieve(shipped_tools)))


def test_served_rows_wait_for_their_share_of_refusals(shipped_tools):
    sieve = Sieve(shipped_tools)
    served = [row(f"open map {number}", f'1. maps_open_location("map {number}")') for number in range(20)]
    chosen = list(choose(iter([[*served, row("sing")], [row("dance"), *served]]), 16, sieve))
    assert [case["plans"] == [""] for case in chosen] == [*[False] * 7, True, True, *[False] * 7]
    assert sieve.dropped == {"refusals come first": 13, "asked before": 7}


def test_making_rows_loads_nothing_heavy():
    code = "import sys, tinyagent_mlx.lab.shards; print({'mlx', 'torch', 'transformers', 'textual'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
