from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path

import pytest

from tinyagent_mlx.desktop.base import Desktop
from tinyagent_mlx.desktop.osascript import TROUBLES, OsascriptDesktop, command_arguments, parse_error, parse_output
from tinyagent_mlx.errors import Ambiguous, NotAuthorised, NotFound, OutcomeUnknown, StepError
from tinyagent_mlx.toolfile import load_toolbox

TOOLBOX = load_toolbox(Path(__file__).parent.parent / "tools.yaml")
NOW = datetime(2026, 11, 22, 9, 0)
SMS = {"recipients": ("+1 555 010 0199",), "message": "hello"}

FAKE = """#!{python} -IS
import json, os, sys, time
here = os.path.dirname(sys.argv[0])
do = json.load(open(os.path.join(here, "do.json")))
with open(os.path.join(here, "calls", str(os.getpid())), "w") as file:
    json.dump({{"argv": sys.argv[1:], "group": os.getpgrp(), "stdin": sys.stdin.read()}}, file)
if do.get("child"):
    if os.fork() == 0:
        time.sleep(do["sleep"])
        open(os.path.join(here, "survived"), "w").close()
        os._exit(0)
time.sleep(do.get("sleep", 0))
sys.stdout.buffer.write(do.get("out", "\\n").encode())
sys.stderr.buffer.write(do.get("err", "").encode())
sys.stdout.flush()
sys.stderr.flush()
if do.get("signal"):
    os.kill(os.getpid(), do["signal"])
sys.exit(do.get("status", 0))
"""


class Recorder:
    """A folder with an `osascript` that writes down its arguments and does as it is told."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "calls").mkdir()
        (folder / "osascript").write_text(FAKE.format(python=sys.executable))
        (folder / "osascript").chmod(0o755)
        self.does()

    def does(self, **told) -> OsascriptDesktop:
        (self.folder / "do.json").write_text(json.dumps(told))
        return OsascriptDesktop(search_path=str(self.folder), grace=0.2)

    def calls_begun(self) -> list[int]:
        """Process ids."""
        return [int(file.name) for file in (self.folder / "calls").iterdir()]

    def calls(self) -> list[dict]:
        return [json.loads(file.read_text()) for file in (self.folder / "calls").iterdir()]


@pytest.fixture
def fake(tmp_path):
    return Recorder(tmp_path)


def path(script: Path | None) -> str:
    assert script is not None
    return str(script.resolve())


def call(desktop, name, arguments, timeout=30.0):
    return asyncio.run(desktop.call(replace(TOOLBOX[name], timeout=timeout), arguments, NOW))


# Hostile values.

LISTED = [
    "", " ", "\t", "\n", "\r\n", "\n\n\n", "-", "--", "-e", "-l", "-s", "--help", "-i", '-e do shell script "id"', "'", '"', "''",
    "\\", "\\\\", '\\"', "`id`", "$(id)", "${HOME}", "$HOME", "$1", "${1}", "%s", "%n", "*", "?", "~", "~root", "!!", "#", "-- x",
    "; rm -rf /", "&& id", "| id", "> /tmp/x", "< /etc/passwd", '" & do shell script "id" & "', '" & (do shell script "id") & "',
    '"\nend tell\ndo shell script "id"\ntell me\nset x to "', "end run", "¬", "(* x *)", "«event sysoexec»", "argv", "item 1 of argv",
    "quoted form of x", "' ; id ; '", "'\"'\"'", "\u202etxt.exe", "\u200b", "\ufeff", "\u2028", "e\u0301", "é", "ﬁ", "İ", "ß",
    "עברית", "العربية", "日本語", "한국어", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇪🇺", "\U0001f9d1\U0001f3fd", "\x01", "\x07", "\x1b[31m", "\x7f", "\x85", "a\x08b",
    "{}", "{0}", "[1, 2]", "None", "true", "0", "-1", "1e9", "\\n", "\\x00", "%00", "&amp;", "<b>", "</div><script>", "a" * 100_000,
    "é" * 30_000, "x\n" * 10_000, "'" * 5_000, "\\" * 5_000,
]  # fmt: skip
ALPHABET = "abc XYZ 019 '\"`$(){}[]|&;<>*?~!#%^=+-_\\/\t\n\r.,:@é日🙂ع\u202e\u0301¬«»\x01\x1b"


def hostile() -> list[str]:
    generator = random.Random(20261122)
    made = ["".join(generator.choices(ALPHABET, k=generator.randint(1, 60))) for _ in range(1_000 - len(LISTED))]
    return LISTED + made


def is_text(argument) -> bool:
    return argument.type.item.name in ("text", "person", "email", "phone", "file_path", "url") and not argument.choices


def filled(tool, strings, share=20):
    """Arguments for `tool` with strings for its texts, and the command line that must come of them."""
    values, expected = {}, []
    for argument in tool.arguments:
        if not is_text(argument):
            values[argument.name] = argument.default
            plain = {
                "boolean": "false",
                "integer": str(argument.default),
                "choice": str(argument.default),
                "datetime": "0",
            }
            expected.append(plain[argument.type.name])
        elif argument.type.is_list:
            values[argument.name] = tuple(islice(strings, share))
            expected += [str(len(values[argument.name])), *values[argument.name]]
        else:
            values[argument.name] = next(strings, "the last")
            expected.append(values[argument.name])
    return values, expected


def test_there_are_a_thousand_hostile_strings():
    assert len(hostile()) == 1_000


@pytest.mark.parametrize("tool", TOOLBOX, ids=lambda tool: tool.name)
def test_every_hostile_string_is_one_argument_of_every_script(tool):
    strings = iter(hostile())
    for _ in range(1_000):
        values, expected = filled(tool, strings, share=1)
        assert command_arguments(tool, values) == expected


def test_hostile_strings_reach_the_process_unchanged(fake):
    desktop, strings, expected = fake.does(), iter(hostile()), []

    # a path must be an allowed one: see below
    free = [tool for tool in TOOLBOX if tool.script and "file_path" not in tool.signature]

    async def run_all():
        for turn in range(70):
            tool = free[turn % len(free)]
            values, arguments = filled(tool, strings, share=100)
            expected.append([path(tool.script), *arguments])
            await desktop.call(tool, values, NOW)

    asyncio.run(run_all())
    assert next(strings, None) is None  # all were used
    assert sorted(recorded["argv"] for recorded in fake.calls()) == sorted(expected)


def test_hostile_handles_reach_the_inverse_unchanged(fake):
    desktop, expected = fake.does(), []

    async def run_all():
        for number, tool in enumerate(tool for tool in TOOLBOX if tool.inverse):
            for handle in LISTED[1 + 3 * number : 4 + 3 * number]:
                expected.append([path(tool.inverse), handle])
                await desktop.undo(tool, handle)

    asyncio.run(run_all())
    assert sorted(recorded["argv"] for recorded in fake.calls()) == sorted(expected)


def test_all_kinds_of_values_have_their_form(fake):
    event = {"title": "Sync", "start_date": "2026-11-27 15:00:00", "end_date": "2026-11-28", "location": "", "calendar": "Work",
                 "invitees": ("a@example.com", "b@example.com"), "notes": "-n"}  # fmt: skip
    reminder = {"name": "x", "due_date": "", "notes": "", "list_name": "", "priority": 9, "all_day": True}
    assert command_arguments(TOOLBOX["create_calendar_event"], event) == [
        "Sync", "6", "2026", "11", "27", "15", "0", "0", "3", "2026", "11", "28", "", "2", "a@example.com", "b@example.com", "-n",
        "Work",
    ]  # fmt: skip
    assert command_arguments(TOOLBOX["create_reminder"], reminder) == ["x", "0", "", "", "9", "true"]


@pytest.mark.parametrize(
    ("value", "said"), [("a\0b", "NUL"), ("a\ud800b", "half a character")], ids=["nul", "surrogate"]
)
def test_what_no_process_can_take_is_a_clear_error_before_any_process(fake, value, said):
    desktop = fake.does()
    for attempt in (call, lambda d, n, a: asyncio.run(d.undo(TOOLBOX["create_note"], value))):
        with pytest.raises(StepError, match=said):
            attempt(desktop, "get_phone_number", {"name": value})
    with pytest.raises(StepError, match="message holds"):
        call(desktop, "send_sms", {**SMS, "message": value})
    assert fake.calls() == []


def test_too_long_a_value_is_a_clear_error(fake):
    with pytest.raises(StepError, match="6000000 characters are too many"):
        call(fake.does(), "get_phone_number", {"name": "x" * 6_000_000})


@pytest.fixture
def typed():
    """Words that wait on this process's standard input."""
    kept, (read, write) = os.dup(0), os.pipe()
    os.write(write, b"typed")
    os.close(write)
    os.dup2(read, 0)
    os.close(read)
    yield
    os.dup2(kept, 0)
    os.close(kept)


@pytest.mark.usefixtures("typed")
def test_the_script_runs_apart_from_the_terminal(fake):
    call(fake.does(), "send_sms", SMS)
    (recorded,) = fake.calls()
    assert recorded["group"] != os.getpgrp()
    assert recorded["stdin"] == ""


def test_it_is_a_desktop():
    desktop: Desktop = OsascriptDesktop()
    assert desktop.name == "macos"


def test_without_osascript_the_error_says_so(tmp_path):
    with pytest.raises(StepError, match="no osascript") as caught:
        call(OsascriptDesktop(search_path=str(tmp_path)), "send_sms", SMS)
    assert "macOS" in caught.value.advice


# What comes back.


@pytest.mark.parametrize(
    ("printed", "handle", "value"),
    [
        ("id 7\nNote created\n", "id 7", "Note created"),
        ("\n+1 555 010 0199\n", "", "+1 555 010 0199"),
        ("\nline 1\nline 2\n\n", "", "line 1\nline 2\n"),
        ("\r\none\rtwo\r\n", "", "one\ntwo"),
        ("id\n\n", "id", ""),
        ("just a value\n", "", "just a value"),
        ("\n", "", ""),
        ("", "", ""),
    ],
)
def test_output_is_a_handle_and_a_value(printed, handle, value):
    assert parse_output(printed) == (handle, value)


def test_a_result_comes_from_the_process(fake):
    result = call(fake.does(out="x-id-1\n日本 $1 🙂\n"), "create_note", {"name": "n", "content": "c", "folder": ""})
    assert (result.value, result.handle) == ("日本 $1 🙂", "x-id-1")


def test_a_tools_value_may_be_finished_in_python(fake):
    fake.does(out="\nlong text\n")
    desktop = OsascriptDesktop(str(fake.folder), finish={"summarize_pdf": str.upper}, roots=(fake.folder,))
    assert call(desktop, "summarize_pdf", {"pdf_path": f"{fake.folder}/x.pdf"}).value == "LONG TEXT"
    assert call(desktop, "open_note", {"name": "x", "folder": ""}).value == "long text"


@pytest.mark.parametrize("name", ["summarize_pdf", "compose_new_email"])
def test_a_script_is_given_no_file_outside_the_allowed_folders(fake, tmp_path, name):
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "link.pdf").symlink_to("/etc/passwd")
    fake.does()
    desktop = OsascriptDesktop(str(fake.folder), roots=(papers,))
    values = {a.name: a.default for a in TOOLBOX[name].arguments}
    for path in (
        "/etc/passwd",
        f"{papers}/../x",
        f"{papers}/link.pdf",
        f"{papers}/.ssh/id",
        "~/x.pdf",
        "x.pdf",
        "a\0b",
        "",
        "-e",
    ):
        files = {"pdf_path": path} if name == "summarize_pdf" else {"attachments": (path,)}
        with pytest.raises(StepError, match="outside the folders"):
            call(desktop, name, values | files)
    assert fake.calls() == []


def test_a_script_is_given_the_file_that_a_link_leads_to(fake, tmp_path):
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "real.pdf").write_text("x")
    (tmp_path / "papers" / "link.pdf").symlink_to("real.pdf")
    fake.does(out="\ntext\n")
    desktop = OsascriptDesktop(str(fake.folder), roots=(tmp_path / "papers",))
    call(desktop, "summarize_pdf", {"pdf_path": str(tmp_path / "papers" / "link.pdf")})
    (recorded,) = fake.calls()
    assert recorded["argv"][1:] == [str((tmp_path / "papers" / "real.pdf").resolve())]


def test_a_file_that_was_found_elsewhere_is_no_result(fake, tmp_path):
    fake.does(out="\n/etc/passwd\n")
    desktop = OsascriptDesktop(str(fake.folder), roots=(tmp_path,))
    with pytest.raises(StepError, match="outside the folders"):
        call(desktop, "open_and_get_file_path", {"file_name": "passwd"})
    assert len(fake.calls()) == 1
    with pytest.raises(StepError, match="outside the folders"):
        call(desktop, "open_and_get_file_path", {"file_name": "/etc/passwd"})
    assert len(fake.calls()) == 1, "a full path is looked at before anything is opened"


def test_undo_says_what_was_undone(fake):
    assert asyncio.run(fake.does(out="\nNote deleted\n").undo(TOOLBOX["create_note"], "id")) == "Note deleted"
    assert "create_note" in asyncio.run(fake.does(out="\n").undo(TOOLBOX["create_note"], "id"))


@pytest.mark.parametrize(("name", "handle"), [("send_sms", "id"), ("create_note", "")], ids=["no inverse", "no handle"])
def test_what_cannot_be_undone_is_an_error(fake, name, handle):
    with pytest.raises(StepError, match=name):
        asyncio.run(fake.does().undo(TOOLBOX[name], handle))
    assert fake.calls() == []


# Trouble.

APPLE = "/x/s.applescript:120:150: execution error: Mail got an error: something. ({})\n"


@pytest.mark.parametrize(
    ("number", "read", "write", "words"),
    [
        (-1743, NotAuthorised, NotAuthorised, "Automation"),
        (-10004, NotAuthorised, NotAuthorised, "Privacy & Security"),
        (-25211, NotAuthorised, NotAuthorised, "Accessibility"),
        (-600, StepError, StepError, "open"),
        (-10810, StepError, StepError, "open"),
        (-1712, StepError, OutcomeUnknown, "permission prompt"),
        (-609, StepError, OutcomeUnknown, "may have quit"),
        (-128, StepError, StepError, ""),
        (-43, NotFound, NotFound, ""),
        (-1728, NotFound, NotFound, ""),
        (-1719, NotFound, NotFound, ""),
        (-2740, StepError, StepError, "Script Editor"),
        (-2741, StepError, StepError, "Script Editor"),
        (20001, NotFound, NotFound, ""),
        (20003, NotFound, NotFound, "select"),
        (20004, StepError, StepError, ""),
        (20005, StepError, StepError, ""),
        (20006, OutcomeUnknown, OutcomeUnknown, "do not repeat"),
        (-9999, StepError, StepError, ""),
    ],
)
def test_error_numbers_become_advice(fake, number, read, write, words):
    desktop = fake.does(status=1, err=APPLE.format(number))
    for name, arguments, kind in (("get_phone_number", {"name": "Sid"}, read), ("send_sms", SMS, write)):
        with pytest.raises(StepError) as caught:
            call(desktop, name, arguments)
        assert type(caught.value) is kind
        assert name in str(caught.value)
        assert words in caught.value.advice
        assert "{" not in str(caught.value) + caught.value.advice


def test_every_trouble_of_the_table_is_tested():
    (mark,) = [mark for mark in test_error_numbers_become_advice.pytestmark if mark.name == "parametrize"]
    assert {row[0] for row in mark.args[1]} == set(TROUBLES) - {20002} | {-9999}


def test_several_matches_are_choices(fake):
    fake.does(status=1, err="/x/s.applescript:9:8: execution error: Sid Jha, +1 (555) 1\nSid Ré, +1 (555) 2 (20002)\n")
    with pytest.raises(Ambiguous) as caught:
        call(OsascriptDesktop(str(fake.folder)), "get_phone_number", {"name": "Sid"})
    assert caught.value.choices == ("Sid Jha, +1 (555) 1", "Sid Ré, +1 (555) 2")
    assert str(caught.value) == 'get_phone_number("Sid") matches 2 things in Contacts'


@pytest.mark.parametrize(
    ("stderr", "parsed"),
    [
        ("/a b/s.applescript:12:34: execution error: no (such) thing (20001)\n", ("no (such) thing", 20001)),
        ("noise\n/s.applescript:1:2: execution error: two\nlines (-1743)", ("two\nlines", -1743)),
        ("/s.applescript: execution error: execution error: x (7) (-1)", ("execution error: x (7)", -1)),
        ("/s.applescript:9:8: syntax error: Expected end of line. (-2741)", ("Expected end of line.", -2741)),
        (
            "osascript: /s.applescript: No such file or directory",
            ("osascript: /s.applescript: No such file or directory", None),
        ),
        ("", ("", None)),
    ],
)
def test_errors_are_a_message_and_a_number(stderr, parsed):
    assert parse_error(stderr) == parsed


def test_a_failure_without_words_is_still_one_line(fake):
    with pytest.raises(StepError, match=r"^send_sms: the script failed and said nothing$"):
        call(fake.does(status=1), "send_sms", SMS)


# Time.


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [("get_phone_number", {"name": "Sid"}, StepError), ("send_sms", SMS, OutcomeUnknown),
     ("create_note", {"name": "", "content": "", "folder": ""}, OutcomeUnknown)],
)  # fmt: skip
def test_a_script_that_hangs_is_stopped(fake, name, arguments, kind):
    desktop, began = fake.does(sleep=60), time.monotonic()
    with pytest.raises(StepError, match=r"stopped after 0\.5 seconds") as caught:
        call(desktop, name, arguments, timeout=0.3)
    assert type(caught.value) is kind
    assert "permission prompt" in caught.value.advice
    assert time.monotonic() - began < 5


def test_an_undo_that_hangs_has_an_unknown_outcome(fake):
    with pytest.raises(OutcomeUnknown):
        asyncio.run(fake.does(sleep=60).undo(replace(TOOLBOX["create_note"], timeout=0.3), "id"))


@pytest.mark.parametrize(
    ("name", "arguments", "kind"), [("get_email_address", {"name": "x"}, StepError), ("send_sms", SMS, OutcomeUnknown)]
)
def test_a_script_that_is_killed_from_outside(fake, name, arguments, kind):
    with pytest.raises(StepError, match="ended by signal 9") as caught:
        call(fake.does(signal=signal.SIGKILL), name, arguments)
    assert type(caught.value) is kind


def test_stopping_a_script_stops_what_it_started(fake):
    with pytest.raises(OutcomeUnknown):
        call(fake.does(sleep=2.0, child=True), "send_sms", SMS, timeout=1.3)
    time.sleep(1.0)
    assert len(fake.calls()) == 1
    assert not (fake.folder / "survived").exists()


def test_a_cancelled_step_leaves_no_process(fake):
    desktop = fake.does(sleep=60)

    async def cancel_it():
        task = asyncio.create_task(desktop.call(TOOLBOX["send_sms"], SMS, NOW))
        while not fake.calls_begun():
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_it())
    with pytest.raises(ProcessLookupError):
        os.kill(fake.calls_begun()[0], 0)


# What the user sees before.


def test_a_preview_shows_the_script_and_every_argument_whole():
    tool, long = TOOLBOX["compose_new_email"], "x" * 50_000
    arguments = {
        "recipients": ("a@example.com", "b@example.com"),
        "cc": (),
        "subject": 'a "b"\n\u202ec',
        "context": long,
        "attachments": (),
    }
    lines = OsascriptDesktop().preview(tool, arguments).split("\n")
    assert lines[0] == f"osascript {path(tool.script)}"
    assert lines[1:8] == [
        '    recipients[0] = "2"', '    recipients[1] = "a@example.com"', '    recipients[2] = "b@example.com"', '    cc = "0"',
        '    subject = "a \\"b\\"\\n\\u202ec"', f'    context = "{long}"', '    attachments = "0"',
    ]  # fmt: skip
    assert "\n".join(lines[9:]) == Path(path(tool.script)).read_text()
