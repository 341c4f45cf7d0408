"""Files as one sees them without opening them: whether one of them has changed. Knows nothing of what is in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

Stamps = tuple[tuple[str, int, int, int], ...]


def stamps(files: Iterable[Path]) -> Stamps:
    """Name, identity, time of change in nanoseconds and size of each file; zeros for one that is not there."""
    found = []
    for name in sorted({str(file) for file in files}):
        try:
            stat = Path(name).stat()
            found.append((name, stat.st_ino, stat.st_mtime_ns, stat.st_size))
        except OSError:
            found.append((name, 0, 0, 0))
    return tuple(found)
