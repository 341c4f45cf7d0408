"""From a microphone to the samples of a request: fake microphones, and the system's over a fake PortAudio."""

from __future__ import annotations

import numpy as np
import pytest

from tests.speech import FakeMicrophone, blocks, silence, speech_like, tone
from tests.tui_fakes import FakeClock
from tinyagent_mlx.errors import TinyAgentError, VoiceError
from tinyagent_mlx.voice import sound
from tinyagent_mlx.voice.microphone import SystemMicrophone, advice
from tinyagent_mlx.voice.recording import PATIENCE, QUIET, WAIT, Recording


def room(seconds: float, volume: float = 0.0005) -> np.ndarray:
    return np.random.default_rng(1).normal(0, volume, int(seconds * sound.RATE)).astype(np.float32)


def listened(*parts: np.ndarray, **options) -> Recording:
    """A recording that has heard everything, a block at a time."""
    recording = Recording(FakeMicrophone(blocks(np.concatenate(parts))), **options)
    while recording.listen() is not None and recording.microphone.given < len(recording.microphone.blocks):
        pass
    return recording


def test_recording_gives_what_was_heard_at_the_rate_of_transcribers():
    heard = tone(1.0, rate=44_100)
    recording = Recording(FakeMicrophone(blocks(heard, rate=44_100), rate=44_100))
    for _ in range(10):
        recording.listen()
    samples = recording.finish()
    assert len(samples) == sound.RATE
    assert np.abs(np.fft.rfft(samples)).argmax() == 440
    assert not recording.microphone.open


@pytest.mark.parametrize(
    ("parts", "over"),
    [
        ([room(1), speech_like(2), room(QUIET - 0.5)], False),
        ([room(1), speech_like(2), room(QUIET + 0.3)], True),
        ([speech_like(2), room(QUIET + 0.3)], True),
        ([room(1), speech_like(1), room(1), speech_like(1), room(1)], False),
        ([room(WAIT - 1)], False),
        ([room(WAIT + 0.2)], True),
        ([room(1, 0.01), speech_like(2) + room(2, 0.01), room(QUIET + 0.3, 0.01)], True),
    ],
    ids=["a breath", "finished", "spoke at once", "two sentences", "not begun", "never begins", "noisy room"],
)
def test_speaker_has_finished_after_a_while_without_speech(parts, over):
    assert listened(*parts).over is over


def test_level_follows_the_voice():
    recording = listened(room(1), tone(1.0))
    assert max(recording.levels[:9]) < 0.2 < 0.7 < min(recording.levels[11:])
    assert recording.level == recording.levels[-1]
    assert recording.seconds == pytest.approx(2)


def test_recording_ends_at_its_limit():
    recording = listened(speech_like(3), limit=2)
    assert recording.full
    assert len(recording.finish()) == 2 * sound.RATE


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (silence(2), "nothing but silence: "),
        (tone(2, volume=1e-4), "nothing is to be heard"),
        (tone(0.05), "too short"),
    ],
    ids=["zeros, as from a Mac without permission", "too soft", "too short"],
)
def test_recording_without_a_request_is_told(samples, says):
    with pytest.raises(VoiceError, match=says):
        listened(samples).finish()


def test_device_that_gives_nothing_is_told():
    clock = FakeClock()
    recording = Recording(FakeMicrophone([]), clock=clock)
    recording.listen()
    clock.seconds = PATIENCE + 0.1
    with pytest.raises(VoiceError, match="'fake microphone' gives no sound at all"):
        recording.listen()


def test_advice_on_a_mac_is_where_to_allow_it():
    assert "Privacy & Security, Microphone" in advice("darwin")
    assert "Privacy" not in advice("linux")


class FakePortAudio:
    """What of sounddevice is used, with one device, or none, or one that does not open."""

    class PortAudioError(Exception):
        pass

    def __init__(self, device: bool = True, opens: bool = True):
        self.device, self.opens = device, opens
        self.closed = 0

    def query_devices(self, kind: str) -> dict[str, object]:
        if not self.device:
            raise self.PortAudioError("Error querying device -1")
        return {"name": "Built-in", "default_samplerate": 48_000.0}

    def InputStream(self, **options):
        self.options = options
        return self

    def start(self) -> None:
        if not self.opens:
            raise self.PortAudioError("Error starting stream:\n Unanticipated host error", -9999)

    def close(self, ignore_errors: bool) -> None:
        self.closed += 1

    def speak(self, samples: np.ndarray) -> None:
        """Call back as PortAudio does: with a block that it uses again afterwards."""
        block = samples[:, None].copy()
        self.options["callback"](block, len(block), None, None)
        block[:] = 9


def test_system_microphone_collects_blocks_at_the_device_s_rate():
    audio = FakePortAudio()
    microphone = SystemMicrophone(lambda: audio)
    microphone.start()
    audio.speak(tone(0.1))
    audio.speak(tone(0.2))
    assert (microphone.name, microphone.rate, audio.options["samplerate"]) == ("Built-in", 48_000, 48_000)
    assert np.array_equal(microphone.take(), np.concatenate([tone(0.1), tone(0.2)]))
    assert len(microphone.take()) == 0
    microphone.stop()
    microphone.stop()
    assert audio.closed == 1


@pytest.mark.parametrize(
    ("audio", "says"),
    [
        (FakePortAudio(device=False), "no microphone is connected: connect one"),
        (FakePortAudio(opens=False), "'Built-in' does not open.*host error"),
    ],
    ids=["no device", "refused"],
)
def test_microphone_that_is_not_to_be_had_is_told(audio, says):
    microphone = SystemMicrophone(lambda: audio)
    with pytest.raises(VoiceError, match=says) as told:
        microphone.start()
    assert "\n" not in str(told.value)
    assert audio.closed == (0 if not audio.device else 1)


def test_the_real_portaudio_is_there_or_its_absence_is_told():
    """Looks for a device without opening it."""
    said = ""
    try:
        SystemMicrophone().find()
    except TinyAgentError as error:
        said = str(error)
    assert not said or ": " in said
