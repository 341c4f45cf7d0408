"""Work of another thread, drawn from the event loop: planning, and writing. Knows nothing of what is worked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(items: Iterable[T]) -> AsyncIterator[T]:
    """Draw from a stream in a worker thread. When the reader goes away, the thread stops after the item it is at."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[tuple[T] | None] = asyncio.Queue()
    gone = False

    def work() -> None:
        try:
            for item in items:
                if gone:
                    return
                loop.call_soon_threadsafe(arrived.put_nowait, (item,))
        finally:
            if not gone:
                loop.call_soon_threadsafe(arrived.put_nowait, None)

    worker = loop.run_in_executor(None, work)
    try:
        while (item := await arrived.get()) is not None:
            yield item[0]
        await worker
    finally:
        gone = True
