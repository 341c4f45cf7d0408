"""Push-to-talk on the Ask screen: a fake microphone, and a fake transcriber or the real one with random weights."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from tests.speech import FakeMicrophone, FakeTranscriber, blocks, make_whisper, need_whisper, silence, speech_like
from tests.tui_fakes import FakeDesktop, FakePlanner, done, make_app, text_of, to_approval, unlock, until
from tinyagent_mlx.errors import ConfigError, VoiceError
from tui.hesitation import TYPING
from tui.voice import Ears

REMINDER = '1. create_reminder("call the dentist", "tomorrow at 9am", "", "", 0, False)'
SAID = "remind me to call the dentist tomorrow at nine"


def talking(microphone=None, transcriber=None, **settings):
    """An app with ears."""
    microphone = microphone or FakeMicrophone(blocks(speech_like(60)))
    transcriber = transcriber or FakeTranscriber(SAID)
    return make_app(FakePlanner(REMINDER), ears=Ears(lambda: microphone, lambda: transcriber), **settings)


async def speak(pilot, key: str = "ctrl+t") -> None:
    """Begin to talk, and wait until something was heard."""
    await pilot.press(key)
    await until(pilot, lambda: "▆" in text_of(pilot, "#voice"))


async def heard(pilot) -> None:
    await until(pilot, lambda: not pilot.app.screen.voice.active)
    await pilot.pause()


@pytest.mark.parametrize(("begin", "end"), [("ctrl+t", "ctrl+t"), ("f8", "f8"), ("ctrl+t", "enter")], ids="{}".format)
def test_what_is_said_stands_in_the_prompt_and_is_not_sent(begin, end):
    async def flow():
        microphone, planner = FakeMicrophone(blocks(speech_like(60))), FakePlanner(REMINDER)
        ears = Ears(lambda: microphone, FakeTranscriber)
        async with make_app(planner, ears=ears).run_test(size=(80, 24)) as pilot:
            await speak(pilot, begin)
            await pilot.press(end)
            await heard(pilot)
            assert pilot.app.screen.prompt.text == SAID
            assert pilot.app.screen.prompt.has_focus
            assert not pilot.app.screen.voice.display
            assert not planner.asked
            assert not microphone.open

    asyncio.run(flow())


def test_real_whisper_with_random_weights_and_then_the_approved_plan(tmp_path):
    need_whisper()
    from tinyagent_mlx.voice.whisper import WhisperTranscriber

    async def flow():
        desktop = FakeDesktop()
        transcriber = WhisperTranscriber(str(make_whisper(tmp_path, SAID)))
        async with talking(transcriber=transcriber, desktop=desktop).run_test() as pilot:
            await speak(pilot)
            await pilot.press("ctrl+t")
            await until(pilot, lambda: pilot.app.screen.prompt.text == SAID, seconds=60)
            await pilot.press("end", *" pm", "enter")
            await unlock(pilot)
            await pilot.press("a")
            await pilot.pause(TYPING + 0.1)
            await done(pilot)
            assert desktop.called("create_reminder")
            assert f"{SAID} pm" in text_of(pilot)

    asyncio.run(flow())


def test_meter_shows_the_seconds_and_the_level():
    async def flow():
        sound = np.concatenate([silence(0.5) + 1e-5, speech_like(60)])
        async with talking(FakeMicrophone(blocks(sound))).run_test(size=(80, 24)) as pilot:
            await speak(pilot)
            await until(pilot, lambda: "● 1 s" in text_of(pilot, "#voice"))
            meter = text_of(pilot, "#voice")
            assert "▁▁▁▁" in meter
            assert "Ctrl+T ends it · Esc drops it" in meter
            assert pilot.app.screen.voice.size.height == 1

    asyncio.run(flow())


def test_escape_drops_what_was_said_and_lets_the_microphone_go():
    async def flow():
        microphone, transcriber = FakeMicrophone(blocks(speech_like(60))), FakeTranscriber()
        async with talking(microphone, transcriber).run_test() as pilot:
            pilot.app.screen.prompt.write("typed")
            await speak(pilot)
            await pilot.press("escape")
            await heard(pilot)
            await until(pilot, lambda: not microphone.open)
            assert pilot.app.screen.prompt.text == "typed"
            assert not transcriber.heard
            await speak(pilot)

    asyncio.run(flow())


def test_typing_goes_on_while_one_speaks_and_the_words_come_behind_it():
    async def flow():
        async with talking().run_test() as pilot:
            await speak(pilot)
            await pilot.press(*"please")
            assert pilot.app.screen.prompt.text == "please"
            await pilot.press("enter")
            await heard(pilot)
            assert pilot.app.screen.prompt.text == f"please {SAID}"

    asyncio.run(flow())


class Slow(FakeTranscriber):
    """Loads when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def load(self) -> None:
        self.gate.wait(10)


def test_speaking_does_not_wait_for_the_model():
    async def flow():
        transcriber = Slow()
        async with talking(transcriber=transcriber).run_test() as pilot:
            await speak(pilot)
            await pilot.press("ctrl+t")
            await until(pilot, lambda: "once the speech model is loaded" in text_of(pilot, "#voice"))
            transcriber.gate.set()
            await heard(pilot)
            assert pilot.app.screen.prompt.text == SAID

    asyncio.run(flow())


def test_escape_while_it_is_written_down_drops_it():
    async def flow():
        transcriber = Slow()
        async with talking(transcriber=transcriber).run_test() as pilot:
            await speak(pilot)
            await pilot.press("ctrl+t")
            await until(pilot, lambda: "writing it down" in text_of(pilot, "#voice"))
            await pilot.press("escape")
            await heard(pilot)
            transcriber.gate.set()
            await pilot.pause(0.1)
            assert not pilot.app.screen.prompt.text

    asyncio.run(flow())


class Opening(FakeMicrophone):
    """Opens when it is let, as one that the system asks the user about."""

    gate = threading.Event()

    def start(self) -> None:
        self.gate.wait(10)
        super().start()


def test_microphone_that_opens_after_escape_is_closed_again():
    async def flow():
        microphone = Opening(blocks(speech_like(1)))
        async with talking(microphone).run_test() as pilot:
            await pilot.press("ctrl+t")
            await until(pilot, lambda: "opening the microphone" in text_of(pilot, "#voice"))
            await pilot.press("escape")
            await heard(pilot)
            microphone.gate.set()
            await until(pilot, lambda: microphone.calls == ["start", "stop"])
            assert not microphone.open

    asyncio.run(flow())


@pytest.mark.parametrize(
    ("microphone", "transcriber", "says"),
    [
        (FakeMicrophone([], error=VoiceError("no microphone is connected")), None, "no microphone is connected"),
        (FakeMicrophone([], error=OSError("driver [b]gone[/b]")), None, "OSError: driver [b]gone[/b]"),
        (None, FakeTranscriber(error=ConfigError("the speech model is not here")), "the speech model is not here"),
    ],
    ids=["no microphone", "broken driver", "no model"],
)
def test_what_is_missing_is_told_at_once(microphone, transcriber, says):
    async def flow():
        async with talking(microphone, transcriber).run_test() as pilot:
            await pilot.press("ctrl+t")
            await until(pilot, lambda: pilot.app._notifications)
            assert [toast.message for toast in pilot.app._notifications] == [says]
            assert not pilot.app.screen.voice.active
            assert not pilot.app.screen.voice.display

    asyncio.run(flow())


def test_silence_is_told():
    async def flow():
        async with talking(FakeMicrophone(blocks(silence(60)))).run_test() as pilot:
            await pilot.press("ctrl+t")
            await until(pilot, lambda: "● 1 s" in text_of(pilot, "#voice"))
            await pilot.press("ctrl+t")
            await until(pilot, lambda: pilot.app._notifications)
            assert "gave nothing but silence" in next(iter(pilot.app._notifications)).message

    asyncio.run(flow())


def test_talking_approves_nothing_and_leaves_the_question_the_focus():
    async def flow():
        desktop = FakeDesktop()
        async with talking(desktop=desktop).run_test() as pilot:
            await to_approval(pilot)
            await speak(pilot)
            await pilot.press("ctrl+t")
            await heard(pilot)
            assert pilot.app.screen.prompt.text == SAID
            assert pilot.app.screen.bar.asking
            assert pilot.app.screen.bar.has_focus_within
            assert not desktop.calls

    asyncio.run(flow())
