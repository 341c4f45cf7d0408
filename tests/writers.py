"""Plain fakes of a writer, and of a model that writes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tinyagent_mlx.writing import Draft, Task


@dataclass
class FakeWriter:
    """Writes `text` word by word; `stop_at` waits before the word of that number until it is `let`; `error` is raised there.
    `pace` is how many seconds a word takes.
    """

    text: str = "Dear all, it is so. Best"
    error: Exception | None = None
    stop_at: int = -1
    name: str = "scribe"
    let: threading.Event = field(default_factory=threading.Event)
    tasks: list[Task] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    drawn: int = 0
    pace: float = 0.0

    def write(self, task: Task) -> Iterator[str]:
        self.tasks.append(task)
        yield from self._words()

    def summarize(self, text: str) -> Iterator[str]:
        self.read.append(text)
        yield from self._words()

    def _words(self) -> Iterator[str]:
        for number, word in enumerate(self.text.split(" ")):
            if number == self.stop_at:
                if self.error:
                    raise self.error
                self.let.wait(10)
            time.sleep(self.pace)
            self.drawn += 1
            yield word if not number else f" {word}"


@dataclass
class FakeModel:
    """Counts words; `answer` gives what it says to a system text and a user text."""

    answer: Callable[[str, str], str] = lambda system, user: "fine"
    context: int = 4000
    asked: list[tuple[str, str]] = field(default_factory=list)

    def count(self, text: str) -> int:
        return len(text.split())

    def tokens(self, system: str, user: str) -> Sequence[int]:
        return range(self.count(system) + self.count(user))

    def stream(self, system: str, user: str, most: int) -> Iterator[str]:
        assert self.count(system) + self.count(user) + most <= self.context, "the prompt leaves no room for the answer"
        self.asked.append((system, user))
        yield from self.answer(system, user)


class Reader:
    """Accepts what was written, or answers with `says`; keeps the drafts."""

    def __init__(self, *says: str | None):
        self.says, self.drafts = says, []

    async def __call__(self, draft: Draft) -> str | None:
        self.drafts.append(draft)
        async for _ in draft:
            pass
        return self.says[0] if self.says else draft.text.strip()
