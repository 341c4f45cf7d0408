"""Repositories of the Hugging Face hub as plain folders: out of a local cache where they are there, else downloaded.

A connection that breaks is taken up where it broke; after a stop, files that came whole are not fetched again. Nothing is
run that a repository holds: no program files are fetched. Knows nothing of what is done with the models.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tinyagent_mlx.errors import ModelError

MODEL = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "labels.txt")
TOKENIZER = (
    "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.jinja", "spm.model",
)  # fmt: skip
_NOT = ("*.py", "onnx/*", "*.bin", "*.gguf", "*.pth", "original/*")


@dataclass(frozen=True)
class Repository:
    """What is wanted of a repository: some of its files. `kind` is model or dataset."""

    id: str
    files: tuple[str, ...]
    kind: str = "model"


class Before(Protocol):
    """Called with the bytes that a download will take, before it begins; raises to stop it."""

    def __call__(self, missing: int) -> None: ...


class Hub:
    """Where repositories come from: the folder `source` alone, if one is named; else the hub's own cache on this machine,
    then the network. `source` is a cache in the hub's layout, or the folder of one model."""

    def __init__(self, source: Path | None = None, endpoint: str | None = None):
        self.source, self.endpoint = source, endpoint

    def fetch(self, wanted: Repository, into: Path, before: Before) -> str:
        """Put the wanted files into a folder; gives the revision, "" where it is not known. Raises `ModelError`."""
        found = self._cached(wanted)
        if found is None and self.source and not self._is_model:
            raise ModelError(
                f"--from: {self.source}: has no {wanted.id}, neither in the hub's layout nor as the folder itself"
            )
        if found is None:
            return self._download(wanted, into, before)
        before(0)
        try:
            _place(found, wanted.files, into)
        except OSError as error:
            raise ModelError(f"{into}: can't be written: {error.strerror}") from error
        return found.name if found.parent.name == "snapshots" else ""

    @property
    def _is_model(self) -> bool:
        """Whether the source is one model's folder; what it lacks comes from elsewhere."""
        return self.source is not None and (self.source / "config.json").is_file()

    def _cached(self, wanted: Repository) -> Path | None:
        """The wanted files on this machine, if they are whole."""
        places: list[Path | None] = [None]
        if self.source and self._is_model:
            if wanted.kind == "model" and _matching(self.source, wanted.files):
                return self.source
        elif self.source:
            places = [self.source, self.source / "hub"]
        for place in places:
            try:
                folder = Path(self._snapshot(wanted, cache_dir=place, local_files_only=True))
            except FileNotFoundError:  # or not whole
                continue
            if any(_matching(folder, wanted.files)):
                return folder
        return None

    def _download(self, wanted: Repository, into: Path, before: Before) -> str:
        planned: Any = self._online(wanted, local_dir=into, dry_run=True, tqdm_class=_silent())
        if not planned:
            raise ModelError(f"{wanted.id}: has none of the files {', '.join(wanted.files)}")
        before(sum(file.file_size or 0 for file in planned if file.will_download))
        self._online(wanted, local_dir=into)
        return str(planned[0].commit_hash)

    def _online(self, wanted: Repository, **how: Any) -> Any:
        """Ask the network; its many errors become one line each."""
        try:
            return self._snapshot(wanted, **how)
        except Exception as error:  # its network library's errors come through, and have no base of their own
            raise ModelError(f"{wanted.id}: {_why(error)}") from error

    def _snapshot(self, wanted: Repository, **how: Any) -> Any:
        from huggingface_hub import snapshot_download

        return snapshot_download(
            wanted.id, repo_type=wanted.kind, allow_patterns=list(wanted.files), ignore_patterns=list(_NOT),
            endpoint=self.endpoint, **how,
        )  # fmt: skip


def _why(error: BaseException) -> str:
    """The cause of an error in words, with what to do."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    causes = [error]
    while cause := causes[-1].__cause__:
        causes.append(cause)
    if any(isinstance(cause, GatedRepoError) for cause in causes):
        return "its owner asks for consent first; give it on the hub, then `hf auth login`"
    if any(isinstance(cause, RepositoryNotFoundError) for cause in causes):
        return "the hub knows no such repository, or it is private"
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "on", "yes", "true"):
        return "HF_HUB_OFFLINE is set, and the cache on this machine does not hold it; --from FOLDER names another"
    if any(isinstance(cause, OSError) and cause.errno == errno.ENOSPC for cause in causes):
        return "the disk is full; files that came whole stay"
    return f"the hub can't be reached ({type(causes[-1]).__name__}); files that came whole stay: run it again"


def _silent() -> Any:
    """A progress bar that shows nothing."""
    from tqdm.auto import tqdm

    class Silent(tqdm):
        def __init__(self, *args: Any, **values: Any):
            super().__init__(*args, **{**values, "disable": True})

    return Silent


def _matching(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    found = {file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}
    return sorted(file for file in found if not any(file.match(pattern) for pattern in _NOT))


def _place(folder: Path, patterns: tuple[str, ...], into: Path) -> None:
    """Put files into a folder without a second copy where the disk allows."""
    into.mkdir(parents=True, exist_ok=True)
    for file in _matching(folder, patterns):
        target = into / file.name
        if target.exists() and target.samefile(file):
            continue
        part = target.with_name(f"{target.name}.part")
        part.unlink(missing_ok=True)
        try:
            os.link(file.resolve(), part)
        except OSError:  # another disk, or one that knows no links
            shutil.copyfile(file, part)
        part.replace(target)


def whole(folder: Path) -> str:
    """What a model's folder lacks; "" when it is whole."""
    if not (folder / "config.json").is_file():
        return "it has no config.json"
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            return f"model.safetensors.index.json can't be read: {error!r}"
        missing = sorted(name for name in names if not (folder / str(name)).is_file())
        return f"it lacks {missing[0]}" if missing else ""
    return "" if any(folder.glob("*.safetensors")) else "it has no weights in safetensors"
