"""The seam between sound and words: what a transcriber is given and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tinyagent_mlx.voice.sound import Samples


@dataclass(frozen=True)
class Transcript:
    """`language` is a code as in "en"; `seconds` is how long the sound was."""

    text: str
    language: str
    seconds: float


class Transcriber(Protocol):
    name: str

    def load(self) -> None:
        """Get ready, once. Raises `ConfigError` when what it needs is missing."""

    def transcribe(self, samples: Samples) -> Transcript:
        """Write down 16,000 samples a second, mono. Raises `VoiceError` when there are no words in them."""
