"""YAML with line numbers: read a document into plain data and know on which line each value stands.

Refuses two keys of one name, which PyYAML would silently merge, and reads keys on top as words. Knows nothing of tools.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tinyagent_mlx.errors import ConfigError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Path = tuple[str | int, ...]

# What PyYAML lets out of a scalar that is not what it looks like: "2026-13-45", "!!bool maybe", 5,000 digits.
_UNREADABLE = (ValueError, LookupError, AttributeError)


@dataclass(frozen=True)
class Document:
    """`data` as plain Python; `lines` maps the path of each value, keys and indices, to its line (from 1)."""

    file: Path
    data: Any
    lines: dict[_Path, int]

    def line(self, path: Iterable[str | int]) -> int:
        """The line of the value at `path`, or of the nearest value around it."""
        path = tuple(path)
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_text(file: Path) -> str:
    """The text of a file, line ends as they are. Raises `ConfigError` with file and line."""
    try:
        return file.read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}:{line}: is not UTF-8 text: byte {error.object[error.start]:#x}") from error


def read(file: Path, text: str | None = None) -> Document:
    """Read a YAML file, or `text` as if it stood there. Raises `ConfigError` with file and line."""
    text = read_text(file) if text is None else text
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            _keep_words(node)
            lines: dict[_Path, int] = {}
            _mark(node, (), lines, file, loader)
            return Document(file, loader.construct_document(node) if node else None, lines)
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, text.find(chr(error.character))) + 1
        raise ConfigError(f"{file}:{line}: is not YAML: character {error.character:#x} is not allowed") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else str(file)
        raise ConfigError(f"{where}: is not YAML: {getattr(error, 'problem', None) or error}") from error
    except (*_UNREADABLE, RecursionError) as error:
        raise ConfigError(f"{file}: is not YAML: {error}") from error


def _keep_words(node: yaml.Node | None) -> None:
    """Keys of the mapping on top are words: to PyYAML, a bare `off` is False."""
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.tag == "tag:yaml.org,2002:bool":
            key.tag = "tag:yaml.org,2002:str"


def _mark(node: yaml.Node | None, path: _Path, lines: dict[_Path, int], file: Path, loader: yaml.SafeLoader) -> None:
    if node is None:
        return
    if path not in lines:
        lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        try:
            loader.construct_object(node)
        except _UNREADABLE as error:
            kind = node.tag.rpartition(":")[2]
            where = f"{file}:{node.start_mark.line + 1}"
            raise ConfigError(f"{where}: is not YAML: {node.value[:60]!r} is no {kind} (put text in quotes)") from error
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _mark(child, (*path, index), lines, file, loader)
    elif isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{file}:{key.start_mark.line + 1}: is not YAML: a key is a list or a mapping")
            key_path = (*path, key.value)
            if key_path in lines:
                raise ConfigError(
                    f"{file}:{key.start_mark.line + 1}: key {key.value!r} stands twice, first on line {lines[key_path]}"
                )
            lines[key_path] = key.start_mark.line + 1
            _mark(child, key_path, lines, file, loader)
