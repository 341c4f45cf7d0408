"""Collect garbage while nobody waits: a full collection holds the event loop up for a tenth of a second or more.

What is loaded with the planner lives as long as the program, so that no collection looks at it again. What the C library
keeps of freed memory is given back to the system, where it is glibc. Knows nothing of screens.
"""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable

QUIET = 2.0  # seconds without a key before a full collection
LONGEST = 60.0  # seconds after which work that goes on no longer puts it off
_ENOUGH = 10  # collections of younger objects since the last full one
_NEVER = 1_000_000


class Tidy:
    """`busy` says whether something is planned or carried out."""

    def __init__(self, busy: Callable[[], bool], clock: Callable[[], float] = time.monotonic):
        self._busy, self._clock = busy, clock
        self._touched = self._collected = clock()
        self._before: tuple[int, int, int] | None = None

    def settle(self) -> None:
        """From now on full collections come from `look` alone; all that is there now is kept for good."""
        if self._before is None:
            self._before = gc.get_threshold()
            gc.set_threshold(self._before[0], self._before[1], _NEVER)
        gc.freeze()

    def touch(self) -> None:
        """The user is at it."""
        self._touched = self._clock()

    def look(self) -> bool:
        """Collect, if it is a good moment; gives whether it did."""
        now = self._clock()
        if self._before is None or gc.get_count()[2] < _ENOUGH or now - self._touched < QUIET:
            return False
        if self._busy() and now - self._collected < LONGEST:
            return False
        gc.collect()
        _give_back()
        self._collected = now
        return True

    def stop(self) -> None:
        """Leave the interpreter as it was."""
        if self._before is not None:
            gc.set_threshold(*self._before)
            gc.unfreeze()
            self._before = None


def _give_back() -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
