"""The JSON Schema of tools.yaml says what its reader says, as far as one value at a time can."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.test_toolfile import BROKEN, MINIMAL, edited
from tinyagent_mlx import ownfile, toolschema, yamlmarks
from tinyagent_mlx.argtypes import TYPES
from tinyagent_mlx.cli.main import main
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.paths import shipped

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "tinyagent_mlx" / toolschema.FILE_NAME
SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*/tools.yaml"))
VALIDATOR = jsonschema.Draft202012Validator(toolschema.schema())


def problems(text: str) -> list[str]:
    """What the schema says against a text; a text that is no YAML has a problem too."""
    try:
        return [error.message for error in VALIDATOR.iter_errors(yamlmarks.read(Path("tools.yaml"), text).data)]
    except ConfigError as error:
        return [str(error)]


# What only a reader that knows the rest of the file, the folder or the plan language can find.
BEYOND = {
    "tool name twice", "argument name twice", "script not there", "inverse not there", "unknown placeholder",
    "placeholder without a name", "placeholder not closed", "placeholder reaches into a value",
    "placeholder with a format", "default is no choice", "a choice read as True", "plan is prose", "plan is not closed",
}  # fmt: skip
SEEN = {key: row for key, row in BROKEN.items() if key not in BEYOND and not key.startswith(("plan with", "example "))}


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(toolschema.schema())


def test_the_kept_file_is_the_schema():
    assert KEPT.read_text(encoding="utf-8") == ownfile.schema_text(), "run: tinyagent tools schema > " + str(KEPT)


def test_it_is_printed(capsys):
    assert main(["tools", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == toolschema.schema()


@pytest.mark.parametrize("file", [shipped("tools.yaml"), *SCENARIOS], ids=lambda file: file.parent.name)
def test_files_that_are_read_validate(file):
    assert problems(file.read_text(encoding="utf-8")) == []


def test_the_shipped_file_names_the_schema():
    first = shipped("tools.yaml").read_text(encoding="utf-8").partition("\n")[0]
    assert first == f"# yaml-language-server: $schema={KEPT.relative_to(ROOT)}"


@pytest.mark.parametrize("text", [MINIMAL, "version: 1\noff: [send_sms, Zoom]\n"], ids=["minimal", "only what is off"])
def test_small_files_validate(text):
    assert problems(text) == []


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_may_have_the_default_that_it_has_anyway(kind):
    choices = ", choices: [a]" if "choice" in kind else ""
    value = (
        "a" if kind == "choice" else json.dumps(list(found) if isinstance(found := TYPES[kind].empty, tuple) else found)
    )
    new = f'{{name: copies, type: "{kind}", description: how many, default: {value}{choices}}}'
    assert problems(edited("{name: copies, type: integer, description: how many, default: 1}", new)) == []


@pytest.mark.parametrize(("old", "new"), [row[:2] for row in SEEN.values()], ids=SEEN)
def test_what_the_reader_refuses_does_not_validate(old, new):
    assert problems(edited(old, new))


def test_the_table_of_what_does_not_validate_is_long_enough():
    assert len(SEEN) >= 40


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\n",
        "version: 1\noff: Zoom\n",
        "version: 1\noff: [7]\n",
        "version: 1\noff: ['']\n",
        "version: 1\ntools: {}\n",
        "[]",
    ],
    ids=[
        "nothing but the version",
        "off is a text",
        "off holds a number",
        "off holds nothing",
        "tools by name",
        "a list",
    ],
)
def test_own_files_that_are_wrong_do_not_validate(text):
    assert problems(text)
