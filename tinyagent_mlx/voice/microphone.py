"""The microphone: a seam, and the system's own through PortAudio. Knows nothing of what is done with the sound."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from tinyagent_mlx.errors import ConfigError, VoiceError
from tinyagent_mlx.voice import sound
from tinyagent_mlx.voice.sound import INSTALL, Samples

PORTAUDIO = "the library PortAudio is missing: install libportaudio2 (Debian, Ubuntu) or portaudio"
PROGRAM = "the program that this terminal runs in (Terminal, iTerm, your editor)"
PERMISSION = "allow it for {} under System Settings, Privacy & Security, Microphone, then start that program again"


class Microphone(Protocol):
    """`rate` is samples a second, known once it is started."""

    name: str
    rate: int

    def start(self) -> None:
        """Begin to listen. Raises `VoiceError` when the device does not let us."""

    def take(self) -> Samples:
        """What came since the last time, mono; never waits."""

    def stop(self) -> None:
        """Let go of the device. Harmless when it is not started."""


def advice(platform: str = sys.platform, program: str = PROGRAM) -> str:
    """What to do where the microphone gives nothing; `program` is what the system allows it to."""
    if platform == "darwin":
        return PERMISSION.format(program)
    return "see that it is connected and not muted, and that this user may use it"


class SystemMicrophone:
    """The system's default input, at its own rate: the caller resamples. `library` gives the binding to PortAudio."""

    def __init__(self, library: Callable[[], Any] | None = None) -> None:
        self.name, self.rate = "the system's default microphone", sound.RATE
        self._library = library or portaudio
        self._blocks: list[Samples] = []
        self._lock = threading.Lock()
        self._stream: Any = None

    def find(self) -> Any:
        """See which device it is, without listening; gives the binding to PortAudio."""
        audio = self._library()
        try:
            device = audio.query_devices(kind="input")
        except (audio.PortAudioError, ValueError) as error:
            raise VoiceError("no microphone is connected: connect one, or use run --audio FILE") from error
        self.name, self.rate = device["name"], int(device["default_samplerate"])
        return audio

    def start(self) -> None:
        self.stop()
        audio = self.find()
        try:
            self._stream = audio.InputStream(
                samplerate=self.rate, channels=1, dtype="float32", callback=self._heard, clip_off=True
            )
            self._stream.start()
        except audio.PortAudioError as error:
            self.stop()
            raise VoiceError(f"the microphone {self.name!r} does not open ({_reason(error)}): {advice()}") from error

    def _heard(self, block: Any, frames: int, time: Any, status: Any) -> None:
        """Called by PortAudio in a thread of its own; the block is used again once this returns."""
        with self._lock:
            self._blocks.append(np.array(block[:, 0], np.float32))

    def take(self) -> Samples:
        with self._lock:
            blocks, self._blocks = self._blocks, []
        return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)

    def stop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close(ignore_errors=True)


def portaudio() -> ModuleType:
    """The binding to PortAudio, with a fresh list of devices: one may have been connected since."""
    try:
        import sounddevice
    except ImportError as error:
        raise ConfigError(f"sounddevice is not installed: {INSTALL}") from error
    except OSError as error:
        raise ConfigError(PORTAUDIO) from error
    try:
        sounddevice._terminate()
        sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise VoiceError(f"the sound system does not start ({_reason(error)}): {advice()}") from error
    return sounddevice


def _reason(error: Exception) -> str:
    return " ".join(str(error.args[0] if error.args else error).split()).rstrip(".")
