"""Say a request into the microphone. It ends with Enter, or when you have been quiet for a while; then as run does."""

from __future__ import annotations

import argparse
import json
import select
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tinyagent_mlx.cli import hearing, run, setup
from tinyagent_mlx.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from tinyagent_mlx.voice.microphone import Microphone
    from tinyagent_mlx.voice.recording import Recording
    from tinyagent_mlx.voice.sound import Samples
    from tinyagent_mlx.voice.transcriber import Transcriber

LOOK = 0.05  # seconds between two looks at the microphone
METER = 24  # characters


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, metavar="N", help="end after N seconds at the latest")
    parser.add_argument("--only-text", action="store_true", help="print what was said and do nothing with it")
    parser.add_argument(
        "--models", action="store_true", help="list speech models and which of them are on this machine"
    )
    hearing.add_voice_options(parser)
    setup.add_planning_options(parser)
    run.add_acting_options(parser)


def call(options: argparse.Namespace) -> int:
    if options.models:
        return list_models(options.json)
    return listen(options, hearing.microphone(), hearing.transcriber(options))


def listen(options: argparse.Namespace, microphone: Microphone, transcriber: Transcriber) -> int:
    """Record, write down, and act on it."""
    if options.seconds is not None and not options.seconds > 0:
        raise UsageError(f"--seconds: {options.seconds:g} is too short; give more than 0")
    samples = record(microphone, transcriber, options.seconds)
    transcript = transcriber.transcribe(samples)
    if options.only_text:
        print(json.dumps(asdict(transcript), ensure_ascii=False) if options.json else transcript.text)
        return 0
    return run.act(options, hearing.heard(transcript, options.json))


def record(microphone: Microphone, transcriber: Transcriber, seconds: float | None) -> Samples:
    """Listen while the model loads behind it; a model that is missing ends the recording at once."""
    from tinyagent_mlx.voice.recording import Recording
    from tinyagent_mlx.voice.sound import LONGEST

    loading = _Loading(transcriber)
    recording = Recording(microphone, seconds or LONGEST)
    try:
        while not (recording.full or recording.over or _enter(LOOK)):
            recording.listen()
            loading.check()
            _meter(recording)
        return recording.finish()
    finally:
        recording.stop()
        _meter(None)


class _Loading:
    """The model on its way, in a thread."""

    def __init__(self, transcriber: Transcriber):
        self.error: BaseException | None = None
        threading.Thread(target=self._load, args=(transcriber.load,), daemon=True).start()

    def _load(self, load: Callable[[], None]) -> None:
        try:
            load()
        except BaseException as error:  # handed to the thread that waits for it
            self.error = error

    def check(self) -> None:
        if self.error:
            raise self.error


def _enter(seconds: float) -> bool:
    """Wait that long for Enter; without a terminal nobody can press it."""
    if not sys.stdin.isatty():
        time.sleep(seconds)
        return False
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready) and sys.stdin.readline() is not None


def _meter(recording: Recording | None) -> None:
    """Draw the level over the line before, None to wipe it away. Only for someone who can see it."""
    if not sys.stderr.isatty():
        return
    if recording is None:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        return
    bar = "▮" * round(recording.level * METER)
    print(f"\r● {recording.seconds:4.0f} s {bar:·<{METER}} Enter ends it\x1b[K", end="", file=sys.stderr, flush=True)


def speech_models() -> list[dict[str, Any]]:
    """The published models by name, with the folder of those that are on this machine."""
    from tinyagent_mlx.voice.whisper import DEFAULT, MODELS, folder_of

    rows = []
    for name, model in MODELS.items():
        try:
            where = str(folder_of(name))
        except ConfigError:
            where = ""
        rows.append({"name": name, **asdict(model), "default": name == DEFAULT, "folder": where})
    return rows


def list_models(as_json: bool) -> int:
    rows = speech_models()
    if as_json:
        print(json.dumps({"models": rows}, ensure_ascii=False))
        return 0
    for row in rows:
        here = "here" if row["folder"] else "–"
        about = ", ".join(filter(None, [row["default"] and "the default", row["about"]]))
        print(f"{row['name']:<7} {here:<5} {row['size']:>8}  {row['repository']:<38} {about}".rstrip())
    print("\nFetch one once, with 'hf download REPOSITORY'; nothing else here uses the network.")
    return 0
