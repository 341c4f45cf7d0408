"""Sound from a synthesizer, microphones that play it, and Whisper checkpoints with random weights that say a given text."""

from __future__ import annotations

import json
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyagent_mlx.voice.sound import RATE, Samples
from tinyagent_mlx.voice.transcriber import Transcript


def need_whisper() -> None:
    """Skip where mlx-whisper is not installed. Importing it brings MLX, which has to be prepared for first."""
    import tinyagent_mlx.device  # noqa: F401

    pytest.importorskip("mlx_whisper")


def tone(seconds: float, hertz: float = 440.0, rate: int = RATE, volume: float = 0.3) -> Samples:
    return (volume * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def speech_like(seconds: float = 1.0, rate: int = RATE, seed: int = 0) -> Samples:
    """A buzz of harmonics in syllables, four a second, over a little noise: as loud and soft as speech, without words."""
    time = np.arange(int(seconds * rate)) / rate
    voice = sum(np.sin(2 * np.pi * 130 * k * time) / k for k in range(1, 12))
    syllables = np.clip(np.sin(2 * np.pi * 4 * time), 0, None)
    noise = np.random.default_rng(seed).normal(0, 0.0005, len(time))
    return (0.2 * voice * syllables + noise).astype(np.float32)


def silence(seconds: float, rate: int = RATE) -> Samples:
    return np.zeros(int(seconds * rate), np.float32)


def write_wav(file: Path, samples: Samples, rate: int = RATE, bits: int = 16, channels: int = 1) -> Path:
    """A plain WAV by the standard library; every channel carries the same sound."""
    scaled = np.clip(np.repeat(samples[:, None], channels, 1), -1, 1)
    if bits == 8:
        raw = (scaled * 127 + 128).astype(np.uint8).tobytes()
    else:
        whole = (scaled * (2 ** (bits - 1) - 1)).astype("<i4")
        raw = whole.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()
    with wave.open(str(file), "wb") as out:
        out.setparams((channels, bits // 8, rate, 0, "NONE", ""))
        out.writeframes(raw)
    return file


@dataclass
class FakeMicrophone:
    """Gives one of `blocks` each time it is asked, then nothing."""

    blocks: Sequence[Samples]
    rate: int = RATE
    error: Exception | None = None
    name: str = "fake microphone"
    given: int = 0
    open: bool = False
    calls: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.calls.append("start")
        if self.error:
            raise self.error
        self.open, self.given = True, 0

    def take(self) -> Samples:
        if not self.open or self.given >= len(self.blocks):
            return silence(0)
        self.given += 1
        return self.blocks[self.given - 1]

    def stop(self) -> None:
        self.calls.append("stop")
        self.open = False


@dataclass
class FakeTranscriber:
    """Hears `text` in everything; `error` is raised when it is to load."""

    text: str = "remind me to call the dentist tomorrow at nine"
    error: Exception | None = None
    heard: list[Samples] = field(default_factory=list)
    name: str = "fake transcriber"

    def load(self) -> None:
        if self.error:
            raise self.error

    def transcribe(self, samples: Samples) -> Transcript:
        self.load()
        self.heard.append(samples)
        return Transcript(self.text, "en", len(samples) / RATE)


def blocks(samples: Samples, seconds: float = 0.1, rate: int = RATE) -> list[Samples]:
    return np.array_split(samples, max(1, round(len(samples) / rate / seconds)))


def make_whisper(
    folder: Path,
    says: str = "",
    language: str = "en",
    *,
    n_mels: int = 80,
    n_vocab: int = 51865,
    file: str = "weights.safetensors",
    bits: int = 0,
    half: bool = False,
) -> Path:
    """A folder in mlx-community's layout: one layer with random weights, all tokens.

    The positions of the decoder are chosen so that it detects `language` and then writes `says` about any sound at all;
    without `says` they are random too.
    """
    import tinyagent_mlx.device  # noqa: F401  (before MLX)

    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_flatten
    from mlx_whisper.tokenizer import get_tokenizer
    from mlx_whisper.whisper import ModelDimensions, Whisper

    dims = {
        "n_mels": n_mels, "n_audio_ctx": 1500, "n_audio_state": 64, "n_audio_head": 2, "n_audio_layer": 1,
        "n_vocab": n_vocab, "n_text_ctx": 40, "n_text_state": 64, "n_text_head": 2, "n_text_layer": 1,
    }  # fmt: skip
    mx.random.seed(0)
    model = Whisper(ModelDimensions(**dims), mx.float32)
    decoder = model.decoder
    decoder.token_embedding.weight = mx.random.normal((n_vocab, 64))
    decoder.positional_embedding = mx.random.normal((40, 64)) * 0.01
    if says:
        many = model.is_multilingual
        tokens = get_tokenizer(many, num_languages=model.num_languages, language=language, task="transcribe")
        spoken = [tokens.timestamp_begin, *tokens.encode(f" {says}"), tokens.timestamp_begin + 50, tokens.eot]
        wanted = [tokens.to_language_token(language), tokens.transcribe, *spoken] if many else spoken
        decoder.positional_embedding[: len(wanted)] = 100 * decoder.token_embedding.weight[mx.array(wanted)]
    config: dict[str, Any] = dict(dims, model_type="whisper")
    if bits:
        config["quantization"] = {"group_size": 64, "bits": bits}
        nn.quantize(model, **config["quantization"])
    arrays: dict[str, Any] = dict(tree_flatten(model.parameters()))
    if half:
        arrays = {name: a.astype(mx.float16) if a.dtype == mx.float32 else a for name, a in arrays.items()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    if file.endswith(".npz"):
        mx.savez(str(folder / file), **arrays)
    else:
        mx.save_safetensors(str(folder / file), arrays)
    return folder
