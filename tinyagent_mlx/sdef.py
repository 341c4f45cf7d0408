"""Draft tools from an application's scripting dictionary (sdef, the XML that Script Editor shows).

A dictionary says which commands there are and what they take, not how one asks for them: a draft is a beginning. Types
become argument types, an enumeration a choice, a class an element found by its name; what no words of a request can name is
left out, with a word. Values reach the script through argv only. What the dictionary calls things becomes code of the
script, so only plain words are taken. Nothing outside the file is read: no entities, no included files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from tinyagent_mlx.argtypes import TYPES
from tinyagent_mlx.draft import Draft, DraftArgument, quoted
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.scripts import ERROR, lint
from tinyagent_mlx.toolfile import NAME

MOST_BYTES = 20_000_000
BRANCHES = 3  # optional parameters that a script looks at one by one: each doubles its calls
UNSAID = "unsaid"

_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[ _-][A-Za-z0-9]+)*")
_STANDARD = ("aevt", "core", "ascr", "misc")  # beginnings of the codes of every application's commands
_SENDS = ("send", "post", "publish", "share", "upload", "reply", "forward", "tweet", "submit")
_SCALARS = {
    "text": "text", "string": "text", "Unicode text": "text", "rich text": "text", "styled text": "text", "number": "text",
    "real": "text", "double integer": "integer", "integer": "integer", "boolean": "boolean", "date": "datetime",
    "file": "file_path", "alias": "file_path",
}  # fmt: skip
_RETURNS = {"text": "text", "integer": "text", "boolean": "text", "file_path": "file_path"}


@dataclass
class Element:
    """An element of the XML, with the line on which it begins."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)

    def all(self, *tags: str) -> Iterator[Element]:
        """The elements below of these tags, in order."""
        for child in self.children:
            if child.tag in tags:
                yield child
            yield from child.all(*tags)

    def own(self, tag: str) -> list[Element]:
        return [child for child in self.children if child.tag == tag]

    def __getitem__(self, key: str) -> str:
        return self.attributes.get(key, "")


@dataclass(frozen=True)
class Imported:
    """The drafts, and a word on each thing that was left out, with its line."""

    drafts: tuple[Draft, ...]
    words: tuple[str, ...]


def read(file: Path) -> Element:
    """The root of a dictionary. Raises `ConfigError` with the line."""
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    if len(text) > MOST_BYTES:
        raise ConfigError(f"{file}: {len(text)} bytes are no scripting dictionary")
    root = Element("", {}, 1)
    around = [root]
    parser = expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, attributes, parser.CurrentLineNumber)
        around[-1].children.append(element)
        around.append(element)
        if len(around) > 50:
            raise ConfigError(f"{file}:{element.line}: is no scripting dictionary: elements lie fifty deep")

    def refuse(*_: object) -> None:
        raise ConfigError(f"{file}:{parser.CurrentLineNumber}: declares an entity, which no dictionary needs")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda tag: around.pop() and None
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise ConfigError(f"{file}:{error.lineno}: is not XML: {expat.errors.messages[error.code]}") from error
    if root.children[0].tag != "dictionary":
        raise ConfigError(f"{file}:1: is no scripting dictionary: it begins with <{root.children[0].tag}>")
    return root.children[0]


def draft_tools(file: Path, app: str, command: str, taken: Iterable[str]) -> Imported:
    """Draft the commands of a dictionary, or the one that is named; `taken` are names that tools have already.

    Raises `ConfigError` when the named command is not there or nothing can be drafted.
    """
    dictionary = _Dictionary(file, read(file), app)
    words = dictionary.included()
    found = [element for element in dictionary.root.all("command") if not command or element["name"] == command]
    if not found:
        known = ", ".join(sorted({_short(element["name"]) for element in dictionary.root.all("command")}))
        raise ConfigError(f"{file}: has no command{f' {command!r}; it has {known}' if known and command else ''}")
    drafts: list[Draft] = []
    names = set(taken)
    for element in found:
        try:
            drafts.append(dictionary.draft(element, names, named=bool(command)))
            names.add(drafts[-1].name)
        except _LeftOut as reason:
            words.append(f"{file}:{element.line}: {_short(element['name']) or 'a command'}: left out: {reason}")
    if not drafts:
        raise ConfigError("; ".join(words))
    return Imported(tuple(drafts), tuple(words))


class _LeftOut(Exception):
    """Why a command or a parameter makes no draft."""


@dataclass(frozen=True)
class _Parameter:
    """A parameter of a command. `keyword` is "" for the direct one; `expression` is what the script passes on, after the
    lines `prepared`; `said` is the condition under which it was named, "" where it always is."""

    keyword: str
    argument: DraftArgument
    expression: str
    prepared: tuple[str, ...] = ()
    said: str = ""


class _Dictionary:
    def __init__(self, file: Path, root: Element, app: str):
        self.file, self.root, self.app = file, root, app
        self.enumerations = {element["name"]: element for element in root.all("enumeration")}
        self.classes = {element["name"] for element in root.all("class")}
        self.values = {element["name"] for element in root.all("value-type", "record-type")}

    def included(self) -> list[str]:
        """A word on each file that the dictionary would take in."""
        elements = (element for element in self.root.all("xi:include", "include"))
        return [
            f"{self.file}:{element.line}: <{element.tag}> is left out: import that file by itself"
            for element in elements
        ]

    def draft(self, command: Element, taken: set[str], named: bool) -> Draft:
        name = _plain(command["name"], "its name")
        if not named and command["hidden"] == "yes":
            raise _LeftOut("it is hidden; name it with --command")
        if not named and command["code"].startswith(_STANDARD):
            raise _LeftOut("every application has it; name it with --command")
        notes = [f"From {self.file.name}: the command {name!r}. A draft: see what it does before you use it."]
        parameters = list(self._parameters(command, notes))
        returns, fetched = self._result(command)
        draft = Draft(
            name=self._name(name, taken),
            app=self.app,
            description=_sentence(command["description"] or name),
            arguments=tuple(parameter.argument for parameter in parameters),
            returns=returns,
            effect="send" if name.lower().startswith(_SENDS) else "write",
            call=tuple(_call(name, parameters, fetched)),
            notes=tuple(notes),
        )
        self._check(draft)
        return draft

    def _name(self, words: str, taken: set[str]) -> str:
        name = _slug(words)
        return name if name not in taken else _slug(f"{self.app} {words}")

    def _check(self, draft: Draft) -> None:
        """Drafts keep the linter's rules; a command whose values are run as code makes none."""
        from tinyagent_mlx.draft import script

        for finding in lint(script(draft)):
            if finding.severity == ERROR:
                raise _LeftOut(f"{finding.message}; {finding.remedy}")

    def _parameters(self, command: Element, notes: list[str]) -> Iterator[_Parameter]:
        branches = 0
        names: set[str] = set()
        for element in [*command.own("direct-parameter"), *command.own("parameter")]:
            direct = element.tag == "direct-parameter"
            optional = element["optional"] == "yes"
            try:
                keyword = "" if direct else _plain(element["name"], "a parameter's name")
                parameter = self._parameter(element, keyword, optional, names)
                branches += bool(parameter.said)
                if branches > BRANCHES:
                    raise _LeftOut("the script looks at three optional parameters; add it by hand if you need it")
            except _LeftOut as reason:
                if not optional:
                    raise
                notes.append(f"Left out: the optional parameter {_quote(element['name'] or 'direct')}: {reason}.")
                continue
            names.add(parameter.argument.name)
            yield parameter

    def _parameter(self, element: Element, keyword: str, optional: bool, names: set[str]) -> _Parameter:
        kind, listed = self._type(element)
        name = _slug(keyword or (kind if kind in self.classes else "") or "what")
        name = next(found for found in (name, *(f"{name}_{n}" for n in range(2, 99))) if found not in names)
        about = " ".join(re.sub(r"[^\w ,;()'/-]", " ", element["description"]).split()) or name.replace("_", " ")
        if kind in self.enumerations:
            return self._choice(element, kind, keyword, name, about, optional, listed)
        scalar = _SCALARS.get(kind, "text" if kind in self.classes else "")
        if not scalar:
            raise _LeftOut(f"no words of a request can be a {_quote(kind or 'thing without a type')}")
        if scalar == "file_path" and optional:
            raise _LeftOut("a file can't be left unsaid")
        if listed and (scalar != "text" or kind in self.classes):
            raise _LeftOut(f"a list of {_quote(kind)} is more than a draft can do")
        argument = DraftArgument(name, TYPES[f"list[{scalar}]" if listed else scalar], about)
        said = _said(argument) if optional else ""
        missing = scalar == "datetime" and not optional
        prepared = (f'if {argument.variable} is missing value then error "{name}: no time is given" number 20004',)
        return _Parameter(keyword, argument, self._expression(argument, kind), prepared if missing else (), said)

    def _expression(self, argument: DraftArgument, kind: str) -> str:
        variable = argument.variable
        if kind in self.classes:
            return f"{_plain(kind, 'a class')} {variable}"
        forms = {"file_path": f"(POSIX file {variable})", "datetime": f"(item 1 of {variable})"}
        number = f"({variable} as number)" if kind in ("real", "number") else variable
        return forms.get(argument.type.name, number)

    def _choice(
        self, element: Element, kind: str, keyword: str, name: str, about: str, optional: bool, listed: bool
    ) -> _Parameter:
        """A choice; the script turns its word into the application's constant."""
        if listed:
            raise _LeftOut(f"a list of {_quote(kind)} is more than a draft can do")
        known = self.enumerations[kind].own("enumerator")
        constants = [_plain(one["name"], "a constant's name") for one in known if one["hidden"] != "yes"]
        if not constants:
            raise _LeftOut(f"the enumeration {_quote(kind)} has no constants")
        meanings = [_meaning(one) for one in known if one["hidden"] != "yes"]
        choices = ({UNSAID: "nothing is said of it"} if optional else {}) | dict(zip(constants, meanings, strict=True))
        argument = DraftArgument(name, TYPES["choice"], about, choices, next(iter(choices)))
        constant = f"{argument.variable}_constant"
        prepared = [f"set {constant} to {constants[0]}"]
        for one in constants[1:]:
            prepared.append(f"if {argument.variable} is {quoted(one)} then set {constant} to {one}")
        said = f"{argument.variable} is not {quoted(UNSAID)}" if optional else ""
        return _Parameter(keyword, argument, constant, tuple(prepared), said)

    def _type(self, element: Element) -> tuple[str, bool]:
        """A parameter's or a result's type and whether it is a list; of several, the first that can be said in words."""
        types = [(element["type"], False)] if element["type"] else []
        types += [(child["type"], child["list"] == "yes") for child in element.own("type")]
        speakable = [(kind, listed) for kind, listed in types if kind in _SCALARS or kind in self.enumerations]
        named = [(kind, listed) for kind, listed in types if kind in self.classes]
        return next(iter((*speakable, *named, *types)), ("", False))

    def _result(self, command: Element) -> tuple[str, str]:
        """What the tool returns, and what the script takes from the command's result: "" for nothing."""
        for element in command.own("result"):
            scalar = _SCALARS.get(self._type(element)[0], "")
            if returns := _RETURNS.get(scalar):
                return returns, "POSIX path of (itsResult as alias)" if returns == "file_path" else "itsResult as text"
        return "status", ""


def _call(command: str, parameters: list[_Parameter], fetched: str) -> Iterator[str]:
    """The lines for the application: constants, one call for each set of parameters that may be said, the result."""
    for parameter in parameters:
        yield from parameter.prepared
    yield from _branch(command, parameters, [], bool(fetched))
    if fetched:
        yield f"set itsResult to {fetched}"


def _branch(command: str, left: list[_Parameter], said: list[_Parameter], fetch: bool) -> Iterator[str]:
    if not left:
        parts = [command, *(f"{one.keyword} {one.expression}".strip() for one in said)]
        yield ("set itsResult to " if fetch else "") + (f"({' '.join(parts)})" if fetch else " ".join(parts))
        return
    first, *rest = left
    if not first.said:
        yield from _branch(command, rest, [*said, first], fetch)
        return
    yield f"if {first.said} then"
    yield from (f"\t{line}" for line in _branch(command, rest, [*said, first], fetch))
    yield "else"
    yield from (f"\t{line}" for line in _branch(command, rest, said, fetch))
    yield "end if"


def _said(argument: DraftArgument) -> str:
    """The condition under which a value was named."""
    kind, variable = argument.type, argument.variable
    if kind.is_list:
        return f"(count of {variable}) > 0"
    forms = {"datetime": f"{variable} is not missing value", "integer": f"{variable} is not 0", "boolean": variable}
    return forms.get(kind.name, f'{variable} is not ""')


def _plain(text: str, what: str) -> str:
    """A name that becomes code of a script: words of letters and digits."""
    if not _WORDS.fullmatch(text) or len(text) > 60:
        raise _LeftOut(f"{what} {_quote(text)} is more than plain words")
    return text


def _meaning(enumerator: Element) -> str:
    return " ".join(enumerator["description"].split()) or enumerator["name"]


def _short(text: str) -> str:
    return " ".join(text.split())[:60]


def _quote(text: str) -> str:
    return repr(_short(text))


def _sentence(text: str) -> str:
    words = " ".join(text.split())
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def _slug(text: str) -> str:
    """A tool's or an argument's name out of words."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60].rstrip("_")
    name = name if name[:1].isalpha() else f"x_{name}".rstrip("_")
    assert re.fullmatch(NAME, name), name
    return name
