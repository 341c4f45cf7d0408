"""Find files by name under allowed folders; links that lead out of them are not followed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tinyagent_mlx.desktop.folder import match
from tinyagent_mlx.errors import StepError

MOST = 20_000  # files looked at


def find_file(roots: Sequence[Path], name: str) -> Path:
    """The file that is meant, as an absolute path. Raises `NotFound` or `Ambiguous`.

    "the lease agreement pdf" finds lease_agreement.pdf: articles do not count, and separators are blanks.
    """
    wanted = _words(name)
    files = {str(file): file.name for root in roots for file in _walk(root.resolve())}
    by_name = {path: _words(text) for path, text in files.items()}
    exact = [path for path, text in files.items() if text.casefold() == name.strip().casefold()]
    if len(exact) == 1:
        return Path(exact[0])
    return Path(match(wanted, by_name, "file"))


def allowed(roots: Sequence[Path], path: str) -> Path:
    """A path that lies under an allowed folder, links followed. Raises `StepError` for any other."""
    file = Path(path).resolve()
    if not any(file.is_relative_to(root.resolve()) for root in roots):
        raise StepError(f"{path!r} lies outside the folders that may be read")
    return file


def _words(name: str) -> str:
    words = "".join(character if character.isalnum() else " " for character in name).split()
    while words and words[0].casefold() in ("the", "my", "our", "a"):
        words = words[1:]
    return " ".join(words)


def _walk(root: Path) -> Iterator[Path]:
    seen = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder) / name
            if name.startswith(".") or not file.resolve().is_relative_to(root):
                continue
            seen += 1
            if seen > MOST:
                return
            yield file
