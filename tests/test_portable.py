"""The portable desktop: what each tool writes, read back by other libraries; what is undone; what is refused."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
from datetime import datetime
from urllib.parse import parse_qs, urlparse

import pytest
import vobject

from tinyagent_mlx.desktop import sample
from tinyagent_mlx.desktop.pdf import pdf_text, summarize
from tinyagent_mlx.desktop.portable import PortableDesktop
from tinyagent_mlx.errors import Ambiguous, NotFound, StepError

NOW = datetime(2026, 11, 23, 9)


@pytest.fixture
def desktop(tmp_path):
    sample.seed(tmp_path)
    return PortableDesktop(tmp_path)


@pytest.fixture
def call(desktop, shipped_tools):
    """Call a tool with some arguments; the others keep their defaults."""

    def run(tool_name: str, /, **given):
        tool = shipped_tools[tool_name]
        arguments = {argument.name: given.get(argument.name, argument.default) for argument in tool.arguments}
        return asyncio.run(desktop.call(tool, arguments, NOW))

    return run


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("Sid", "sid.patel@example.com"),
        ("SID PATEL", "sid.patel@example.com"),
        ("hadiza", "hadiza.bello@example.com"),
        ("my mum", "rose.patel@example.com"),
        ("Dr. Mehta", "dr.mehta@example.com"),
        ("Tomasz Zieliński", "tomasz.z@example.com"),
        ("Lutfi Ern", "lutfi.eren@example.com"),
    ],
)
def test_people_are_found_without_case_accents_or_small_slips(call, name, address):
    assert call("get_email_address", name=name).value == address


def test_two_people_of_one_name_are_a_question(call):
    with pytest.raises(Ambiguous) as error:
        call("get_phone_number", name="Anna")
    assert error.value.choices == ("Anna Kowalska", "Anna Lindqvist")


@pytest.mark.parametrize("name", ["Zebedee", "", "X", "Patel Kowalska"])
def test_nobody_is_a_clear_failure(call, name):
    with pytest.raises(NotFound, match="no contact"):
        call("get_email_address", name=name)


def test_a_contact_without_a_number_says_so(call):
    with pytest.raises(NotFound, match="Tomasz Zielinski has no phone number"):
        call("get_phone_number", name="Tomasz")


def event_of(result):
    return vobject.readOne(result.files[0].read_text()).vevent


def test_an_event_is_readable_by_another_library(call):
    result = call(
        "create_calendar_event", title="Sync", start_date="2026-11-27 15:00:00", end_date="2026-11-27 15:30:00",
        location="Room 4", invitees=("sid.patel@example.com",), notes="bring; commas, and\nlines", calendar="Work",
    )  # fmt: skip
    event = event_of(result)
    assert event.summary.value == "Sync"
    assert (event.dtend.value - event.dtstart.value).seconds == 1800
    assert event.attendee.value == "mailto:sid.patel@example.com"
    assert event.description.value == "bring; commas, and\nlines"
    assert event.location.value == "Room 4"


def test_an_event_without_an_end_lasts_an_hour_or_the_day(call):
    hour = event_of(call("create_calendar_event", title="a", start_date="2026-11-27 15:00:00"))
    day = event_of(call("create_calendar_event", title="b", start_date="2026-11-27"))
    assert (hour.dtend.value - hour.dtstart.value).seconds == 3600
    assert (day.dtend.value - day.dtstart.value).days == 1


def test_a_reminder_keeps_day_list_and_priority(call):
    result = call("create_reminder", name="buy wine", due_date="2026-11-27", all_day=True, list_name="Home", priority=1)
    todo = vobject.readOne(result.files[0].read_text()).vtodo
    assert (todo.summary.value, str(todo.due.value), todo.priority.value) == ("buy wine", "2026-11-27", "1")
    assert todo.categories.value == ["Home"]


def message_of(result):
    return email.message_from_bytes(result.files[0].read_bytes(), policy=email.policy.default)


def test_a_draft_carries_recipients_text_and_file(call, desktop):
    path = call("open_and_get_file_path", file_name="budget_v2").value
    result = call(
        "compose_new_email",
        recipients=("a@example.com", "b@example.com"),
        cc=("c@example.com",),
        subject="Rent",
        context="See attached.",
        attachments=(path,),
    )
    message = message_of(result)
    assert (message["To"], message["Cc"], message["Subject"]) == (
        "a@example.com, b@example.com",
        "c@example.com",
        "Rent",
    )
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == "budget_v2.csv"
    assert attached.get_payload(decode=True) == (desktop.folder / "files" / "budget_v2.csv").read_bytes()


def test_a_line_end_in_a_subject_makes_no_header(call):
    message = message_of(
        call("compose_new_email", recipients=("a@example.com",), subject="hi\r\nBcc: eve@example.com", context="x")
    )
    assert message["Bcc"] is None
    assert message["Subject"] == "hi Bcc: eve@example.com"


def test_a_reply_answers_the_newest_message(call):
    message = message_of(call("reply_to_email", context="Thursday works."))
    assert "ines.duarte@example.com" in message["To"]
    assert message["In-Reply-To"] == "<beta-feedback@example.com>"
    assert message["Subject"] == "Re: Beta feedback"
    assert "> The testers like" in message.get_body().get_content()


def test_a_forward_keeps_what_the_message_carried(call):
    message = message_of(call("forward_email", recipients=("sid.patel@example.com",), context="fyi"))
    assert [part.get_filename() for part in message.iter_attachments()] == ["points.csv"]
    assert message.get_body().get_content().startswith("fyi")


def test_without_mail_there_is_nothing_to_answer(tmp_path, shipped_tools):
    arguments = {"cc": (), "context": "x", "attachments": ()}
    with pytest.raises(NotFound, match="no email"):
        asyncio.run(PortableDesktop(tmp_path).call(shipped_tools["reply_to_email"], arguments, NOW))


def test_notes_are_made_read_and_extended(call):
    call("create_note", name="Dal", content="lentils", folder="Recipes")
    call("append_note_content", name="dal", content="cumin", folder="recipes")
    assert call("open_note", name="DAL").value == "lentils\ncumin"
    with pytest.raises(NotFound, match="no note is called 'Pancakes'"):
        call("open_note", name="Pancakes")


def test_a_note_that_another_program_wrote_is_read_and_keeps_its_bytes(call, desktop, shipped_tools):
    file = desktop.folder / "notes" / "Alt.md"
    file.write_bytes(b"Caf\xe9 um drei\n")
    assert call("open_note", name="Alt").value == "Caf\N{REPLACEMENT CHARACTER} um drei"
    added = call("append_note_content", name="Alt", content="und Tee")
    assert file.read_bytes() == b"Caf\xe9 um drei\nund Tee\n"
    asyncio.run(desktop.undo(shipped_tools["append_note_content"], added.handle))
    assert file.read_bytes() == b"Caf\xe9 um drei\n"


def test_a_card_that_is_none_hides_nobody_else(call, desktop):
    (desktop.folder / "contacts" / "zz.vcf").write_bytes(b"\xff\xfe")
    assert call("get_email_address", name="Sid").value == "sid.patel@example.com"
    with pytest.raises(NotFound, match=r"zz\.vcf can't be read"):
        call("get_email_address", name="Zebulon")


@pytest.mark.parametrize(
    ("start", "end", "fits"),
    [
        ("2026-11-27 15:00:00", "2026-11-27 14:00:00", False),
        ("2026-11-27 15:00:00", "2026-11-27 15:00:00", False),
        ("2026-11-27 15:00:00", "2026-10-27 16:00:00", False),
        ("2026-11-27", "2026-11-26", False),
        ("2026-11-27", "2026-11-27", True),
        ("2026-11-27 23:00:00", "2026-11-28 01:00:00", True),
        ("2026-11-27 15:00:00", "2026-11-27", True),
    ],
)
def test_an_event_ends_after_it_begins(call, start, end, fits):
    if fits:
        assert call("create_calendar_event", title="sync", start_date=start, end_date=end).value
    else:
        with pytest.raises(StepError, match="before it begins"):
            call("create_calendar_event", title="sync", start_date=start, end_date=end)


def test_a_calendar_file_that_is_none_stands_in_no_undo_s_way(call, desktop, shipped_tools):
    made = call("create_calendar_event", title="sync", start_date="2026-11-27 15:00:00")
    (desktop.folder / "calendar" / "aa.ics").write_text("nothing")
    assert "sync" in asyncio.run(desktop.undo(shipped_tools["create_calendar_event"], made.handle))


def test_a_note_s_name_cannot_leave_the_folder(call, desktop):
    (file,) = call("create_note", name="../../evil", content="x", folder="../..").files
    assert file.resolve().is_relative_to((desktop.folder / "notes").resolve())


def test_files_are_found_by_loose_names(call):
    for name in ("Q3 roadmap.pdf", "q3 roadmap", "the Q3 roadmap pdf"):
        assert call("open_and_get_file_path", file_name=name).value.endswith("/files/Q3 roadmap.pdf")
    with pytest.raises(NotFound):
        call("open_and_get_file_path", file_name="thesis.docx")


def test_links_out_of_the_allowed_folder_are_not_followed(call, desktop, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    secret.write_text("x")
    (desktop.folder / "files" / "secret.txt").symlink_to(secret)
    with pytest.raises(NotFound):
        call("open_and_get_file_path", file_name="secret.txt")
    with pytest.raises(StepError, match="outside"):
        call("compose_new_email", recipients=("a@example.com",), attachments=(str(secret),))
    with pytest.raises(StepError, match="outside"):
        call("summarize_pdf", pdf_path=str(desktop.folder / "files" / "secret.txt"))


def test_a_summary_is_made_of_the_document_s_sentences(desktop):
    text = pdf_text(desktop.folder / "files" / "Q3 roadmap.pdf")
    summary = summarize(text)
    assert 0 < len(summary) < len(text) / 2
    assert "Milestones" not in summary


def test_what_is_no_pdf_is_said(desktop):
    with pytest.raises(StepError, match="cannot be read as a PDF"):
        pdf_text(desktop.folder / "files" / "budget_v2.csv")


def test_maps_links_are_encoded(call):
    url = urlparse(
        call("maps_show_directions", start_location="A & B", end_location="Gare du Nord", transport="r").value
    )
    assert parse_qs(url.query) == {"saddr": ["A & B"], "daddr": ["Gare du Nord"], "dirflg": ["r"]}
    assert "saddr" not in call("maps_show_directions", end_location="x").value


def test_a_text_message_goes_to_the_outbox(call):
    (file,) = call("send_sms", recipients=("+1 555",), message='quote " and 😀').files
    assert json.loads(file.read_text()) == {
        "to": ["+1 555"],
        "message": 'quote " and 😀',
        "written": "2026-11-23T09:00:00",
    }


def test_a_zoom_link_is_a_plain_placeholder(call):
    assert ".invalid/" in call("get_zoom_meeting_link", topic="x", start_time="2026-11-27 15:00:00").value


UNDOABLE = {
    "create_calendar_event": {"title": "a", "start_date": "2026-11-27"},
    "create_reminder": {"name": "a"},
    "compose_new_email": {"recipients": ("a@example.com",)},
    "create_note": {"name": "a", "content": "b"},
}


@pytest.mark.parametrize(("name", "arguments"), UNDOABLE.items())
def test_what_was_written_is_undone_once(desktop, call, shipped_tools, name, arguments):
    result = call(name, **arguments)
    assert result.files[0].exists()
    asyncio.run(desktop.undo(shipped_tools[name], result.handle))
    assert not result.files[0].exists()
    with pytest.raises(NotFound):
        asyncio.run(desktop.undo(shipped_tools[name], result.handle))


def test_appended_text_is_taken_off_unless_the_note_changed(desktop, call, shipped_tools):
    tool = shipped_tools["append_note_content"]
    before = call("open_note", name="packing list").value
    asyncio.run(desktop.undo(tool, call("append_note_content", name="packing list", content="torch").handle))
    assert call("open_note", name="packing list").value == before
    first = call("append_note_content", name="packing list", content="torch")
    call("append_note_content", name="packing list", content="socks")
    with pytest.raises(StepError, match="changed since"):
        asyncio.run(desktop.undo(tool, first.handle))


def test_a_changed_note_is_kept(desktop, call, shipped_tools):
    made = call("create_note", name="a", content="b")
    call("append_note_content", name="a", content="c")
    with pytest.raises(StepError, match="was kept"):
        asyncio.run(desktop.undo(shipped_tools["create_note"], made.handle))


def test_a_preview_shows_every_argument(desktop, shipped_tools):
    text = desktop.preview(shipped_tools["send_sms"], {"recipients": ("+1",), "message": "m" * 500})
    assert "m" * 500 in text
    assert '"+1"' in text


def test_a_tool_without_a_portable_form_is_not_carried_out(desktop, shipped_tools):
    from dataclasses import replace

    own = replace(shipped_tools["open_note"], name="play_song")
    with pytest.raises(StepError, match="no portable form"):
        asyncio.run(desktop.call(own, {"name": "x", "folder": ""}, NOW))
