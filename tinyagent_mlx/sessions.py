"""Which programs still run, known by a lock that the kernel frees however they end: kill -9 included.

A session is a file in a folder, locked for as long as the program that made it lives. Process numbers would not do: they
are given out again. This module knows nothing of what a program does in its session.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path


class Session:
    """This program's session; `name` is new every time. Raises `OSError`."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in folder.iterdir():
            _sweep(old)
        self.name = secrets.token_hex(8)
        self._file = folder / self.name
        self._lock = _locked(self._file)

    def close(self) -> None:
        """End the session; may be called twice."""
        if self._lock is not None:
            with suppress(OSError):
                self._file.unlink()
            os.close(self._lock)
            self._lock = None


def _locked(file: Path) -> int | None:
    """The descriptor of a new file, locked. Another program may sweep the file away before the lock is on: then again."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if file.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)


def is_running(folder: Path, name: str) -> bool:
    """Whether the program of a session lives. Those who look share their lock, so that they never see one another."""
    try:
        descriptor = os.open(folder / name, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _sweep(file: Path) -> None:
    if not is_running(file.parent, file.name):
        with suppress(OSError):
            file.unlink()
