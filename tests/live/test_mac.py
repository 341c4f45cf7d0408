"""On a Mac itself: harmless scripts through the real osascript. `make live` runs them; nothing is changed.

They have not run yet. What macOS does not allow here is skipped and says so; a runner of CI may allow next to nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from tinyagent_mlx.desktop.osascript import OsascriptDesktop
from tinyagent_mlx.desktop.sample import seed
from tinyagent_mlx.errors import NotAuthorised, NotFound, StepError
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.toolbox import Toolbox

LIVE = sys.platform == "darwin" and os.environ.get("TINYAGENT_LIVE") == "1"
pytestmark = pytest.mark.skipif(not LIVE, reason="needs a Mac and TINYAGENT_LIVE=1, as make live sets it")
PROBES = {
    "Finder": shipped("applescripts") / "doctor" / "finder.applescript",
    "Notes": shipped("applescripts") / "doctor" / "notes.applescript",
    "TextEdit": Path(__file__).with_name("textedit.applescript"),
}


@pytest.mark.parametrize("app", PROBES)
def test_an_app_answers_where_it_is_allowed(app: str, shipped_tools: Toolbox) -> None:
    probe = replace(shipped_tools["open_note"], name=app, app=app, arguments=(), script=PROBES[app])
    try:
        result = asyncio.run(OsascriptDesktop().call(probe, {}, datetime.now()))
    except NotAuthorised as error:
        pytest.skip(f"{error}: {error.advice}")
    except StepError as error:
        if "permission prompt" in error.advice:
            pytest.skip(f"{error}: {error.advice}")
        raise
    assert result.value.strip()


def test_the_text_of_a_pdf_is_read_by_the_shipped_script(tmp_path: Path, shipped_tools: Toolbox) -> None:
    """PDFKit in the script itself: no app, no permission."""
    seed(tmp_path)
    file = tmp_path / "files" / "Q3 roadmap.pdf"
    desktop = OsascriptDesktop(roots=(tmp_path,))
    result = asyncio.run(desktop.call(shipped_tools["summarize_pdf"], {"pdf_path": str(file)}, datetime.now()))
    assert "Sid owns the planner" in " ".join(result.value.split())


def test_an_error_number_of_ours_comes_through(tmp_path: Path, shipped_tools: Toolbox) -> None:
    (tmp_path / "empty.pdf").write_text("no PDF")
    desktop = OsascriptDesktop(roots=(tmp_path,))
    with pytest.raises(NotFound, match="no PDF can be read"):
        asyncio.run(
            desktop.call(shipped_tools["summarize_pdf"], {"pdf_path": str(tmp_path / "empty.pdf")}, datetime.now())
        )
