"""Push-to-talk: one key starts to listen, the same key ends it, and what was said goes to whoever asked for it.

The model loads while one speaks; listening, loading and writing down happen in threads. Knows nothing of plans.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.message import Message
from textual.widgets import Static
from textual.worker import Worker

from tinyagent_mlx.errors import TinyAgentError

if TYPE_CHECKING:
    from tinyagent_mlx.voice.microphone import Microphone
    from tinyagent_mlx.voice.recording import Recording
    from tinyagent_mlx.voice.transcriber import Transcriber

LOOK = 0.1  # seconds between two looks at the microphone
BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Ears:
    """Make what listens and what writes down, each time that somebody talks; nothing is imported or opened before."""

    microphone: Callable[[], Microphone]
    transcriber: Callable[[], Transcriber]


class VoiceBar(Static):
    class Heard(Message):
        """What was said."""

        def __init__(self, text: str):
            self.text = text
            super().__init__()

    def __init__(self, ears: Ears) -> None:
        super().__init__(id="voice", markup=False)
        self._ears = ears
        self._worker: Worker[None] | None = None
        self._enough = asyncio.Event()
        self.display = False

    @property
    def active(self) -> bool:
        return self._worker is not None

    def toggle(self) -> None:
        """Start to listen, or end it and write down what was said."""
        if self.active:
            self._enough.set()
            return
        self._enough.clear()
        self._worker = self.run_worker(self._hear(), exit_on_error=False)
        self._show("opening the microphone…")
        self.screen.refresh_bindings()

    def cancel(self) -> bool:
        """Drop what is being said; False when nobody speaks."""
        if self._worker is None:
            return False
        self._worker.cancel()
        return True

    async def _hear(self) -> None:
        try:
            self.post_message(self.Heard(await self._request()))
        except TinyAgentError as error:
            self._tell(str(error))
        except Exception as error:  # a fault of a driver or of ours must not take what is on the screen with it
            self.log.error(error)
            self._tell(f"{type(error).__name__}: {error}")
        finally:
            self._worker = None
            self.display = False
            self.screen.refresh_bindings()

    def _tell(self, trouble: str) -> None:
        self.app.notify(trouble, title="Voice", severity="error", timeout=12, markup=False)

    async def _request(self) -> str:
        transcriber: Transcriber = await _in_thread(self._ears.transcriber)  # as the settings say now
        recording = await self._open()
        loading = _in_thread(transcriber.load)
        try:
            while not (recording.full or self._enough.is_set()):
                await self._look(recording)
                if loading.done():
                    loading.result()  # a model that is missing ends it before all is said
            samples = await _in_thread(recording.finish)
        finally:
            _in_thread(recording.stop)
        self._enough.set()
        self._show("writing it down…" if loading.done() else "writing it down, once the speech model is loaded…")
        await asyncio.shield(loading)
        return (await _in_thread(lambda: transcriber.transcribe(samples))).text

    async def _open(self) -> Recording:
        """Start the microphone. One that opens only after Esc is closed again."""
        from tinyagent_mlx.voice.recording import Recording

        microphone = self._ears.microphone()
        opening = _in_thread(lambda: Recording(microphone))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(lambda _: _in_thread(microphone.stop))
            raise
        finally:
            self.screen.refresh()  # sound drivers close stderr while they start: a part of a frame may be lost

    async def _look(self, recording: Recording) -> None:
        """Wait a moment, then draw what is heard."""
        with_key = asyncio.ensure_future(self._enough.wait())
        await asyncio.wait([with_key], timeout=LOOK)
        with_key.cancel()
        recording.listen()
        meter = "".join(BARS[min(7, int(level * 8))] for level in recording.levels[-24:])
        self._show(f"● {int(recording.seconds)} s {meter:<24} Ctrl+T ends it · Esc drops it")

    def _show(self, text: str) -> None:
        self.display = True
        self.update(text)


def _in_thread(call: Callable[[], Any]) -> asyncio.Future[Any]:
    """Run a call in a thread; what it raises is there for whoever waits, and is no trouble where nobody does."""
    work: Awaitable[Any] = asyncio.to_thread(call)
    future: asyncio.Future[Any] = asyncio.ensure_future(work)
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future
