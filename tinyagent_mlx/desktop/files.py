"""Which files may be touched, and finding them by name: what lies under allowed folders, links followed to their end.

What is hidden stays hidden: nothing below a folder or file whose name begins with a dot, and of the home folder not its
Library. Whether a path is allowed is decided on the path that it leads to, which is what is opened afterwards.
"""

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
    files = {str(file): file.name for root in map(_end_of, roots) if root for file in _walk(root)}
    by_name = {path: _words(text) for path, text in files.items()}
    exact = [path for path, text in files.items() if text.casefold() == name.strip().casefold()]
    if len(exact) == 1:
        return Path(exact[0])
    return Path(match(wanted, by_name, "file", name))


def allowed(roots: Sequence[Path], path: str) -> Path:
    """The file that an absolute path leads to, under an allowed folder. Raises `StepError` for any other.

    That there is such a file is not said here, so that nobody learns what lies elsewhere.
    """
    file = _end_of(Path(path)) if Path(path).is_absolute() else None
    if file is None or not any(_is_open_to(file, root) for root in map(_end_of, roots) if root):
        places = ", ".join(map(str, roots))
        raise StepError(
            f"{path!r} lies outside the folders that may be read, or is hidden in them",
            f"those are {places}; name another under 'files: roots:' in settings.yaml",
        )
    if os.path.exists(file) and not os.path.isfile(file):
        raise StepError(f"{path!r} is no file", "name a file in it" if os.path.isdir(file) else "")
    return file


def own_folders() -> tuple[Path, ...]:
    """What a person's own files lie in, where nothing else is said: the home folder, and iCloud Drive inside Library."""
    return (Path.home(), Path.home() / "Library" / "Mobile Documents")


def _end_of(path: Path) -> Path | None:
    """Where a path leads when every link is followed, None where that can't be said: a ring of links, a NUL character."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return None


def _is_open_to(file: Path, root: Path) -> bool:
    """Whether a file lies under a root, nothing on the way from there being hidden. Both are ends of links."""
    if not file.is_relative_to(root):
        return False
    below = file.relative_to(root).parts
    if any(part.startswith(".") for part in below):
        return False
    return not (below[:1] == ("Library",) and root == _end_of(Path.home()))


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
            end = _end_of(file)
            if name.startswith(".") or end is None or not _is_open_to(end, root) or not os.path.isfile(end):
                continue
            seen += 1
            if seen > MOST:
                return
            yield file
