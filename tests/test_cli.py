"""The command line as a user meets it: exit statuses, one-line errors, JSON of the contract. Shipped weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tinyagent_mlx.cli.main import VERBS, main
from tinyagent_mlx.plan import parse_plan

NOW = "2026-11-23 09:00"
GOLDEN = str(Path(__file__).parent / "golden" / "tools")
PLAN_KEYS = {
    "query",
    "plan",
    "steps",
    "tools",
    "refused",
    "prompt_tokens",
    "generated_tokens",
    "forward_passes",
    "seconds",
}
EVAL_KEYS = {
    "cases", "dag_success", "exact_success", "valid_plans", "tool_recall", "tools_per_query", "prompt_tokens_mean",
    "refusal_precision", "refusal_recall", "seconds_p50", "seconds_p95", "by_tag",
}  # fmt: skip


def run(*arguments: str, **options) -> subprocess.CompletedProcess:
    """The command in a process of its own, with no terminal."""
    command = [sys.executable, "-m", "tinyagent_mlx.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=120, **options)


def plan_of(capsys, query: str) -> dict:
    assert main(["plan", query, "--now", NOW, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_plan_prints_the_contract_s_object(capsys):
    out = plan_of(capsys, "text 555-0199 that the package arrived")
    assert out.keys() >= PLAN_KEYS
    assert out["plan"] == '1. send_sms(["555-0199"], "the package arrived")'
    assert out["steps"] == [
        {"id": 1, "tool": "send_sms", "args": {"recipients": ["555-0199"], "message": "the package arrived"}}
    ]
    assert "send_sms" in out["tools"]
    assert out["refused"] is False


def test_what_no_tool_serves_is_refused(capsys):
    out = plan_of(capsys, "what is the capital of France")
    assert out["refused"] is True
    assert out["plan"] == ""


def test_a_plan_that_the_planner_doubts_says_so(capsys):
    assert main(["plan", "don't text Ines that I'm late", "--now", NOW]) == 0
    assert "The planner is not sure that this is what you meant (confidence " in capsys.readouterr().out
    assert main(["plan", "text 555-0199 that the package arrived", "--now", NOW]) == 0
    assert "not sure" not in capsys.readouterr().out


def test_datetimes_come_out_resolved(capsys):
    out = plan_of(capsys, "put dentist on my calendar for friday at 3pm")
    assert out["steps"][0]["args"]["start_date"] == "2026-11-27 15:00:00"


HOSTILE = {
    "empty": "",
    "blank": "   ",
    "random bytes": bytes((i * 97 + 13) % 255 + 1 for i in range(500)).decode("utf-8", "surrogateescape"),
    "20,000 words": "please text Sid hello " * 5_000,
    "looks like code": "text 555-0199 \"$1\" '${2}' `id` $(id)\nnew line 😀 \\ end",
}


@pytest.mark.parametrize("query", HOSTILE.values(), ids=HOSTILE.keys())
def test_any_text_gives_a_plan_or_a_refusal(capsys, query):
    out = plan_of(capsys, query)
    assert out["refused"] == (out["plan"] == "")
    parse_plan(out["plan"])


def test_random_bytes_reach_the_planner_through_a_real_command_line():
    out = run("plan", bytes((i * 53 + 7) % 255 + 1 for i in range(500)), "--json")
    assert out.returncode == 0, out.stderr.decode()
    assert json.loads(out.stdout)["query"]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["plan", "x", "--now", "someday"], 2, "someday"),
        (["plan", "x", "--tools", "/nowhere/tools.yaml"], 2, "/nowhere/tools.yaml"),
        (["plan", "x", "--model", "/nowhere/model"], 2, "/nowhere/model"),
        (["tools", "show", "send_smss"], 2, "did you mean 'send_sms'"),
        (["eval", "--cases", "/nowhere/cases.jsonl"], 2, "/nowhere/cases.jsonl"),
        (["tools", "compile", "--check"], 2, "--out"),
        (["eval", "--cases", "x", "--rows", "/tmp"], 2, "--rows /tmp: is a folder"),
        (["eval", "--cases", "x", "--rows", "/etc/hosts/rows"], 2, "--rows /etc/hosts/rows: /etc/hosts is no folder"),
        (["data", "generate", "--count", "1", "--out", "/tmp"], 2, "--out /tmp: is a folder"),
        (["run", "text Ines " + "very " * 160 + "soon", "--yes"], 1, "too long"),
    ],
    ids=["now", "tools", "model", "tool", "cases", "compile", "rows", "rows in a file", "data", "too long"],
)
def test_an_error_is_one_clear_line(capsys, tmp_path, monkeypatch, arguments, status, says):
    monkeypatch.setenv("TINYAGENT_HOME", str(tmp_path))
    assert main(arguments) == status
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_wrong_usage_ends_with_2():
    assert run("plan").returncode == 2
    assert run("dance").returncode == 2


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb, capsys):
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert "--tools" in out
    assert "--home" in out


def test_eval_prints_the_contract_s_object_and_rows(capsys, tmp_path):
    cases = tmp_path / "cases.jsonl"
    good = {
        "id": "a",
        "query": "text 555-0199 that the package arrived",
        "plans": ['1. send_sms(["555-0199"], "The package arrived.")'],
        "tags": ["sms"],
    }
    wrong = {"id": "b", "query": "what's Hadiza's number", "plans": ['1. get_email_address("Hadiza")']}
    cases.write_text(json.dumps(good) + "\n" + json.dumps(wrong) + "\n")
    assert main(["eval", "--cases", str(cases), "--rows", str(tmp_path / "rows.jsonl"), "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out.keys() >= EVAL_KEYS
    assert (out["cases"], out["dag_success"], out["valid_plans"]) == (2, 0.5, 1.0)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [(row["id"], row["dag"], row["exact"]) for row in rows] == [("a", True, True), ("b", False, False)]


def test_run_without_a_terminal_writes_nothing(tmp_path, capsys):
    desktop = tmp_path / "desktop"
    status = main(["run", "remind me to water the plants on sunday", "--desktop", str(desktop), "--now", NOW])
    assert status == 1
    assert "--yes" in capsys.readouterr().err
    assert not list(desktop.rglob("*.ics"))


def test_run_with_yes_writes_and_says_so(tmp_path, capsys):
    desktop = tmp_path / "desktop"
    arguments = ["run", "remind me to water the plants on sunday", "--desktop", str(desktop), "--now", NOW]
    assert main([*arguments, "--yes", "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["ok"] is True
    assert [row["ended"] for row in out["outcome"]] == ["done"]
    (written,) = desktop.rglob("*.ics")
    assert "water the plants" in written.read_text()


def test_dry_run_shows_arguments_and_writes_nothing(tmp_path, capsys):
    desktop = tmp_path / "desktop"
    assert main(["run", "text 555-0199 hello there", "--dry-run", "--desktop", str(desktop)]) == 0
    out = capsys.readouterr().out
    assert "555-0199" in out
    assert "hello there" in out
    assert "an example of it stands" not in out
    assert main(["run", "text Ines hello there", "--dry-run", "--desktop", str(desktop)]) == 0
    assert "takes an earlier one's result, an example of it stands" in capsys.readouterr().out
    assert not list(desktop.rglob("*.json"))


SETTINGS = {
    "a key of the wrong kind": ("theme: 5\n", "missing", "key 'theme'"),
    "no such model": ("model: nope\n", "missing", "key 'model': 'nope' is no model folder"),
    "no such retriever": ("retriever: nope\n", "missing", "key 'retriever': 'nope' is no model folder"),
    "no such tool": ("mcp: {allow: [creat_note]}\n", "slow", "mcp: allow: no tool is called 'creat_note'"),
    "nothing wrong": ("theme: nord\n", "ok", "settings.yaml"),
}


@pytest.mark.parametrize(("text", "state", "says"), SETTINGS.values(), ids=SETTINGS)
def test_doctor_says_what_is_wrong_with_the_settings(capsys, tmp_path, text, state, says):
    (tmp_path / "settings.yaml").write_text(text)
    assert main(["doctor", "--json", "--home", str(tmp_path)]) == (1 if state == "missing" else 0)
    found = [c for c in json.loads(capsys.readouterr().out)["checks"] if c["subject"] in ("settings", "planner")]
    assert (found[-1]["state"], says in found[-1]["finding"]) == (state, True)


def test_doctor_finds_the_shipped_weights(capsys, tmp_path):
    assert main(["doctor", "--json", "--home", str(tmp_path)]) == 0
    states = {check["subject"]: check["state"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert states["weights"] == "ok"
    assert states["tools"] == "ok"


def test_compiled_texts_are_the_golden_files(capsys):
    assert main(["tools", "compile", "--out", GOLDEN, "--check"]) == 0, capsys.readouterr().err
