"""What was asked, approved and done: a file that is right after kill -9 at any moment.

The start of a step is on disk before the desktop is called, its ending after. A step that started and has no ending, of
a program that no longer lives, is unknown: it was running when the program was killed. What a step did is written once and
never changed; nothing here carries a step out, and nothing is ever run again. This module knows nothing of screens.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tinyagent_mlx import events
from tinyagent_mlx.cases import read_cases
from tinyagent_mlx.errors import HistoryError
from tinyagent_mlx.plan import Plan, Step, print_plan, print_step
from tinyagent_mlx.records import RunRecord, run_record, step_record
from tinyagent_mlx.sessions import Session, is_running
from tinyagent_mlx.toolbox import Tool, Toolbox
from tinyagent_mlx.values import map_references

if TYPE_CHECKING:
    from tinyagent_mlx.executor import Approve, Emit

VERSION = 1
PATIENCE = 60.0  # seconds to wait for other programs at the same file
APPLICATION = 0x74694168  # SQLite keeps it in the file's head: whose file this is

_SCHEMA = """
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL, place TEXT NOT NULL, query TEXT NOT NULL,
    now TEXT NOT NULL, began TEXT NOT NULL, plan TEXT, approval TEXT NOT NULL DEFAULT '', asked TEXT, answered TEXT,
    approved_plan TEXT, ended TEXT, fault TEXT NOT NULL DEFAULT '');
CREATE TABLE step (
    run INTEGER NOT NULL REFERENCES run (id), number INTEGER NOT NULL, attempt INTEGER NOT NULL, tool TEXT NOT NULL,
    effect TEXT NOT NULL, call TEXT NOT NULL, arguments TEXT NOT NULL DEFAULT '{}', script TEXT NOT NULL DEFAULT '',
    started TEXT, ended TEXT, ending TEXT NOT NULL DEFAULT '', seconds REAL, value TEXT NOT NULL DEFAULT '',
    handle TEXT NOT NULL DEFAULT '""', files TEXT NOT NULL DEFAULT '[]', message TEXT NOT NULL DEFAULT '',
    advice TEXT NOT NULL DEFAULT '', undo_started TEXT, undone TEXT, undo_text TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run, number, attempt));
"""
_LAST = "run = ?1 AND number = ?2 AND attempt = (SELECT max(attempt) FROM step WHERE run = ?1 AND number = ?2)"
_ENDINGS: dict[type[events.Ending], str] = {
    events.StepDone: "done",
    events.StepFailed: "failed",
    events.StepUnknown: "unknown",
    events.StepSkipped: "skipped",
    events.StepRefused: "refused",
    events.StepCancelled: "cancelled",
}


@dataclass
class _Open:
    """A run that this program is at: its tools, and the results so far, for the arguments of later steps."""

    tools: Toolbox
    values: dict[int, str] = field(default_factory=dict)
    written: dict[int, dict[str, str]] = field(
        default_factory=dict
    )  # by step: the texts in the place of the plan's words


def _this_moment() -> datetime:
    return datetime.now().astimezone()


class History:
    """The history in `file`, made where there is none. Every method raises `HistoryError` when the file can't be used.

    May be used from several threads, and by several programs at once. `clock` gives the time that is written down.
    """

    def __init__(self, file: Path, clock: Callable[[], datetime] = _this_moment):
        self.file, self._clock = file, clock
        self._sessions = file.with_suffix(".running")
        self._session: Session | None = None
        self._open: dict[int, _Open] = {}
        self._lock = threading.RLock()
        with self._trouble():
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))  # private: SQLite's other files follow its mode
            self._db = sqlite3.connect(file, timeout=1, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.create_function("holds", -1, _holds, deterministic=True)
        try:
            self._prepare()
            with self._trouble():
                self._patiently("PRAGMA journal_mode = WAL")
        except HistoryError:
            self._db.close()
            raise

    def _prepare(self) -> None:
        with self._write() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            (owner,) = db.execute("PRAGMA application_id").fetchone()
            (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables and owner != APPLICATION:
                raise HistoryError(f"{self.file}: is a database of something else; name another --home")
            if version > VERSION:
                raise HistoryError(
                    f"{self.file}: was written by a newer tinyagent (schema {version}, this one knows {VERSION}); "
                    "update tinyagent or name another --home"
                )
            if not tables:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION}")
                db.execute(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        """Let the file go. Runs that have no end count as killed from here on."""
        with self._lock:
            self._db.close()
            if self._session:
                self._session.close()

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise HistoryError(f"{self.file}: the history can't be used: {error}") from error

    def _patiently(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Execute what may find the file taken. SQLite itself does not wait while another program opens or closes it."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return self._db.execute(statement, values)
            except sqlite3.OperationalError as error:
                code = error.sqlite_errorcode & 0xFF
                if code not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or time.monotonic() > until:
                    raise
            time.sleep(0.01 + random.random() * 0.04)

    @contextmanager
    def _write(self, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction. What is `durable` outlives a power cut too; the rest a kill, at a hundredth of the cost."""
        with self._lock, self._trouble():
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._patiently("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    def _read(self, query: str, *values: object) -> list[sqlite3.Row]:
        with self._lock, self._trouble():
            return self._patiently(query, values).fetchall()

    def _time(self) -> str:
        return self._clock().isoformat(timespec="milliseconds")

    # Writing

    def begin(self, query: str, now: datetime, tools: Toolbox, place: str = "") -> int:
        """Write down a request before it is planned; gives the number of its run.

        `tools` name the arguments and the scripts of its steps; `place` says on which desktop, for an undo.
        """
        with self._trouble():
            self._session = self._session or Session(self._sessions)
        with self._write() as db:
            run = db.execute(
                "INSERT INTO run (session, place, query, now, began) VALUES (?, ?, ?, ?, ?)",
                (self._session.name, _text(place), _text(query), now.isoformat(" ", "seconds"), self._time()),
            ).lastrowid
        assert run is not None
        self._open[run] = _Open(tools)
        return run

    def record(self, run: int, event: events.Event) -> None:
        """Write down what happened; when this returns it is on disk."""
        match event:
            case events.StepPlanned(step):
                with self._write(durable=False) as db:
                    self._plan_step(db, run, step)
            case events.PlanReady(plan):
                with self._write(durable=False) as db:
                    db.execute("UPDATE run SET plan = ? WHERE id = ?", (_text(print_plan(plan)), run))
            case events.StepStarted(step):
                self._start(run, step)
            case events.StepWriting():
                pass  # the text is written down when it is whole
            case events.StepWritten(step, argument, text, note):
                self._open[run].written.setdefault(step.id, {})[argument] = text
                self._remark(run, step.id, note)
            case _:
                self._end_step(run, event)

    def _plan_step(self, db: sqlite3.Connection, run: int, step: Step) -> int:
        row = db.execute(
            "INSERT INTO step (run, number, attempt, tool, effect, call) VALUES (?1, ?2, (SELECT count(*) + 1 FROM step"
            " WHERE run = ?1 AND number = ?2), ?3, ?4, ?5)",
            (run, step.id, step.tool, self._open[run].tools[step.tool].effect, _text(print_step(step))),
        ).lastrowid
        assert row is not None
        return row

    def _attempt(self, db: sqlite3.Connection, run: int, step: Step, of_started: bool) -> int:
        """The row that an event is about: the last attempt's, unless a read is run anew because the plan was edited.

        `of_started` says that the event may be about a step that runs; where one runs otherwise, it was replaced.
        """
        last = db.execute(f"SELECT rowid, * FROM step WHERE {_LAST}", (run, step.id)).fetchone()
        if last is None:
            return self._plan_step(db, run, step)
        same = of_started and last["call"] == _text(print_step(step))
        if last["ended"] is None and (last["started"] is None or same):
            return int(last["rowid"])
        db.execute(
            "UPDATE step SET ending = 'replaced', ended = ? WHERE rowid = ? AND ended IS NULL",
            (self._time(), last["rowid"]),
        )
        return self._plan_step(db, run, step)

    def _start(self, run: int, step: Step) -> None:
        opened = self._open[run]
        tool = opened.tools[step.tool]
        arguments = tool.bind(map_references(value, opened.values.__getitem__) for value in step.arguments)
        arguments |= opened.written.get(step.id, {})
        facts = (_text(print_step(step)), _json(arguments), script_hash(tool))
        with self._write() as db:
            row = self._attempt(db, run, step, of_started=False)
            db.execute(
                "UPDATE step SET call = ?, arguments = ?, script = ?, started = ? WHERE rowid = ?",
                (*facts, self._time(), row),
            )

    def _end_step(self, run: int, event: events.Ending) -> None:
        facts = {"ending": _ENDINGS[type(event)], "call": _text(print_step(event.step))} | _facts(event)
        if isinstance(event, events.StepDone):
            self._open[run].values[event.step.id] = event.result.value
        tried = isinstance(event, (events.StepDone, events.StepFailed, events.StepUnknown))
        columns = ", ".join(f"{name} = ?" for name in facts)
        with self._write() as db:
            row = self._attempt(db, run, event.step, of_started=tried)
            db.execute(f"UPDATE step SET {columns}, ended = ? WHERE rowid = ?", (*facts.values(), self._time(), row))

    def approval(self, run: int, answer: str, plan: Plan | None = None) -> None:
        """Write down that a plan was asked for, or the answer: approved, approved beforehand or refused.

        `plan` is what an edit made of it, None when it was approved as it stood.
        """
        when = "asked" if answer == "asked" else "answered"
        edited = None if plan is None else _text(print_plan(plan))
        with self._write() as db:
            db.execute(
                f"UPDATE run SET approval = ?, {when} = ?, approved_plan = ? WHERE id = ?",
                (answer, self._time(), edited, run),
            )

    def confirmation(self, run: int, step: int, yes: bool) -> None:
        """Write down the answer for a send that was asked about once more, because it carries foreign text."""
        words = "was shown in full and allowed, because it carries text that others may have written"
        self._remark(run, step, words if yes else "was asked about and not allowed")

    def _remark(self, run: int, step: int, text: str) -> None:
        """Write down something about a step, after what was said of it before."""
        with self._write() as db:
            said = "message = CASE message WHEN '' THEN ?1 ELSE message || '; ' || ?1 END"
            db.execute(f"UPDATE step SET {said} WHERE rowid = ?2", (_text(text), _last(db, run, step)))

    def end(self, run: int, fault: str = "") -> None:
        """Write down that this program is through with a run; `fault` is what broke it off."""
        with self._write() as db:
            db.execute(
                "UPDATE run SET ended = ?, fault = ?, approval = CASE WHEN approval = '' AND plan IS NOT NULL AND ? = ''"
                " THEN 'not needed' ELSE approval END WHERE id = ? AND ended IS NULL",
                (self._time(), _text(fault), fault, run),
            )
        self._open.pop(run, None)

    # Undoing

    def start_undo(self, run: int, step: int) -> None:
        """Write down that a step is about to be undone; only one program, and only once, gets past this."""
        with self._write() as db:
            taken = db.execute(
                "UPDATE step SET undo_started = ? WHERE rowid = ? AND ending = 'done' AND undo_started IS NULL",
                (self._time(), _last(db, run, step)),
            ).rowcount
        if not taken:
            raise HistoryError(f"request {run}, step {step}: is not there to be undone, or was undone before")

    def mark_undone(self, run: int, step: int, text: str) -> None:
        """Write down that a step was undone; `text` says what that did."""
        with self._write() as db:
            taken = db.execute(
                "UPDATE step SET undone = ?1, undo_started = coalesce(undo_started, ?1), undo_text = ?2"
                " WHERE rowid = ?3 AND ending = 'done' AND undone IS NULL",
                (self._time(), _text(text), _last(db, run, step)),
            ).rowcount
        if not taken:
            raise HistoryError(f"request {run}, step {step}: is not there to be undone, or was undone before")

    def undo_failed(self, run: int, step: int, text: str, again: bool) -> None:
        """Write down that an undo did not succeed; `again` says that it surely did nothing and may be tried again."""
        with self._write() as db:
            db.execute(
                "UPDATE step SET undo_text = ?, undo_started = CASE WHEN ? THEN NULL ELSE undo_started END"
                " WHERE rowid = ? AND undone IS NULL",
                (_text(text), again, _last(db, run, step)),
            )

    # Reading

    def runs(self, limit: int = 50, search: str = "", before: int | None = None) -> list[RunRecord]:
        """The newest runs first; with `search`, those that hold all of its words: request, plan, results, messages.

        With `before`, only runs older than the one of that number.
        """
        texts = (
            "query, plan, approved_plan, (SELECT group_concat(call || ' ' || arguments || ' ' || value || ' ' ||"
            " message, ' ') FROM step WHERE run = run.id)"
        )
        where = f"WHERE (?1 IS NULL OR id < ?1) AND holds(?2, {texts}) ORDER BY id DESC LIMIT ?3"
        return self._records(where, before, _text(search), limit)

    def run(self, number: int) -> RunRecord:
        """One run. Raises `HistoryError` when there is none of that number."""
        found = self._records("WHERE id = ?", number)
        if not found:
            raise HistoryError(f"the history has no request {number}")
        return found[0]

    def interrupted(self) -> list[RunRecord]:
        """The runs with steps that were running when their program was killed, newest first."""
        lost = "SELECT run FROM step WHERE started IS NOT NULL AND ended IS NULL"
        return [run for run in self._records(f"WHERE id IN ({lost}) ORDER BY id DESC") if run.cut_off]

    def _records(self, where: str, *values: object) -> list[RunRecord]:
        query = f"SELECT * FROM run {where}"
        with self._trouble():
            alive = {
                name: is_running(self._sessions, name) for name in {r["session"] for r in self._read(query, *values)}
            }
        made = []
        for row in self._read(
            query, *values
        ):  # read after the look, or a program that just ended well would seem killed
            running = not row["ended"] and alive.get(row["session"], True)
            steps = self._read("SELECT * FROM step WHERE run = ? ORDER BY number, attempt", row["id"])
            made.append(run_record(row, running, tuple(step_record(step, row, running) for step in steps)))
        return made

    def export(self, file: Path) -> int:
        """Write every run to a new file, oldest first, one JSON object a line; gives their number."""
        with self._trouble_with(file):
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            written, last = 0, 0
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                while runs := self._records("WHERE id > ? ORDER BY id LIMIT 100", last):
                    out.writelines(_json(run.as_json()) + "\n" for run in runs)
                    written, last = written + len(runs), runs[-1].id
        return written

    @contextmanager
    def _trouble_with(self, file: Path) -> Iterator[None]:
        try:
            yield
        except FileExistsError as error:
            raise HistoryError(f"{file}: is there already; name a new file") from error
        except OSError as error:
            raise HistoryError(f"{file}: can't be written: {error.strerror}") from error

    def save_case(self, number: int, file: Path, plan: Plan | None = None) -> str:
        """Append a run to a case file, with `plan` or else the plan that was approved; gives the id of the case.

        Raises `ConfigError` when the file is no case file.
        """
        run = self.run(number)
        wanted = run.accepted() if plan is None else plan
        with self._trouble_with(file):
            old = file.read_bytes() if file.exists() else b""
            taken = {case.id for case in read_cases(file)} if old else set()
            name = next(name for name in run.case_ids() if name not in taken)
            case = {
                "id": name,
                "query": run.query,
                "plans": [print_plan(wanted)],
                "now": run.now[:19],
                "tags": ["history"],
            }
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("ab") as out:
                gap = "" if not old or old.endswith(b"\n") else "\n"
                out.write((gap + _json(case) + "\n").encode())
        return name


@contextmanager
def recording(
    history: History, run: int, emit: Emit, approve: Approve, beforehand: bool = False
) -> Iterator[tuple[Emit, Approve]]:
    """Write a run down while it is carried out: gives what to pass to the executor in the place of `emit` and `approve`.

    `beforehand` says that nobody is asked: the plan was approved before it was made.
    """

    def told(event: events.Event) -> None:
        try:
            history.record(run, event)  # a start that can't be written down raises, so that the step is not carried out
        finally:
            emit(event)

    async def asked(plan: Plan) -> Plan | None:
        if not beforehand:
            history.approval(run, "asked")
        answer = await approve(plan)
        yes = "approved beforehand" if beforehand else "approved"
        history.approval(run, "refused" if answer is None else yes, answer if answer != plan else None)
        return answer

    try:
        yield told, asked
    except BaseException as error:
        with suppress(HistoryError):
            history.end(run, str(error) or type(error).__name__)
        raise
    history.end(run)


def script_hash(tool: Tool) -> str:
    """SHA-256 of a tool's script, "" when it has none that can be read."""
    try:
        return hashlib.sha256(tool.script.read_bytes()).hexdigest() if tool.script else ""
    except OSError:
        return ""


def _text(text: str) -> str:
    """A text that SQLite takes: halves of characters, as file names may hold, are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _json(value: object) -> str:
    """JSON that reads back exactly: a spelled-out half of a character is JSON's own way to write it.

    It is one line to all who split lines, also to those who take U+2028 for a line end.
    """
    text = json.dumps(value, ensure_ascii=False)
    return _text(re.sub("[\x85\u2028\u2029]", lambda end: f"\\u{ord(end[0]):04x}", text))


def _last(db: sqlite3.Connection, run: int, number: int) -> int | None:
    """The row of the last attempt at a step."""
    row = db.execute(f"SELECT rowid FROM step WHERE {_LAST}", (run, number)).fetchone()
    return int(row[0]) if row else None


def _facts(event: events.Ending) -> dict[str, object]:
    """What an ending tells, by column."""
    match event:
        case events.StepDone(_, result, seconds):
            files = _json([str(file) for file in result.files])
            facts = {"value": _text(result.value), "handle": _json(result.handle), "files": files, "seconds": seconds}
            return facts | ({"message": _text(result.note)} if result.note else {})
        case events.StepFailed(_, message, advice, seconds):
            return {"message": _text(message), "advice": _text(advice), "seconds": seconds}
        case events.StepUnknown(_, message, advice):
            return {"message": _text(message), "advice": _text(advice)}
        case events.StepSkipped(_, because):
            return {"message": f"step {because} gave no result"}
        case events.StepRefused(_, message):
            return {"message": _text(message)}
    return {}


def _holds(words: str, *texts: str | None) -> bool:
    """Whether every word is in one of the texts, whatever its case. SQLite's own LIKE folds no case beyond ASCII."""
    folded = "\n".join(text for text in texts if text).casefold()
    return all(word in folded for word in words.casefold().split())
