"""Sound files of every kind become the same samples, or one clear line."""

from __future__ import annotations

import shutil
import stat
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.speech import silence, speech_like, tone, write_wav
from tinyagent_mlx.errors import TinyAgentError, UsageError, VoiceError
from tinyagent_mlx.voice import sound

pytest.importorskip("scipy")
NONE = "no-such-program"


def pitch(samples: np.ndarray) -> float:
    """The strongest frequency, in hertz."""
    return float(np.abs(np.fft.rfft(samples)).argmax() * sound.RATE / len(samples))


def same(samples: np.ndarray, seconds: float = 1.0) -> None:
    """It is the tone of 440 hertz that all the files hold."""
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples) == pytest.approx(seconds * sound.RATE, rel=0.03)
    assert pitch(samples) == pytest.approx(440, abs=2)
    assert np.abs(samples).max() == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize(("bits", "channels"), [(8, 1), (16, 1), (24, 1), (32, 1), (16, 2), (24, 2)])
def test_plain_wav_of_any_width_rate_and_channels_needs_no_ffmpeg(tmp_path, bits, channels, rate):
    same(sound.read(write_wav(tmp_path / "a.wav", tone(1.0, rate=rate), rate, bits, channels), ffmpeg=NONE))


def float_wav(file: Path, samples: np.ndarray, rate: int) -> Path:
    data = samples.astype("<f4").tobytes()
    head = struct.pack("<HHIIHH", 3, 1, rate, rate * 4, 4, 32)
    chunks = b"fmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(data)) + data
    file.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return file


def extensible_wav(file: Path, samples: np.ndarray, rate: int) -> Path:
    """24 bits under the header that a Mac's own recorder writes."""
    whole = (samples * (2**23 - 1)).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    pcm = struct.pack("<H", 1) + bytes.fromhex("000000001000800000aa00389b71")
    head = struct.pack("<HHIIHHHHI", 0xFFFE, 1, rate, rate * 3, 3, 24, 22, 24, 4) + pcm
    chunks = b"fmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(whole)) + whole
    file.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return file


@pytest.mark.parametrize("write", [float_wav, extensible_wav])
def test_wav_with_the_headers_of_other_programs_needs_no_ffmpeg(tmp_path, write):
    same(sound.read(write(tmp_path / "a.wav", tone(1.0, rate=48000), 48000), ffmpeg=NONE))


def test_recording_that_was_cut_off_gives_what_is_there(tmp_path):
    file = write_wav(tmp_path / "a.wav", tone(1.0))
    file.write_bytes(file.read_bytes()[:16_044])
    same(sound.read(file, ffmpeg=NONE), seconds=0.5)


def test_what_the_new_rate_can_not_carry_does_not_come_back_as_another_tone():
    high = sound.resample(tone(1.0, 11_000, 48_000), 48_000)
    assert sound.loudness(high) < sound.loudness(tone(1.0)) - 40


def broken(folder: Path) -> dict[str, Path]:
    """Files that are no sound, by name."""
    good = write_wav(folder / "good.wav", tone(0.5)).read_bytes()
    made = {
        "empty.wav": b"",
        "letter.txt": b"Dear Sid,\n",
        "song.mp3": b"ID3\x04" + bytes(200),
        "head.wav": good[:12],
        "half.wav": good[:30],
        "rate.wav": good[:24] + bytes(8) + good[32:],
        "prime.wav": good[:24] + struct.pack("<II", 99_991, 2 * 99_991) + good[32:],
        "channels.wav": good[:22] + bytes(2) + good[24:],
        "packed.wav": good[:20] + b"\x55\0" + good[22:],
    }
    for name, content in made.items():
        (folder / name).write_bytes(content)
    (folder / "folder.wav").mkdir()
    with open(folder / "huge.wav", "wb") as file:
        file.truncate(sound.LARGEST + 1)
    write_wav(folder / "long.wav", silence(sound.LONGEST + 2, 8000), 8000, 8)
    return {name: folder / name for name in [*made, "huge.wav", "long.wav", "absent.wav", "folder.wav"]}


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("absent.wav", UsageError, "can't be read: No such file"),
        ("folder.wav", UsageError, "can't be read: Is a directory"),
        ("empty.wav", VoiceError, "the file is empty"),
        ("letter.txt", VoiceError, "it is no WAV file, and ffmpeg"),
        ("song.mp3", VoiceError, "is not installed: install it, or use WAV"),
        ("head.wav", VoiceError, "no plain WAV file"),
        ("half.wav", VoiceError, "damaged WAV file"),
        ("rate.wav", VoiceError, "damaged: 0 samples a second"),
        ("prime.wav", VoiceError, "99991 samples a second is no rate"),
        ("channels.wav", VoiceError, "damaged WAV file"),
        ("packed.wav", VoiceError, "MPEGLAYER3"),
        ("huge.wav", VoiceError, "512 MB are too much"),
        ("long.wav", VoiceError, "302 s of sound are too long"),
    ],
)
def test_what_is_no_sound_is_named_in_one_line(tmp_path, name, error, says):
    with pytest.raises(error) as refused:
        sound.read(broken(tmp_path)[name], ffmpeg=NONE)
    assert says in str(refused.value)
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_damage_to_a_header_breaks_the_reader(tmp_path):
    good = write_wav(tmp_path / "good.wav", tone(0.1)).read_bytes()
    dice = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        content = bytearray(good)
        for place in dice.integers(0, 44, 1):
            content[place] = dice.integers(256)
        (tmp_path / "bad.wav").write_bytes(content)
        try:
            assert sound.read(tmp_path / "bad.wav", ffmpeg=NONE).ndim == 1
        except TinyAgentError:
            refused += 1
    assert 0 < refused < 300


def program(folder: Path, text: str) -> str:
    """A stand-in for ffmpeg."""
    file = folder / "ffmpeg"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def test_other_formats_go_through_ffmpeg_which_may_open_only_files(tmp_path):
    (tmp_path / "samples").write_bytes(tone(1.0).tobytes())
    ffmpeg = program(tmp_path, f'printf "%s\\n" "$@" > "{tmp_path}/asked"\ncat "{tmp_path}/samples"')
    (tmp_path / "-a b;$(x).m4a").write_bytes(b"ftypM4A ")
    same(sound.read(tmp_path / "-a b;$(x).m4a", ffmpeg))
    asked = (tmp_path / "asked").read_text().splitlines()
    assert f"file:{tmp_path}/-a b;$(x).m4a" in asked
    assert asked[asked.index("-protocol_whitelist") + 1] == "file,pipe"
    assert asked[asked.index("-ar") + 1] == "16000"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'Output file does not contain any stream' >&2; exit 1", "there is no sound in it"),
        ("echo one >&2; echo 'Invalid data found' >&2; exit 1", "ffmpeg can't read it: Invalid data found"),
        ("exit 3", "ffmpeg ended with 3"),
        ("exec sleep 20", "read it for 0.3 s and was stopped"),
    ],
    ids=["no sound", "invalid", "silent failure", "hangs"],
)
def test_ffmpeg_s_failures_are_told(tmp_path, script, says):
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0 ftyp")
    with pytest.raises(VoiceError, match=says):
        sound.read(tmp_path / "film.mp4", program(tmp_path, script), patience=0.3)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
@pytest.mark.parametrize("kind", ["mp3", "m4a", "flac", "ogg", "aiff", "webm"])
def test_the_real_ffmpeg_reads_other_formats(tmp_path, kind):
    wav = write_wav(tmp_path / "a.wav", tone(1.0, rate=48000), 48000)
    subprocess.run(["ffmpeg", "-v", "error", "-i", wav, tmp_path / f"a.{kind}"], check=True)
    same(sound.read(tmp_path / f"a.{kind}"))


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (silence(0), "0.0 s are too short"),
        (tone(0.1), "0.1 s are too short"),
        (silence(2), "nothing is to be heard"),
        (tone(2, volume=0.0002), "nothing is to be heard"),
        (tone(301, rate=sound.RATE), "301 s of sound are too long"),
    ],
    ids=["nothing", "a click", "silence", "too soft", "too long"],
)
def test_what_can_not_hold_a_request_is_refused(samples, says):
    with pytest.raises(VoiceError, match=says):
        sound.check(samples)


@pytest.mark.parametrize(
    "samples",
    [speech_like(1.0), tone(0.3), np.concatenate([silence(20), speech_like(0.5), silence(20)])],
    ids=["speech", "one word", "one word in a long silence"],
)
def test_what_may_be_a_request_passes(samples):
    sound.check(samples)


def test_level_goes_from_nothing_to_full():
    levels = [sound.level(tone(0.1, volume=volume)) for volume in (0.0, 0.001, 0.01, 0.1, 1.0)]
    assert levels == sorted(levels)
    assert levels[0] == 0
    assert 0.9 < levels[-1] <= 1
