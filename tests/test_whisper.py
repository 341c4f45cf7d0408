"""mlx-whisper's own loading and decoding, on small checkpoints with random weights in the published layout."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.speech import make_whisper, need_whisper, speech_like, tone
from tinyagent_mlx.errors import ConfigError, UsageError, VoiceError
from tinyagent_mlx.voice.whisper import MODELS, WhisperTranscriber, folder_of

need_whisper()
SAYS = "Text 555-0199 that the package arrived."


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return make_whisper(tmp_path_factory.mktemp("whisper"), SAYS, "de")


@pytest.mark.parametrize(
    "options",
    [
        {"file": "weights.npz", "half": True},
        {"n_mels": 128, "n_vocab": 51866, "half": True},
        {"bits": 4},
    ],
    ids=["npz in 16 bits", "as large-v3-turbo", "4 bits"],
)
def test_every_published_layout_is_read_and_decoded(tmp_path, options):
    made = make_whisper(tmp_path, SAYS, "fr", **options)
    transcript = WhisperTranscriber(str(made)).transcribe(speech_like(1.5))
    assert (transcript.text, transcript.language, transcript.seconds) == (SAYS, "fr", 1.5)


def test_english_only_model_needs_no_detection(tmp_path):
    transcript = WhisperTranscriber(str(make_whisper(tmp_path, SAYS, n_vocab=51864))).transcribe(tone(1))
    assert (transcript.text, transcript.language) == (SAYS, "en")


@pytest.mark.parametrize(("given", "used"), [(None, "de"), ("pt", "pt"), ("Portuguese", "pt")], ids=str)
def test_language_is_detected_or_given(model, given, used):
    assert WhisperTranscriber(str(model), given).transcribe(tone(1)).language == used


def test_language_that_whisper_does_not_know_is_refused(model):
    with pytest.raises(UsageError, match="'klingon' is no language"):
        WhisperTranscriber(str(model), "klingon").load()


def test_model_that_only_repeats_itself_has_understood_nothing(tmp_path):
    with pytest.raises(VoiceError, match="only repeats itself"):
        WhisperTranscriber(str(make_whisper(tmp_path, "no " * 16))).transcribe(tone(1))


def test_text_without_a_word_is_nothing_understood(tmp_path):
    with pytest.raises(VoiceError, match="no words were understood"):
        WhisperTranscriber(str(make_whisper(tmp_path, "..."))).transcribe(tone(1))


def test_model_loaded_in_one_thread_writes_down_in_another(model):
    transcriber = WhisperTranscriber(str(model))
    loading = threading.Thread(target=transcriber.load)
    loading.start()
    loading.join()
    assert transcriber.transcribe(tone(1)).text == SAYS


def test_two_models_do_not_get_mixed_up(model, tmp_path):
    other = WhisperTranscriber(str(make_whisper(tmp_path, "hello")))
    first = WhisperTranscriber(str(model))
    said = [transcriber.transcribe(tone(1)).text for transcriber in (first, other, first)]
    assert said == [SAYS, "hello", SAYS]


def spoil(folder: Path, how: str) -> None:
    """Damage a whole model folder."""
    import mlx.core as mx

    config, weights = folder / "config.json", folder / "weights.safetensors"
    given = json.loads(config.read_text())
    arrays = dict(mx.load(str(weights)))
    match how:
        case "no config":
            config.unlink()
        case "no weights":
            weights.rename(folder / "model.safetensors")
        case "bad json":
            config.write_text("{")
        case "cut off":
            weights.write_bytes(weights.read_bytes()[:5000])
        case "another network":
            config.write_text(json.dumps({"hidden_size": 64, "n_mels": 80}))
        case "odd mels":
            config.write_text(json.dumps(given | {"n_mels": 64}))
        case "other size":
            config.write_text(json.dumps(given | {"n_audio_state": 32}))
        case "lacks one":
            del arrays["encoder.conv1.weight"]
            mx.save_safetensors(str(weights), arrays)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("no config", "has no config.json"),
        ("no weights", "no weights.safetensors or weights.npz"),
        ("bad json", "can't be read as a Whisper model"),
        ("cut off", "can't be read as a Whisper model"),
        ("another network", "hidden_size"),
        ("odd mels", "n_mels is 64"),
        ("other size", "config.json says"),
        ("lacks one", "lack encoder.conv1.weight"),
    ],
    ids=lambda value: value if " " in value else None,
)
def test_folder_that_is_no_whole_model_is_refused(model, tmp_path, how, says):
    shutil.copytree(model, tmp_path, dirs_exist_ok=True)
    spoil(tmp_path, how)
    with pytest.raises(ConfigError, match=says) as refused:
        WhisperTranscriber(str(tmp_path)).load()
    assert str(tmp_path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_hub_s_cache_is_used_and_nothing_is_fetched(tmp_path):
    with pytest.raises(ConfigError, match="'hf download mlx-community/whisper-large-v3-turbo'"):
        folder_of("turbo", tmp_path)
    kept = tmp_path / "models--mlx-community--whisper-large-v3-turbo"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0123abcd")
    made = make_whisper(kept / "snapshots" / "0123abcd", SAYS)
    assert folder_of("turbo", tmp_path) == made
    assert folder_of(MODELS["turbo"].repository, tmp_path) == made
    assert WhisperTranscriber("turbo", cache=tmp_path).transcribe(tone(1)).text == SAYS


@pytest.mark.parametrize("name", ["", "nonsense", "a/b/c", "../x"])
def test_name_that_is_no_model_is_refused(name, tmp_path):
    with pytest.raises(ConfigError):
        folder_of(name, tmp_path)


OFFLINE = """
import sys
def watch(event, arguments):
    assert not event.startswith("socket."), event
sys.addaudithook(watch)
from tests.speech import tone
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.voice.whisper import WhisperTranscriber
print(WhisperTranscriber(sys.argv[1]).transcribe(tone(1)).text)
try:
    WhisperTranscriber("turbo", cache=sys.argv[2]).load()
except ConfigError:
    print("told")
print("torch" in sys.modules)
"""


def test_no_socket_is_opened_and_no_torch_is_loaded(model, tmp_path):
    command = [sys.executable, "-c", OFFLINE, str(model), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parent.parent)
    assert done.stdout.splitlines() == [SAYS, "told", "False"], done.stderr
