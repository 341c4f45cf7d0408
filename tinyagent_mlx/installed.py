"""The models in a folder of the user's home: which are here, in which sizes, and where they came from.

    <name>/model.json      the hub id and the revision; written when all of it is here
    <name>/source/         the files as they were published, with a tokenizer
    <name>/4bit-g32/       what `convert` made of them
    <name>/prompt.json     the layout of the prompts that it was trained with, copied into the folders beside it

Knows folders, not what is in the files.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tinyagent_mlx.errors import ConfigError, ModelError

SOURCE = "source"
RECORD = "model.json"


@dataclass(frozen=True)
class Installed:
    """A model that is here. `folder` is its own; `variants` are the names of its converted folders, the newest last."""

    name: str
    folder: Path
    id: str
    kind: str
    revision: str = ""

    @property
    def source(self) -> Path:
        return self.folder / SOURCE

    @property
    def variants(self) -> tuple[str, ...]:
        found = [place for place in self.folder.glob("*bit*") if (place / "config.json").is_file()]
        return tuple(place.name for place in sorted(found, key=lambda place: place.stat().st_mtime))

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder of weights, converted ones last."""
        places = (self.source, *(self.folder / name for name in self.variants))
        return tuple(place for place in places if place.is_dir())

    def usable(self, variant: str = "") -> Path:
        """The folder to plan with: the one named, or the newest converted one, or else the source."""
        if variant and variant not in (*self.variants, SOURCE):
            there = ", ".join((SOURCE, *self.variants))
            raise ConfigError(f"{self.name}/{variant}: there is no such size of it; there are {there}")
        place = self.folder / (variant or (self.variants[-1] if self.variants else SOURCE))
        if not (place / "config.json").is_file():
            raise ConfigError(f"{place}: is no model folder any more; `tinyagent models pull {self.id}` brings it back")
        return place


class Models:
    """All models in the home folder's `models`."""

    def __init__(self, folder: Path):
        self.folder = folder

    def all(self) -> list[Installed]:
        return [self.get(record.parent.name) for record in sorted(self.folder.glob(f"*/{RECORD}"))]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(name) and "/" not in name and (self.folder / name / RECORD).is_file()

    def get(self, name: str) -> Installed:
        """Raises `ConfigError` when there is none of that name, with those that there are."""
        if name not in self:
            there = ", ".join(sorted(record.parent.name for record in self.folder.glob(f"*/{RECORD}"))) or "none"
            raise ConfigError(
                f"{name!r} is not on this machine: here are {there}; `tinyagent models pull {name}` fetches it"
            )
        file = self.folder / name / RECORD
        try:
            said = json.loads(file.read_text(encoding="utf-8"))
            return Installed(name, file.parent, said["id"], said["kind"], said["revision"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{file}: expected the keys 'id', 'kind' and 'revision': {error!r}") from error

    def usable(self, word: str) -> Path:
        """The folder of `name` or `name/variant`."""
        name, _, variant = word.partition("/")
        return self.get(name).usable(variant)

    def keep(self, name: str, id: str, kind: str, revision: str) -> Installed:
        """Say that a model is here, now that all of it is."""
        made = Installed(name, self.folder / name, id, kind, revision)
        said = {key: value for key, value in asdict(made).items() if key not in ("name", "folder")}
        part = made.folder / f"{RECORD}.part"
        part.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
        part.replace(made.folder / RECORD)
        return made

    def adopt(self, name: str, id: str, folders: Mapping[str, Path], beside: Path | None = None) -> Installed:
        """Take in folders that were made on this machine, by the names of sizes, in place of those that were there;
        `beside` is the layout of the prompts. Nothing is copied twice where the disk allows. Raises `ModelError`."""
        place = self.folder / name
        try:
            for variant, folder in folders.items():
                part = place / f"{variant}.part"
                shutil.rmtree(part, ignore_errors=True)
                shutil.copytree(folder, part, copy_function=_link)
                shutil.rmtree(place / variant, ignore_errors=True)
                part.rename(place / variant)
            if beside:
                shutil.copy(beside, place)
        except (OSError, shutil.Error) as error:
            raise ModelError(f"{place}: can't be written: {error}") from error
        return self.keep(name, id, "planner", "")

    def remove(self, name: str, variant: str = "") -> None:
        """Delete a model, or one folder of it. Raises `ModelError`."""
        place = self.get(name).folder / variant
        if variant:
            self.get(name).usable(variant)
        else:
            (place / RECORD).unlink()
        try:
            shutil.rmtree(place)
        except OSError as error:
            raise ModelError(f"{place}: can't be deleted: {error.strerror}") from error


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one that knows no links
        shutil.copy(source, target)


def size(folder: Path) -> int:
    """Bytes of a folder's files."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
