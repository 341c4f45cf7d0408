"""Files of the portable desktop: written whole or not at all, named so that any system takes the name."""

from __future__ import annotations

import os
import re
import tempfile
import unicodedata
from pathlib import Path

from rapidfuzz import fuzz, process

from tinyagent_mlx.errors import Ambiguous, NotFound

CUTOFF = 88  # rapidfuzz WRatio from which a fuzzy match counts


def write(file: Path, content: bytes) -> Path:
    """Write a file in one rename; gives its path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=file.parent, prefix=".part-")
    with os.fdopen(handle, "wb") as out:
        out.write(content)
    Path(part).replace(file)
    return file


def free_name(folder: Path, stem: str, ending: str) -> Path:
    """A file name that is not taken: `stem`, made safe, with a number where it must have one."""
    stem = safe_name(stem)
    file, number = folder / f"{stem}{ending}", 2
    while file.exists():
        file, number = folder / f"{stem} {number}{ending}", number + 1
    return file


def safe_name(text: str) -> str:
    """Text as a file name: no separators, no control characters, at most 80 characters, never empty."""
    text = re.sub(r'[/\\:*?"<>|\x00-\x1f\x7f]+', " ", text)
    return " ".join(text.split()).strip(". ")[:80].strip() or "untitled"


def folded(text: str) -> str:
    """Text without case, accents and double blanks."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).split())


def match(wanted: str, names: dict[str, str], kind: str, said: str = "") -> str:
    """Find the key whose name is meant. `names` maps keys to names; `said` is how errors call what is wanted.

    The whole name counts before its beginning or one of its words, and these before a fuzzy match. Raises `NotFound`
    when nothing is close enough and `Ambiguous` when two are equally good.
    """
    want, said = folded(wanted), said or wanted
    known = {key: folded(name) for key, name in names.items()}
    words = set(re.findall(r"\w+", want))
    tries = (
        [key for key, name in known.items() if name == want],
        [key for key, name in known.items() if words and words <= set(re.findall(r"\w+", name))],
        [key for key, _, _ in _fuzzy(want, known)],
    )
    for found in tries:
        if len(found) == 1:
            return found[0]
        if found:
            choices = tuple(sorted({names[key] for key in found}))
            if len(choices) == 1:
                return found[0]
            raise Ambiguous(f"{kind} {said!r} could be {len(choices)} of them", choices)
    raise NotFound(f"no {kind} is called {said!r}")


def _fuzzy(want: str, known: dict[str, str]) -> list[tuple[str, float, str]]:
    """The best fuzzy matches, those within two points of the best."""
    if len(want) < 3:
        return []
    found = process.extract(want, known, scorer=fuzz.WRatio, score_cutoff=CUTOFF, limit=5)
    return [(key, score, name) for name, score, key in found if score >= found[0][1] - 2]
