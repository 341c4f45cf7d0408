"""`tinyagent data` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import published_prompts
from tests.test_teacher import server  # noqa: F401
from tinyagent_mlx.cases import read_cases
from tinyagent_mlx.cli.main import main

FIXTURE = str(Path(__file__).parent / "fixtures" / "published.json")


def test_generate_writes_the_rows_that_were_asked_for(tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    report = tmp_path / "report.json"
    arguments = ["--count", "60", "--seed", "4", "--workers", "1", "--out", str(out), "--report", str(report)]
    assert main(["data", "generate", *arguments]) == 0
    assert len(read_cases(out)) == json.loads(report.read_text())["kept"] == 60
    heard = capsys.readouterr()
    assert heard.out == ""
    assert "60/60 rows" in heard.err


def test_import_reports_what_it_dropped_and_why(tmp_path, capsys):
    out, report = tmp_path / "rows.jsonl", tmp_path / "report.json"
    assert main(["data", "import", FIXTURE, "--out", str(out), "--report", str(report)]) == 0
    figures = json.loads(report.read_text())
    assert len(read_cases(out)) == figures["kept"] == 9
    assert figures["kept"] + sum(figures["dropped"].values()) == len(json.loads(Path(FIXTURE).read_text()))
    error = capsys.readouterr().err
    assert all(f"{count:>7}  {reason}" in error for reason, count in figures["dropped"].items())


def test_a_teacher_s_rows_are_checked(server, tmp_path):  # noqa: F811
    row = 'Request: {}\nPlan:\n1. get_phone_number("{}")\n2. join()<END_OF_PLAN>\n'
    content = row.format("call Ada", "Ada") + row.format("call my sister", "Bo")
    server.answer = {"choices": [{"message": {"content": content}}]}
    out = tmp_path / "rows.jsonl"
    arguments = ["data", "generate", "--teacher", server.url, "--teacher-model", "m", "--count", "1", "--out", str(out)]
    assert main(arguments) == 0
    assert [case.query for case in read_cases(out)] == ["call Ada"]
    assert server.seen[0][2]["model"] == "m"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["generate", "--count", "0"], 2, "--count 0"),
        (["generate", "--workers", "0"], 2, "--workers 0"),
        (["generate", "--teacher", "/nowhere/model"], 1, "/nowhere/model"),
        (["generate", "--count", "1", "--tools", "/nowhere/tools.yaml"], 2, "/nowhere/tools.yaml"),
        (["import", "/nowhere/data.json"], 2, "/nowhere/data.json"),
    ],
    ids=["count", "workers", "teacher", "tools", "file"],
)
def test_an_error_is_one_clear_line(capsys, tmp_path, arguments, status, says):
    assert main(["data", *arguments, "--out", str(tmp_path / "rows.jsonl")]) == status
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_a_file_without_a_good_row_fails(capsys, tmp_path):
    (tmp_path / "empty.json").write_text("{}")
    assert main(["data", "import", str(tmp_path / "empty.json"), "--out", str(tmp_path / "rows.jsonl")]) == 1
    assert "no row was kept" in capsys.readouterr().err


def test_imported_rows_keep_the_moment_that_their_prompts_name(tmp_path: Path) -> None:
    file, out = published_prompts.write(tmp_path / "data.json", 20), tmp_path / "rows.jsonl"
    assert main(["data", "import", str(file), "--out", str(out)]) == 0
    cases = read_cases(out)
    assert cases
    assert all(case.now for case in cases)
