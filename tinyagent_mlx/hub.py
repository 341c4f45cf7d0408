"""Repositories of the Hugging Face hub as plain folders: out of a local cache where they are there, else downloaded.

A download goes on where it was stopped. Nothing is run that a repository holds: no program files are fetched. Knows
nothing of what is done with the models.
"""

from __future__ import annotations

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
        _place(found, wanted.files, into)
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
        planned: Any = self._online(wanted, local_dir=into, dry_run=True)
        if not planned:
            raise ModelError(f"{wanted.id}: has none of the files {', '.join(wanted.files)}")
        before(sum(file.file_size or 0 for file in planned if file.will_download))
        self._online(wanted, local_dir=into)
        return str(planned[0].commit_hash)

    def _online(self, wanted: Repository, **how: Any) -> Any:
        """Ask the network; its many errors become one line each."""
        from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

        try:
            return self._snapshot(wanted, **how)
        except GatedRepoError as error:
            raise ModelError(
                f"{wanted.id}: its owner asks for consent first; give it on the hub, then `hf auth login`"
            ) from error
        except RepositoryNotFoundError as error:
            raise ModelError(f"{wanted.id}: the hub knows no such repository, or it is private") from error
        except (
            Exception
        ) as error:  # the library lets its network library's errors through, which have no base of their own
            if os.environ.get("HF_HUB_OFFLINE", "0").lower() in ("1", "on", "yes", "true"):
                why = (
                    "HF_HUB_OFFLINE is set, and the cache on this machine does not hold it; --from FOLDER names another"
                )
            else:
                cause = error.__cause__ if isinstance(error, LocalEntryNotFoundError) or error.__cause__ else error
                why = f"the hub can't be reached ({type(cause or error).__name__}); what was downloaded stays: run it again"
            raise ModelError(f"{wanted.id}: {why}") from error

    def _snapshot(self, wanted: Repository, **how: Any) -> Any:
        from huggingface_hub import snapshot_download

        return snapshot_download(
            wanted.id, repo_type=wanted.kind, allow_patterns=list(wanted.files), ignore_patterns=list(_NOT),
            endpoint=self.endpoint, **how,
        )  # fmt: skip


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
