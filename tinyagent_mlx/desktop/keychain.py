"""Secrets in the system's keychain, through keyring: one text by service and name. Knows nothing of what they open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinyagent_mlx.errors import ConfigError

SERVICE = "tinyagent"
REMEDY = "macOS has one for every user; on Linux start GNOME Keyring, KWallet or another Secret Service"


class Keychain:
    """`library` gives the module keyring; it is asked for when it is first needed."""

    def __init__(self, library: Callable[[], Any] | None = None):
        self._library = library or _keyring

    def read(self, name: str) -> str:
        """The secret, "" where there is none. Raises `ConfigError` where there is no keychain or it stays shut."""
        return str(self._do("read", lambda ring: ring.get_password(SERVICE, name)) or "")

    def write(self, name: str, secret: str) -> None:
        """Keep a secret in the place of what was there. Raises `ConfigError`."""
        self._do("written to", lambda ring: ring.set_password(SERVICE, name, secret))

    def remove(self, name: str) -> bool:
        """Forget a secret; says whether there was one. Raises `ConfigError`."""
        if not self.read(name):
            return False
        self._do("changed", lambda ring: ring.delete_password(SERVICE, name))
        return True

    def _do(self, verb: str, act: Callable[[Any], Any]) -> Any:
        """The error of a backend may carry what it was given: only its kind is told."""
        ring = self._library()
        try:
            return act(ring)
        except ring.errors.NoKeyringError:
            raise ConfigError(f"there is no keychain here: {REMEDY}") from None
        except Exception as error:  # a backend may raise anything that its system knows
            kind = type(error).__name__
            raise ConfigError(f"the keychain can't be {verb} ({kind}): unlock it, and allow it where it asks") from None


def _keyring() -> Any:
    import keyring
    import keyring.errors

    return keyring


__all__ = ["Keychain"]
