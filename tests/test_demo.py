"""`make demo`'s request from end to end, its files opened by other libraries than those that wrote them."""

from __future__ import annotations

import email
import email.policy
import re

import pytest
import vobject
from pypdf import PdfReader

from tinyagent_mlx.cli.main import main


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    status = main(["demo", "--folder", str(folder), "--now", "2026-11-23 09:00"])
    return folder, status


def test_the_demo_ends_well(demo):
    assert demo[1] == 0


def test_the_draft_is_addressed_to_both_and_carries_the_summary(demo):
    drafts = [
        file
        for file in (demo[0] / "mail").rglob("*")
        if file.is_file() and ".Drafts" in str(file) and file.parent.name in ("cur", "new")
    ]
    (draft,) = drafts
    message = email.message_from_bytes(draft.read_bytes(), policy=email.policy.default)
    assert len(re.findall(r"[\w.]+@[\w.]+", str(message["To"]))) == 2
    body = " ".join(message.get_body().get_content().split())
    pages = " ".join(page.extract_text() for page in PdfReader(demo[0] / "files" / "Q3 roadmap.pdf").pages)
    sentences = [part for part in re.split(r"(?<=\.)\s+", body) if part]
    assert len(sentences) >= 3
    assert all(sentence in " ".join(pages.split()) for sentence in sentences)


def test_the_event_is_on_friday_at_three_with_both(demo):
    (file,) = (demo[0] / "calendar").glob("*.ics")
    event = vobject.readOne(file.read_text()).vevent
    assert event.dtstart.value.strftime("%Y-%m-%d %H:%M") == "2026-11-27 15:00"
    assert len(event.contents["attendee"]) == 2


def test_a_second_demo_overwrites_nothing(demo):
    contacts = {file: file.read_bytes() for file in (demo[0] / "contacts").glob("*.vcf")}
    assert main(["demo", "what's Hadiza's phone number", "--folder", str(demo[0])]) == 0
    assert {file: file.read_bytes() for file in (demo[0] / "contacts").glob("*.vcf")} == contacts
