"""The portable desktop: the shipped tools on open formats in a folder, which any other program can read.

    contacts/*.vcf  calendar/*.ics  reminders/*.ics  mail/ (Maildir)  notes/<folder>/*.md
    messages/outbox/*.json  zoom/*.json  files/

A tool that it does not know is shown, not carried out. Nothing is ever sent from here.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tinyagent_mlx.desktop import agenda, files, mail, notes, pdf, people
from tinyagent_mlx.desktop.base import Result
from tinyagent_mlx.desktop.folder import free_name, write
from tinyagent_mlx.errors import StepError
from tinyagent_mlx.toolbox import Tool

Operation = Callable[[Mapping[str, Any], datetime], Result]


class PortableDesktop:
    """Works in `folder`, which it makes when it first writes. Files are looked for in its files/, and under `roots`."""

    name = "portable"

    def __init__(self, folder: Path, roots: tuple[Path, ...] = ()):
        self.folder = folder
        self.roots = (folder / "files", *roots)
        self._operations: dict[str, Operation] = {
            "create_calendar_event": self._create_calendar_event,
            "get_phone_number": lambda a, now: Result(people.phone_of(self.folder / "contacts", a["name"])),
            "get_email_address": lambda a, now: Result(people.email_of(self.folder / "contacts", a["name"])),
            "open_and_get_file_path": lambda a, now: Result(str(files.find_file(self.roots, a["file_name"]))),
            "summarize_pdf": self._summarize_pdf,
            "compose_new_email": lambda a, now: self._draft(mail.compose, a, now),
            "reply_to_email": lambda a, now: self._draft(mail.reply, a, now),
            "forward_email": lambda a, now: self._draft(mail.forward, a, now),
            "maps_open_location": lambda a, now: Result(f"{_MAPS}?{urlencode({'q': a['location']})}"),
            "maps_show_directions": self._show_directions,
            "create_note": self._create_note,
            "open_note": self._open_note,
            "append_note_content": self._append_note,
            "create_reminder": self._create_reminder,
            "send_sms": self._send_sms,
            "get_zoom_meeting_link": self._zoom,
        }

    def preview(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        known = tool.name in self._operations
        place = f"portable desktop in {self.folder}" if known else "nothing: this tool has no portable form"
        lines = [f"   runs {tool.name} on {place}"]
        lines += [f"   {name} = {json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items()]
        return "\n".join(lines)

    async def call(self, tool: Tool, arguments: Mapping[str, Any], now: datetime) -> Result:
        operation = self._operations.get(tool.name)
        if operation is None:
            given = f"It would have given: {tool.example_result}" if tool.example_result else ""
            raise StepError(f"{tool.name} has a script for a Mac, and no portable form", given)
        try:
            return await asyncio.to_thread(operation, arguments, now)
        except OSError as error:
            raise StepError(f"{tool.name}: {error.filename or self.folder}: {error.strerror}") from error

    async def undo(self, tool: Tool, handle: str) -> str:
        return await asyncio.to_thread(self._undo, tool, handle)

    def _undo(self, tool: Tool, handle: str) -> str:
        match tool.name:
            case "create_calendar_event":
                return f"Removed the event {agenda.delete_entry(self.folder / 'calendar', handle)!r}"
            case "create_reminder":
                return f"Removed the reminder {agenda.delete_entry(self.folder / 'reminders', handle)!r}"
            case "compose_new_email" | "reply_to_email" | "forward_email":
                return f"Removed the draft {mail.delete_draft(self.folder / 'mail', handle)!r}"
            case "create_note":
                return f"Removed the note {notes.delete_note(self.folder / 'notes', handle)!r}"
            case "append_note_content":
                file, content = json.loads(handle)
                notes.remove_appended(self.folder / "notes", Path(file), content)
                return f"Took the text off the note {Path(file).stem!r}"
        raise StepError(f"{tool.name} cannot be undone")

    def _create_calendar_event(self, arguments: Mapping[str, Any], now: datetime) -> Result:
        uid, file = agenda.create_event(self.folder / "calendar", arguments, now)
        return Result("Event created", uid, (file,))

    def _create_reminder(self, arguments: Mapping[str, Any], now: datetime) -> Result:
        uid, file = agenda.create_reminder(self.folder / "reminders", arguments, now)
        return Result("Reminder created", uid, (file,))

    def _summarize_pdf(self, arguments: Mapping[str, Any], now: datetime) -> Result:
        text = pdf.pdf_text(files.allowed(self.roots, arguments["pdf_path"]))
        return Result(pdf.summarize(text), text=text)

    def _draft(self, make: Callable[..., tuple[str, Path]], arguments: Mapping[str, Any], now: datetime) -> Result:
        paths = [str(files.allowed(self.roots, path)) for path in arguments["attachments"]]
        key, file = make(self.folder / "mail", {**arguments, "attachments": paths}, now)
        return Result("Draft saved, not sent", key, (file,))

    def _show_directions(self, arguments: Mapping[str, Any], now: datetime) -> Result:
        query = {"daddr": arguments["end_location"], "dirflg": arguments["transport"]}
        if arguments["start_location"]:
            query = {"saddr": arguments["start_location"], **query}
        return Result(f"{_MAPS}?{urlencode(query)}")

    def _create_note(self, arguments: Mapping[str, Any], now: datetime) -> Result:
        root = self.folder / "notes"
        file = notes.create_note(root, arguments["name"], arguments["content"], arguments["folder"])
        return Result("Note created", notes.handle_of(root, file), (file,))

    def _open_note(self, arguments: Mapping[str, Any], now: datetime) -> Result:
        return Result(notes.read_note(self.folder / "notes", arguments["name"], arguments["folder"])[0])

    def _append_note(self, arguments: Mapping[str, Any], now: datetime) -> Result:
        content = arguments["content"]
        file = notes.append_note(self.folder / "notes", arguments["name"], content, arguments["folder"])
        return Result("Note extended", json.dumps([str(file), content]), (file,))

    def _send_sms(self, arguments: Mapping[str, Any], now: datetime) -> Result:
        content = {"to": list(arguments["recipients"]), "message": arguments["message"], "written": now.isoformat()}
        file = self._record("messages/outbox", "message", content, now)
        return Result("Message put in the outbox, not sent", file.name, (file,))

    def _zoom(self, arguments: Mapping[str, Any], now: datetime) -> Result:
        """A placeholder: the domain says that nobody can meet there."""
        number = str(uuid.uuid4().int)[:10]
        link = f"https://zoom.example.invalid/j/{number}"
        content = {**arguments, "meeting_invitees": list(arguments["meeting_invitees"]), "link": link}
        return Result(link, number, (self._record("zoom", f"meeting {number}", content, now),))

    def _record(self, place: str, stem: str, content: Mapping[str, Any], now: datetime) -> Path:
        file = free_name(self.folder / place, f"{now:%Y-%m-%d %H%M%S} {stem}", ".json")
        return write(file, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())


_MAPS = "https://maps.apple.com/"
