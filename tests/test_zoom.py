"""Zoom's web API against a server on this machine that stands in for it, and the login against a keyring in memory."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import threading
import time
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import keyring.errors
import pytest

from tinyagent_mlx.cli import zoom as verb
from tinyagent_mlx.cli.main import main
from tinyagent_mlx.desktop.keychain import SERVICE, Keychain
from tinyagent_mlx.desktop.osascript import OsascriptDesktop
from tinyagent_mlx.desktop.zoom import NAME, TOOL, Credentials, Zoom, local_zone, saved
from tinyagent_mlx.errors import ConfigError, NotAuthorised, OutcomeUnknown, StepError, UsageError

CREDENTIALS = Credentials("acc-1", "cli-2", "sec-3-secret")
TOKEN = "tok-4-token"
LINK = "https://zoom.us/j/99?pwd=x"
MEETING = {
    "topic": "Sync “Q3” 日本",
    "start_time": "2026-11-27 15:00:00",
    "duration": 45,
    "meeting_invitees": ("a@example.com", "b@example.com"),
}


class Ring:
    """The part of the module keyring that is used; `fails` is raised by all of it."""

    errors = keyring.errors

    def __init__(self, *kept: str, fails: Exception | None = None):
        self.kept: dict[tuple[str, str], str] = {(SERVICE, NAME): kept[0]} if kept else {}
        self.fails = fails

    def get_password(self, service: str, name: str) -> str | None:
        if self.fails:
            raise self.fails
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, secret: str) -> None:
        if self.fails:
            raise self.fails
        self.kept[service, name] = secret

    def delete_password(self, service: str, name: str) -> None:
        del self.kept[service, name]


class StandIn(ThreadingHTTPServer):
    """Keeps what it was sent. `token` and `meeting` are (status, body) answers; None hangs up without one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, str, str]] = []
        self.token: tuple[int, Any] | None = (200, {"access_token": TOKEN, "expires_in": 3599})
        self.meeting: tuple[int, Any] | None = (201, {"id": 99, "join_url": LINK})
        self.waits, self.headers = 0.0, {}
        self.url = f"http://127.0.0.1:{self.server_port}"

    def zoom(self, ring: Ring, zone: str = "Europe/Lisbon") -> Zoom:
        return Zoom(Keychain(lambda: ring), lambda: zone, f"{self.url}/oauth/token", f"{self.url}/v2")

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that has given up


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_POST(self) -> None:
        server = self.server
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        server.seen.append((self.path, self.headers["Authorization"], text))
        answer = server.token if self.path == "/oauth/token" else server.meeting
        if self.path != "/oauth/token":
            time.sleep(server.waits)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer[0])
        for name, value in server.headers.items():
            self.send_header(name, value)
        body = answer[1] if isinstance(answer[1], bytes) else json.dumps(answer[1]).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

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


@pytest.fixture
def ring() -> Ring:
    return Ring(CREDENTIALS.text())


def make(zoom: Zoom, timeout: float = 10.0, **changes: Any):
    return asyncio.run(zoom.call({**MEETING, **changes}, timeout))


# What is asked of Zoom.


def test_a_meeting_is_asked_for_with_a_token_of_its_own_and_its_link_comes_back(server, ring):
    result = make(server.zoom(ring))
    assert (result.value, result.handle) == (LINK, "99")
    (path, basic, form), (meetings, bearer, body) = server.seen
    assert (path, meetings) == ("/oauth/token", "/v2/users/me/meetings")
    assert base64.b64decode(basic.removeprefix("Basic ")) == b"cli-2:sec-3-secret"
    assert urllib.parse.parse_qs(form) == {"grant_type": ["account_credentials"], "account_id": ["acc-1"]}
    assert bearer == f"Bearer {TOKEN}"
    assert json.loads(body) == {
        "topic": "Sync “Q3” 日本",
        "type": 2,
        "start_time": "2026-11-27T15:00:00",
        "timezone": "Europe/Lisbon",
        "duration": 45,
        "settings": {"meeting_invitees": [{"email": "a@example.com"}, {"email": "b@example.com"}]},
    }


@pytest.mark.parametrize("start", ["", "2026-11-27"], ids=["no start", "a day"])
def test_without_a_time_of_day_none_is_invented(server, ring, start):
    make(server.zoom(ring), start_time=start, meeting_invitees=())
    assert json.loads(server.seen[1][2]) == {"topic": MEETING["topic"], "type": 3}


@pytest.fixture
def lisbon(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Lisbon")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("lisbon")
def test_the_zone_is_the_users(server, ring):
    assert local_zone() == "Europe/Lisbon"
    make(Zoom(Keychain(lambda: ring), None, f"{server.url}/oauth/token", f"{server.url}/v2"))
    assert json.loads(server.seen[1][2])["timezone"] == "Europe/Lisbon"


@pytest.mark.usefixtures("lisbon")
@pytest.mark.parametrize(
    ("start", "sent"),
    [("2026-07-01 15:00:00", "2026-07-01T14:00:00Z"), ("2026-12-01 15:00:00", "2026-12-01T15:00:00Z")],
    ids=["summer", "winter"],
)
def test_a_zone_without_a_name_is_sent_as_the_moment_in_utc(server, ring, start, sent):
    make(server.zoom(ring, zone=""), start_time=start)
    body = json.loads(server.seen[1][2])
    assert (body["start_time"], "timezone" in body) == (sent, False)


@pytest.mark.parametrize("minutes", [0, -5, 1441])
def test_a_length_that_no_meeting_has_is_refused_before_anything_is_sent(server, ring, minutes):
    with pytest.raises(StepError, match=f"duration is {minutes}, expected 1 to 1440"):
        make(server.zoom(ring), duration=minutes)
    assert server.seen == []


def test_the_preview_is_what_is_sent_without_any_secret(server, ring, shipped_tools):
    desktop = OsascriptDesktop(services={TOOL: server.zoom(ring)})
    preview = desktop.preview(shipped_tools[TOOL], MEETING)
    assert server.seen == []
    result = asyncio.run(desktop.call(shipped_tools[TOOL], MEETING, None))
    assert result.value == LINK
    head, _, body = preview.partition("\n")
    assert head == f"POST {server.url}/v2/users/me/meetings"
    assert json.loads(body) == json.loads(server.seen[1][2])
    assert not any(secret in preview for secret in (TOKEN, *vars(CREDENTIALS).values()))


# What Zoom answers.

REFUSALS = {
    # case: (answer, kind, words of the message, words of the advice)
    "token gone": ((401, {"code": 124, "message": "Invalid access token."}), NotAuthorised, "Invalid access token", "login"),
    "no scope": ((400, {"code": 4711, "message": "does not contain scopes"}), NotAuthorised, "may not", "meeting:write:meeting"),
    "forbidden": ((403, {}), NotAuthorised, "403", "scope"),
    "no user": ((404, {"code": 1001, "message": "User does not exist: me."}), StepError, "User does not exist", "owner"),
    "too many": ((429, {"message": "daily limit"}), StepError, "daily limit", "wait"),
    "bad value": ((400, {"code": 300, "message": "Invalid timezone"}), StepError, "400: Invalid timezone", "change"),
    "trouble": ((500, {}), OutcomeUnknown, "trouble of its own", "look in Zoom"),
    "not there": ((503, b"<html>down</html>"), OutcomeUnknown, "503", "look in Zoom"),
    "elsewhere": ((302, {}), OutcomeUnknown, "302", "look in Zoom"),
    "no link": ((201, {"id": 5}), OutcomeUnknown, "no link", "look in Zoom"),
    "no object": ((201, []), OutcomeUnknown, "no link", "look in Zoom"),
    "no JSON": ((201, b"\xff\xfe{"), OutcomeUnknown, "no link", "look in Zoom"),
    "a link of another kind": ((201, {"join_url": "javascript:x"}), OutcomeUnknown, "no link", "look in Zoom"),
    "a link with more in it": ((201, {"join_url": "https://x/\x1b[2J"}), OutcomeUnknown, "no link", "look in Zoom"),
    "hung up": (None, OutcomeUnknown, "connection to Zoom was lost", "look in Zoom"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "kind", "words", "advice"), REFUSALS.values(), ids=REFUSALS)
def test_each_refusal_is_one_clear_error(server, ring, answer, kind, words, advice):
    server.meeting = answer
    with pytest.raises(StepError) as caught:
        make(server.zoom(ring))
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert advice in caught.value.advice
    assert len(server.seen) == 2, "nothing is sent twice"


TOKEN_REFUSALS = {
    "wrong secret": ((400, {"reason": "Invalid client_id or client_secret"}), NotAuthorised, "Invalid client_id", "login"),
    "locked": ((401, {}), NotAuthorised, "401", "login"),
    "too many": ((429, {}), StepError, "no more requests", "wait"),
    "trouble": ((502, b"bad gateway"), StepError, "502", "again"),
    "a login page": ((200, b"<html>Welcome to the hotel</html>"), StepError, "not known", "login page"),
    "a token of lines": ((200, {"access_token": "a\r\nX: y"}), StepError, "not known", "proxy"),
    "hung up": (None, StepError, "connection to Zoom was lost", "again"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "kind", "words", "advice"), TOKEN_REFUSALS.values(), ids=TOKEN_REFUSALS)
def test_without_a_token_no_meeting_is_asked_for(server, ring, answer, kind, words, advice):
    server.token = answer
    with pytest.raises(StepError) as caught:
        make(server.zoom(ring))
    assert type(caught.value) is kind, "nothing can have been made"
    assert words in str(caught.value)
    assert advice in caught.value.advice
    assert [path for path, _, _ in server.seen] == ["/oauth/token"]


def test_an_answer_that_stays_away_leaves_the_outcome_unknown(server, ring):
    server.waits, began = 3.0, time.monotonic()
    with pytest.raises(OutcomeUnknown, match=r"did not answer within 0\.4 seconds"):
        make(server.zoom(ring), timeout=0.4)
    assert time.monotonic() - began < 2.5


def test_a_server_that_is_not_there_has_made_nothing(ring):
    zoom = Zoom(Keychain(lambda: ring), lambda: "", "http://127.0.0.1:1/oauth/token", "http://127.0.0.1:1/v2")
    with pytest.raises(StepError, match="can't be reached") as caught:
        make(zoom)
    assert type(caught.value) is StepError


def test_a_request_is_never_sent_on_to_another_place(server, ring):
    server.token, server.headers = (307, {}), {"Location": f"{server.url}/elsewhere"}
    with pytest.raises(StepError, match="307"):
        make(server.zoom(ring))
    assert [path for path, _, _ in server.seen] == ["/oauth/token"]


@pytest.mark.parametrize("place", ["token", "meeting"])
@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
def test_no_secret_reaches_an_error_or_a_log(server, ring, caplog, place, status):
    """Not even where the server sends all of them back."""
    caplog.set_level(logging.DEBUG)
    basic = base64.b64encode(b"cli-2:sec-3-secret").decode()
    secrets = (TOKEN, basic, *vars(CREDENTIALS).values())
    setattr(server, place, (status, {"message": " ".join((*secrets, "\x1b[2J"))}))
    with pytest.raises(StepError) as caught:
        make(server.zoom(ring))
    told = f"{caught.value!r} {caught.value.advice} {caplog.text}"
    shown = secrets if place == "meeting" else secrets[1:]
    assert not any(secret in told for secret in shown)
    assert "\x1b" not in str(caught.value)


def test_credentials_do_not_show_their_secret():
    assert "sec-3" not in repr(CREDENTIALS)


# The keychain.


def test_without_a_login_the_advice_names_the_verb(server):
    with pytest.raises(NotAuthorised) as caught:
        make(server.zoom(Ring()))
    assert "tinyagent zoom login" in caught.value.advice
    assert server.seen == []


@pytest.mark.parametrize(
    "text", ["no json", "[]", "{}", '{"account_id": "a"}', CREDENTIALS.text().replace('"cli-2"', "7"), '"x"']
)
def test_a_spoilt_entry_is_told_and_not_shown(text):
    with pytest.raises(ConfigError, match="can't be read") as caught:
        saved(Keychain(lambda: Ring(text)))
    assert "sec-3" not in str(caught.value)


@pytest.mark.parametrize(
    ("fails", "words"),
    [
        (keyring.errors.NoKeyringError("x"), "there is no keychain here"),
        (keyring.errors.KeyringLocked("sec-3-secret"), "KeyringLocked"),
        (OSError("sec-3-secret"), "OSError"),
    ],
    ids=["none", "locked", "other"],
)
def test_a_keychain_that_fails_is_one_line(server, fails, words):
    keychain = Keychain(lambda: Ring(fails=fails))
    for attempt in (
        lambda: saved(keychain),
        lambda: keychain.write(NAME, "sec-3-secret"),
        lambda: keychain.remove(NAME),
    ):
        with pytest.raises(ConfigError, match=words) as caught:
            attempt()
        assert "sec-3" not in str(caught.value)
    with pytest.raises(StepError, match=words):
        make(server.zoom(Ring(fails=fails)))


def test_the_keychain_is_keyrings(monkeypatch):
    """With the library itself: what a backend is given is what comes back."""
    import keyring as library
    from keyring.backends.null import Keyring

    kept: dict[tuple[str, str], str] = {}

    class Memory(Keyring):
        priority = 1

        def get_password(self, service, username):
            return kept.get((service, username))

        def set_password(self, service, username, password):
            kept[service, username] = password

        def delete_password(self, service, username):
            del kept[service, username]

    before = library.get_keyring()
    library.set_keyring(Memory())
    try:
        keychain = Keychain()
        assert keychain.read("a") == ""
        keychain.write("a", "ü")
        assert (keychain.read("a"), keychain.remove("a"), keychain.remove("a")) == ("ü", True, False)
    finally:
        library.set_keyring(before)


# The verb.


def shell(server, ring, action, *typed):
    keychain = Keychain(lambda: ring)
    if action == "login":
        lines = iter(typed)
        return verb.login(keychain, server.zoom(ring), lambda name, secret: next(lines))
    return verb.call(SimpleNamespace(action=action), keychain, server.zoom(ring))


def test_login_keeps_what_zoom_takes_and_logout_forgets_it(server, capsys):
    ring = Ring()
    assert shell(server, ring, "status") == 1
    assert shell(server, ring, "login", " acc-1\n", "cli-2", "sec-3-secret\n") == 0
    assert saved(Keychain(lambda: ring)) == CREDENTIALS
    assert shell(server, ring, "status") == 0
    assert shell(server, ring, "logout") == 0
    assert ring.kept == {}
    assert shell(server, ring, "logout") == 0
    out, err = capsys.readouterr()
    assert "sec-3" not in out + err
    assert {path for path, _, _ in server.seen} == {"/oauth/token"}, "no meeting is made to try it"


def test_login_keeps_nothing_that_zoom_refuses(server):
    ring, server.token = Ring(), (400, {"reason": "Invalid client_id or client_secret"})
    with pytest.raises(StepError, match=r"^Zoom does not take .*Invalid client_id.*: run tinyagent zoom login again$"):
        shell(server, ring, "login", "acc-1", "cli-2", "sec-3-secret")
    assert ring.kept == {}
    with pytest.raises(StepError, match=r"^Zoom does not take"):
        shell(server, Ring(CREDENTIALS.text()), "status")


@pytest.mark.parametrize("typed", ["", "two words", "a:b", "é", "a\x1b"], ids=ascii)
def test_what_can_not_be_a_value_is_not_sent(server, typed):
    with pytest.raises(UsageError, match="client secret"):
        shell(server, Ring(), "login", "a", "b", typed)
    assert server.seen == []


def test_a_script_gives_the_values_on_standard_input(server, monkeypatch):
    ring = Ring()
    monkeypatch.setattr("sys.stdin", io.StringIO("acc-1\ncli-2\nsec-3-secret\n"))
    assert verb.call(SimpleNamespace(action="login"), Keychain(lambda: ring), server.zoom(ring)) == 0
    assert saved(Keychain(lambda: ring)) == CREDENTIALS


def test_the_verb_is_there_and_takes_no_secret_on_its_command_line(capsys):
    with pytest.raises(SystemExit):
        main(["zoom", "login", "sec-3-secret"])
    assert "unrecognized arguments" in capsys.readouterr().err
