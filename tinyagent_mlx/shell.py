"""What a shell makes of a command that values were put into: whether one of them could become code.

A command is its text with `VALUE` where a quoted value stands. What can't be told is refused: each value has to be an argument of a
program that literal text names, and that program may be no interpreter that reads it as code. Knows nothing of AppleScript.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

VALUE = "VALUE"

_SHELLS = r"(?:(?:ba|z|k|da|c|tc|fi|tcl)?sh|python[\d.]*|perl|ruby|node|php|lua|swift|expect|osascript)"
_FILTERS = r"(?:g?awk|mawk|sed|gsed)"  # a program in literal text first, then files
_READERS = r"(?:ssh|sqlite3|su|doas|watch|parallel|find\b.*-(?:exec|execdir|ok|okdir))"  # each reads commands itself
_ANYWHERE = (
    re.compile(r"(?:^|[\s;|&(])eval(?=\s)"),
    re.compile(rf"\|\s*(?:\S*/)?{_SHELLS}\s*(?=$|[-;|&\n])"),  # the value is piped into it
    re.compile(r"<<-?\s*['\"\\]?\w+"),  # in a here-document quotes protect nothing
)
_KEYWORDS = ("if", "then", "else", "elif", "do", "while", "until", "!", "{")  # a command follows
_WRAPPERS = ("sudo", "env", "nice", "nohup", "time", "command", "builtin", "exec", "caffeinate", "xargs")
_CODE = (
    "eval",
    "source",
    ".",
    "alias",
    "trap",
    "for",
    "case",
    "select",
    "function",
    "declare",
    "export",
    "read",
    "set",
)
_PROGRAM = re.compile(r"[\w/.+@%\[-]+")
_HARMLESS = ("-n", "-E", "-r", "-u")  # options of a filter that take no text


def faults(command: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a command that holds a `VALUE`, as a rule's name, "shell-command" or "interpreter", and what gets it."""
    for pattern in _ANYWHERE:
        if found := pattern.search(command):
            yield "interpreter", found[0].strip(" ;|&(/\n")
            return
    for words in _simple_commands(command):
        if fault := _fault(words):
            yield fault
            return


def inside_quotes(command: str) -> bool:
    """Whether what comes next would stand inside a quote that is still open."""
    quote, escaped = "", False
    for character in command:
        quote, escaped = _quoted(character, quote, escaped)
    return bool(quote) or escaped


def _quoted(character: str, quote: str, escaped: bool) -> tuple[str, bool]:
    """The open quote, and whether the next character is escaped, after a character."""
    if escaped:
        return quote, False
    if character == "\\" and quote != "'":
        return quote, True
    if character in "'\"" and quote in ("", character):
        return "" if quote else character, False
    return quote, False


def _simple_commands(command: str) -> Iterator[list[str]]:
    """Split where one command ends and another begins, each into its words, quotes taken off."""
    words: list[str] = []
    word, quote, escaped = "", "", False
    for character in f"{command}\n":
        before, was_escaped = quote, escaped
        quote, escaped = _quoted(character, quote, escaped)
        if quote != before or escaped:
            continue
        if quote or was_escaped or not (character.isspace() or character in ";|&()`"):
            word += character
            continue
        if word:
            words.append(word)
            word = ""
        if character not in " \t" and words:
            yield words
            words = []


def _fault(words: list[str]) -> tuple[str, str] | None:
    """What is wrong with a simple command, None where its values are arguments and no more."""
    while words and words[0] in _KEYWORDS:
        words = words[1:]
    while words and _name(words[0]) in _WRAPPERS:
        wrapper, words = words[0], words[1:]
        if words and (words[0].startswith("-") or "=" in words[0] or VALUE in words[0]):
            return ("interpreter", f"{wrapper} {words[0]}") if _valued(words) else None
    if not words:
        return None
    name, arguments = _name(words[0]), words[1:]
    if VALUE in words[0] or "$" in words[0]:
        return "shell-command", words[0]
    if not _valued(arguments) and not ("=" in words[0] and VALUE in words[0]):
        return None
    if not _PROGRAM.fullmatch(words[0]) or name in _CODE:
        return "shell-command", words[0]
    first = arguments[0] if arguments else ""
    if re.fullmatch(_SHELLS, name) and (VALUE in first or first.startswith("-")):
        return "interpreter", f"{name} {first}"
    if re.fullmatch(_FILTERS, name):
        rest = [argument for argument in arguments if argument not in _HARMLESS]
        if VALUE in rest[0] or any(argument.startswith("-") for argument in rest):
            return "interpreter", f"{name} {rest[0]}"
    if re.match(_READERS, " ".join([name, *arguments])) and not re.match(r"(?:ssh|su)-", name):
        return "interpreter", name
    if name == "open" and re.search(rf"(?:^|\s)-\w*[ab]\w*\s*{VALUE}", " ".join(arguments)):
        return "interpreter", f"{name} {first}"
    return None


def _name(word: str) -> str:
    """A program's name without its folder."""
    return word.rpartition("/")[2] or word


def _valued(words: list[str]) -> bool:
    return any(VALUE in word for word in words)
