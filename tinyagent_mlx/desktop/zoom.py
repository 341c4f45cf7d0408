"""Zoom meetings through Zoom's web API, for the Mac: Zoom has no scripting dictionary.

The keychain holds the three values of the user's own Server-to-Server OAuth app. An access token lives for an hour only:
one is asked for before each meeting and never kept. Neither it nor the secret reaches a message, a log or a preview.
This module knows nothing of plans, order or approval.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from tinyagent_mlx import when
from tinyagent_mlx.desktop.base import Result
from tinyagent_mlx.desktop.keychain import Keychain
from tinyagent_mlx.errors import ConfigError, NotAuthorised, OutcomeUnknown, StepError

NAME = "zoom"  # of the secret in the keychain
TOOL = "get_zoom_meeting_link"
TOKENS, API = "https://zoom.us/oauth/token", "https://api.zoom.us/v2"
SCOPE = "meeting:write:meeting:admin"
LOGIN = "run tinyagent zoom login"
LOOK = "look in Zoom before you try again: the meeting may be there"
SCHEDULED, NO_FIXED_TIME = 2, 3
LONGEST = 24 * 60  # minutes
CONNECT = 10.0  # seconds
_WITHOUT_SCOPE = (4711, 104)  # Zoom's numbers for a token that may not do this


@dataclass(frozen=True)
class Credentials:
    """What Zoom shows on the page "App Credentials" of a Server-to-Server OAuth app."""

    account_id: str
    client_id: str
    client_secret: str = field(repr=False)

    def secrets(self) -> tuple[str, ...]:
        """What must not be seen, also as it is sent."""
        pair = f"{self.client_id}:{self.client_secret}"
        return (base64.b64encode(pair.encode()).decode(), self.client_secret, self.client_id, self.account_id)

    def text(self) -> str:
        """As it lies in the keychain."""
        return json.dumps({each.name: getattr(self, each.name) for each in fields(self)})


def saved(keychain: Keychain) -> Credentials | None:
    """The credentials that were saved, None where there are none. Raises `ConfigError`."""
    text = keychain.read(NAME)
    if not text:
        return None
    with suppress(ValueError, TypeError):
        found = Credentials(**json.loads(text))
        if all(isinstance(value, str) and value for value in vars(found).values()):
            return found
    raise ConfigError(f"what the keychain holds for Zoom can't be read: {LOGIN} again")


class Zoom:
    """Makes meetings for the owner of the app. `zone` gives the name of the user's time zone, "" where it is not known."""

    def __init__(
        self, keychain: Keychain, zone: Callable[[], str] | None = None, tokens: str = TOKENS, api: str = API
    ) -> None:
        self._keychain, self._zone = keychain, zone or local_zone
        self._tokens, self._api = tokens, api

    def preview(self, arguments: Mapping[str, Any]) -> str:
        """The request as it is sent, without the token. Raises `StepError`."""
        body = json.dumps(self._meeting(arguments), ensure_ascii=False, indent=4)
        return f"POST {self._api}/users/me/meetings\n{body}"

    async def call(self, arguments: Mapping[str, Any], timeout: float) -> Result:
        """Make the meeting; gives its link. Raises `StepError`; `OutcomeUnknown` when it may be there all the same."""
        body = self._meeting(arguments)
        credentials = await self._saved(timeout)
        token = await self._token(credentials, timeout)
        status, answer = await self._post(
            f"{self._api}/users/me/meetings",
            timeout,
            writes=True,
            json=body,
            headers={"Authorization": f"Bearer {token}"},
        )
        if status not in (200, 201):
            raise _refusal(status, answer, (token, *credentials.secrets()), writes=True)
        link, number = answer.get("join_url"), answer.get("id")
        if not isinstance(link, str) or not link.startswith("https://") or not link.isprintable() or " " in link:
            raise OutcomeUnknown(f"{TOOL}: Zoom made a meeting and gave no link to it", LOOK)
        return Result(link, str(number or ""))

    async def _saved(self, timeout: float) -> Credentials:
        try:
            async with asyncio.timeout(timeout):
                found = await asyncio.to_thread(saved, self._keychain)
        except TimeoutError:
            raise StepError(f"{TOOL}: the keychain did not answer", "look for its question on the screen") from None
        except ConfigError as error:
            raise StepError(f"{TOOL}: {error}") from error
        if found is None:
            raise NotAuthorised(f"{TOOL}: no Zoom account is set up here", LOGIN)
        return found

    async def check(self, credentials: Credentials, timeout: float = 20.0) -> None:
        """See that Zoom takes the credentials. Makes nothing. Raises `StepError`."""
        await self._token(credentials, timeout)

    def _meeting(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What Zoom is asked to make. Without a time of day it is a meeting that has no fixed time: none is invented."""
        minutes = arguments["duration"]
        if not 1 <= minutes <= LONGEST:
            raise StepError(f"{TOOL}: duration is {minutes}, expected 1 to {LONGEST} minutes", "say how long it lasts")
        body: dict[str, Any] = {"topic": arguments["topic"], "type": NO_FIXED_TIME}
        start = when.parse_iso(arguments["start_time"]) if arguments["start_time"] else None
        if start and not start.all_day:
            body |= {"type": SCHEDULED, **self._start(start.at), "duration": minutes}
        invitees = [{"email": address} for address in arguments["meeting_invitees"]]
        return body | ({"settings": {"meeting_invitees": invitees}} if invitees else {})

    def _start(self, at: datetime) -> dict[str, str]:
        """Wall time in the user's zone; where the zone has no name, the same moment in UTC."""
        if zone := self._zone():
            return {"start_time": at.isoformat(timespec="seconds"), "timezone": zone}
        return {"start_time": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}

    async def _token(self, credentials: Credentials, timeout: float) -> str:
        status, answer = await self._post(
            self._tokens,
            timeout,
            data={"grant_type": "account_credentials", "account_id": credentials.account_id},
            auth=(credentials.client_id.encode(), credentials.client_secret.encode()),
        )
        if status in (400, 401, 403):
            said = _said(answer, credentials.secrets())
            raise NotAuthorised(f"{TOOL}: Zoom does not take the credentials ({status}{said})", f"{LOGIN} again")
        token = answer.get("access_token")
        if status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise _refusal(status, answer, credentials.secrets(), writes=False)
        return token

    async def _post(
        self, url: str, timeout: float, writes: bool = False, **request: Any
    ) -> tuple[int, Mapping[str, Any]]:
        """One request, never repeated and never sent on elsewhere; gives the status and the answer's object.

        The errors of the library are not chained: they hold the request with its headers.
        """
        import httpx2

        cut_off = OutcomeUnknown if writes else StepError
        look = LOOK if writes else "try again"
        try:
            limits = httpx2.Timeout(None, connect=min(CONNECT, timeout))
            async with asyncio.timeout(timeout), httpx2.AsyncClient(timeout=limits, follow_redirects=False) as client:
                response = await client.post(url, **request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise StepError(f"{TOOL}: Zoom can't be reached ({reason:.100})", "is there a network?") from None
        except TimeoutError:
            raise cut_off(f"{TOOL}: Zoom did not answer within {timeout:g} seconds", look) from None
        except (httpx2.HTTPError, httpx2.InvalidURL):
            raise cut_off(f"{TOOL}: the connection to Zoom was lost", look) from None
        try:
            answer = response.json()
        except ValueError:
            answer = {}
        return response.status_code, answer if isinstance(answer, dict) else {}


def local_zone() -> str:
    """The name of the time zone that this machine is set to, "" where it has none."""
    from tzlocal import get_localzone_name

    with suppress(LookupError, ValueError, OSError):
        return get_localzone_name() or ""
    return ""


def _refusal(status: int, answer: Mapping[str, Any], secrets: tuple[str, ...], writes: bool) -> StepError:
    """What an answer that is no success means, in words and advice."""
    said = _said(answer, secrets)
    if status == 401:
        return NotAuthorised(f"{TOOL}: Zoom does not let this app in (401{said})", f"{LOGIN} again")
    if status == 403 or answer.get("code") in _WITHOUT_SCOPE:
        return NotAuthorised(
            f"{TOOL}: the Zoom app may not make meetings ({status}{said})",
            f"add the scope {SCOPE} to the app in the Zoom App Marketplace",
        )
    if status == 404:
        return StepError(f"{TOOL}: Zoom knows no such user (404{said})", "is the app's owner still in the account?")
    if status == 429:
        return StepError(f"{TOOL}: Zoom takes no more requests for now (429{said})", "wait a while, then try again")
    if 400 <= status < 500:
        return StepError(f"{TOOL}: Zoom refuses the meeting ({status}{said})", "change what it names, then try again")
    if status >= 500:
        kind, look = (OutcomeUnknown, LOOK) if writes else (StepError, "try again later")
        return kind(f"{TOOL}: Zoom has trouble of its own ({status}{said})", look)
    kind, look = (OutcomeUnknown, LOOK) if writes else (StepError, "is a proxy or a login page in the way?")
    return kind(f"{TOOL}: Zoom answers in a way that is not known ({status}{said})", look)


def _said(answer: Mapping[str, Any], secrets: tuple[str, ...]) -> str:
    """Zoom's own words, one line, without what must not be seen."""
    words = next((answer[key] for key in ("message", "reason", "error") if isinstance(answer.get(key), str)), "")
    for secret in secrets:
        words = words.replace(secret, "…")
    line = "".join(letter if letter.isprintable() else " " for letter in words)
    line = " ".join(line.split())[:200]
    return f": {line}" if line else ""


__all__ = ["Credentials", "Zoom", "local_zone", "saved"]
