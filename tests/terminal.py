"""A program in a terminal of its own: what it shows is read, keys are typed, and it may be killed at any moment."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

LONGEST_WAIT = 120.0
OWN_SCREEN = "\x1b[?1049h"  # from here on keys are no longer echoed by the terminal
STEP = 0.02


class Terminal:
    """`shown` is all that was written to it, escape sequences too."""

    def __init__(self, command: Sequence[str], columns: int = 140, rows: int = 40):
        self.shown, self.began = "", time.perf_counter()
        self.process, self._terminal = pty.fork()
        if self.process == 0:
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execv(command[0], list(command))
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        os.close(self._terminal)

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def read(self, seconds: float) -> None:
        """Take up what it writes for so long; what nobody reads would stop it."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            if select.select([self._terminal], [], [], min(left, STEP))[0]:
                self.shown += os.read(self._terminal, 65536).decode("utf-8", "replace")

    def until(self, text: str, typing: str = "") -> None:
        """Read until it has shown a text, typing something all the while once the screen is its own."""
        while text not in self.shown:
            if time.perf_counter() - self.began > LONGEST_WAIT:
                raise TimeoutError(
                    f"{text!r} did not come in {LONGEST_WAIT:g} s; the screen says:\n{self.shown[-2000:]}"
                )
            self.read(STEP)
            if typing and OWN_SCREEN in self.shown:
                self.type(typing)

    def kill(self) -> None:
        """End it with SIGKILL, if it still lives."""
        if self.process:
            os.kill(self.process, 9)
            os.waitpid(self.process, 0)
            self.process = 0
