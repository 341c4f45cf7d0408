"""Open a file in the user's editor while the screen is out of the way. The only place of the UI that starts a process."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from textual.app import App, SuspendNotSupported

_KNOW_LINES = ("vi", "vim", "nvim", "nano", "emacs", "emacsclient", "micro", "joe")


def edit_file(app: App, file: Path, line: int) -> str:
    """Wait until the editor is closed; gives what went wrong, or ""."""
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
    command = command or [next((name for name in ("nano", "vim", "vi") if shutil.which(name)), "")]
    if not command[0] or not shutil.which(command[0]):
        return f"no editor: {command[0] or 'EDITOR is not set'}. Set EDITOR, for example to nano."
    if Path(command[0]).name in _KNOW_LINES:
        command.append(f"+{line}")
    try:
        with app.suspend():
            status = subprocess.run([*command, str(file)], check=False).returncode
    except SuspendNotSupported:
        return "this terminal can't make room for an editor"
    return f"{command[0]} ended with status {status}" if status else ""
