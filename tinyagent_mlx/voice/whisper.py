"""Whisper through mlx-whisper, from files on this machine: a folder, or what the Hugging Face cache holds. Never downloads.

On a CPU the weights are expanded to float32 at load, as the planner's are.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyagent_mlx.errors import ConfigError, UsageError, VoiceError
from tinyagent_mlx.voice.sound import INSTALL, RATE, Samples
from tinyagent_mlx.voice.transcriber import Transcript

if TYPE_CHECKING:
    import mlx.core as mx


@dataclass(frozen=True)
class Published:
    """A model that others publish in MLX's layout; `size` is its download, roughly."""

    repository: str
    size: str
    about: str


MODELS = {
    "turbo": Published("mlx-community/whisper-large-v3-turbo", "1.6 GB", "the best choice on a Mac"),
    "large": Published(
        "mlx-community/whisper-large-v3-mlx", "3.1 GB", "the largest, with 32 decoder layers to turbo's 4"
    ),
    "medium": Published("mlx-community/whisper-medium-mlx", "1.5 GB", ""),
    "small": Published("mlx-community/whisper-small-mlx", "0.5 GB", ""),
    "base": Published("mlx-community/whisper-base-mlx", "0.15 GB", "the choice without a GPU"),
    "tiny": Published("mlx-community/whisper-tiny-mlx", "0.08 GB", "the smallest"),
}
DEFAULT = "turbo" if sys.platform == "darwin" else "base"
REPEATED = 2.4  # a text that packs better than this is a loop: the limit from Whisper's paper
_FILES = ("weights.safetensors", "weights.npz")


def folder_of(name: str, cache: Path | None = None, where: str = "--voice") -> Path:
    """Where a model lies: `name` is a folder, a name in MODELS, or a repository that the cache holds.

    Raises `ConfigError` when it is not on this machine; the message says how to fetch it, and names `where` it was asked for.
    """
    folder = Path(name).expanduser()
    if name not in MODELS and folder.is_dir():
        return _whole(folder)
    repository = MODELS[name].repository if name in MODELS else name
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        if "/" not in repository:
            raise HFValidationError
        return _whole(Path(snapshot_download(repository, cache_dir=cache, local_files_only=True)))
    except HFValidationError as error:
        names = ", ".join(MODELS)
        raise ConfigError(f"{where}: {name!r} is neither a folder, nor a repository, nor one of {names}") from error
    except LocalEntryNotFoundError as error:
        raise ConfigError(
            f"the speech model {repository} is not on this machine: fetch it once with 'hf download {repository}', "
            "or name a folder or another model with --voice (listen --models lists some)"
        ) from error


def _whole(folder: Path) -> Path:
    if not (folder / "config.json").is_file():
        raise ConfigError(f"{folder}: is no Whisper model: it has no config.json")
    if not any((folder / file).is_file() for file in _FILES):
        raise ConfigError(f"{folder}: is no Whisper model in MLX's layout: it has no {' or '.join(_FILES)}")
    return folder


class WhisperTranscriber:
    """`language` is a code or a name as in "de" or "german", None to detect it each time."""

    def __init__(
        self, name: str = DEFAULT, language: str | None = None, cache: Path | None = None, where: str = "--voice"
    ):
        self.name, self.language, self._cache, self._where = name, language, cache, where
        self._folder: Path | None = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Read the model, once; later calls wait for the first."""
        with self._lock:
            if self._folder is None:
                folder = folder_of(self.name, self._cache, self._where)
                self.language = _language(self.language)
                _hold(folder)
                self._folder = folder

    def transcribe(self, samples: Samples) -> Transcript:
        self.load()
        assert self._folder
        from tinyagent_mlx.device import on_gpu

        with self._lock:
            _hold(self._folder)
            try:
                found = _library("transcribe").transcribe(
                    samples,
                    path_or_hf_repo=str(self._folder),
                    language=self.language,
                    fp16=on_gpu(),
                    condition_on_previous_text=False,  # one request: what went wrong once is not carried on
                )
            except Exception as error:  # a folder that could be read may still hold a network that can't run
                raise VoiceError(f"{self._folder}: the speech model broke: {_line(error)}") from error
        text = " ".join(found["text"].split())
        if not any(character.isalnum() for character in text):
            raise VoiceError("no words were understood: speak closer to the microphone, or choose a larger model")
        if all(segment["compression_ratio"] > REPEATED for segment in found["segments"] if segment["text"]):
            raise VoiceError(
                f"nothing sure was understood: the model only repeats itself ({text[:60]!r}); say it again"
            )
        return Transcript(text, found["language"], len(samples) / RATE)


def _library(module: str) -> Any:
    """A module of mlx-whisper, after this machine is prepared for MLX."""
    import tinyagent_mlx.device  # noqa: F401  (before MLX)

    try:
        return importlib.import_module(f"mlx_whisper.{module}")
    except ImportError as error:
        raise ConfigError(f"speech can't be written down: {error.name} is not installed: {INSTALL}") from error


def _language(name: str | None) -> str | None:
    tokenizer = _library("tokenizer")
    if name is None:
        return None
    code = tokenizer.TO_LANGUAGE_CODE.get(name.lower(), name.lower())
    if code not in tokenizer.LANGUAGES:
        raise UsageError(
            f"{name!r} is no language that Whisper knows (--language, or the settings): write it as en, de or fr"
        )
    return str(code)


def _hold(folder: Path) -> None:
    """Put the model where mlx-whisper looks for it, unless it is there."""
    holder = _library("transcribe").ModelHolder
    if holder.model is None or holder.model_path != str(folder):
        holder.model, holder.model_path = _read(folder), str(folder)


def _read(folder: Path) -> Any:
    """Read a model folder. Unlike the library's own reader it refuses a file that does not fit its config.json."""
    whisper = _library("whisper")
    from tinyagent_mlx.device import on_gpu

    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_unflatten

    from tinyagent_mlx.weights import dequantize

    file = next(folder / name for name in _FILES if (folder / name).is_file())
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config.pop("model_type", None)
        quantized = config.pop("quantization", None)
        if config.get("n_mels") not in (80, 128):
            raise ValueError(f"config.json: n_mels is {config.get('n_mels')}, which is neither 80 nor 128")
        arrays: dict[str, mx.array] = dict(mx.load(str(file)))  # type: ignore[arg-type]
        model = whisper.Whisper(whisper.ModelDimensions(**config), mx.float16 if on_gpu() else mx.float32)
        if quantized and on_gpu():
            nn.quantize(model, **quantized, class_predicate=lambda path, _: f"{path}.scales" in arrays)
        elif quantized:
            arrays = dequantize(arrays, quantized["group_size"], quantized["bits"])
        if not on_gpu():
            arrays = {name: _expanded(value) for name, value in arrays.items()}
        _compare(model, arrays)
        model.update(tree_unflatten(list(arrays.items())))
        mx.eval(model)  # more than its parameters: a table that is still to be computed can't be in another thread
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise ConfigError(f"{folder}: can't be read as a Whisper model: {_line(error)}") from error
    return model


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _expanded(value: mx.array) -> mx.array:
    import mlx.core as mx

    return value.astype(mx.float32) if mx.issubdtype(value.dtype, mx.floating) else value


def _compare(model: Any, arrays: dict[str, mx.array]) -> None:
    """Raise `ValueError` where the file lacks an array of the model or has it in another shape."""
    from tinyagent_mlx.weights import flat

    wanted = flat(model.parameters())
    wanted.pop("alignment_heads", None)  # for word timestamps, which nobody asks for; older files lack it
    missing = sorted(wanted.keys() - arrays.keys())
    if missing:
        raise ValueError(f"its weights lack {missing[0]} and {len(missing) - 1} more")
    for name, value in wanted.items():
        if arrays[name].shape != value.shape:
            raise ValueError(f"its weights have {name} as {arrays[name].shape}, config.json says {value.shape}")
