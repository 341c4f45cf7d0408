"""Every key that may be given to another, by the id of what it does; `keys:` in settings.yaml names these ids.

Keys that move about (Tab, Esc, Enter in the prompt, the arrows) stay as they are. Knows nothing of screens.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, key_to_character
from textual.widgets import TextArea

from tinyagent_mlx.errors import ConfigError

DEFAULTS = {
    "app.help": "f1",
    "app.ask": "f2",
    "app.tools": "f3",
    "app.doctor": "f4",
    "app.history": "f5",
    "app.settings": "f6",
    "app.quit": "ctrl+q",
    "ask.talk": "ctrl+t,f8",
    "ask.undo": "f9",
    "ask.search": "ctrl+r",
    "approval.approve": "a",
    "approval.edit": "e",
    "approval.reject": "r",
    "approval.note": "n",
    "approval.always": "w",
    "approval.sends": "s",
    "approval.once": "o",
    "step.copy": "c",
    "step.open": "enter,o",
    "step.preview": "p",
    "step.undo": "u",
    "edit.keep": "ctrl+s",
    "edit.drop": "ctrl+x",
    "tools.edit": "e",
    "tools.search": "slash",
    "tools.ask-again": "w",
    "tools.switch": "o",
    "tools.try": "t",
    "tools.finetune": "f",
    "finetune.start": "s",
    "finetune.anew": "n",
    "finetune.rollback": "b",
    "doctor.check": "ctrl+r",
    "history.search": "slash",
    "history.again": "r",
    "history.undo": "u",
    "history.save": "s",
    "history.export": "x",
    "record.copy": "c",
    "record.open": "o",
    "record.undo-step": "u",
    "record.undo": "U",
    "record.again": "r",
    "record.save": "s",
    "save.keep": "ctrl+s",
    "reader.copy": "c",
    "settings.edit": "e",
}
_KEPT = {"escape", "tab", "shift+tab", "enter", "up", "down", "left", "right", "pageup", "pagedown", "home", "end"}
_FREED = {"f6"}  # selects a line there, which Shift and an arrow do as well: it leads to the settings instead
_PROMPT = {key.strip() for binding in TextArea.BINDINGS for key in binding.key.split(",")} - _FREED  # type: ignore[union-attr]
_NAMED = {key.value for key in Keys if not key.value.startswith("<")} | set(KEY_NAME_REPLACEMENTS.values())


def bind(name: str, action: str, text: str, *, show: bool = True, priority: bool = False) -> Binding:
    """A binding whose key the user may change."""
    return Binding(DEFAULTS[name], action, text, show=show, priority=priority, id=name)


def check(chosen: Mapping[str, str], where: str) -> None:
    """Raises `ConfigError`, beginning with `where`, for an id that is not known and a key that can't work."""
    for name, keys in chosen.items():
        if name not in DEFAULTS:
            near = difflib.get_close_matches(name, DEFAULTS, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(DEFAULTS)}"
            raise ConfigError(f"{where}: keys: {name!r} is not known; {hint}")
        for key in _split(keys):
            if problem := _problem(name, key, chosen):
                raise ConfigError(f"{where}: keys: {name!r} is {keys!r}: {problem}")


def _split(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",")]


def _problem(name: str, key: str, chosen: Mapping[str, str]) -> str:
    """Why a key can't stand for this, "" when it can."""
    plain = key.removeprefix("ctrl+").removeprefix("alt+").removeprefix("shift+")
    if not (len(plain) == 1 or plain in _NAMED or key in _NAMED or (plain and key_to_character(plain))):
        return f"{key!r} is no key; write it as f10, ctrl+t, slash or a letter"
    if key in _KEPT:
        return f"{key!r} is kept for moving about"
    place = name.partition(".")[0]
    if place in ("app", "ask") and (len(key) == 1 or key == "space"):
        return f"{key!r} is a letter of a request; take a key such as f10 or ctrl+t"
    if place in ("app", "ask") and key in _PROMPT:
        return f"{key!r} moves or deletes in the prompt; take a key such as f10 or ctrl+t"
    for other, default in DEFAULTS.items():
        beside = other.partition(".")[0] in (place, "app") or place == "app"
        if other != name and beside and key in _split(chosen.get(other, default)):
            return f"{key!r} is {other!r} already"
    return ""
