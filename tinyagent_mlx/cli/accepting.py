"""Show a text as it is written, and ask whether to use it. Ctrl-C stops the run, and with it the writer at its next token."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from tinyagent_mlx.cli import show
from tinyagent_mlx.cli.progress import line_from_terminal
from tinyagent_mlx.writing import Draft

QUESTION = "Use it? Type yes, edit, own (your own words) or no: "
_YES, _EDIT, _OWN, _NO = ("y", "yes"), ("e", "edit"), ("o", "own"), ("n", "no", "")


class Accepting:
    """With `beforehand` the text is shown and used; `quiet` shows nothing, for programs. Without a terminal the request's
    own words are used."""

    def __init__(self, beforehand: bool, quiet: bool = False):
        self.beforehand, self.quiet = beforehand, quiet

    async def __call__(self, draft: Draft) -> str | None:
        assert draft.task
        own = draft.task.own
        if not self.beforehand and (self.quiet or not sys.stdin.isatty()):
            return own
        self._say(f"Step {draft.task.step.id}, {draft.task.tool.name}: {draft.writer} writes the {_label(draft)}:\n")
        async for piece in draft:
            self._say(show.plain(piece))
        self._say("\n")
        if draft.trouble:
            print(f"tinyagent: {draft.writer} failed: {draft.trouble}; your own words are used", file=sys.stderr)
            return own
        return draft.text.strip() if self.beforehand else await self._ask(draft.text.strip(), own)

    def _say(self, text: str) -> None:
        if not self.quiet:
            print(text, end="", flush=True)

    async def _ask(self, text: str, own: str) -> str | None:
        """Ask until there is an answer; what was edited is shown and asked about again."""
        while True:
            answer = (await line_from_terminal(QUESTION)).strip().lower()
            if answer in _YES:
                return text
            if answer in _OWN:
                self._say(f"Your own words: {show.plain(own) or 'none'}\n")
                return own
            if answer in _NO:
                return None
            if answer in _EDIT:
                text = await edit(text)
                self._say(f"{show.plain(text)}\n")


def _label(draft: Draft) -> str:
    assert draft.task
    return {"mail": "mail", "reply": "reply", "comment": "comment", "addition": "addition"}.get(
        draft.task.argument.written, draft.task.argument.label
    )


async def edit(text: str) -> str:
    """The text as it is after the user's editor; as it was where there is no editor, or it failed."""
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
    command = command or [next((name for name in ("nano", "vim", "vi") if shutil.which(name)), "")]
    if not shutil.which(command[0]):
        print(
            f"tinyagent: no editor: {command[0] or 'EDITOR is not set'}; set EDITOR, to nano for example",
            file=sys.stderr,
        )
        return text
    with tempfile.TemporaryDirectory(prefix="tinyagent-") as folder:
        file = Path(folder) / "text.txt"
        file.write_text(f"{text}\n", encoding="utf-8")
        process = await asyncio.create_subprocess_exec(*command, str(file))
        if await process.wait():
            print(f"tinyagent: {command[0]} ended with status {process.returncode}; the text stays", file=sys.stderr)
            return text
        return file.read_text(encoding="utf-8", errors="replace").strip()
