"""One recording: what a microphone has given so far, how loud it is, and whether the speaker has finished.

Time is counted in samples, so a recording is the same however often it is looked at. Knows nothing of screens.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from tinyagent_mlx.errors import VoiceError
from tinyagent_mlx.voice import sound
from tinyagent_mlx.voice.microphone import Microphone, advice
from tinyagent_mlx.voice.sound import Samples

WINDOW = 0.1  # seconds of sound that are judged together
SPEECH = -45.0  # decibels below full scale, at least
ABOVE = 10.0  # decibels above the softest moment so far: rooms and microphones differ
QUIET = 2.0  # seconds without speech, after some, that end a request
WAIT = 20.0  # seconds for the first word
PATIENCE = 3.0  # seconds without a single sample before the device counts as dead


class Recording:
    """Listens from the start on. `limit` is the longest it gets, in seconds."""

    def __init__(
        self, microphone: Microphone, limit: float = sound.LONGEST, clock: Callable[[], float] = time.monotonic
    ):
        self.microphone, self.limit, self._clock = microphone, min(limit, sound.LONGEST), clock
        self.levels: list[float] = []
        self._blocks: list[Samples] = []
        self._rest: Samples = np.zeros(0, np.float32)
        self._taken = 0
        self._loudness: list[float] = []
        microphone.start()
        self._last = clock()

    @property
    def seconds(self) -> float:
        return self._taken / self.microphone.rate

    @property
    def full(self) -> bool:
        return self.seconds >= self.limit

    @property
    def level(self) -> float:
        """How loud it is now, from 0 to 1."""
        return self.levels[-1] if self.levels else 0.0

    def listen(self) -> float:
        """Take what has come; gives the level. Raises `VoiceError` when the device has fallen silent for good."""
        block = self.microphone.take()
        if len(block):
            self._last = self._clock()
            self._blocks.append(block)
            self._taken += len(block)
            self._judge(block)
        elif self._clock() - self._last > PATIENCE:
            raise VoiceError(f"the microphone {self.microphone.name!r} gives no sound at all: {advice()}")
        return self.level

    def _judge(self, block: Samples) -> None:
        """Note the loudness of each whole window."""
        size = int(WINDOW * self.microphone.rate)
        rest = np.concatenate([self._rest, block])
        whole = len(rest) // size * size
        for window in rest[:whole].reshape(-1, size):
            self._loudness.append(sound.loudness(window))
            self.levels.append(sound.level(window))
        self._rest = rest[whole:]

    @property
    def over(self) -> bool:
        """Whether the speaker has finished, or never begins."""
        loud = max(SPEECH, min(self._loudness, default=0.0) + ABOVE)
        spoken = [number for number, loudness in enumerate(self._loudness) if loudness >= loud]
        since = len(self._loudness) - (spoken[-1] + 1 if spoken else 0)
        return since * WINDOW >= (QUIET if spoken else WAIT)

    def stop(self) -> None:
        """Let go of the microphone; what it gave stays."""
        self.microphone.stop()

    def finish(self) -> Samples:
        """Stop, and give everything at the rate of transcribers. Raises `VoiceError` when it can't hold a request."""
        self.listen()
        self.stop()
        whole = np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.float32)
        if len(whole) and not whole.any():  # a Mac gives zeros, and no error, to a program that may not listen
            raise VoiceError(f"the microphone {self.microphone.name!r} gave nothing but silence: {advice()}")
        samples = sound.resample(whole[: int(self.limit * self.microphone.rate)], self.microphone.rate)
        sound.check(samples)
        return samples
