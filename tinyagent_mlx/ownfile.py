"""The user's own tools file: entries are added to it, and tools are switched off and on in it.

What is written is read and checked first, together with the files before it; when it would not check, nothing changes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from tinyagent_mlx import draft, toolschema, yamledit, yamlmarks
from tinyagent_mlx.draft import Draft
from tinyagent_mlx.errors import ConfigError, UsageError
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import Source, load_toolboxes, near

HEADER = f"""\
# yaml-language-server: $schema={toolschema.FILE_NAME}
# Your own tools. They come after the shipped ones; `tinyagent tools check --watch` says at every save what is wrong.
version: 1
"""


def schema_text() -> str:
    """The JSON Schema of a tools file as it is printed and kept."""
    return json.dumps(toolschema.schema(), ensure_ascii=False, indent=1) + "\n"


def add(drafts: Sequence[Draft], sources: Sequence[Source], own: Source, explained: bool) -> list[Path]:
    """Add tools to the own file, which is made if need be; gives the scripts that were written.

    A script that is there already is kept. Raises `ConfigError` when something does not check; then nothing is written.
    """
    before = yamlmarks.read_text(own.file) if own.file.exists() else None
    text = HEADER if before is None else before
    for one in drafts:
        text = yamledit.with_entry(own.file, text, "tools", draft.entry(one, explained))
    made: list[Path] = []
    try:
        for one in drafts:
            file = own.scripts / one.script_name
            if not file.exists():
                yamledit.replace(file, draft.script(one))
                made.append(file)
        _check(text, sources, own)
        if text.startswith(HEADER.partition("\n")[0]):
            yamledit.replace(own.file.resolve().with_name(toolschema.FILE_NAME), schema_text())
        yamledit.replace(own.file.resolve(), text, before)
    except BaseException:
        for file in made:
            file.unlink(missing_ok=True)
        with suppress(OSError):
            own.scripts.rmdir()  # only when it is empty, as it was before
        raise
    return made


def _check(text: str, sources: Sequence[Source], own: Source) -> Toolbox:
    """The toolbox as it will be with this text in the own file."""
    others = [source for source in sources if source.file != own.file]
    return load_toolboxes([*others, replace(own, text=text)])


def switch_off(word: str, sources: Sequence[Source], own: Source) -> Toolbox:
    """Switch off a tool, or every tool of an app; gives the tools that are left. Raises `UsageError`, `ConfigError`."""
    tools = load_toolboxes(sources)
    known = {name for tool in tools for name in (tool.name, tool.app)}
    if word not in known:
        gone = {name for tool in tools.off for name in (tool.name, tool.app)}
        _refuse(word, known, "is switched off already" if word in gone else "")
    return _write(lambda text: yamledit.with_word(own.file, text, "off", word), sources, own)


def switch_on(word: str, sources: Sequence[Source], own: Source) -> Toolbox:
    """Switch on what the own file switches off by this word, or one tool of an app that is off.

    Raises `UsageError` when it is not off, or when another file than the own one switches it off.
    """
    tools = load_toolboxes(sources)
    known = {name for tool in tools.off for name in (tool.name, tool.app)}
    if word not in known:
        on = {name for tool in tools for name in (tool.name, tool.app)}
        _refuse(word, known, "is not switched off" if word in on else "")

    targets = {tool.name for tool in tools.off if word in (tool.name, tool.app)}
    left = _write(lambda text: _without(text, targets, tools, own), sources, own)
    still = [tool.name for tool in left.off if tool.name in targets]
    if still:
        raise ConfigError(f"{still[0]} is still off: another file than {own.file} switches it off")
    return left


def _without(text: str, targets: set[str], tools: Toolbox, own: Source) -> str:
    """The text without what switches these tools off; other tools of an app that was off stay off by their names."""
    rest: list[str] = []
    kept: set[str] = set()
    for word in yamlmarks.read(own.file, text).data.get("off") or []:
        covered = [tool.name for tool in tools.whole if word in (tool.name, tool.app)]
        if targets & set(covered):
            text = yamledit.without_word(own.file, text, "off", word)
            rest += [name for name in covered if name not in targets]
        else:
            kept.update(covered)
    for name in dict.fromkeys(rest):
        if name not in kept:
            text = yamledit.with_word(own.file, text, "off", name)
    return text


def _refuse(word: str, known: set[str], why: str) -> NoReturn:
    raise UsageError(f"{word!r} {why}" if why else f"no tool or app is called {word!r}{near(word, known)}")


def _write(change: Callable[[str], str], sources: Sequence[Source], own: Source) -> Toolbox:
    """Change the own file, when what comes out checks; gives the tools as they are then."""
    before = yamlmarks.read_text(own.file) if own.file.exists() else None
    text = change(HEADER if before is None else before)
    tools = _check(text, sources, own)
    if text != before:
        yamledit.replace(own.file.resolve(), text, before)
    return tools
