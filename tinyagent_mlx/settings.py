"""What the user chose for good: `settings.yaml` in the home folder, read strictly and changed key by key.

A change puts one key's lines in the place of the old ones, so that comments and the other keys stay as they were written.
Knows nothing of screens: which themes and which keys there are is not checked here.
"""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from tinyagent_mlx import yamlmarks
from tinyagent_mlx.errors import ConfigError

_HEAD = "# What was chosen in tinyagent; edit it as you like.\n"


@dataclass(frozen=True)
class Mcp:
    """`allow` are the tools that write or send for clients of `tinyagent mcp`, each by its name."""

    allow: tuple[str, ...] = ()


@dataclass(frozen=True)
class Files:
    """`roots` are the folders whose files may be found, summarized and attached."""

    roots: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Voice:
    """`model` writes speech down: a name of `tinyagent listen --models`, a folder, or "" for this machine's default.
    `language` is what is spoken, "" to detect it each time.
    """

    model: str = ""
    language: str = ""


Sentences = tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """`allow` are the tools that write without asking, `allow_sends` those that send without asking; `keys` maps the id of
    what a key does to the keys that do it. `model` and `retriever` are models of `tinyagent models`, "" for the shipped ones;
    `writer` is one that writes, "" for none. `instructions` are what the user always wants, sentence by sentence.
    """

    theme: str = ""
    allow: tuple[str, ...] = ()
    allow_sends: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    mcp: Mcp = Mcp()
    files: Files = Files()
    voice: Voice = Voice()
    model: str = ""
    retriever: str = ""
    writer: str = ""
    instructions: Sentences = ()


def read(file: Path) -> Settings:
    """Read the file; there need not be one. Raises `ConfigError` with file, line and key."""
    if not file.exists():
        return Settings()
    document = yamlmarks.read(file)
    data = {} if document.data is None else document.data
    if not isinstance(data, dict):
        raise ConfigError(f"{file}:1: expected keys with values, such as 'theme: nord', got {data!r:.60}")
    kinds = {known.name: _KINDS[str(known.type)] for known in fields(Settings)}
    values = {}
    for key, value in data.items():
        where = f"{file}:{document.line((str(key),))}: key {key!r}"
        if key not in kinds:
            near = difflib.get_close_matches(str(key), kinds, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(kinds)}"
            raise ConfigError(f"{where}: is not known; {hint}")
        try:
            values[key] = kinds[key](value)
        except ValueError as error:
            raise ConfigError(f"{where}: is {value!r:.60}, expected {error}") from error
    return Settings(**values)


def line_of(file: Path, *path: str) -> str:
    """Where a value stands, "file:line", for a message about it."""
    return f"{file}:{yamlmarks.read(file).line(path)}"


def change(file: Path, **values: Any) -> Settings:
    """Write other values for some keys, whole or not at all; gives all that holds now. Raises `ConfigError`."""
    read(file)  # a file that is wrong is the user's to mend: nothing is written over it
    try:
        place = file.resolve()  # where the file is a link, as with kept dotfiles, the link stays
        text = place.read_text(encoding="utf-8") if place.exists() else _HEAD
        plain = {key: _plain(value) for key, value in values.items()}
        _replace(place, _changed(text, plain))
    except OSError as error:
        raise ConfigError(f"{file}: can't be written: {error.strerror}") from error
    return read(file)


def _changed(text: str, values: Mapping[str, Any]) -> str:
    wanted = {**(yaml.safe_load(text) or {}), **values}
    try:
        for key, value in values.items():
            text = _with(text, key, value)
        if yaml.safe_load(text) == wanted:
            return text
    except yaml.YAMLError:
        pass
    return _dump(wanted)  # written in a way that lines can't be changed in: right comes before pretty


def _with(text: str, key: str, value: Any) -> str:
    """The text with one top-level key's lines changed or, where it is not there, added at the end."""
    line = _dump({key: value}).rstrip("\n")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for name, old in root.value if isinstance(root, yaml.MappingNode) else ():
        if name.value == key:
            kept = text[: _end(old)].rstrip()  # the end of a folded text is counted to it
            return text[: name.start_mark.index] + line + text[len(kept) :]
    return f"{text.rstrip()}\n{line}\n".lstrip("\n")


def _end(node: yaml.Node) -> int:
    """Where a value's text ends. YAML counts what stands before the next key, comments too, to a list in lines."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _replace(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".settings-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.replace(name, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def _dump(values: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(values), allow_unicode=True, default_flow_style=False, sort_keys=False))


def _plain(value: Any) -> Any:
    """A value as YAML writes it; of a section what is chosen in it."""
    if is_dataclass(value):
        return {key: plain for known in fields(value) if (plain := _plain(getattr(value, (key := known.name))))}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else dict(value) if isinstance(value, Mapping) else value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("a list of names")
    return tuple(value)


def _sentences(value: Any) -> Sentences:
    """Sentences; "Mail: always cc Nick" is a mapping to YAML, and means the same without quotes."""
    if not isinstance(value, list):
        raise ValueError("a list of sentences, such as '- always cc Nick'")
    found = [next(f"{key}: {text}" for key, text in item.items()) if _is_pair(item) else item for item in value]
    if not all(isinstance(item, str) and item.strip() for item in found):
        raise ValueError("a list of sentences, each a text, such as '- always cc Nick' or '- Mail: always cc Nick'")
    return tuple(" ".join(item.split()) for item in found)


def _is_pair(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and len(item) == 1
        and all(isinstance(text, str) for pair in item.items() for text in pair)
    )


def _map(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for pair in value.items() for item in pair):
        raise ValueError("names with texts, such as 'ask.undo: f10' (a number goes in quotes)")
    return value


def _mcp(value: Any) -> Mcp:
    names = _section(value, "allow", "'allow: [create_note]'")
    if any(name != name.strip() or "*" in name or "?" in name for name in names):
        raise ValueError("under 'allow' each tool by its whole name: no pattern stands for several")
    return Mcp(names)


def _files(value: Any) -> Files:
    names = _section(value, "roots", "'roots: [~/Documents]'")
    try:
        roots = tuple(Path(name).expanduser() for name in names)
    except RuntimeError as error:  # the home of nobody
        raise ValueError("under 'roots' folders by their full path or from ~") from error
    if not all(root.is_absolute() and root != Path(root.anchor) and ".." not in root.parts for root in roots):
        raise ValueError("under 'roots' folders by their full path or from ~, and not the whole disk")
    return Files(roots)


def _voice(value: Any) -> Voice:
    names = [known.name for known in fields(Voice)]
    if not isinstance(value, dict) or set(value) - set(names) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError(
            f"{' and '.join(names)} under it, each a text, such as 'language: en' (a word like no in quotes)"
        )
    return Voice(**value)


def _section(value: Any, key: str, example: str) -> tuple[str, ...]:
    """The list of names that stands under the one key that a section may have."""
    if not isinstance(value, dict) or set(value) - {key}:
        raise ValueError(f"{example} under it and nothing else")
    return _texts(value.get(key, []))


_KINDS: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "tuple[str, ...]": _texts,
    "Sentences": _sentences,
    "Mapping[str, str]": _map,
    "Mcp": _mcp,
    "Files": _files,
    "Voice": _voice,
}
