"""Change a YAML file that people write by hand: every byte that is not part of the change stays as it is.

An edit is a piece put into the text or cut out of it, and it is read again before it is saved: what is not exactly the
change that was meant is refused. Knows nothing of tools.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import yaml

from tinyagent_mlx import yamlmarks
from tinyagent_mlx.errors import ConfigError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_UNPRINTED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


class _Text:
    """A YAML text with a mapping on top, and where its parts stand. Raises `ConfigError` when it is written otherwise."""

    def __init__(self, file: Path, text: str):
        self.file, self.text = file, text
        self.data = yamlmarks.read(file, text).data
        if not isinstance(self.data, dict):
            raise ConfigError(f"{file}: is no mapping with keys, so nothing can be put into it")
        self.root = cast(Any, yaml.compose(text, Loader=_Loader))
        if self.root.flow_style:
            raise ConfigError(f"{file}:1: is written in one pair of braces: write each key on a line of its own first")
        self.starts = [0, *(match.end() for match in _BREAK.finditer(text))]
        self.newline = "\r\n" if "\r\n" in text else "\n"

    def at(self, mark: Any) -> int:
        return int(self.starts[mark.line] + mark.column)

    def entry(self, key: str) -> tuple[Any, Any] | None:
        """The nodes of a key of the mapping on top and of its value."""
        return next((pair for pair in self.root.value if pair[0].value == key), None)

    def end_of(self, key: str) -> int:
        """Where what belongs to a key ends: after its last line, before the comments of the next key."""
        keys = [pair[0] for pair in self.root.value]
        index = next(n for n, node in enumerate(keys) if node.value == key)
        last = keys[index + 1].start_mark.line if index + 1 < len(keys) else len(self.starts)
        while last > keys[index].start_mark.line + 1 and not self._holds_words(last - 1):
            last -= 1
        return self.starts[last] if last < len(self.starts) else len(self.text)

    def _holds_words(self, line: int) -> bool:
        """Whether a line is more than blanks, a comment at the margin, or a mark of the document's end."""
        end = self.starts[line + 1] if line + 1 < len(self.starts) else len(self.text)
        text = self.text[self.starts[line] : end]
        return bool(text.strip()) and not text.startswith(("#", "---", "..."))

    def line_end(self, position: int) -> int:
        """Where the next line begins, or the text ends."""
        return next((start for start in self.starts if start > position), len(self.text))

    def put(self, position: int, piece: str) -> str:
        """The text with a piece in it; a piece of whole lines begins on a line of its own."""
        if piece.endswith("\n") and position and position not in self.starts:
            piece = "\n" + piece
        return self.text[:position] + piece.replace("\n", self.newline) + self.text[position:]


def with_entry(file: Path, text: str, key: str, entry: str) -> str:
    """The text with one more entry at the end of the list `key`. `entry` begins with "- " at the margin, or with comments,
    and ends its last line. Raises `ConfigError` when the list can't be added to as it is written."""
    parts = _Text(file, text)
    found = parts.entry(key)
    wanted = {**parts.data, key: [*(parts.data.get(key) or []), *yaml.load(entry, _Loader)]}
    if found is None:
        position = len(text)
        changed = parts.put(position, f"\n{key}:\n{_indented(entry, 2)}")
    elif not found[1].value:
        start, end = parts.at(found[1].start_mark), parts.at(found[1].end_mark)
        bare = _Text(file, text[:start].rstrip(" ") + text[end:]) if end > start else parts
        changed = bare.put(bare.line_end(bare.at(bare.entry(key)[0].start_mark)), _indented(entry, 2))  # type: ignore[index]
    elif not isinstance(found[1], yaml.SequenceNode) or found[1].flow_style:
        line = found[0].start_mark.line + 1
        raise ConfigError(f"{file}:{line}: key {key!r}: write it as a list with one '- ' for each entry first")
    else:
        changed = parts.put(parts.end_of(key), "\n" + _indented(entry, found[1].start_mark.column))
    return _checked(file, changed, wanted)


def _indented(entry: str, columns: int) -> str:
    return "".join(" " * columns + line if line.strip() else line for line in entry.splitlines(keepends=True))


def with_word(file: Path, text: str, key: str, word: str) -> str:
    """The text with one more word at the end of the list `key`."""
    parts = _Text(file, text)
    found = parts.entry(key)
    words = list(parts.data.get(key) or [])
    wanted = {**parts.data, key: [*words, word]}
    if found is None:
        first = parts.root.value[0][1]
        changed = parts.put(parts.line_end(parts.at(first.end_mark)), f"{key}:\n  - {scalar(word)}\n")
    elif isinstance(found[1], yaml.ScalarNode) and found[1].value in ("", "~", "null"):
        colon = text.index(":", parts.at(found[0].end_mark)) + 1
        changed = text[:colon] + f" [{scalar(word)}]" + text[max(colon, parts.at(found[1].end_mark)) :]
    elif not isinstance(found[1], yaml.SequenceNode):
        raise ConfigError(f"{file}:{found[0].start_mark.line + 1}: key {key!r}: is {found[1].value!r}, expected a list")
    elif not found[1].value:
        start = parts.at(found[1].start_mark) + 1
        changed = text[:start] + scalar(word) + text[start:]
    else:
        end = parts.at(found[1].value[-1].end_mark)
        if found[1].flow_style:
            changed = text[:end] + f", {scalar(word)}" + text[end:]
        else:
            changed = parts.put(parts.line_end(end), " " * found[1].start_mark.column + f"- {scalar(word)}\n")
    return _checked(file, changed, wanted)


def without_word(file: Path, text: str, key: str, word: str) -> str:
    """The text without a word of the list `key`; the text itself when the word is not in it."""
    parts = _Text(file, text)
    found = parts.entry(key)
    words = list(parts.data.get(key) or [])
    if found is None or word not in words:
        return text
    index = words.index(word)
    node = found[1].value[index]
    start, end = parts.at(node.start_mark), parts.at(node.end_mark)
    if found[1].flow_style:
        if comma := re.compile(r"[ \t]*,[ \t]*").match(text, end):
            end = comma.end()
        elif comma := re.search(r",\s*$", text[:start]):
            start = comma.start()
        changed = text[:start] + text[end:]
    elif len(words) == 1:
        colon = text.index(":", parts.at(found[0].end_mark)) + 1
        changed = text[:colon] + " []" + text[colon : parts.starts[node.start_mark.line]] + text[parts.line_end(end) :]
    else:
        changed = text[: parts.starts[node.start_mark.line]] + text[parts.line_end(end) :]
    return _checked(file, changed, {**parts.data, key: [*words[:index], *words[index + 1 :]]})


def scalar(word: str) -> str:
    """A text as YAML on one line, in quotes where it might be read as something else."""
    try:
        if word and yaml.load(f"[{word}]", _Loader) == [word] and yaml.load(f"x: {word} # y", _Loader) == {"x": word}:
            return word
    except (yaml.YAMLError, ValueError):
        pass
    quoted = json.dumps(word, ensure_ascii=False)
    return _UNPRINTED.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _checked(file: Path, changed: str, wanted: Any) -> str:
    """The changed text, when it means what is wanted and nothing else."""
    found: Any = None
    with suppress(ConfigError):
        found = yamlmarks.read(file, changed).data
    if found != wanted:
        raise ConfigError(f"{file}: can't be changed without changing more than that; edit it by hand")
    return changed


def edit(file: Path, change: Callable[[str], str]) -> None:
    """Change a file, all of it or nothing; `change` may raise `ConfigError`. A link stays a link, the mode the mode."""
    place = file.resolve()
    before = yamlmarks.read_text(place)
    after = change(before)
    if after != before:
        replace(place, after, before)


def replace(file: Path, text: str, before: str | None = None) -> None:
    """Write a file beside the old one and put it in its place; `before` is what must still stand in the old one."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as part:
                part.write(text.encode("utf-8"))
                part.flush()
                os.fsync(part.fileno())
            Path(name).chmod(file.stat().st_mode & 0o7777 if file.exists() else 0o644)
            if before is not None and yamlmarks.read_text(file) != before:
                raise ConfigError(f"{file}: was changed by another program just now; try again")
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{file}: can't be written: {error.strerror}") from error


__all__ = ["edit", "replace", "scalar", "with_entry", "with_word", "without_word"]
