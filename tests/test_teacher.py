"""The two teachers: a model folder, and an endpoint, for which a server on this machine stands in."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tinyagent_mlx.errors import ConfigError, PlannerError
from tinyagent_mlx.lab.teacher import Endpoint, LocalTeacher, find_teacher


class StandIn(HTTPServer):
    """Keeps what it was sent and answers what it was told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, str | None, dict]] = []
        self.status, self.answer, self.location = 200, {"choices": [{"message": {"content": "hello"}}]}, ""
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers["Authorization"], body))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.answer).encode())

    do_GET = do_POST

    def log_message(self, *given: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_an_endpoint_is_asked_in_its_own_layout(server):
    teacher = Endpoint(server.url + "/", "some-model", seed=5, key="k")
    assert [teacher.ask("first"), teacher.ask("second")] == ["hello", "hello"]
    (path, key, body), (_, _, second) = server.seen
    assert (path, key, body["model"], body["seed"]) == ("/v1/chat/completions", "Bearer k", "some-model", 5)
    assert body["messages"] == [{"role": "user", "content": "first"}]
    assert second["seed"] == 6


def test_no_key_is_sent_where_none_is_set(server):
    Endpoint(server.url).ask("x")
    assert server.seen[0][1] is None


@pytest.mark.parametrize(
    ("status", "answer", "says"),
    [(500, {}, "answers 500"), (401, {}, "answers 401"), (200, {"choices": []}, "no chat completion"), (200, [], "no chat")],
    ids=["broken", "locked", "empty", "list"],
)  # fmt: skip
def test_a_bad_answer_is_one_clear_error(server, status, answer, says):
    server.status, server.answer = status, answer
    with pytest.raises(PlannerError, match=says):
        Endpoint(server.url).ask("x")


def test_an_endpoint_cannot_send_the_request_elsewhere(server):
    server.status, server.location = 302, server.url + "/elsewhere"
    with pytest.raises(PlannerError, match="302"):
        Endpoint(server.url).ask("x")
    assert len(server.seen) == 1


def test_nobody_there_is_one_clear_error():
    with StandIn() as gone:
        url = gone.url
    with pytest.raises(PlannerError, match="cannot be asked"):
        Endpoint(url).ask("x")


def test_a_url_without_a_host_is_refused():
    with pytest.raises(ConfigError, match="names no host"):
        find_teacher("http:///v1")


def test_a_url_is_an_endpoint(server):
    assert isinstance(find_teacher(server.url), Endpoint)


def test_a_model_folder_answers_with_text(llama_folder: Path):
    teacher = find_teacher(str(llama_folder), seed=1)
    assert isinstance(teacher, LocalTeacher)
    teacher.max_tokens = 12
    first, second = teacher.ask("Request:"), teacher.ask("Request:")
    assert isinstance(first, str)
    assert first != second  # sampled, so that a question asked twice brings something new


def test_what_is_no_model_folder_is_refused(tmp_path):
    with pytest.raises(PlannerError, match=r"no config\.json"):
        find_teacher(str(tmp_path))
