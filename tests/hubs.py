"""Repositories of the Hugging Face hub made on the spot: as the hub's own cache on a disk, and behind a small server that
speaks as much of the hub's protocol as a download takes, and can break off in the middle of a file."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

REVISION = "0123456789abcdef0123456789abcdef01234567"


def cached(cache: Path, id: str, folder: Path, names: tuple[str, ...] = (), kind: str = "model") -> Path:
    """Put a folder's files, or some of them, into a cache in the hub's layout; gives the snapshot."""
    place = cache / f"{kind}s--{id.replace('/', '--')}"
    snapshot = place / "snapshots" / REVISION
    (place / "blobs").mkdir(parents=True, exist_ok=True)
    (place / "refs").mkdir(exist_ok=True)
    (place / "refs" / "main").write_text(REVISION)
    snapshot.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if file.is_file() and (not names or file.name in names):
            blob = place / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
            shutil.copyfile(file, blob)
            (snapshot / file.name).symlink_to(Path("../../blobs") / blob.name)
    return snapshot


class HubServer(ThreadingHTTPServer):
    """Repositories by id, each a folder. `cut` breaks a file off after so many bytes, once for each number in it."""

    def __init__(self, repositories: dict[str, Path]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories, self.cut, self.sent = repositories, [], []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: HubServer

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/").removeprefix("api/models/")
        id = "/".join(path.split("/")[:2])
        folder = self.server.repositories.get(id)
        if folder is None:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif "/resolve/" in path:
            self._file(folder / path.rpartition("/")[2])
        elif "/tree/" in path:
            found = [
                {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": _hash(f)}
                for f in sorted(folder.iterdir())
            ]
            self._send(200, json.dumps(found).encode(), {})
        else:
            files = [{"rfilename": file.name} for file in sorted(folder.iterdir())]
            self._send(200, json.dumps({"id": id, "sha": REVISION, "siblings": files}).encode(), {})

    def _file(self, file: Path) -> None:
        if not file.is_file():
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        data = file.read_bytes()
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        about = {"ETag": f'"{_hash(file)}"', "X-Repo-Commit": REVISION, "Accept-Ranges": "bytes"}
        if start:
            about["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._send(206 if start else 200, data[start:], about, file.name)

    def _send(self, status: int, body: bytes, about: dict[str, str], name: str = "") -> None:
        self.send_response(status)
        for key, value in {**about, "Content-Length": str(len(body)), "Connection": "close"}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if name.endswith(".safetensors") and self.server.cut:
            body = body[: self.server.cut.pop(0)]
        self.server.sent.append((name, len(body)))
        self.wfile.write(body)
        self.close_connection = True


def _hash(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()


@contextmanager
def serving(repositories: dict[str, Path]) -> Iterator[HubServer]:
    server = HubServer(repositories)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
