"""Where a request comes from: typed, or heard in a sound file. The microphone is `listen`'s."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tinyagent_mlx.errors import UsageError

if TYPE_CHECKING:
    from tinyagent_mlx.voice.microphone import SystemMicrophone
    from tinyagent_mlx.voice.transcriber import Transcriber, Transcript


def add_file_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--audio", type=Path, metavar="FILE", help="take the request from a sound file")
    add_voice_options(parser)


def add_model_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--voice", metavar="NAME", help="the speech model: a folder, or a name from `tinyagent listen --models`"
    )


def add_voice_options(parser: argparse.ArgumentParser) -> None:
    """Options that choose how speech is written down."""
    add_model_option(parser)
    parser.add_argument("--language", metavar="CODE", help="the language that is spoken (default: detected)")


def request(options: argparse.Namespace) -> str:
    """The request, typed or heard; what was heard is shown first."""
    if options.audio and options.query is not None:
        raise UsageError("a request and --audio exclude each other: leave one out")
    if options.audio:
        from tinyagent_mlx.voice import sound

        samples = sound.read(options.audio)
        sound.check(samples, str(options.audio))
        return heard(transcriber(options).transcribe(samples), options.json)
    if options.query is None:
        raise UsageError("the request is missing: write it in quotes, or name a sound file with --audio")
    return str(options.query)


def speech(options: argparse.Namespace) -> tuple[str, str | None, str]:
    """The speech model and the language, None to detect it: as named, as chosen for good, or this machine's default; and
    where the model was named.
    """
    from tinyagent_mlx.cli import setup
    from tinyagent_mlx.voice.whisper import DEFAULT

    chosen = setup.settings(options).voice
    where = "--voice" if options.voice else f"{setup.settings_file(options)}: key 'voice'"
    return (
        options.voice or chosen.model or DEFAULT,
        getattr(options, "language", None) or chosen.language or None,
        where,
    )


def transcriber(options: argparse.Namespace) -> Transcriber:
    """The speech model that was chosen; it is read when it is needed."""
    from tinyagent_mlx.voice.whisper import WhisperTranscriber

    name, language, where = speech(options)
    return WhisperTranscriber(name, language, where=where)


def microphone() -> SystemMicrophone:
    from tinyagent_mlx.voice.microphone import SystemMicrophone

    return SystemMicrophone()


def heard(transcript: Transcript, as_json: bool) -> str:
    """Say what was heard, where it does not get into a program's way; gives the text."""
    line = f"Heard ({transcript.language}, {transcript.seconds:.1f} s): {transcript.text}"
    print(line, file=sys.stderr if as_json else sys.stdout, flush=True)
    return transcript.text
