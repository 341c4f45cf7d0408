"""The requests that were asked before, newest last: walked with the arrow keys, kept in a file of the home folder."""

from __future__ import annotations

import json
from pathlib import Path

KEPT = 500


class History:
    """`file` is None for a history that ends with the program."""

    def __init__(self, file: Path | None = None):
        self.file = file
        self.requests = _read(file) if file else []
        self._at = len(self.requests)
        self._draft = ""

    def add(self, request: str) -> None:
        """Remember a request; the same one twice in a row is kept once."""
        if not self.requests or self.requests[-1] != request:
            self.requests = [*self.requests, request][-KEPT:]
            self._save()
        self._at, self._draft = len(self.requests), ""

    def _save(self) -> None:
        if not self.file:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.touch(mode=0o600)
        self.file.write_text(
            "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in self.requests), encoding="utf-8"
        )

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


def _read(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    requests = []
    for line in lines:
        try:
            request = json.loads(line)
        except ValueError:
            continue  # a line cut off by a crash
        if isinstance(request, str):
            requests.append(request)
    return requests[-KEPT:]
