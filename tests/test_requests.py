"""Requests of a file of cases: split, each with a moment, and refusals mixed in where the file has too few."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.test_shards import order
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab.recipes import RowsRecipe
from tinyagent_mlx.lab.requests import Asked, from_file
from tinyagent_mlx.lab.shards import REFUSED
from tinyagent_mlx.toolbox import Toolbox

RECIPE = RowsRecipe(rows=100, held=10, workers=1)


def case_file(folder: Path, count: int, refused: int = 0) -> Path:
    rows = [
        {"id": f"{n}", "query": f"text 555-0{n:03} that tea is ready", "plans": [f'1. send_sms(["555-0{n:03}"], "tea is ready")']}
        for n in range(count)
    ]  # fmt: skip
    rows += [{"id": f"no {n}", "query": f"paint wall {n}", "plans": [""]} for n in range(refused)]
    file = folder / "imported.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def split(file: Path, tools: Toolbox, recipe: RowsRecipe = RECIPE) -> dict[str, list[Asked]]:
    return from_file(file, order(), tools, recipe, lambda text: None)


@pytest.mark.parametrize("refused", [0, 3, 30], ids=["no refusals", "few", "enough"])
def test_one_in_eight_is_refused(tmp_path: Path, shipped_tools: Toolbox, refused: int) -> None:
    parts = split(case_file(tmp_path, 60, refused), shipped_tools)
    for found in parts.values():
        share = sum(one.plan.refused for one in found) / len(found)
        assert share >= 1 / REFUSED
    assert sum(one.plan.refused for part in parts.values() for one in part) <= max(refused, 12)


def test_training_and_validation_share_no_request(tmp_path: Path, shipped_tools: Toolbox) -> None:
    parts = split(case_file(tmp_path, 60), shipped_tools)
    queries = {part: {one.query for one in found if not one.plan.refused} for part, found in parts.items()}
    assert (len(queries["valid"]), len(queries["train"])) == (10, 50)
    assert not queries["valid"] & queries["train"]
    assert parts == split(case_file(tmp_path, 60), shipped_tools)


def test_rows_is_the_most_that_are_taken(tmp_path: Path, shipped_tools: Toolbox) -> None:
    parts = split(case_file(tmp_path, 60), shipped_tools, replace(RECIPE, rows=20))
    assert sum(not one.plan.refused for one in parts["train"]) == 20


def test_unfit_rows_are_left_out_and_told(tmp_path: Path, shipped_tools: Toolbox) -> None:
    file, said = case_file(tmp_path, 30), []
    with file.open("a") as out:
        out.write(json.dumps({"id": "x", "query": "fax Ines", "plans": ['1. send_fax("Ines")']}) + "\n")
    from_file(file, order(), shipped_tools, RECIPE, said.append)
    assert any("1 left out: unknown tool" in line for line in said)


def test_a_file_of_too_few_rows_is_refused(tmp_path: Path, shipped_tools: Toolbox) -> None:
    with pytest.raises(ConfigError, match="has 10 rows to learn from, and --held 10"):
        split(case_file(tmp_path, 10), shipped_tools)
