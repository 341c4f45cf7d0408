"""The requests that were asked before, newest last: walked with the arrow keys, kept in a file of the home folder."""

from __future__ import annotations

import json
from pathlib import Path

KEPT = 500


class History:
    """`file` is None for a history that ends with the program."""

    def __init__(self, file: Path | None = None):
        self.file = file
        self.requests, self._torn = _read(file) if file else ([], False)
        self._at = len(self.requests)
        self._draft = ""

    def add(self, request: str) -> None:
        """Remember a request; the same one twice in a row is kept once."""
        if not self.requests or self.requests[-1] != request:
            fits = len(self.requests) < KEPT and not self._torn
            self.requests, self._torn = [*self.requests, request][-KEPT:], False
            if self.file:
                self._save(self.file, [request] if fits else self.requests, "a" if fits else "w")
        self._at, self._draft = len(self.requests), ""

    def _save(self, file: Path, requests: list[str], mode: str) -> None:
        """Add a request to the file, or write all of them when the oldest is let go or a line was cut off."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        with file.open(mode, encoding="utf-8") as out:
            out.writelines(json.dumps(request, ensure_ascii=False) + "\n" for request in requests)

    def holding(self, words: str) -> list[str]:
        """The requests that hold all of these words, each once, the newest first."""
        wanted = words.casefold().split()
        newest = dict.fromkeys(reversed(self.requests))
        return [request for request in newest if all(word in request.casefold() for word in wanted)]

    def older(self, draft: str) -> str | None:
        """The request before the one shown, None at the oldest; `draft` is what stands in the prompt now."""
        if self._at == 0:
            return None
        if self._at == len(self.requests):
            self._draft = draft
        self._at -= 1
        return self.requests[self._at]

    def newer(self) -> str | None:
        """The request after the one shown, and in the end the draft that was left."""
        if self._at >= len(self.requests):
            return None
        self._at += 1
        return self.requests[self._at] if self._at < len(self.requests) else self._draft


def _read(file: Path) -> tuple[list[str], bool]:
    """The requests, and whether the last line was cut off by a crash."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return [], False
    requests = []
    for line in text.splitlines():
        try:
            request = json.loads(line)
        except ValueError:
            continue
        if isinstance(request, str):
            requests.append(request)
    return requests[-KEPT:], bool(text) and not text.endswith("\n")
