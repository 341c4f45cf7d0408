"""Sound as samples: read from a file, brought to the rate that transcribers take, judged for what is in it.

Plain WAV files are read here, anything else by ffmpeg as a process of its own. Knows nothing of models or microphones.
"""

from __future__ import annotations

import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinyagent_mlx.errors import ConfigError, UsageError, VoiceError

Samples: TypeAlias = NDArray[np.float32]  # [n], mono, full scale is 1

RATE = 16_000
SHORTEST, LONGEST = 0.2, 300.0  # seconds; a request is said in less than five minutes
LARGEST = 512_000_000  # bytes: more than LONGEST seconds in any common layout
FLOOR = -60.0  # decibels below full scale; the softest speech into a laptop is louder
INSTALL = "install the voice extra: pip install '.[voice]' in the folder of tinyagent-mlx"


def read(file: Path, ffmpeg: str = "ffmpeg", patience: float = 60.0) -> Samples:
    """The sound in a file, mono at `RATE`. `patience` is how many seconds ffmpeg may take."""
    try:
        with open(file, "rb") as opened:
            head = opened.read(12)
        size = file.stat().st_size
    except OSError as error:
        raise UsageError(f"{file}: this sound file can't be read: {error.strerror}") from error
    if not size:
        raise VoiceError(f"{file}: the file is empty: record it again")
    if size > LARGEST:
        raise VoiceError(f"{file}: {size / 1e6:,.0f} MB are too much for a request: cut out the part with the request")
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        return _read_wav(file, ffmpeg, patience)
    return _read_by_ffmpeg(file, ffmpeg, patience, "it is no WAV file")


def _read_wav(file: Path, ffmpeg: str, patience: float) -> Samples:
    try:
        from scipy.io import wavfile
    except ImportError as error:
        raise ConfigError(f"{file}: scipy is missing to read it: {INSTALL}") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # unknown chunks, and a recording that was cut off
            rate, found = wavfile.read(file)
    except ValueError as error:  # compressed inside, mostly
        return _read_by_ffmpeg(file, ffmpeg, patience, f"it is no plain WAV file ({_line(str(error))})")
    except Exception:  # a damaged header may break the reader anywhere; ffmpeg still knows many
        return _read_by_ffmpeg(file, ffmpeg, patience, "it is a damaged WAV file")
    if not rate or found.ndim > 2:
        raise VoiceError(f"{file}: the WAV file is damaged: {rate} samples a second in {found.ndim} dimensions")
    if len(found) > LONGEST * rate:
        raise VoiceError(f"{file}: {_too_long(len(found) / rate)}")
    try:
        return resample(mono(_full_scale(found)), rate)
    except VoiceError as error:
        raise VoiceError(f"{file}: {error}") from error


def _full_scale(found: NDArray[Any]) -> Samples:
    """Whole numbers as shares of full scale. 8 bits have their zero at 128; 24 bits lie at the top of 32."""
    if found.dtype == np.uint8:
        return ((found.astype(np.int16) - 128) / 128).astype(np.float32)
    if np.issubdtype(found.dtype, np.integer):
        return (found / -float(np.iinfo(found.dtype).min)).astype(np.float32)
    return np.nan_to_num(found.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)


def mono(sound: Samples) -> Samples:
    """The mean of all channels; `sound` is [n] or [n, channels]."""
    return sound if sound.ndim == 1 else np.asarray(sound.mean(axis=1), np.float32)


def resample(sound: Samples, rate: int) -> Samples:
    """Bring mono sound to `RATE`; what the new rate can't carry is filtered out first."""
    if rate == RATE or not len(sound):
        return sound
    from math import gcd

    from scipy.signal import resample_poly

    common = gcd(rate, RATE)
    if rate // common > 50_000:  # the filter is as long as this: no device or file has such a rate on purpose
        raise VoiceError(f"{rate} samples a second is no rate of recorded sound: convert it to 16000")
    return np.asarray(resample_poly(sound, RATE // common, rate // common), np.float32)


def _read_by_ffmpeg(file: Path, ffmpeg: str, patience: float, why: str) -> Samples:
    """Let ffmpeg decode a file. It may open nothing but this file: a playlist can't take it to the network."""
    program = shutil.which(ffmpeg)
    if not program:
        raise VoiceError(
            f"{file}: {why}, and ffmpeg, which reads other formats, is not installed: install it, or use WAV"
        )
    command = [program, "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-i", f"file:{file}", "-vn"]
    command += ["-t", str(LONGEST + 1), "-ac", "1", "-ar", str(RATE), "-f", "f32le", "pipe:1"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=patience, check=False)
    except subprocess.TimeoutExpired as error:
        raise VoiceError(f"{file}: ffmpeg read it for {patience:g} s and was stopped: convert it to WAV") from error
    except OSError as error:
        raise VoiceError(f"{file}: {program} does not start: {error.strerror}") from error
    if done.returncode:
        raise VoiceError(
            f"{file}: {_said(done.stderr.decode('utf-8', 'replace')) or f'ffmpeg ended with {done.returncode}'}"
        )
    return np.frombuffer(done.stdout[: len(done.stdout) // 4 * 4], "<f4").astype(np.float32)


def _said(errors: str) -> str:
    """What ffmpeg had to say, in a line."""
    if "does not contain any stream" in errors:
        return "there is no sound in it"
    lines = errors.strip().splitlines()
    return f"ffmpeg can't read it: {_line(lines[-1])}" if lines else ""


def _line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def _too_long(seconds: float) -> str:
    return f"{seconds:.0f} s of sound are too long for a request: at most {LONGEST:.0f} s"


def loudness(sound: Samples) -> float:
    """Decibels below full scale, -120 for silence."""
    if not len(sound):
        return -120.0
    power = float(np.mean(np.square(sound, dtype=np.float64)))
    return max(-120.0, 10 * float(np.log10(power))) if power > 0 else -120.0


def level(sound: Samples) -> float:
    """Loudness for a meter: 0 is nothing to hear, 1 is full scale."""
    return min(1.0, max(0.0, 1 - loudness(sound) / FLOOR))


def check(sound: Samples, where: str = "the recording") -> None:
    """Refuse what can't hold a request: too short, too long, or nothing to hear in any part of it."""
    seconds = len(sound) / RATE
    if seconds < SHORTEST:
        raise VoiceError(f"{where}: {seconds:.1f} s are too short to hold a request: speak, then end it")
    if seconds > LONGEST:
        raise VoiceError(f"{where}: {_too_long(seconds)}")
    parts = np.array_split(sound, max(1, int(seconds * 10)))
    if max(loudness(part) for part in parts) < FLOOR:
        raise VoiceError(f"{where}: nothing is to be heard in it: speak up, or choose another microphone")
