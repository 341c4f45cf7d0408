"""What a link looks like, written or said. Knows nothing of requests and plans."""

from __future__ import annotations

import re

_LABEL = r"[A-Za-z0-9](?:[\w-]*\w)?"
_PATH = r"[/?#][^\s<>\"“”]*"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*\.[A-Za-z]{{2,24}}|localhost)(?::\d{{1,5}})?"
_WRITTEN = rf"(?:[A-Za-z][A-Za-z0-9+.\-]*://[^\s<>\"“”]+|{_HOST}(?:{_PATH})?)"
_SAID = r"[\w-]+(?: dot [\w-]+)+(?: slash [\w-]+(?: (?:dot|dash) [\w-]+)*)*"
_LINK = re.compile(_WRITTEN)
_ANY = re.compile(rf"(?<![\w@.-])(?:{_WRITTEN}|{_SAID})(?!@)", re.IGNORECASE)
_SIGNS = (("dot", "."), ("slash", "/"), ("dash", "-"), ("colon", ":"))


def is_link(text: str) -> bool:
    """Whether a text is one link: with a scheme, or a host and perhaps a path."""
    return bool(_LINK.fullmatch(text))


def written(text: str) -> str:
    """A link as it is written: "amber dot org slash shop" is amber.org/shop. What is no spoken link is given back."""
    spoken = f" {text.strip()} "
    for word, sign in _SIGNS:
        spoken = re.sub(rf" {word}(?= )", sign, spoken, flags=re.IGNORECASE)
    spoken = re.sub(r"\s*([./:-])\s+", r"\1", spoken).strip()
    return spoken if is_link(spoken) else text


def links(text: str) -> list[tuple[int, int]]:
    """The character spans of the links in a text, in order, without the punctuation that ends a sentence."""
    found = []
    for match in _ANY.finditer(text):
        end = match.end() - (len(match[0]) - len(match[0].rstrip(".,;:!?)'’")))
        found.append((match.start(), end))
    return found
