"""The report's figures are those of its rows."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from tests.models import make_llama, small_engine
from tinyagent_mlx.cases import Case
from tinyagent_mlx.cli.main import main
from tinyagent_mlx.evaluation import Row
from tinyagent_mlx.lab import report
from tinyagent_mlx.plan import parse_plan
from tinyagent_mlx.pointing import PointerRetriever

NOW = datetime(2026, 11, 23, 9)
SHORT = 4  # the seed of a random planner that says little


def row(dag: bool, exact: bool, confidence: float | None) -> Row:
    return Row("x", "", dag, exact, True, False, False, True, 2, 20, 5, 6, confidence, 0.1, ())


def case(plan: str) -> Case:
    return Case("x", "text Ana", (parse_plan(plan),), NOW, ())


CASES = [case('1. get_phone_number("Ana")'), case('1. get_phone_number("Ana")\n2. send_sms(["$1"], "hi")'), case("")]
ROWS = [row(True, True, 0.9), row(False, False, 0.8), row(True, False, 0.3)]


def test_success_is_grouped_by_steps_and_by_tool():
    assert report.success_by_steps(ROWS, CASES) == [("0", 1.0, 1), ("1", 1.0, 1), ("2", 0.0, 1)]
    assert report.success_by_tool(ROWS, CASES) == [("get_phone_number", 0.5, 2), ("send_sms", 0.0, 1)]


def test_risk_rises_as_less_confident_plans_are_taken():
    assert report.risk_coverage(ROWS) == [(1 / 3, 0.0), (2 / 3, 0.5), (1.0, pytest.approx(2 / 3))]


@pytest.mark.parametrize(
    ("rows", "error"),
    [([row(True, True, 1.0)] * 3, 0.0), ([row(True, False, 0.95)] * 3, 0.95), ([row(True, True, None)], 0.0)],
    ids=["right and sure", "wrong and sure", "nothing known"],
)
def test_calibration_error_is_the_gap(rows, error):
    assert report.calibration_error(rows) == pytest.approx(error)


def test_a_lower_threshold_never_finds_less(tmp_path, shipped_tools):
    found = report.recall_by_threshold(PointerRetriever(small_engine(tmp_path)), CASES, shipped_tools)
    recalls, counts = [r for _, r, _ in found], [n for _, _, n in found]
    assert recalls == sorted(recalls, reverse=True)
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] >= 1


def test_a_table_is_markdown():
    assert report.table(("a", "b"), [("x", 0.5), ("y", 21.4), ("z", None)]).splitlines() == [
        "| a | b |", "| --- | --- |", "| x | 0.500 |", "| y | 21 |", "| z | – |",
    ]  # fmt: skip


def test_the_same_figures_draw_the_same_file(tmp_path):
    pytest.importorskip("matplotlib")
    paint = report.bars(report.success_by_steps(ROWS, CASES), "dag success")
    for name in ("a", "b"):
        report.draw(tmp_path / f"{name}.svg", "Success", paint)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()


def test_plots_and_tables_come_from_a_run(tmp_path, shipped_tools):
    pytest.importorskip("matplotlib")
    engine = small_engine(tmp_path / "planner", SHORT)
    agent = report.pointer_agent(engine, shipped_tools)
    measured = report.by_retrieval(agent.planner, {"classifier": agent.retriever}, CASES, shipped_tools, str)
    assert "the paper's, classifier" in report.retrieval_table(measured)
    lines = report.plots(tmp_path / "out", measured[0], PointerRetriever(engine), CASES, shipped_tools)
    assert len(lines) == len(list((tmp_path / "out").glob("*.svg"))) == 4


def cases_file(folder: Path, plans: list[str]) -> Path:
    rows = [{"id": str(n), "query": "text Ana", "plans": [plan]} for n, plan in enumerate(plans)]
    file = folder / "cases.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


def test_one_command_writes_both_tables_and_the_plots(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the report's extra")
    small_engine(tmp_path / "planner", SHORT)
    llama, small = make_llama(tmp_path / "llama"), make_llama(tmp_path / "llama-4bit", quantized=True)
    cases = cases_file(tmp_path, ['1. get_phone_number("Ana")'])
    out = tmp_path / "docs" / "report.md"
    arguments = [
        "--cases", cases, "--out", out, "--model", tmp_path / "planner", "--half", tmp_path / "planner", "--language", llama,
        "--language-4bit", small,
    ]  # fmt: skip
    assert main(["report", *map(str, arguments)]) == 0
    text = out.read_text()
    assert re.findall("^## (.*)", text, re.MULTILINE) == [
        "Retrieval, shipped planner", "Four bits", "Retrieval, language model llama", "Four bits, language model llama",
        "Whole figures", "Plots",
    ]  # fmt: skip
    for row in ("no retrieval", "embedding (top 4)", "classifier", "the paper's, classifier", "16 bits", "4 bits"):
        assert text.count(f"\n| {row} |") == 2, row
    drawn = re.findall(r"!\[.+\]\((.+)\)", text)
    assert len(drawn) == 4
    assert all((out.parent / name).read_text().startswith("<?xml") for name in drawn)


@pytest.mark.parametrize(
    ("plans", "more", "told"),
    [
        ([""], [], "2 cases without"),
        ([""], ["--limit", "0"], "0 cases without"),
        ([], ["--language-4bit", "x"], "--language"),
    ],
    ids=["refusals alone", "no cases", "4 bits alone"],
)
def test_a_report_of_nothing_is_refused(
    tmp_path: Path, plans: list[str], more: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="the report's extra")
    file = cases_file(tmp_path, [*plans, ""])
    assert main(["report", "--cases", str(file), "--out", str(tmp_path / "out.md"), *more]) == 2
    assert told in capsys.readouterr().err
