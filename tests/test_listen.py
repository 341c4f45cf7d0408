"""Spoken requests on the command line: listen, and --audio of plan and run."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.speech import (
    FakeMicrophone,
    FakeTranscriber,
    blocks,
    make_whisper,
    need_whisper,
    silence,
    speech_like,
    tone,
    write_wav,
)
from tinyagent_mlx.cli import hearing, listen
from tinyagent_mlx.cli.main import common_options, main
from tinyagent_mlx.errors import ConfigError, UsageError, VoiceError

NOW = "2026-11-23 09:00"
ROOM = np.random.default_rng(0).normal(0, 0.0005, 48_000).astype(np.float32)
SAID = np.concatenate([speech_like(1.0), ROOM])  # given in blocks of half a second


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    need_whisper()
    return make_whisper(tmp_path_factory.mktemp("whisper"), "Remind me to call the dentist tomorrow at nine")


def options(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(parents=[common_options()])
    listen.add_options(parser)
    return parser.parse_args(["--now", NOW, *given])


def test_what_is_said_is_printed_planned_and_carried_out(capsys, tmp_path):
    microphone = FakeMicrophone(blocks(SAID, 0.5))
    assert listen.listen(options("--yes", "--desktop", str(tmp_path)), microphone, FakeTranscriber()) == 0
    out = capsys.readouterr().out
    assert out.startswith("Heard (en, 3.5 s): remind me to call the dentist tomorrow at nine\n")
    assert out.index("create_reminder") < out.index("1 of 1 steps done.")
    assert len(list((tmp_path / "reminders").iterdir())) == 1
    assert not microphone.open


def test_unapproved_request_does_nothing_and_json_keeps_to_itself(capsys, tmp_path):
    given = options("--json", "--desktop", str(tmp_path))
    assert listen.listen(given, FakeMicrophone(blocks(SAID, 0.5)), FakeTranscriber()) == 1
    out, error = capsys.readouterr()
    assert json.loads(out)["query"] == "remind me to call the dentist tomorrow at nine"
    assert error.startswith("Heard")
    assert "not approved" in error
    assert not (tmp_path / "reminders").exists()


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_only_text_does_nothing_with_it(capsys, as_json):
    given = options("--only-text", *["--json"] * as_json)
    assert listen.listen(given, FakeMicrophone(blocks(SAID, 0.5)), FakeTranscriber("hello there")) == 0
    out = capsys.readouterr().out
    assert (json.loads(out)["text"] if as_json else out.strip()) == "hello there"


def test_recording_ends_by_itself_after_speech_or_at_the_seconds_given():
    transcriber = FakeTranscriber()
    endless = FakeMicrophone(blocks(np.concatenate([speech_like(1.0), np.tile(ROOM, 10)]), 0.5))
    listen.listen(options("--only-text"), endless, transcriber)
    listen.listen(options("--only-text", "--seconds", "0.5"), FakeMicrophone(blocks(SAID, 0.5)), transcriber)
    assert [round(len(heard) / 16_000, 1) for heard in transcriber.heard] == [3.5, 0.5]


@pytest.mark.parametrize(
    ("microphone", "transcriber", "error"),
    [
        (FakeMicrophone([], error=VoiceError("no microphone is connected")), FakeTranscriber(), VoiceError),
        (FakeMicrophone(blocks(SAID, 0.5)), FakeTranscriber(error=ConfigError("no model")), ConfigError),
        (FakeMicrophone(blocks(silence(30), 2)), FakeTranscriber(), VoiceError),
    ],
    ids=["no microphone", "no model", "silence"],
)
def test_what_is_missing_is_told_and_the_microphone_let_go(microphone, transcriber, error):
    with pytest.raises(error):
        listen.listen(options("--only-text"), microphone, transcriber)
    assert not microphone.open
    assert not transcriber.heard


def test_model_that_is_missing_is_told_before_all_is_said():
    microphone = FakeMicrophone(blocks(speech_like(60)))
    with pytest.raises(ConfigError):
        listen.listen(options("--only-text"), microphone, FakeTranscriber(error=ConfigError("no model")))
    assert microphone.given < 20


def test_seconds_must_be_some():
    with pytest.raises(UsageError, match="--seconds: 0"):
        listen.listen(options("--seconds", "0"), FakeMicrophone([]), FakeTranscriber())


ON_A_TERMINAL = """
from tests.speech import FakeMicrophone, FakeTranscriber, blocks, speech_like
from tinyagent_mlx.cli.listen import record
print("said", len(record(FakeMicrophone(blocks(speech_like(200))), FakeTranscriber(), None)) < 16_000 * 100)
"""


def test_enter_ends_it_on_a_terminal_which_shows_the_level():
    mine, its = os.openpty()
    os.set_blocking(mine, True)
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL],
        stdin=its,
        stdout=subprocess.PIPE,
        stderr=its,
        cwd=Path(__file__).parents[1],
    )
    shown = b""
    while "Enter ends it" not in shown.decode(errors="replace"):
        shown += os.read(mine, 1000)
    os.write(mine, b"\n")
    out, _ = process.communicate(timeout=60)
    os.close(its)
    os.close(mine)
    assert out == b"said True\n"
    assert "▮" in shown.decode(errors="replace") or "·" in shown.decode(errors="replace")


def test_models_are_listed_with_the_default(capsys):
    assert main(["listen", "--models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["models"]
    assert sum(row["default"] for row in rows) == 1
    assert rows[0]["repository"] == "mlx-community/whisper-large-v3-turbo"


def test_sound_file_is_planned_as_if_it_were_typed(capsys, tmp_path, model):
    file = write_wav(tmp_path / "request.wav", speech_like(2.0, 44_100), 44_100, 24, 2)
    assert main(["plan", "--audio", str(file), "--voice", str(model), "--now", NOW, "--json"]) == 0
    out, error = capsys.readouterr()
    heard = json.loads(out)
    assert error == "Heard (en, 2.0 s): Remind me to call the dentist tomorrow at nine\n"
    assert main(["plan", heard["query"], "--now", NOW, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plan"] == heard["plan"] != ""


def test_sound_file_is_carried_out(capsys, tmp_path, model):
    file = write_wav(tmp_path / "request.wav", speech_like(2.0))
    given = ["--voice", str(model), "--now", NOW, "--yes", "--desktop", str(tmp_path / "desktop")]
    assert main(["run", "--audio", str(file), *given]) == 0
    out = capsys.readouterr().out
    assert out.index("Heard (en, 2.0 s)") < out.index("create_reminder") < out.index("1 of 1 steps done.")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ([], 2, "the request is missing"),
        (["words", "--audio", "good.wav"], 2, "exclude each other"),
        (["--audio", "absent.wav"], 2, "absent.wav: this sound file can't be read"),
        (["--audio", "silent.wav"], 1, "silent.wav: nothing is to be heard"),
        (["--audio", "good.wav", "--voice", "nonsense"], 2, "--voice: 'nonsense'"),
        (["--audio", "good.wav", "--voice", "."], 2, "no config.json"),
    ],
    ids=["nothing", "both", "absent", "silent", "model", "folder"],
)
@pytest.mark.parametrize("verb", ["plan", "run"])
def test_an_error_is_one_clear_line(capsys, tmp_path, monkeypatch, verb, arguments, status, says):
    write_wav(tmp_path / "good.wav", tone(1))
    write_wav(tmp_path / "silent.wav", silence(1))
    monkeypatch.chdir(tmp_path)
    assert main([verb, *arguments]) == status
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ("small", "de", "settings.yaml: key 'voice'")),
        (["--voice", "tiny"], ("tiny", "de", "--voice")),
        (["--language", "fr"], ("small", "fr", "settings.yaml: key 'voice'")),
    ],
    ids=["none", "model", "language"],
)
def test_the_settings_choose_what_no_flag_names(tmp_path, given, expected):
    (tmp_path / "settings.yaml").write_text("voice: {model: small, language: de}\n")
    name, language, where = hearing.speech(options("--home", str(tmp_path), *given))
    assert (name, language) == expected[:2]
    assert where.endswith(expected[2])


def test_a_speech_model_of_the_settings_that_is_none_is_named_with_its_place(tmp_path):
    need_whisper()
    (tmp_path / "settings.yaml").write_text("voice: {model: huge}\n")
    with pytest.raises(ConfigError, match=r"settings.yaml: key 'voice': 'huge' is neither a folder"):
        hearing.transcriber(options("--home", str(tmp_path))).load()
