"""One thread that calls what it is given, in turn, for as long as the program lives. Knows nothing of what is called.

It never ends by itself: where MLX has computed, the end of a thread that falls together with the end of the program aborts
it. So the program waits for what is being called, and leaves the thread where it is.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class OneThread:
    def __init__(self, name: str):
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def submit(self, call: Callable[..., T], *given: Any) -> Future[T]:
        """What the call will give, or raise."""
        if not self._thread.ident:
            self._thread.start()
        future: Future[T] = Future()
        self._calls.put((future, lambda: call(*given)))
        return future

    def _work(self) -> None:
        while True:
            future, call = self._calls.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # handed to whoever waits for it
                future.set_exception(error)
            del future, call  # nothing of it is kept while the thread waits

    def drain(self) -> None:
        """Wait until all that was submitted is done."""
        if self._thread.ident:
            self.submit(lambda: None).result()
