"""The models that are known by name, and the rule for any other: a hub id or a folder. Knows nothing of downloads."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from tinyagent_mlx.errors import ConfigError

SHIPPED = "shipped"
KINDS = ("planner", "base", "retriever")
_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_OVERHEAD = 0.5  # GB, for a prompt's memory and what a program needs besides


@dataclass(frozen=True)
class Entry:
    """A model. `parameters` are billions and `download` GB, 0 where they are not known before it is here; `dataset` is the
    hub id and the file whose prompts it was trained on."""

    name: str
    id: str
    kind: str = "base"
    about: str = ""
    parameters: float = 0.0
    download: float = 0.0
    tokenizer: str = ""
    frame: str = ""
    dataset: tuple[str, str] | None = None

    def size(self, bits: int, group: int) -> float:
        """GB on disk when it is quantized: 16 bits of scale and 16 of bias stand beside each group."""
        return self.parameters * (bits + 32 / group) / 8 if bits < 16 else self.parameters * bits / 8

    def memory(self, bits: int, group: int) -> float:
        """GB that planning takes with the quantized weights as they are."""
        return self.size(bits, group) + _OVERHEAD


@lru_cache(1)
def known() -> dict[str, Entry]:
    """The models of models.yaml, by name."""
    data = yaml.safe_load(Path(__file__).with_name("models.yaml").read_text(encoding="utf-8"))
    entries = {}
    for name, values in data["models"].items():
        dataset = values.pop("dataset", None)
        entries[name] = Entry(name, **values, dataset=(dataset["id"], dataset["file"]) if dataset else None)
    return entries


def find(word: str) -> Entry:
    """The model of a name, or of a hub id, known or not. Raises `ConfigError` with the nearest name."""
    for entry in known().values():
        if word.lower() in (entry.name, entry.id.lower()):
            return entry
    if _ID.fullmatch(word) and "--" not in word and ".." not in word:
        return Entry(word.replace("/", "--"), word, about="by its hub id")
    near = difflib.get_close_matches(word.lower(), known(), 1, 0.5)
    hint = (
        f"did you mean {near[0]!r}?"
        if near
        else f"there are {', '.join(known())}, and any hub id such as mlx-community/NAME"
    )
    raise ConfigError(f"{word!r} is no model's name; {hint}")
