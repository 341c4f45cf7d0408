"""Collect garbage while nobody waits: a full collection holds the event loop up for a tenth of a second or more.

What is loaded with the planner lives as long as the program, so that no collection looks at it again. What the C library
keeps of freed memory is given back to the system, where it is glibc. Knows nothing of screens.
"""

from __future__ import annotations

import ctypes
import gc
import threading
import time
from collections.abc import Callable

QUIET = 2.0  # seconds without a key before a full collection
LONGEST = 300.0  # seconds after which work that goes on no longer puts it off
GIVE_BACK = 10.0  # seconds between two times that freed memory is given back
_ENOUGH = 3  # collections of younger objects since the last full one
_NEVER = 1_000_000


class Tidy:
    """`busy` says whether something is planned or carried out."""

    def __init__(self, busy: Callable[[], bool], clock: Callable[[], float] = time.monotonic):
        self._busy, self._clock = busy, clock
        self._touched = self._collected = clock()
        self._before: tuple[int, int, int] | None = None
        self._given, self._worked, self._settled = clock(), False, False

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
        self._give_back(now)
        if self._before is None or gc.get_count()[2] < _ENOUGH or now - self._touched < QUIET:
            return False
        if self._busy() and now - self._collected < LONGEST:
            return False
        gc.collect()
        if (
            not self._settled
        ):  # the first request has loaded what the others need; to look through it again takes a while
            gc.freeze()
        self._collected, self._settled = now, True
        return True

    def _give_back(self, now: float) -> None:
        """Some seconds after work that has ended; in a thread, as it takes a while."""
        if self._busy():
            self._worked = True
        elif self._worked and now - self._given > GIVE_BACK:
            self._given, self._worked = now, False
            threading.Thread(target=_trim, daemon=True).start()

    def stop(self) -> None:
        """Leave the interpreter as it was."""
        if self._before is not None:
            gc.set_threshold(*self._before)
            gc.unfreeze()
            self._before = None


def _trim() -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
