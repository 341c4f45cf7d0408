"""What macOS has to allow before the scripts work: each app is asked one harmless thing, and what is in the way is told.

macOS gives a permission to the app that a program was started from, so that app is named here. Nothing is changed; an app
that is not running is started, and macOS may ask its own question at the first time. Knows nothing of plans.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tinyagent_mlx.desktop.osascript import PROGRAM, OsascriptDesktop
from tinyagent_mlx.errors import NotAuthorised, StepError
from tinyagent_mlx.toolbox import Tool, Toolbox

SECONDS = 25.0  # for an app to answer, and for the user to answer macOS
FREE = {"Maps": "opened by a link", "PDF": "read without an app"}  # apps of ours that need no permission
DATA = ("Calendar", "Contacts", "Reminders")  # macOS may ask for their data besides
_PRIVACY = {"Calendar": "Calendars"}
_SSH = "sshd-keygen-wrapper (the sender of commands over ssh)"
_TERMINALS = {
    "Apple_Terminal": "Terminal",
    "iTerm.app": "iTerm",
    "vscode": "Visual Studio Code",
    "WarpTerminal": "Warp",
    "ghostty": "Ghostty",
}
_KEEPERS = ("tmux", "screen", "zellij")  # they outlive the terminal, and keep its permissions
_NO_APPS = ("Python.app",)  # the interpreter of a framework build


@dataclass(frozen=True)
class Finding:
    """What came of asking one app: `granted`, or the trouble and what to do."""

    app: str
    granted: bool
    text: str
    advice: str = ""


def ask(tools: Toolbox, probes: Path, desktop: OsascriptDesktop, seconds: float = SECONDS) -> Iterator[Finding]:
    """Ask the app of every tool that has a script, one after another: two questions at once hide each other.

    `probes` is the folder of the scripts that ask. An app without one is told of and not asked.
    """
    for app in dict.fromkeys(tool.app for tool in tools if tool.script):
        probe = probes / f"{app.lower()}.applescript"
        if app in FREE:
            yield Finding(app, True, f"needs no permission: {FREE[app]}")
        elif not probe.is_file():
            yield Finding(app, True, "not asked: try one of its tools with tinyagent tools try")
        else:
            yield _asked(app, probe, desktop, seconds)


def _asked(app: str, probe: Path, desktop: OsascriptDesktop, seconds: float) -> Finding:
    tool = Tool(
        name=app, app=app, description="", arguments=(), returns="text", effect="read", script=probe, inverse=None,
        timeout=seconds, summary="", rules=(), examples=(), example_result="",
    )  # fmt: skip
    try:
        asyncio.run(desktop.call(tool, {}, datetime.now()))
    except StepError as error:
        advice = error.advice
        if app in DATA and isinstance(error, NotAuthorised):
            advice += f"; then {_PRIVACY.get(app, app)} there, if {desktop.program} is listed"
        return Finding(app, False, str(error).removeprefix(f"{app}: "), advice)
    return Finding(app, True, f"{desktop.program} may control it")


def program(environment: Mapping[str, str], parents: Sequence[str]) -> str:
    """The app that macOS gives permissions to, by the commands of the parent processes, nearest first, and by the
    environment where they end before an app, as under tmux."""
    if "SSH_CONNECTION" in environment or any(Path(command).name.startswith("sshd") for command in parents):
        return _SSH
    for command in parents:
        apps = re.findall(r"(?:^|/)([^/]+\.app)/", command)
        if apps and apps[0] not in _NO_APPS:
            return str(apps[0].removesuffix(".app"))
    named = environment.get("TERM_PROGRAM", "")
    keeper = next((name for name in _KEEPERS if named == name or name in map(_stem, parents)), "")
    if keeper:
        return f"the terminal app that {keeper} was started from"
    if environment.get("TERMINAL_EMULATOR", "").startswith("JetBrains"):
        return "the JetBrains editor that this terminal is in"
    return _TERMINALS.get(named, named.removesuffix(".app")) or PROGRAM


def _stem(command: str) -> str:
    """ "tmux" of "/opt/homebrew/bin/tmux", and of "tmux: server"."""
    return re.split(r"[:\s]", command.rpartition("/")[2])[0]


def parents(process: int, run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run) -> list[str]:
    """The commands of a process's parents, nearest first; none where `ps` can't tell."""
    try:
        done = run(["ps", "-A", "-o", "pid=,ppid=,comm="], capture_output=True, text=True, errors="replace", timeout=10)
    except (OSError, subprocess.SubprocessError):
        return []
    table = {}
    for line in done.stdout.splitlines():
        if match := re.match(r"\s*(\d+)\s+(\d+)\s+(.*)", line):
            table[int(match[1])] = (int(match[2]), match[3].strip())
    found: list[str] = []
    seen = {process}
    process = table.get(process, (0, ""))[0]
    while process in table and process not in seen:
        seen.add(process)
        found.append(table[process][1])
        process = table[process][0]
    return found


__all__ = ["Finding", "ask", "parents", "program"]
