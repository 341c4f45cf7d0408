"""Each screen as a picture at a fixed size and clock, byte for byte: UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.goldenfile import golden
from tests.shots import FLOWS, PLANNED, RUN, SIZES, moment, sample_checks, sample_tuner, settled, speaker, svg
from tests.tui_fakes import SYNC, FakeDesktop, FakePlanner, FakeTranscriber, make_app
from tinyagent_mlx.errors import NotFound
from tinyagent_mlx.history import History
from tui.trail import Trail
from tui.voice import Ears

PLANS = {
    PLANNED: """\
1. open_and_get_file_path("Q3 roadmap.pdf")
2. summarize_pdf("$1")
3. get_email_address("Sid")
4. compose_new_email(["$3"], [], "", "$2", [])
5. create_calendar_event("a sync", "friday at 3pm", "", "", ["$3"], "", "")""",
    RUN: SYNC,
    "what's Q's phone number": '1. get_phone_number("Q")',
}
ANSWERS = {
    "open_and_get_file_path": "files/Q3 roadmap.pdf",
    "summarize_pdf": "In July the beta goes to fifty testers.",
    "create_calendar_event": "Event created",
    "get_phone_number": NotFound("'Q' is in no contact", advice="say the full name, or the number itself"),
}


def app(folder):
    desktop = FakeDesktop(dict(ANSWERS), handles=True)
    trail = Trail(lambda: History(folder / "history.sqlite3", moment), "fake", lambda place: desktop)
    ears = Ears(speaker, FakeTranscriber)
    return make_app(
        FakePlanner(PLANS),
        desktop,
        trail=trail,
        ears=ears,
        checks=sample_checks,
        tuner=sample_tuner(),
        cases=folder / "cases.jsonl",
    )


@pytest.mark.parametrize("name", sorted({*FLOWS} - {"script"}))  # a script's text is no matter of the screen
def test_the_screen_looks_as_it_did(name, tmp_path):
    async def flow():
        shown = app(tmp_path)
        async with shown.run_test(size=(80, 24)) as pilot:
            await FLOWS[name](pilot)
            await settled(pilot)
            picture = svg(shown)
        shown.trail.close()
        return picture

    picture = asyncio.run(flow())
    kept = golden(f"screens/{name}.svg", picture)
    (tmp_path / "shown.svg").write_text(picture, encoding="utf-8")
    assert picture == kept, f"see {tmp_path / 'shown.svg'}"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_docs_show_each_screen(size):
    """`python scripts/screens.py` writes them, with the shipped planner."""
    shown = {file.name for file in (Path(__file__).parent.parent / "docs" / "screens").glob("*.svg")}
    assert {f"{name}-{size[0]}x{size[1]}.svg" for name in FLOWS} <= shown
