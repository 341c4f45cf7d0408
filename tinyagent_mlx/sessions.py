"""Which programs still run, known by a lock that the kernel frees however they end: kill -9 included.

A session is a file in a folder, locked for as long as the program that made it lives. Process numbers would not do: they
are given out again. This module knows nothing of what a program does in its session.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


class Session:
    """This program's session; `name` is new every time. Raises `OSError`."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in folder.iterdir():
            _sweep(old)
        self._file, self._lock = _locked_file(folder)
        self.name = self._file.name

    def close(self) -> None:
        """End the session; may be called twice."""
        if self._lock is not None:
            with suppress(OSError):
                self._file.unlink()
            os.close(self._lock)
            self._lock = None


def _locked_file(folder: Path) -> tuple[Path, int | None]:
    """A new file and its locked descriptor. Another program may sweep it away before the lock is on: then another one, of
    another name, because several may be about to sweep the first.
    """
    while True:
        file = folder / secrets.token_hex(8)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if file.stat().st_ino == os.fstat(descriptor).st_ino:
                return file, descriptor
        os.close(descriptor)


def is_running(folder: Path, name: str) -> bool:
    """Whether the program of a session lives. Those who look share their lock, so that they never see one another."""
    return not _dead(folder / name)


def _dead(file: Path, then: Callable[[], None] = lambda: None) -> bool:
    """Whether nobody holds the file's lock; if so, do something while nobody can take it."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        then()
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _sweep(file: Path) -> None:
    with suppress(OSError):
        _dead(file, file.unlink)
