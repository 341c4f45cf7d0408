"""The text core and the quick verbs load without MLX and without a screen library."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"mlx", "mlx_lm", "mlx_whisper", "torch", "transformers", "tokenizers", "llguidance", "textual", "dateparser"}

CORE = [
    "tinyagent_mlx.argtypes",
    "tinyagent_mlx.cases",
    "tinyagent_mlx.check",
    "tinyagent_mlx.decisions",
    "tinyagent_mlx.background",
    "tinyagent_mlx.errors",
    "tinyagent_mlx.events",
    "tinyagent_mlx.executor",
    "tinyagent_mlx.instructions",
    "tinyagent_mlx.parts",
    "tinyagent_mlx.plan",
    "tinyagent_mlx.planner",
    "tinyagent_mlx.retriever",
    "tinyagent_mlx.streaming",
    "tinyagent_mlx.toolbox",
    "tinyagent_mlx.toolfile",
    "tinyagent_mlx.values",
    "tinyagent_mlx.when",
    "tinyagent_mlx.words",
    "tinyagent_mlx.writer",
    "tinyagent_mlx.writing",
    "tinyagent_mlx.yamlmarks",
]

LOADED = "print(); print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def loaded_by(code: str) -> set[str]:
    """The top-level modules that are loaded once `code` has run in a process of its own."""
    script = f"import json, sys\n{code}\n{LOADED}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_text_core_loads_nothing_heavy():
    loaded = loaded_by("\n".join(f"import {name}" for name in CORE))
    assert "tinyagent_mlx" in loaded
    assert loaded & HEAVY == set()


RUN = "from tinyagent_mlx.cli.main import main\ntry:\n    status = main({!r})\nexcept SystemExit as end:\n    status = end.code\nassert status == 0, status"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["tools", "list"],
        ["tools", "show", "send_sms"],
        ["tools", "check"],
        ["plan", "--help"],
        ["run", "--help"],
    ],
    ids=" ".join,
)
def test_quick_verbs_load_nothing_heavy(arguments):
    assert loaded_by(RUN.format(arguments)) & HEAVY == set()


def test_the_look_at_loaded_modules_can_fail():
    assert "textual" in loaded_by("import textual")
