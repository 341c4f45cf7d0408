"""Events and reminders as iCalendar files (RFC 5545), one file an entry: VEVENT and VTODO."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from icalendar import Calendar, Component, Event, Todo, vCalAddress

from tinyagent_mlx.desktop.folder import free_name, write
from tinyagent_mlx.errors import NotFound, StepError
from tinyagent_mlx.when import Moment, parse_iso

_PRODUCT = "-//tinyagent-mlx//EN"
_HOUR = timedelta(hours=1)


def create_event(folder: Path, arguments: Mapping[str, Any], now: datetime) -> tuple[str, Path]:
    """Write an event; gives its UID and file. Without an end it lasts an hour, or the whole day where no time was said."""
    start = _moment(arguments["start_date"], "start_date")
    if start is None:
        raise StepError("an event needs a start", "Say when it begins.")
    end = _moment(arguments["end_date"], "end_date")
    if end and (end.at.date() < start.at.date() or not (start.all_day or end.all_day or end.at > start.at)):
        raise StepError(f"the event ends at {end.iso()}, before it begins at {start.iso()}", "Say when it ends.")
    event = Event()
    event.add("summary", arguments["title"] or "Event")
    _add_times(event, start, end)
    for key, value in (("location", arguments["location"]), ("description", arguments["notes"])):
        if value:
            event.add(key, value)
    if arguments["calendar"]:
        event.add("categories", [arguments["calendar"]])
    for address in arguments["invitees"]:
        attendee = vCalAddress(f"mailto:{address}")
        attendee.params["ROLE"] = "REQ-PARTICIPANT"
        event.add("attendee", attendee, encode=False)
    return _store(folder, event, str(event["summary"]), now)


def _add_times(event: Event, start: Moment, end: Moment | None) -> None:
    if start.all_day:
        last = end.at.date() if end else start.at.date()
        event.add("dtstart", start.at.date())
        event.add("dtend", max(last, start.at.date()) + timedelta(days=1))  # the end is the first day after
        return
    event.add("dtstart", start.at)
    event.add("dtend", end.at if end else start.at + _HOUR)


def create_reminder(folder: Path, arguments: Mapping[str, Any], now: datetime) -> tuple[str, Path]:
    """Write a reminder; gives its UID and file."""
    todo = Todo()
    todo.add("summary", arguments["name"] or "Reminder")
    due = _moment(arguments["due_date"], "due_date")
    if due:
        todo.add("due", due.at.date() if due.all_day or arguments["all_day"] else due.at)
    if arguments["notes"]:
        todo.add("description", arguments["notes"])
    if arguments["list_name"]:
        todo.add("categories", [arguments["list_name"]])
    if arguments["priority"]:
        todo.add("priority", arguments["priority"])
    return _store(folder, todo, str(todo["summary"]), now)


def _moment(text: str, key: str) -> Moment | None:
    if not text:
        return None
    moment = parse_iso(text)
    if moment is None:
        raise StepError(f"{key}: {text!r} is no moment", "Say the day and the time again.")
    return moment


def _store(folder: Path, entry: Event | Todo, name: str, now: datetime) -> tuple[str, Path]:
    uid = str(uuid.uuid4())
    entry.add("uid", uid)
    entry.add("dtstamp", now)
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add_component(entry)
    return uid, write(free_name(folder, name, ".ics"), calendar.to_ical())


def _entries(file: Path) -> list[Component]:
    """What a calendar file holds; nothing, where another program left one that is none."""
    try:
        return Calendar.from_ical(file.read_bytes()).subcomponents
    except ValueError:
        return []


def delete_entry(folder: Path, uid: str) -> str:
    """Remove the entry with this UID; gives its title. Raises `NotFound` when it is gone already."""
    for file in sorted(folder.glob("*.ics")):
        for entry in _entries(file):
            if str(entry.get("uid", "")) == uid:
                file.unlink()
                return str(entry.get("summary", ""))
    raise NotFound(f"there is no entry {uid} in {folder} any more")
