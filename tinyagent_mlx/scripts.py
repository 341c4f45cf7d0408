"""The linter for AppleScripts: what lets a value become code, what hangs, what no Mac would compile.

It reads structure and safety, and can't know whether a script compiles: `osacompile` on a Mac is the gate for that. It
knows nothing of tools.yaml.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tinyagent_mlx import shell
from tinyagent_mlx.applescript import (
    BRACKETS,
    Block,
    Statement,
    Token,
    Unreadable,
    closes,
    depths,
    opened_by,
    read,
    words_of,
)

ERROR, WARNING = "error", "warning"

_RULES = {
    "run-argv": (ERROR, "start the script with `on run argv` and take every value from argv"),
    "run-script": (ERROR, "write the code in the script; for a library say `use script`"),
    "shell": (ERROR, "build the command from literal text and `quoted form of` parts, where it is run"),
    "shell-quotes": (ERROR, "let `quoted form of` do the quoting: close the quote before it"),
    "shell-command": (ERROR, "name the program in literal text; a value may only be an argument of it"),
    "interpreter": (ERROR, "do the work in this script: a value given to an interpreter is run as code"),
    "javascript": (ERROR, "run a constant text of JavaScript only"),
    "format": (ERROR, "write the format in literal text and give it the values as arguments"),
    "raw-event": (ERROR, "say the command by its name, so that it can be read and checked"),
    "application": (ERROR, "name the application in literal text"),
    "syntax": (ERROR, "write it as AppleScript does"),
    "blocks": (ERROR, "give every tell, if, repeat, try, with and handler its own end"),
    "date": (WARNING, "build the date from numbers: set day to 1, then year, month, day, time"),
    "name": (WARNING, "take the name from argv, or the app's own default: names differ by language and by account"),
    "message": (WARNING, "compare the error's number: its text is in the Mac's language"),
    "delay": (WARNING, "wait for a condition, and say in a comment why one must wait"),
    "ui": (WARNING, "use the application's own commands: keys go to whatever window is in front"),
    "timeout": (WARNING, "put the tell block inside `with timeout of 25 seconds`"),
    "whose": (WARNING, "read the property of every element at once and compare in the script"),
    "location": (WARNING, "start the URL with a literal scheme"),
    "comparison": (WARNING, "to assign a value, say `set … to …`"),
}

_CODE_CLASSES = ("nsapplescript", "osascript", "nstask", "nsuserunixtask", "nsuserscripttask", "nsuserapplescripttask",
                 "initwithsource", "osalanguage", "jscontext", "evaluatejavascript", "evaluatescript")  # fmt: skip
_FOREIGN_WORDS = ("elseif", "elif", "endif", "endtell", "endrepeat", "endtry", "while", "for", "function")
_CLASSES = ("item", "list", "text", "date", "record", "string", "number", "integer", "real", "boolean", "character",
            "word", "paragraph", "file", "alias", "script")  # fmt: skip
_FOREIGN_MARKS = ("==", "!=", "&&", "||", "+=", "-=", ";", "//", "“", "”", "‘", "’")
_OSASCRIPT = re.compile(r"\bosascript\b.*\s-e\b", re.DOTALL)
_AFTER_DATE = ("of", "to", "is", "as", "in", "and", "or", "then", "contains", "comes", "from", "by", "thru", "with", "string",
               "received", "sent", "added", "created", "modified")  # fmt: skip
_BEFORE_DATE = ("to", "return", "is", "than", "equals", "and", "or", "not", "of",
                "(", "{", ",", "=", "<", ">", "≥", "≤", "&", "-", "+", ":")  # fmt: skip
_APPLICATION = ("application", "app")
_FORMATS = ("predicatewithformat", "predicatewithformat_", "expressionwithformat", "expressionwithformat_")
_CLASSES_OF_APPLICATIONS = ("process", "processes", "file", "files", "support", "bundle", "responses")
_NOT_NAMES = (  # what may follow `application` where nothing is addressed
    *_CLASSES_OF_APPLICATIONS, "to", "of", "in", "is", "as", "and", "or", "not", "then", "with", "without", "contains", "from",
    "whose", "where", "given", "equals", "does", "if",
)  # fmt: skip
_NAMED = ("account", "mailbox", "calendar", "list", "folder", "group", "disk", "menu", "button")  # and menu item
_COMPARED = ("is", "contains", "starts", "ends", "equals", "does", "=", "≠")
_NO_EVENT = ("id", "running", "version", "name", "path")  # properties of an application that need no answer from it

# A statement with none of these words has nothing for the rules of that name; "" stands for a string.
_OF_CODE = frozenset({"", "run", "load", "do", "javascript", "text", "command", "«", *_FORMATS, *_CODE_CLASSES})
_OF_RISK = frozenset(
    {"location", "item", "delay", "whose", "keystroke", "key", "click", "perform", "value", "date", *_NAMED}
)


@dataclass(frozen=True)
class Finding:
    """`line` counts from 1; `severity` is error or warning; `rule` is a key of the linter's table."""

    line: int
    severity: str
    rule: str
    message: str
    remedy: str


def lint(text: str) -> list[Finding]:
    """Say what is wrong or risky in a script, by line. A script without an error may be run with any values."""
    try:
        statements = read(text)
    except Unreadable as error:
        return [_finding(error.line, "syntax", str(error))]
    scripted_ui = any(token.value == "System Events" for s in statements if "" in s.vocabulary for token in s.tokens)
    findings = [finding for statement in statements for finding in _in_statement(statement, scripted_ui)]
    findings += _Blocks().check(statements)
    findings += _messages(statements)
    if not any(s.words[:2] == ["on", "run"] and len(s.words) > 2 for s in statements):
        findings.append(_finding(1, "run-argv", "the script takes no values"))
    return sorted(findings, key=lambda finding: (finding.line, finding.rule))


def _finding(line: int, rule: str, message: str) -> Finding:
    severity, remedy = _RULES[rule]
    return Finding(line, severity, rule, message, remedy)


def _in_statement(statement: Statement, scripted_ui: bool) -> Iterator[Finding]:
    vocabulary = statement.vocabulary
    if not vocabulary.isdisjoint(_OF_CODE):
        yield from _code_from_values(statement)
    if not vocabulary.isdisjoint(_APPLICATION):
        yield from _applications(statement)
    yield from _shape(statement)
    if not vocabulary.isdisjoint(_OF_RISK):
        yield from _risks(statement, scripted_ui)


def _pairs(words: list[str]) -> Iterator[tuple[int, str, str]]:
    return zip(itertools.count(), words, [*words[1:], ""])


def _code_from_values(statement: Statement) -> Iterator[Finding]:
    tokens, words = statement.tokens, statement.words
    for index, word, following in _pairs(words):
        if word not in _OF_CODE:
            continue
        line, after = tokens[index].line, tokens[index + 1 :]
        if tokens[index].kind == "text":
            if tokens[index].value.strip().lower().startswith("javascript:") and following == "&":
                yield _finding(line, "javascript", "a value becomes JavaScript in a URL")
            if _OSASCRIPT.search(tokens[index].value):
                yield _finding(line, "interpreter", "`osascript -e` makes code of text")
        elif word in ("run", "load") and following == "script":
            yield _finding(line, "run-script", f"`{word} script` runs code from outside the script")
        elif word == "do" and words[index + 1 : index + 3] == ["shell", "script"]:
            yield from _command(tokens[index + 3 :], line, "do shell script")
        elif word == "do" and following == "script":
            yield from _command(tokens[index + 2 :], line, "do script")
        elif word == "javascript" and (words[index - 1] == "do" or "execute" in words[:index]):
            if not _is_literal(_expression(tokens[index + 1 :])):
                yield _finding(line, "javascript", "a value becomes JavaScript")
        elif words[max(0, index - 1) : index + 1] == ["write", "text"] and _begins_a_text(after):
            yield from _command(after, line, "write text")
        elif word == "command" and "profile" in words[:index]:
            yield from _command(after, line, "command")
        elif word == "«" and following == "event":
            yield _finding(line, "raw-event", "an event's code stands for a command")
        elif word in _FORMATS and not (after and _is_literal(after[1:2])):
            yield _finding(line, "format", f"a value becomes the format of {word!r}, which may call functions")
        elif word in _CODE_CLASSES:
            yield _finding(line, "run-script", f"{word!r} runs code that the script makes")


def _begins_a_text(tokens: tuple[Token, ...]) -> bool:
    """Not `text 1 of …` or `text item 1 of …`, which are parts of a text."""
    return bool(tokens) and tokens[0].kind != "number" and tokens[0].value not in ("item", "items", "from", "of")


# Shell commands: literal text and quoted values, each value an argument of a program that literal text names.


def _command(tokens: tuple[Token, ...], line: int, verb: str) -> Iterator[Finding]:
    so_far, values = "", 0
    for piece in _pieces(_expression(tokens)):
        words = [token.source for token in piece]
        if _is_literal(piece):
            so_far += piece[0].value
        elif words == ["space"]:
            so_far += " "
        elif words[:3] == ["quoted", "form", "of"] or _is_quoted_form(words):
            if shell.inside_quotes(so_far):
                yield _finding(line, "shell-quotes", f"`{verb}` puts {' '.join(words)} inside a quote of its own")
                return
            values += 1
            so_far += shell.VALUE
        else:
            yield _finding(line, "shell", f"`{verb}` runs {' '.join(words) or 'nothing'}, which is no literal text")
            return
    for rule, what in shell.faults(so_far) if values else ():
        told = "lets a value become a part of" if rule == "shell-command" else "gives a value to"
        yield _finding(line, rule, f"`{verb}` {told} {what!r}")


def _is_quoted_form(words: list[str]) -> bool:
    """`x's quoted form`, of a variable or what stands in brackets: of `text 2 thru -2 of x's quoted form` a part is taken, which cuts
    the quotes off."""
    of, form = words[:-4], words[-4:]
    whole = len(of) == 1 or (len(of) > 2 and of[0] == "(" and min(depths(of)[1:-1]) > 0)
    return form == ["'", "s", "quoted", "form"] and whole


def _expression(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """The tokens up to where the command's parameters, or the brackets around it, end."""
    depth = depths(words_of(tokens))
    for index, token in enumerate(tokens):
        names = token.kind == "word" and [t.value for t in tokens[index : index + 2]] == ["user", "name"]
        ends = token.kind == "word" and token.value in ("with", "without", "then", "in", "given")
        if depth[index + 1] < 0 or (depth[index] == 0 and (ends or names)):
            return tokens[:index]
    return tokens


def _pieces(tokens: tuple[Token, ...]) -> Iterator[tuple[Token, ...]]:
    """Split at `&`, looking into brackets that hold a whole piece."""
    depth, start = depths(words_of(tokens)), 0
    for index in range(len(tokens) + 1):
        if index == len(tokens) or (tokens[index].value == "&" and tokens[index].kind == "mark" and depth[index] == 0):
            piece = tokens[start:index]
            if len(piece) > 2 and piece[0].value == "(" and min(depths(words_of(piece))[1:-1]) > 0:
                yield from _pieces(piece[1:-1])
            else:
                yield piece
            start = index + 1


def _is_literal(piece: tuple[Token, ...]) -> bool:
    kept = piece[:1] if [token.value for token in piece[1:]] in (["as", "text"], ["as", "string"]) else piece
    return len(kept) == 1 and kept[0].kind == "text"


def _applications(statement: Statement) -> Iterator[Finding]:
    tokens, words = statement.tokens, statement.words
    for index, word, following in _pairs(words):
        if word not in _APPLICATION or tokens[index].kind != "word":
            continue
        target = index + 2 if following == "id" else index + 1
        rest = tokens[target:]
        literal = rest and rest[0].kind == "text" and (len(rest) == 1 or rest[1].value != "&")
        begins = rest and (rest[0].kind in ("text", "name") or rest[0].value == "(" or rest[0].kind == "word")
        if index and words[index - 1] == "as" and not (rest and rest[0].value in _CLASSES_OF_APPLICATIONS):
            yield _finding(tokens[index].line, "application", "a value is made an application")
        elif begins and not literal and not (target == index + 1 and following in _NOT_NAMES):
            named = " ".join(token.source for token in rest)
            yield _finding(tokens[index].line, "application", f"the application is {named}, a value")


def _shape(statement: Statement) -> Iterator[Finding]:
    words = statement.words
    for token in () if statement.vocabulary.isdisjoint(_FOREIGN_MARKS) else statement.tokens:
        if token.kind == "mark" and token.value in _FOREIGN_MARKS:
            yield _finding(token.line, "syntax", f"{token.value!r} is no AppleScript")
    if words[0] in _FOREIGN_WORDS:
        yield _finding(statement.line, "syntax", f"{words[0]!r} is no AppleScript")
    if words[0] == "set" and "to" not in words[2:]:
        yield _finding(statement.line, "syntax", "`set` without `to`")
    if words[:2] == ["repeat", "with"] and not {"in", "from"} & set(words[3:]):
        yield _finding(statement.line, "syntax", "`repeat with` without `in` or `from`")
    if words[0] in ("set", "repeat"):
        variable = words[2:3] if words[:2] == ["repeat", "with"] else words[1:2] if words[2:3] == ["to"] else []
        if variable and variable[0] in _CLASSES:
            yield _finding(
                statement.line, "syntax", f"{variable[0]!r} is a class of AppleScript's and can be no variable"
            )
    if not statement.vocabulary.isdisjoint(BRACKETS):
        open_brackets = depths(statement.words)
        if min(open_brackets) < 0 or open_brackets[-1]:
            yield _finding(statement.line, "syntax", "brackets do not match; a line that goes on must end with ¬")
    if words[1:2] == ["="] and statement.tokens[0].kind == "word":
        yield _finding(statement.line, "comparison", f"`{words[0]} = …` compares and does not assign")


def _risks(statement: Statement, scripted_ui: bool) -> Iterator[Finding]:
    tokens, words = statement.tokens, statement.words
    if words[:2] == ["open", "location"] and next((t.kind for t in tokens[2:] if t.value != "("), "") != "text":
        yield _finding(statement.line, "location", "`open location` opens whatever scheme a value names")
    for index, word, following in _pairs(words):
        if word not in _OF_RISK:
            continue
        line = tokens[index].line
        if tokens[index].kind == "word" and _is_named(tokens, words, index):
            yield _finding(line, "name", f"`{word} {tokens[index + 1].source}` may be called otherwise on another Mac")
        if word == "delay" and (index == 0 or words[index - 1] in ("then", "to")):
            yield _finding(line, "delay", "`delay` waits for nothing in particular")
        elif word == "whose":
            yield _finding(line, "whose", "`whose` is slow on a large store")
        elif _on_screen(word, following) or (scripted_ui and _with_system_events(words, index)):
            yield _finding(line, "ui", f"`{word}` acts on the screen")
        elif word == "date" and tokens[index].kind == "word" and _parses_a_date(tokens, words, index):
            yield _finding(line, "date", "a date is read from text, which depends on the Mac's language")


def _is_named(tokens: tuple[Token, ...], words: list[str], index: int) -> bool:
    """Whether a thing of the user's, or of the screen, is asked for by a name in literal text."""
    kind = words[index] in _NAMED or words[max(0, index - 1) : index + 1] == ["menu", "item"]
    return kind and index + 1 < len(tokens) and tokens[index + 1].kind == "text" and bool(tokens[index + 1].value)


def _messages(statements: list[Statement]) -> Iterator[Finding]:
    """Where the text that `on error TEXT` gives decides what is done."""
    texts = {s.words[2] for s in statements if s.words[:2] == ["on", "error"] and len(s.words) > 2} - {"number"}
    for statement in statements:
        for index, word, following in () if statement.vocabulary.isdisjoint(texts) else _pairs(statement.words):
            if word in texts and following in _COMPARED:
                yield _finding(statement.tokens[index].line, "message", f"`{word}` is compared")


def _on_screen(word: str, following: str) -> bool:
    """What only System Events can mean."""
    return word == "keystroke" or (word == "key" and following in ("code", "down", "up"))


def _with_system_events(words: list[str], index: int) -> bool:
    """What acts on the screen in a script that speaks to System Events."""
    pair = words[index : index + 2]
    return (
        pair[0] == "click" or pair == ["perform", "action"] or (pair == ["value", "of"] and words[index - 1] == "set")
    )


def _parses_a_date(tokens: tuple[Token, ...], words: list[str], index: int) -> bool:
    if index and words[index - 1] == "as":
        return True
    if index + 1 == len(tokens):
        return False
    if index and words[index - 1] not in _BEFORE_DATE:
        return tokens[index + 1].kind == "text"
    following = tokens[index + 1]
    return following.kind in ("text", "name") or following.value == "(" or (
        following.kind == "word" and following.value not in _AFTER_DATE
    )  # fmt: skip


class _Blocks:
    """Match what opens with what ends, and find tells of an application that no timeout guards."""

    def __init__(self) -> None:
        self.open: list[Block] = []
        self.findings: list[Finding] = []

    def check(self, statements: list[Statement]) -> list[Finding]:
        for statement in statements:
            self._take(statement)
        for block in self.open:
            self._say(block.line, "blocks", f"`{block.kind}` is never closed")
        return self.findings

    def _say(self, line: int, rule: str, message: str) -> None:
        self.findings.append(_finding(line, rule, message))

    def _take(self, statement: Statement) -> None:
        words = statement.words
        if words[0] == "end":
            self._end(statement)
        elif words[0] == "else" and not self._inside("if"):
            self._say(statement.line, "blocks", "`else` outside an if")
        elif words[:2] == ["on", "error"] and not self._inside("try"):
            self._say(statement.line, "blocks", "`on error` outside a try")
        elif words[:2] == ["exit", "repeat"] and not any(block.kind == "repeat" for block in self.open):
            self._say(statement.line, "blocks", "`exit repeat` outside a repeat")
        block = opened_by(statement)
        if block:
            self._push(block)
        elif self._calls(statement) and not self._timed():
            self._say(statement.line, "timeout", "an application is called without `with timeout`")

    def _calls(self, statement: Statement) -> bool:
        """Whether a statement calls an application by itself, outside a block that is asked for its own timeout."""
        words, vocabulary = statement.words, statement.vocabulary
        if words[0] == "tell" and words[1:2] and words[1] in _APPLICATION:
            return True
        for index, word, following in () if vocabulary.isdisjoint(_APPLICATION) else _pairs(words):
            if word not in _APPLICATION or following not in ("", "id") or not index or index + 1 == len(words):
                continue
            asks = words[index - 1] in ("of", "in") and index > 1 and words[index - 2] not in _NO_EVENT
            if asks or words[index - 1] in ("activate", "launch", "reopen", "quit"):
                return not any(block.calls_app for block in self.open)
        return False

    def _inside(self, kind: str) -> bool:
        return bool(self.open) and self.open[-1].kind == kind

    def _timed(self) -> bool:
        return any(block.kind == "timeout" for block in self.open)

    def _push(self, block: Block) -> None:
        if block.handler and self.open and self.open[-1].kind != "script":
            unclosed = self.open[-1]
            self._say(unclosed.line, "blocks", f"`{unclosed.kind}` is not closed before the handler {block.kind!r}")
            self.open.clear()
        if block.kind == "timeout":
            for around in self.open:
                around.timed = True
        block.timed = self._timed()
        self.open.append(block)

    def _end(self, statement: Statement) -> None:
        words = statement.words
        if not self.open:
            self._say(statement.line, "blocks", f"`{' '.join(words)}` ends nothing")
            return
        block = self.open[-1]
        if not closes(block, words):
            due = f"`end {block.kind}` of line {block.line} is due"
            self._say(statement.line, "blocks", f"`{' '.join(words)}` where {due}")
            depth = next((n for n in range(len(self.open) - 1, -1, -1) if closes(self.open[n], words)), len(self.open))
            del self.open[depth + 1 :]
        if closes(self.open[-1], words):
            block = self.open.pop()
            if block.calls_app and not block.timed:
                self._say(block.line, "timeout", "an application is called without `with timeout`")


__all__ = ["ERROR", "WARNING", "Finding", "lint"]
