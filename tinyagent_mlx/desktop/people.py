"""Contacts as vCards (RFC 6350), one file a person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import vobject

from tinyagent_mlx.desktop.folder import free_name, match, write
from tinyagent_mlx.errors import NotFound


@dataclass(frozen=True)
class Person:
    """Names, first of all the full one; addresses and numbers in the card's order."""

    name: str
    emails: tuple[str, ...]
    phones: tuple[str, ...]
    nicknames: tuple[str, ...] = ()


def read_people(folder: Path) -> tuple[list[Person], list[str]]:
    """Every contact of a folder, and the names of files that are no cards."""
    people, others = [], []
    for file in sorted(folder.glob("*.vcf")):
        try:
            for card in vobject.readComponents(file.read_text(encoding="utf-8")):
                people.append(_person(card))
        except (vobject.base.ParseError, UnicodeDecodeError, AttributeError):
            others.append(file.name)
    return people, others


def _person(card: vobject.base.Component) -> Person:
    def values(name: str) -> tuple[str, ...]:
        return tuple(line.value.strip() for line in card.contents.get(name, []) if line.value.strip())

    nicknames = tuple(part.strip() for value in values("nickname") for part in value.split(","))
    return Person(card.fn.value.strip(), values("email"), values("tel"), nicknames)


def find_person(folder: Path, name: str) -> Person:
    """The one person who is meant; "my sister" is looked up as "sister". Raises `NotFound` or `Ambiguous`."""
    people, others = read_people(folder)
    names = {}
    for index, person in enumerate(people):
        names[str(index)] = person.name
        names |= {f"{index}/{n}": nickname for n, nickname in enumerate(person.nicknames)}
    bare = name.strip()
    for prefix in ("my ", "the ", "our "):
        bare = bare[len(prefix) :] if bare.casefold().startswith(prefix) else bare
    try:
        return people[int(match(bare, names, "contact").split("/")[0])]
    except NotFound as error:
        if not others:
            raise
        raise NotFound(f"{error}; {', '.join(others)} can't be read", error.advice) from error


def phone_of(folder: Path, name: str) -> str:
    """A person's first phone number. Raises `NotFound` when there is none."""
    person = find_person(folder, name)
    if not person.phones:
        raise NotFound(f"{person.name} has no phone number in the contacts")
    return person.phones[0]


def email_of(folder: Path, name: str) -> str:
    """A person's first email address. Raises `NotFound` when there is none."""
    person = find_person(folder, name)
    if not person.emails:
        raise NotFound(f"{person.name} has no email address in the contacts")
    return person.emails[0]


def write_person(folder: Path, person: Person) -> Path:
    """Write a card under the person's name."""
    card = vobject.vCard()
    card.add("fn").value = person.name
    first, _, last = person.name.rpartition(" ")
    card.add("n").value = vobject.vcard.Name(family=last if first else "", given=first or last)
    if person.nicknames:
        card.add("nickname").value = ",".join(person.nicknames)
    for kind, values in (("email", person.emails), ("tel", person.phones)):
        for value in values:
            card.add(kind).value = value
    return write(free_name(folder, person.name, ".vcf"), card.serialize().encode())
