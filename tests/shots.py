"""Pictures of the screens: how to get to each of them from the start, and an SVG of it that is the same the next time.

The snapshot tests take them with fakes, `scripts/screens.py` with the shipped planner and a sample desktop.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from textual.pilot import Pilot

from tests.speech import FakeMicrophone, silence, speech_like
from tests.tui_fakes import FakeTuner, ask, done, text_of, to_approval, until
from tinyagent_mlx.cli.doctor import Check
from tinyagent_mlx.lab.finetune import Outcome, Scores
from tinyagent_mlx.voice.sound import Samples
from tui.app import TinyAgentApp

Flow = Callable[[Pilot], Awaitable[None]]

SIZES = ((80, 24), (140, 40))
PLANNED = "Summarize Q3 roadmap.pdf, email the summary to Sid and Lutfi, and put a sync on Friday at 3pm with both"
RUN = "Put a sync with Sid and Lutfi on my calendar on Friday at 3pm"
_LOSSES = {n: 0.12 + 1.9 / (1 + n / 12) + 0.04 * ((n * 7919) % 13 - 6) / 6 for n in range(1, 97)}


def svg(app: TinyAgentApp) -> str:
    """What the screen shows now. Ids are named anew, durations and checksums are zero, and no font is fetched."""
    text = app.export_screenshot(title="tinyagent", simplify=True)
    text = re.sub(r"@font-face \{.*?\}", "", text, flags=re.DOTALL)
    text = re.sub(r"terminal-\d+", "t", text)
    text = re.sub(r"\b\d+\.\d+(?=&#160;s\b)", lambda seconds: re.sub(r"\d", "0", seconds[0]), text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "0" * 64, text)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


async def settled(pilot: Pilot) -> None:
    """Wait until four pictures in a row are the same."""
    before, same = "", 0
    for _ in range(200):
        await pilot.pause(0.05)
        now = svg(pilot.app)
        same = same + 1 if now == before else 0
        if same == 3:
            return
        before = now
    raise AssertionError("the screen does not come to rest")


def moment() -> datetime:
    """The history's clock."""
    return datetime(2026, 11, 23, 9, tzinfo=UTC)


def sample_checks() -> list[Check]:
    return [
        Check("python", "ok", "3.11 on Linux x86_64"),
        Check("device", "slow", "MLX computes on the CPU with the reference BLAS", "install libopenblas0-pthread"),
        Check("tools", "ok", "16 tools"),
        Check("weights", "ok", "the shipped planner"),
        Check("voice", "missing", "the speech model is not on this machine", "name its folder with --voice"),
    ]


def sample_tuner(ended: bool = False) -> FakeTuner:
    outcome = Outcome(Scores(0.25, 0.9), Scores(1.0, 0.9)) if ended else None
    return FakeTuner(steps=160, reached=96, losses=dict(_LOSSES), ended=outcome)


class Speaker(FakeMicrophone):
    """Two seconds of speech at once, then a sample at a time: the meter stands still, and the microphone lives."""

    def take(self) -> Samples:
        return super().take() if self.given < len(self.blocks) else silence(1 / self.rate)


def speaker() -> FakeMicrophone:
    return Speaker([speech_like(2.0)])


async def welcome(pilot: Pilot) -> None:
    await until(pilot, lambda: pilot.app.screen.query("#prompt") and pilot.app.engine.ready, 60)


async def approval(pilot: Pilot) -> None:
    await welcome(pilot)
    await to_approval(pilot, PLANNED)
    await settled(pilot)
    runs = pilot.app.screen.runs
    runs.scroll_to(y=runs.max_scroll_y - 1, animate=False)
    await pilot.pause()
    runs.scroll_end(animate=False)


async def edit(pilot: Pilot) -> None:
    await approval(pilot)
    await pilot.press("e")
    await until(pilot, lambda: pilot.app.screen.query("#forms"))


async def finished(pilot: Pilot) -> None:
    await welcome(pilot)
    await to_approval(pilot, RUN)
    await pilot.press("a")
    await done(pilot)


async def failed(pilot: Pilot) -> None:
    await welcome(pilot)
    await ask(pilot, "what's Q's phone number")
    await done(pilot)


async def tools(pilot: Pilot) -> None:
    await welcome(pilot)
    await pilot.press("f3")
    await until(pilot, lambda: pilot.app.screen.query("#names"))
    await until(pilot, lambda: pilot.app.screen.query_one("#names").option_count)


async def script(pilot: Pilot) -> None:
    await tools(pilot)
    await pilot.press("slash", *"calendar", "enter", "left")
    pilot.app.screen.query_one("#leaves").active = "script"


async def history(pilot: Pilot) -> None:
    await finished(pilot)
    await pilot.press("f5")
    await until(pilot, lambda: RUN in _options(pilot))


def _options(pilot: Pilot) -> str:
    from textual.widgets import OptionList

    return "\n".join(str(option.prompt) for box in pilot.app.screen.query(OptionList) for option in box.options)


async def record(pilot: Pilot) -> None:
    await history(pilot)
    await pilot.press("enter")
    await until(pilot, lambda: "RecordScreen" in type(pilot.app.screen).__name__)


async def finetune(pilot: Pilot) -> None:
    await tools(pilot)
    await pilot.press("f")
    await until(pilot, lambda: "play_song" in text_of(pilot, "#matter"))


async def doctor(pilot: Pilot) -> None:
    await welcome(pilot)
    await pilot.press("f4")
    await until(pilot, lambda: "looking" not in text_of(pilot, "#checks"))


async def help(pilot: Pilot) -> None:
    await welcome(pilot)
    await pilot.press("f1")


async def voice(pilot: Pilot) -> None:
    await welcome(pilot)
    await pilot.press("ctrl+t")
    await until(pilot, lambda: "● 2 s" in text_of(pilot, "#voice"), 20)


async def settings(pilot: Pilot) -> None:
    await welcome(pilot)
    await pilot.press("f6")
    await until(pilot, lambda: "Enter changes" in text_of(pilot, "#settings-trouble"))


async def search(pilot: Pilot) -> None:
    await failed(pilot)
    for request in (PLANNED, RUN):
        pilot.app.history.add(request)
    await pilot.press("ctrl+r", *"sid")
    await until(pilot, lambda: RUN in _options(pilot))


FLOWS: dict[str, Flow] = {
    flow.__name__: flow
    for flow in (
        welcome, approval, edit, finished, failed, tools, script, history, record, finetune, doctor, help, voice, settings, search
    )
}  # fmt: skip
