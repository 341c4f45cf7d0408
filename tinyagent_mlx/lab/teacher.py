"""A teacher answers a prompt with text: a model of mlx-lm on this machine, or an endpoint that the user names.

What is asked, and what of an answer is kept, is `asking.py`'s. Nothing here speaks to a network unless it is given a URL.
"""

from __future__ import annotations

import ipaddress
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Protocol

from tinyagent_mlx.errors import ConfigError, PlannerError

KEY = "TINYAGENT_TEACHER_KEY"  # an environment variable: the endpoint's key, where it asks for one
TEMPERATURE, TOP_P = 0.8, 0.95
MAX_TOKENS = 1024
TIMEOUT = 300.0  # seconds for one answer


class Teacher(Protocol):
    def ask(self, prompt: str) -> str:
        """Answer a prompt. Raises `PlannerError`."""
        ...


def find_teacher(named: str, model: str = "", seed: int = 0) -> Teacher:
    """The teacher that the user names: a URL that begins with http, or a model folder."""
    if named.startswith(("http://", "https://")):
        return Endpoint(named, model, seed, os.environ.get(KEY, ""))
    return LocalTeacher(Path(named), seed)


class LocalTeacher:
    """Any mlx-lm model folder; nothing is fetched. Raises `PlannerError` when it is none."""

    def __init__(self, folder: Path, seed: int = 0, max_tokens: int = MAX_TOKENS):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from tinyagent_mlx.decoding import load_decoder

        # isort: split
        import mlx.core as mx

        self.decoder, self.max_tokens = load_decoder(folder), max_tokens
        mx.random.seed(seed)

    def ask(self, prompt: str) -> str:
        from mlx_lm import generate
        from mlx_lm.sample_utils import make_sampler

        return generate(
            self.decoder.model,
            self.decoder.tokenizer,
            self.decoder.encode(prompt),
            max_tokens=self.max_tokens,
            sampler=make_sampler(temp=TEMPERATURE, top_p=TOP_P),
        )


class Endpoint:
    """A server with OpenAI's chat completions; `url` is its base, as in http://127.0.0.1:8080/v1."""

    def __init__(self, url: str, model: str = "", seed: int = 0, key: str = "", timeout: float = TIMEOUT):
        parts = urllib.parse.urlsplit(url)
        if not parts.hostname:
            raise ConfigError(f"--teacher: {url!r} names no host")
        self.url = url.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
        self.model, self.seed, self.key, self.timeout = model, seed, key, timeout
        self.asked = 0
        proxies: dict[str, str] | None = {} if _is_here(parts.hostname) else None
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler(proxies), _StayThere).open

    def ask(self, prompt: str) -> str:
        body = {
            "model": self.model or "default",
            "messages": [{"role": "user", "content": prompt}],
            "temperature": TEMPERATURE,
            "top_p": TOP_P,
            "max_tokens": MAX_TOKENS,
            "seed": self.seed + self.asked,
        }
        self.asked += 1
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers)
        try:
            with self._open(request, timeout=self.timeout) as answer:
                reply: Any = json.load(answer)
            text = reply["choices"][0]["message"]["content"]
        except urllib.error.HTTPError as error:
            raise PlannerError(f"{self.url}: answers {error.code} {error.reason}") from error
        except OSError as error:
            raise PlannerError(f"{self.url}: cannot be asked: {getattr(error, 'reason', error)}") from error
        except (ValueError, LookupError, TypeError) as error:
            raise PlannerError(f"{self.url}: its answer is no chat completion") from error
        return text if isinstance(text, str) else ""


class _StayThere(urllib.request.HTTPRedirectHandler):
    """Only the host that the user named is spoken to."""

    def redirect_request(self, *given: Any, **named: Any) -> None:
        return None


def _is_here(host: str) -> bool:
    """Whether a host is this machine, which no proxy can reach."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
