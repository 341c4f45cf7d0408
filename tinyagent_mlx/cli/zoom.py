"""Save the login for Zoom's web API in the keychain, see whether it works, or forget it.

Zoom makes meetings for a Server-to-Server OAuth app of your own: build one in the Zoom App Marketplace, give it the scope
meeting:write:meeting:admin, activate it, and have its account ID, client ID and client secret at hand.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from collections.abc import Callable

from tinyagent_mlx.cli import places
from tinyagent_mlx.desktop import zoom
from tinyagent_mlx.desktop.keychain import Keychain
from tinyagent_mlx.desktop.zoom import Credentials, Zoom
from tinyagent_mlx.errors import StepError, UsageError

Ask = Callable[[str, bool], str]
_ACTIONS = {
    "login": "ask for the three values of your Zoom app, try them, and keep them in the keychain",
    "status": "say whether a login is kept, and whether Zoom takes it",
    "logout": "take the login out of the keychain",
}
_QUESTIONS = (("account ID", False), ("client ID", False), ("client secret", True))


def add_options(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, text in _ACTIONS.items():
        places.add_options(
            verbs.add_parser(action, help=text, description=text[0].upper() + text[1:] + "."), again=True
        )


def call(options: argparse.Namespace, keychain: Keychain | None = None, service: Zoom | None = None) -> int:
    keychain = keychain or Keychain()
    service = service or Zoom(keychain)
    if options.action == "login":
        return login(keychain, service, asked if sys.stdin.isatty() else read)
    return status(keychain, service) if options.action == "status" else logout(keychain)


def login(keychain: Keychain, service: Zoom, ask: Ask) -> int:
    """Keep what Zoom takes; what it refuses is not kept. Raises `UsageError` for a value that can't be one."""
    values = [_value(name, ask(name, secret)) for name, secret in _QUESTIONS]
    credentials = Credentials(*values)
    _try(service, credentials)
    keychain.write(zoom.NAME, credentials.text())
    print("Zoom takes them; they are in the keychain now.")
    return 0


def status(keychain: Keychain, service: Zoom) -> int:
    credentials = zoom.saved(keychain)
    if credentials is None:
        print(f"No login for Zoom is kept: {zoom.LOGIN}")
        return 1
    _try(service, credentials)
    print(f"A login is kept, for the app with the client ID {credentials.client_id}, and Zoom takes it.")
    return 0


def _try(service: Zoom, credentials: Credentials) -> None:
    """Raises `StepError`, with what to do in its one line."""
    try:
        asyncio.run(service.check(credentials))
    except StepError as error:
        raise StepError(f"{str(error).removeprefix(f'{zoom.TOOL}: ')}: {error.advice}") from None


def logout(keychain: Keychain) -> int:
    there = keychain.remove(zoom.NAME)
    print("The login is out of the keychain; delete the app in the Zoom App Marketplace to end it there too." if there
          else "There was no login for Zoom.")  # fmt: skip
    return 0


def asked(name: str, secret: bool) -> str:
    """Asked at the terminal; a secret is not shown."""
    return getpass.getpass(f"{name}: ") if secret else input(f"{name}: ")


def read(name: str, secret: bool) -> str:
    """A line of standard input each: a command line would show them to every program."""
    return sys.stdin.readline()


def _value(name: str, text: str) -> str:
    value = text.strip()
    if not value or not value.isascii() or not value.isprintable() or " " in value or ":" in value:
        raise UsageError(f"zoom login: the {name} is empty or holds what no Zoom {name} holds; copy it again")
    return value
