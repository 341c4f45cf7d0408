"""YAML is read with the line of every value, and what is not YAML is said in one line with its place."""

from __future__ import annotations

import pytest
import yaml

from tinyagent_mlx import yamlmarks
from tinyagent_mlx.errors import ConfigError

TEXT = """\
# a comment
name: shed
list:
  - first
  - {deep: yes, deeper: [1,
      2]}

text: |
  two
  lines
nothing:
"""

# (text, line of the complaint, what it says)
BROKEN = {
    "unclosed list": ("a: 1\nb: [1\nc: 2\n", 3, "is not YAML"),
    "tab as indentation": ("a:\n\t- b\n", 2, "is not YAML"),
    "bad indentation": ("a:\n  b: 1\n c: 2\n", 3, "is not YAML"),
    "unknown alias": ("a: 1\nb: *c\n", 2, "undefined alias"),
    "second document": ("a: 1\n---\nb: 2\n", 2, "another document"),
    "object tag": ("a: 1\nb: !!python/object:os.system x\n", 2, "python/object"),
    "key twice": ("a: 1\nb: 2\na: 3\n", 3, "key 'a' stands twice, first on line 1"),
    "deep key twice": ("a:\n  - b: 1\n    c: 2\n    b: 3\n", 4, "key 'b' stands twice, first on line 2"),
    "key that is a list": ("a: 1\n? [b]\n: c\n", 2, "a key is a list"),
    "impossible date": ("a: 1\nb: 2026-13-45\n", 2, "'2026-13-45' is no timestamp"),
    "no such boolean": ("a: 1\nb: !!bool maybe\n", 2, "'maybe' is no bool"),
    "empty integer": ("a: 1\nb: !!int ''\n", 2, "'' is no int"),
    "endless integer": ("a: 1\nb: " + "9" * 5000 + "\n", 2, "is no int"),
    "control character": ("é: é\n# ééé\nb: \x00\n", 3, "character 0x0"),
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "tools.yaml"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("name",), 2),
        (("list",), 3),
        (("list", 0), 4),
        (("list", 1), 5),
        (("list", 1, "deep"), 5),
        (("list", 1, "deeper", 1), 6),
        (("text",), 8),
        (("nothing",), 11),
        (("list", 1, "missing", "deeper"), 5),
        (("missing",), 2),
    ],
    ids=str,
)
def test_each_value_has_its_line_and_a_missing_one_that_of_what_is_around_it(file, path, line):
    file.write_text(TEXT)
    assert yamlmarks.read(file).line(path) == line


def test_data_is_what_a_plain_yaml_reader_says(file):
    file.write_text(TEXT)
    assert yamlmarks.read(file).data == yaml.safe_load(TEXT)


@pytest.mark.parametrize("text", ["", "# only a comment\n"], ids=["empty", "comment"])
def test_an_empty_file_holds_nothing(file, text):
    file.write_text(text)
    document = yamlmarks.read(file)
    assert document.data is None
    assert document.line(("tools",)) == 1


def test_an_alias_is_marked_at_its_anchor(file):
    file.write_text("a: &a\n  - x\nb: *a\n")
    document = yamlmarks.read(file)
    assert document.data == {"a": ["x"], "b": ["x"]}
    assert document.line(("b", 0)) == 2


@pytest.mark.parametrize(("text", "line", "says"), BROKEN.values(), ids=BROKEN)
def test_what_is_not_yaml_is_said_in_one_line_with_its_place(file, text, line, says):
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        yamlmarks.read(file)
    message = str(error.value)
    assert message.startswith(f"{file}:{line}: ")
    assert says in message
    assert "\n" not in message
    assert len(message) < 300


def test_a_value_that_holds_itself_is_refused(file):
    file.write_text("a: &a [*a]\n")
    with pytest.raises(ConfigError, match="is not YAML"):
        yamlmarks.read(file)


def test_a_missing_file_is_named(file):
    with pytest.raises(ConfigError, match="cannot be read: No such file") as error:
        yamlmarks.read(file)
    assert str(file) in str(error.value)


def test_text_in_another_encoding_is_refused_with_its_line(file):
    file.write_bytes("a: 1\nb: Zürich\n".encode("latin-1"))
    with pytest.raises(ConfigError) as error:
        yamlmarks.read(file)
    assert str(error.value) == f"{file}:2: is not UTF-8 text: byte 0xfc"
