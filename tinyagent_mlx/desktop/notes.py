"""Notes as Markdown files in folders: the file's name is the note's name, its first heading the full title."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tinyagent_mlx.desktop.folder import free_name, match, safe_name, write
from tinyagent_mlx.errors import NotFound, StepError

DEFAULT_FOLDER = "Notes"


def create_note(root: Path, name: str, content: str, folder: str) -> Path:
    """Write a new note; one without a name is called by its first words."""
    title = name or " ".join(content.split()[:6]) or "Untitled"
    place = _folder(root, folder, create=True)
    return write(free_name(place, title, ".md"), f"# {title}\n\n{content}\n".encode())


def find_note(root: Path, name: str, folder: str) -> Path:
    """The note that is meant. Raises `NotFound` or `Ambiguous`."""
    place = _folder(root, folder, create=False) if folder else root
    files = {str(file): file.stem for file in sorted(place.rglob("*.md")) if _is_inside(file, root)}
    return Path(match(name, files, "note"))


def read_note(root: Path, name: str, folder: str) -> tuple[str, Path]:
    """A note's text without its heading, and its file."""
    file = find_note(root, name, folder)
    text = file.read_text(encoding="utf-8", errors="replace")
    head, _, rest = text.partition("\n")
    return (rest if head.startswith("# ") else text).strip(), file


def append_note(root: Path, name: str, content: str, folder: str) -> Path:
    """Add a paragraph to the end of a note."""
    file = find_note(root, name, folder)
    return write(file, file.read_bytes().rstrip(b"\n") + f"\n{content}\n".encode())


def remove_appended(root: Path, file: Path, content: str) -> None:
    """Take an appended paragraph off again. Raises `StepError` when something was written after it."""
    if not file.is_file() or not _is_inside(file, root):
        raise NotFound(f"the note {file.stem!r} is gone")
    text, tail = file.read_bytes(), f"\n{content}\n".encode()
    if not text.endswith(tail):
        raise StepError(f"the note {file.stem!r} was changed since; nothing was taken off")
    write(file, text.removesuffix(tail) + b"\n")


def _folder(root: Path, name: str, create: bool) -> Path:
    if not name:
        return _kept_inside(root / DEFAULT_FOLDER, root)
    known = {str(path): path.name for path in sorted(root.glob("*")) if path.is_dir() and _is_inside(path, root)}
    try:
        return Path(match(name, known, "notes folder"))
    except NotFound:
        if create:
            return _kept_inside(root / safe_name(name), root)
        raise


def _kept_inside(place: Path, root: Path) -> Path:
    if not _is_inside(place, root):
        raise StepError(f"{place}: leads out of the notes", "put a folder in the place of the link")
    return place


def _is_inside(path: Path, root: Path) -> bool:
    """Whether a path stays in the notes when every link is followed."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):  # a ring of links, a NUL character
        return False


def handle_of(root: Path, file: Path) -> str:
    """What `delete_note` needs: where the note lies, and what it says."""
    return f"{file.relative_to(root)}\n{_digest(file)}"


def delete_note(root: Path, handle: str) -> str:
    """Remove a note that nobody changed since; gives its name. Raises `StepError` otherwise."""
    name, _, digest = handle.partition("\n")
    file = root / name
    if not _is_inside(file, root) or not file.is_file():
        raise NotFound(f"the note {Path(name).stem!r} is gone")
    if _digest(file) != digest:
        raise StepError(f"the note {file.stem!r} was changed since; it was kept")
    file.unlink()
    return file.stem


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
