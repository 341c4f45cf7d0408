"""The workflow for macOS: what it runs is there. Whether it passes only a Mac can say."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from tinyagent_mlx.cli.main import VERBS

ROOT = Path(__file__).parent.parent
FILE = ROOT / ".github" / "workflows" / "macos.yml"
TEXT = FILE.read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load(TEXT)
(JOB,) = WORKFLOW["jobs"].values()
COMMANDS = [line for step in JOB["steps"] for line in step.get("run", "").splitlines()]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_it_runs_on_apple_silicon_with_few_rights_and_an_end():
    assert JOB["runs-on"] == "macos-15"
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert 0 < JOB["timeout-minutes"] <= 60
    assert set(WORKFLOW[True]) == {"push", "pull_request", "workflow_dispatch"}  # YAML reads `on` as true


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_there(command):
    words = shlex.split(command)
    if words[0] == "make":
        assert words[1] in TARGETS
        assert len(words) == 2
        return
    assert words[0] == ".venv/bin/tinyagent"
    assert words[1] in VERBS
    done = subprocess.run(  # the verb's own parser reads the options
        [ROOT / words[0], words[1], *([words[2]] if words[1] == "tools" else []), "--help"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert all(word in done.stdout for word in words if word.startswith("--"))


def test_it_compiles_installs_tests_and_runs_live_in_that_order():
    made = [command.removeprefix("make ") for command in COMMANDS if command.startswith("make ")]
    assert made == ["compile-scripts", "install", "test", "live"]


def test_actions_have_a_version_and_no_host_or_secret_is_named():
    used = [step["uses"] for step in JOB["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in used)
    assert not re.search(r"://|secrets\.|index-url", TEXT)


def compiler(folder: Path, fails: str) -> dict[str, str]:
    """An osacompile that refuses files whose path holds `fails` and writes down what it was given."""
    program = folder / "osacompile"
    program.write_text(f'#!/bin/sh\necho "$3" >> "{folder}/seen"\ncase "$3" in *{fails}*) exit 1;; esac\n: > "$2"\n')
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.mark.parametrize(("fails", "status"), [("none-of-them", 0), ("doctor/mail", 1)], ids=["all", "one broken"])
def test_every_script_is_compiled_and_a_broken_one_is_named(tmp_path, fails, status):
    done = subprocess.run(
        ["make", "compile-scripts"], cwd=ROOT, env=compiler(tmp_path, fails), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode != 0) == bool(status)
    seen = (tmp_path / "seen").read_text().split()
    there = [*ROOT.glob("applescripts/**/*.applescript"), *ROOT.glob("tests/live/*.applescript")]
    assert sorted(seen) == sorted(str(file.relative_to(ROOT)) for file in there)
    assert ("does not compile: applescripts/doctor/mail.applescript" in done.stderr) == bool(status)


def test_without_a_mac_the_compiler_is_missed_in_one_line(tmp_path):
    done = subprocess.run(
        ["/bin/sh", ROOT / "scripts" / "compile_scripts.sh", "x"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == "compile-scripts: there is no osacompile here; it needs macOS\n"


def test_the_scripts_of_the_live_tests_lint():
    from tinyagent_mlx.scripts import lint

    for script in (ROOT / "tests" / "live").glob("*.applescript"):
        assert lint(script.read_text(encoding="utf-8")) == []
