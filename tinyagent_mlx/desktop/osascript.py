"""The macOS desktop: each step is one run of `osascript SCRIPT VALUE…`, or a call of a service where no script serves.

The scripts are constant and no shell is started, so a value can't become code. A script prints one line with its handle
(what an undo needs, often empty), then its value; a single line without a line break after it is a value alone. It
reports trouble by error number: Apple's, or one of ours (20001 and up), both translated here into words and advice.
This module knows nothing of plans, order or approval.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tinyagent_mlx.desktop.base import Result, Service
from tinyagent_mlx.desktop.files import allowed, own_folders
from tinyagent_mlx.errors import Ambiguous, NotAuthorised, NotFound, OutcomeUnknown, StepError
from tinyagent_mlx.plan import print_value, quote
from tinyagent_mlx.toolbox import Tool

GRACE = 5.0
PROGRAM = "the terminal or editor that you started this from"
AMBIGUOUS = 20002


@dataclass(frozen=True)
class Trouble:
    """What an error number means. Both texts may name {app}, {program}, which needs the grant, and {text}, the script's
    own words; `unknown` says that a write may have happened all the same."""

    message: str
    advice: str = ""
    error: type[StepError] = StepError
    unknown: bool = False


TROUBLES: dict[int, Trouble] = {
    -1743: Trouble("the system does not let this program control {app}",
                   "System Settings, Privacy & Security, Automation: allow {app} for {program}", NotAuthorised),
    -10004: Trouble("the system refuses what the script does in {app}",
                    "System Settings, Privacy & Security: look under Automation and Full Disk Access for {program}",
                    NotAuthorised),
    -25211: Trouble("the system does not let this program control other programs",
                    "System Settings, Privacy & Security, Accessibility: allow {program}", NotAuthorised),
    -600: Trouble("{app} is not running", "open {app} once, then try again"),
    -10810: Trouble("{app} could not be started", "open {app} once, then try again"),
    -1712: Trouble("{app} did not answer in time",
                   "look at {app}: a question may be waiting there, or a permission prompt behind another window",
                   unknown=True),
    -609: Trouble("the connection to {app} was lost", "{app} may have quit; open it and look", unknown=True),
    -128: Trouble("cancelled in {app}"),
    -43: Trouble("a file is not there: {text}", "", NotFound),
    -1728: Trouble("{app} has no such thing: {text}", "", NotFound),
    -1719: Trouble("{app} has no such thing: {text}", "", NotFound),
    -2740: Trouble("the script does not compile: {text}", "open it in Script Editor; is {app} installed?"),
    -2741: Trouble("the script does not compile: {text}", "open it in Script Editor; is {app} installed?"),
    20001: Trouble("{text}", "", NotFound),
    AMBIGUOUS: Trouble("several things match", "say which one"),
    20003: Trouble("{text}", "select it in {app} first", NotFound),
    20004: Trouble("{text}"),
    20005: Trouble("{text}"),
    20006: Trouble("{text}", "do not repeat the whole step; do only what is missing", OutcomeUnknown),
}  # fmt: skip


class OsascriptDesktop:
    """Carry out steps on this Mac.

    `search_path` takes the place of PATH in the search for `osascript`; `finish` maps a tool's name to what is made of
    its value (the summary of a PDF's text); `grace` is how many seconds a script may take beyond its tool's timeout.
    `roots` are the folders whose files a script may be given, and whose files count as found. `services` carry out tools
    by their names in the place of a script; `program` is what the system's permissions are given to.
    """

    name = "macos"

    def __init__(
        self,
        search_path: str | None = None,
        finish: Mapping[str, Callable[[str], str]] | None = None,
        grace: float = GRACE,
        roots: tuple[Path, ...] | None = None,
        services: Mapping[str, Service] | None = None,
        program: str = PROGRAM,
    ):
        self._roots = own_folders() if roots is None else roots
        self._search_path = search_path
        self._finish = dict(finish or {})
        self._grace = grace
        self._services = dict(services or {})
        self.program = program

    def preview(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        """The command, every argument of it on a line of its own, then the script's text. Raises `StepError`."""
        if service := self._services.get(tool.name):
            return service.preview(arguments)
        script = _script(tool, tool.script)
        lines = [f"osascript {script}"]
        for argument in tool.arguments:
            items = argument.type.script_arguments(arguments[argument.name])
            labels = [argument.name] if len(items) == 1 else [f"{argument.name}[{n}]" for n in range(len(items))]
            lines += [f"    {label} = {quote(item)}" for label, item in zip(labels, items, strict=True)]
        return "\n".join([*lines, "", script.read_text(encoding="utf-8")])

    async def call(self, tool: Tool, arguments: Mapping[str, Any], now: datetime) -> Result:
        """Run the tool's script. Raises `StepError`; `OutcomeUnknown` when a write was cut off."""
        if service := self._services.get(tool.name):
            return await service.call(arguments, tool.timeout)
        script = _script(tool, tool.script)
        arguments = await asyncio.to_thread(self._within_roots, tool, arguments)
        output = await self._run(tool, script, command_arguments(tool, arguments), arguments)
        handle, value = parse_output(output)
        if tool.returns == "file_path":
            await asyncio.to_thread(allowed, self._roots, value)
        if tool.name not in self._finish:
            return Result(value, handle)
        return Result(await asyncio.to_thread(self._finish[tool.name], value), handle, text=value)

    def _within_roots(self, tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with each path as the file that it leads to. Raises `StepError` for a file elsewhere.

        A tool that finds files may be given a full path in the place of a name.
        """

        def checked(path: str) -> str:
            return str(allowed(self._roots, path))

        out = dict(arguments)
        for argument in tool.arguments:
            value = arguments[argument.name]
            if argument.type.item.name == "file_path":
                out[argument.name] = tuple(map(checked, value)) if isinstance(value, tuple) else checked(value)
            elif tool.returns == "file_path" and isinstance(value, str) and value.startswith(("/", "~")):
                checked(value)
        return out

    async def undo(self, tool: Tool, handle: str) -> str:
        """Run the tool's inverse and say what it said. Raises `StepError`."""
        script = _script(tool, tool.inverse)
        if not handle:
            raise StepError(f"{tool.name}: the step left nothing to undo it by", f"undo it in {tool.app}")
        _check_value(tool, "handle", handle)
        _, value = parse_output(await self._run(tool, script, [handle], {}))
        return value or f"{tool.name} is undone"

    async def _run(self, tool: Tool, script: Path, values: list[str], arguments: Mapping[str, Any]) -> str:
        process = await self._start(tool, script, values)
        try:
            out, err = await asyncio.wait_for(process.communicate(), tool.timeout + self._grace)
        except TimeoutError:
            seconds = f"{tool.timeout + self._grace:g}"
            raise _cut_off(tool, f"the script was stopped after {seconds} seconds", TROUBLES[-1712].advice) from None
        finally:  # also when the step is cancelled from outside: nothing may go on unseen
            await _end(process)
        if process.returncode == 0:
            return out.decode("utf-8", "replace")
        if process.returncode and process.returncode < 0:
            raise _cut_off(tool, f"osascript was ended by signal {-process.returncode}", "")
        raise _failure(tool, err.decode("utf-8", "replace"), arguments, self.program)

    async def _start(self, tool: Tool, script: Path, values: list[str]) -> asyncio.subprocess.Process:
        program = shutil.which("osascript", path=self._search_path)
        if program is None:
            raise StepError(f"{tool.name}: there is no osascript here", "scripts need macOS; use the portable desktop")
        try:
            # osascript reads options up to the script's name and no further (getopt of BSD does not look past the first
            # word that is none), and the name is an absolute path: a value that starts with a dash stays a value.
            # A group of its own, so that a kill reaches what the script has started; no terminal input to wait for.
            return await asyncio.create_subprocess_exec(
                program,
                str(script),
                *values,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                process_group=0,
            )
        except OSError as error:
            if error.errno == errno.E2BIG:
                length = sum(map(len, values))
                raise StepError(f"{tool.name}: {length} characters are too many", "shorten the text") from error
            raise StepError(f"{tool.name}: osascript did not start: {error.strerror}") from error


def command_arguments(tool: Tool, arguments: Mapping[str, Any]) -> list[str]:
    """What follows the script on the command line: each argument's items in declared order. Raises `StepError`."""
    items: list[str] = []
    for argument in tool.arguments:
        for item in argument.type.script_arguments(arguments[argument.name]):
            _check_value(tool, argument.name, item)
            items.append(item)
    return items


def parse_output(output: str) -> tuple[str, str]:
    """Split what a script printed into handle and value; `osascript` ends it with one line break of its own."""
    text = output.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    handle, line_break, value = text.partition("\n")
    return (handle, value) if line_break else ("", text)


def parse_error(stderr: str) -> tuple[str, int | None]:
    """The message of a failed script and its error number, None where there is none.

    The form is `FILE:12:34: execution error: MESSAGE (-1743)`; the message may have several lines, and brackets too.
    """
    text = stderr.strip()
    match = re.search(r" \((-?\d+)\)\Z", text)
    number = int(match[1]) if match else None
    message = text[: match.start()] if match else text
    return re.sub(r"\A.*?\b(?:execution|syntax) error: ", "", message, flags=re.DOTALL), number


def _script(tool: Tool, script: Path | None) -> Path:
    if script is None:
        raise StepError(f"{tool.name}: tools.yaml names no script for this", "use the portable desktop")
    return script.resolve()


def _check_value(tool: Tool, name: str, value: str) -> None:
    if "\0" in value:
        raise StepError(f"{tool.name}: {name} holds a NUL character, which no program can be given")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise StepError(f"{tool.name}: {name} holds {value[error.start]!r}, which is half a character") from error


def _cut_off(tool: Tool, reason: str, advice: str) -> StepError:
    kind = StepError if tool.effect == "read" else OutcomeUnknown
    return kind(f"{tool.name}: {reason}", advice.format(app=tool.app))


def _failure(tool: Tool, stderr: str, arguments: Mapping[str, Any], program: str) -> StepError:
    text, number = parse_error(stderr)
    if number == AMBIGUOUS and len(choices := tuple(line for line in text.splitlines() if line.strip())) > 1:
        asked = ", ".join(print_value(value, 0) for value in arguments.values())
        return Ambiguous(f"{tool.name}({asked}) matches {len(choices)} things in {tool.app}", choices)
    words = {"app": tool.app, "text": " ".join(text.split()), "program": program}
    trouble = TROUBLES.get(number) if number is not None else None
    if trouble is None:
        said = words["text"] or "the script failed and said nothing"
        return StepError(f"{tool.name}: {said}" if number is None else f"{tool.name}: {said} ({number})")
    message, advice = trouble.message.format(**words), trouble.advice.format(**words)
    if trouble.unknown:
        return _cut_off(tool, message, advice)
    return trouble.error(f"{tool.name}: {message}", advice)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(ProcessLookupError):
            process.kill()
    with suppress(TimeoutError):  # a grandchild that left the group may hold the pipes open; it holds nothing up
        await asyncio.wait_for(process.wait(), 2)


__all__ = ["TROUBLES", "OsascriptDesktop", "Trouble", "command_arguments", "parse_error", "parse_output"]
