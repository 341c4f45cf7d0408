"""What a shell makes of a command that values were put into: whether one of them could become code.

A command is its text with `VALUE` where a quoted value stands. A value has to be an argument of a program that literal text names. While
there is one anywhere in the command, no interpreter may run in it but on a script file that literal text names, since a value reaches
others by pipes, variables and files too; and what runs commands inside of commands is refused. What can't be told is refused. Knows
nothing of AppleScript.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

VALUE = "VALUE"

_ANYWHERE = (  # each with what it is called
    (re.compile(r"\$\((?!\()|`|[<>]\("), "a command inside of a command"),
    (re.compile(r"\$?\(\(|\[\[|(?:^|[\s;|&(])let\s"), "arithmetic, which runs what stands in it"),
    (re.compile(r"\w\s*\(\s*\)"), "a function of the shell"),
)
_KEYWORDS = (
    "if",
    "then",
    "else",
    "elif",
    "do",
    "while",
    "until",
    "!",
    "{",
    "}",
    "fi",
    "done",
)  # a command follows, or none
_WRAPPERS = ("sudo", "env", "nice", "nohup", "time", "command", "builtin", "caffeinate", "xargs", "timeout", "arch")
_CODE = (
    "exec", "alias", "trap", "for", "case", "select", "function", "declare", "typeset", "local", "export",
    "readonly", "read", "set", "printf", "mapfile",
)  # fmt: skip
_SHELLS = re.compile(r"(?:ba|z|k|da|c|tc|fi|tcl)?sh|python[\d.]*|perl|ruby|node|php|lua|swift|expect|osascript")
_READERS = re.compile(
    r"ssh|sqlite3|su|doas|watch|parallel|script|screen|tmux|make|crontab|at|batch|launchctl|ex|vi|vim|ed|bc|dc|m4"
)
_FILTERS = re.compile(r"g?awk|mawk|nawk|g?sed")  # a program in literal text first, then files
_UNBUFFERED = ("-u", "-B", "-E", "-I")  # options of Python that take nothing and run nothing
_WITH_TEXT = ("-F", "-v", "-i", "-l", "-b")  # options of filters after which a word of their own may stand
_COMPARING = re.compile(r"-(?:v|eq|ne|lt|le|gt|ge)")  # these count, and counting runs what stands in brackets


def faults(command: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a command that holds a `VALUE`, as a rule's name, "shell-command" or "interpreter", and what gets it."""
    if "<<" in command:
        yield "interpreter", "a here-document, in which quotes protect nothing"
        return
    for words in _simple_commands(command):
        if fault := _fault(words):
            yield fault
            return
    for pattern, what in _ANYWHERE:
        if pattern.search(command):
            yield "interpreter", what
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
    """Split where one command ends and another begins, each into its words, quotes taken off and redirections left out."""
    words: list[str] = []
    word, begun, quote, escaped = "", False, "", False
    for at, character in enumerate(f"{command}\n"):
        before, was_escaped = quote, escaped
        quote, escaped = _quoted(character, quote, escaped)
        if quote != before or escaped:
            begun = True  # a word, if only an empty one
            continue
        ends = character.isspace() or character in ";|&()`<>"
        if quote or was_escaped or not ends or (character == "&" and command[at - 1 : at] in (">", "<")):
            word, begun = word + character, True
            continue
        if begun and not (character in "<>" and word.isdigit()):
            words.append(word)
        word, begun = "", False
        if character in "<>" and words[-1:] != [">"]:
            words.append(">")
        elif (not character.isspace() or character == "\n") and character not in "<>" and words:
            yield _without_redirections(words)
            words = []


def _without_redirections(words: list[str]) -> list[str]:
    """Without the files that a command reads and writes."""
    return [word for before, word in zip(["", *words], words, strict=False) if word != ">" and before != ">"]


def _fault(words: list[str]) -> tuple[str, str] | None:
    """What is wrong with a simple command, None where its values are arguments and no more."""
    while words and words[0] in _KEYWORDS:
        words = words[1:]
    while words and re.match(r"\w+\+?=", words[0]):
        if VALUE in words[0]:
            return "shell-command", words[0]
        words = words[1:]
    if not words:
        return None
    name, arguments = _name(words[0]), words[1:]
    if VALUE in words[0] or "$" in re.sub(r"^\$(?:HOME|\{HOME\})/", "", words[0]):
        return "shell-command", words[0]
    if name in _WRAPPERS:
        return _wrapped(name, arguments)
    if name in _CODE and (name in ("for", "select", "function") or _valued(arguments)):
        return "shell-command", name
    if _READERS.fullmatch(name) or name in ("eval", "source", "."):
        return "interpreter", name
    if _SHELLS.fullmatch(name):
        return None if _runs_a_file(name, arguments) else ("interpreter", " ".join([name, *arguments[:1]]))
    if _valued(arguments) and _takes_code(name, arguments):
        return "interpreter", " ".join([name, *arguments[:1]])
    return None


def _wrapped(name: str, arguments: list[str]) -> tuple[str, str] | None:
    """A program that runs another: whether a value could name that one, or it is an interpreter. Which word it is can't be told
    behind options, so that then none may be one."""
    rest = list(arguments)
    while rest and "=" in rest[0] and not rest[0].startswith("-") and VALUE not in rest[0]:
        rest = rest[1:]
    if not rest:
        return None
    if VALUE in rest[0]:
        return "interpreter", f"{name} {rest[0]}"
    if not rest[0].startswith("-") and not rest[0][:1].isdigit():
        return _fault(rest)
    plain = [word for word in rest if not word.startswith("-") and not re.fullmatch(r"[\d.]+[smhd]?", word)]
    bad = any(p.fullmatch(_name(word)) for word in rest for p in (_SHELLS, _READERS, _FILTERS)) or "{}" in rest
    if bad or not plain or VALUE in plain[0] or (name in ("sudo", "env") and _valued(rest)):
        return "interpreter", " ".join([name, *rest[:1]])
    return None


def _runs_a_file(name: str, arguments: list[str]) -> bool:
    """Whether an interpreter's first word is a script in literal text."""
    rest = list(arguments)
    while name.startswith("python") and rest and rest[0] in _UNBUFFERED:
        rest = rest[1:]
    return bool(rest) and rest[0][:1] not in ("-", "+", "$", "") and VALUE not in rest[0]


def _takes_code(name: str, arguments: list[str]) -> bool:
    """Whether a program runs, or opens with another, one of its arguments that holds a value."""
    if _FILTERS.fullmatch(name):
        return _program_of_a_filter(arguments)
    if name == "find":
        runs = [at for at, word in enumerate(arguments) if re.fullmatch(r"-(?:exec|execdir|ok|okdir)", word)]
        return any(_fault([word for word in arguments[at + 1 :] if word != "{}"]) for at in runs)
    if name in ("[", "test"):
        return any(_COMPARING.fullmatch(word) for word in arguments)
    return name == "open" and bool(re.search(rf"(?:^|\s)-\w*[ab]\w*\s*{VALUE}", " ".join(arguments)))


def _program_of_a_filter(arguments: list[str]) -> bool:
    """Whether a value is, or may be, a part of the program of awk or sed."""
    rest, program, texts = list(arguments), False, 0
    operands: list[str] = []
    while rest:
        word = rest.pop(0)
        if word in ("-e", "-f", "--expression", "--file"):
            program = True
            if rest and VALUE in rest.pop(0):
                return True
        elif word.startswith("-") and len(word) > 1:
            program = program or word[:2] in ("-e", "-f")
            texts += word in _WITH_TEXT
            if VALUE in word and word[:2] not in ("-v", "-F"):
                return True
        else:
            operands.append(word)
    literal = 0 if program else 1 + texts  # so many words may be the program, or an option's text before it
    return any(VALUE in word for word in operands[:literal])


def _name(word: str) -> str:
    """A program's name without its folder."""
    return word.rpartition("/")[2] or word


def _valued(words: list[str]) -> bool:
    return any(VALUE in word for word in words)
