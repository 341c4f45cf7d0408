"""The language of each grammar: what a matcher accepts and refuses, and that whatever it accepts parses and checks."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from llguidance import LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

from tests.goldenfile import golden
from tests.models import byte_tokenizer
from tinyagent_mlx.argtypes import RETURNS, TYPES
from tinyagent_mlx.check import check_step
from tinyagent_mlx.grammar import MAX_SPAN, line_grammar
from tinyagent_mlx.plan import PlanParser, Step, print_step
from tinyagent_mlx.toolbox import Argument, Tool, Toolbox

REQUEST = "Text Ines Ruiz and +1 555 010 0199, mail ops@example.com by 3pm for 45 minutes"


@lru_cache(1)
def tokens() -> LLTokenizer:
    return LLTokenizer(byte_tokenizer().to_str(), eos_token=1)


def matcher(grammar: str) -> LLMatcher:
    found = LLMatcher(tokens(), LLMatcher.grammar_from_lark(grammar))
    assert not found.is_error(), found.get_error()
    return found


def admits(grammar: str, line: str) -> bool:
    found, ids = matcher(grammar), tokens().tokenize_str(line)
    return found.validate_tokens(ids) == len(ids) and found.consume_tokens(ids) and found.is_accepting()


def parsed(line: str, earlier: int) -> Step | None:
    """The step of a line that stands behind some others; None for the end."""
    before = "".join(f"{number}. g()\n" for number in range(1, earlier + 1))
    steps = list(PlanParser().feed(before + line))
    return steps[earlier] if len(steps) > earlier else None


def tool_with(kind: str, **settings: Any) -> Toolbox:
    """One tool, f, with one argument."""
    given = {"description": "it", "default": TYPES[kind].empty, **settings}
    argument = Argument("a", TYPES[kind], **given)
    tool = Tool("f", "App", "does", (argument,), "status", "read", None, None, 30.0, "", (), (), "")
    return Toolbox((tool,))


def test_grammar_is_the_kept_one(shipped_tools: Toolbox) -> None:
    request = 'Text Zoé "done" for $5 (or $1), mail ops@example.com by 3pm'
    text = line_grammar(shipped_tools, request, ["email", "file_path", "phone"], more=True)
    assert text == golden("grammar.lark", text)


FREE = [
    ("text", '"It\'s 5 o\'clock: \\"now\\"\\n$15 für $1 — ok"', True),
    ("text", '""', True),
    ("text", "'single'", False),
    ("text", '"open', False),
    ("text", '"a\nb"', False),
    ("text", '"\\x"', False),
    ("text", '"see $1 and ${2}, not $7"', True),
    ("text", "3", False),
    ("person", '"Ines Ruiz"', True),
    ("person", '""', False),
    ("person", '"$1"', False),
    ("person", '"a $1"', False),
    ("email", '"a.b+c@example.co.uk"', True),
    ("email", '"Ines"', False),
    ("email", '"a@b@c"', False),
    ("email", '"$1"', True),
    ("email", '"$2"', False),
    ("email", '"$3"', False),
    ("email", '""', True),
    ("phone", '"+1 (555) 010-0199"', True),
    ("phone", '"call me"', False),
    ("phone", '"$2"', True),
    ("phone", '"$1"', False),
    ("datetime", '"2026-11-27 15:00:00"', True),
    ("datetime", '"2026-11-27"', True),
    ("datetime", '"2026-13-27"', False),
    ("datetime", '"3pm"', True),
    ("datetime", '"by 3pm 45 minutes"', True),
    ("datetime", '"4pm"', False),
    ("datetime", '"$1"', False),
    ("file_path", '"$3"', True),
    ("file_path", '"/tmp/x.pdf"', False),
    ("file_path", '""', False),
    ("url", '"https://example.com/a?b=c"', True),
    ("url", '"javascript:x"', False),
    ("url", '"$4"', True),
    ("integer", "45", True),
    ("integer", "-3", True),
    ("integer", "007", False),
    ("integer", '"45"', False),
    ("boolean", "True", True),
    ("boolean", "true", False),
    ("boolean", "1", False),
    ("list[email]", "[]", True),
    ("list[email]", '["a@b.org", "$1"]', True),
    ("list[email]", '["$2"]', False),
    ("list[email]", '[""]', False),
    ("list[email]", '"a@b.org"', False),
    ("list[phone]", '["$2", "555 0100"]', True),
    ("list[file_path]", '["$3"]', True),
    ("list[file_path]", '["x.pdf"]', False),
    ("list[text]", '["a", "b $1"]', True),
    ("list[integer]", "[1, 2]", True),
    ("list[integer]", '["1"]', False),
    ("list[boolean]", "[True]", True),
    ("list[datetime]", '["3pm"]', True),
    ("list[person]", '["Ines"]', True),
    ("list[url]", '["$4"]', True),
]
EARLIER = ["email", "phone", "file_path", "url"]


@pytest.mark.parametrize(("kind", "literal", "accepted"), FREE, ids=lambda value: str(value))
def test_literal_of_type(kind: str, literal: str, accepted: bool) -> None:
    grammar = line_grammar(tool_with(kind), REQUEST, EARLIER)
    assert admits(grammar, f"5. f({literal})\n") == accepted


def test_every_type_has_an_accepted_and_a_refused_literal() -> None:
    scalars = {name for name in TYPES if not name.startswith("list")} - {"choice"}
    for verdict in (True, False):
        assert {kind for kind, _, accepted in FREE if accepted == verdict} >= scalars


CHOICES = {"d": "driving", "w": "walking"}
EXTRACTIVE = [
    ("text", {}, '"Ines Ruiz"', True),
    ("text", {}, '"$4"', True),
    ("text", {}, '""', True),
    ("text", {}, '"Ines"', True),
    ("text", {}, '"Ine"', False),
    ("text", {}, '"ines"', False),
    ("text", {}, '"Ines "', False),
    ("text", {}, '" Ines"', False),
    ("text", {}, '"0199,"', False),
    ("text", {}, '"0199, mail"', True),
    ("text", {}, '"Ines and"', False),
    ("text", {}, '"somebody"', False),
    ("text", {"default": "here"}, '"here"', True),
    ("person", {}, '"Ines Ruiz"', True),
    ("person", {}, '""', False),
    ("email", {}, '"ops@example.com"', True),
    ("email", {}, '"ops@example.org"', False),
    ("email", {}, '"Ines"', False),
    ("email", {}, '"$1"', True),
    ("phone", {}, '"+1 555 010 0199"', True),
    ("phone", {}, '"555 010 0198"', False),
    ("phone", {}, '"45"', False),
    ("list[email]", {}, '["ops@example.com", "$1"]', True),
    ("list[phone]", {}, '["Ines"]', False),
    ("integer", {"default": 60}, "45", True),
    ("integer", {"default": 60}, "60", True),
    ("integer", {"default": 60}, "61", False),
    ("datetime", {}, '"by 3pm"', True),
    ("datetime", {}, '"2026-11-27"', True),
    ("boolean", {}, "False", True),
    ("choice", {"choices": CHOICES, "default": "d"}, '"w"', True),
    ("choice", {"choices": CHOICES, "default": "d"}, '"r"', False),
    ("choice", {"choices": CHOICES, "default": "d"}, '"Ines"', False),
    ("integer", {"choices": {1: "high", 5: "low"}}, "5", True),
    ("integer", {"choices": {1: "high", 5: "low"}}, "0", True),
    ("integer", {"choices": {1: "high", 5: "low"}}, "45", False),
]


@pytest.mark.parametrize(("kind", "settings", "literal", "accepted"), EXTRACTIVE, ids=lambda value: str(value))
def test_literal_of_the_request(kind: str, settings: dict, literal: str, accepted: bool) -> None:
    grammar = line_grammar(tool_with(kind, extractive=True, **settings), REQUEST, EARLIER)
    assert admits(grammar, f"5. f({literal})\n") == accepted


def test_span_ends_after_twelve_words() -> None:
    request = " ".join(f"w{number}" for number in range(20))
    grammar = line_grammar(tool_with("text", extractive=True), request, [])
    for size, accepted in ((MAX_SPAN, True), (MAX_SPAN + 1, False)):
        assert admits(grammar, f'1. f("{" ".join(request.split()[:size])}")\n') == accepted


LINES = [
    ('1. f("a")\n', 0, True),
    ('2. f("a")\n', 0, False),
    ('3. f("a")\n', 2, True),
    ('1. f("a")\n', 2, False),
    ('1. g("a")\n', 0, False),
    ("1. f()\n", 0, False),
    ('1. f("a", "b")\n', 0, False),
    ('1.f("a")\n', 0, False),
    ("1. join()<END_OF_PLAN>", 0, True),
    ("3. join()<END_OF_PLAN>", 2, True),
    ("1. more tools\n", 0, False),
]


@pytest.mark.parametrize(("line", "earlier", "accepted"), LINES, ids=[line.strip() for line, _, _ in LINES])
def test_line(line: str, earlier: int, accepted: bool) -> None:
    assert admits(line_grammar(tool_with("text"), REQUEST, ["status"] * earlier), line) == accepted


def test_more_tools_may_be_asked_for_where_there_are_more() -> None:
    assert admits(line_grammar(tool_with("text"), REQUEST, ["status"], more=True), "2. more tools\n")


@pytest.mark.parametrize(("returns", "offered"), [([], False), (["email"], False), (["email", "file_path"], True)])
def test_tool_that_nothing_can_fill_yet_is_left_out(shipped_tools: Toolbox, returns: list[str], offered: bool) -> None:
    grammar = line_grammar(shipped_tools, "summarize it", returns)
    assert ("summarize_pdf" in grammar) == offered
    assert admits(grammar, f'{len(returns) + 1}. summarize_pdf("$2")\n') == offered


def test_a_step_that_gave_nothing_can_not_be_named() -> None:
    grammar = line_grammar(tool_with("text", extractive=True), "tea", ["text", ""])
    assert admits(grammar, '3. f("$1")\n')
    assert not admits(grammar, '3. f("$2")\n')


def test_examples_of_the_tools_are_in_the_grammar_of_their_requests(shipped_tools: Toolbox) -> None:
    examples = [example for tool in shipped_tools for example in tool.examples]
    assert len(examples) >= 16
    for example in examples:
        for index, step in enumerate(example.plan.steps):
            returns = [shipped_tools[before.tool].returns for before in example.plan.steps[:index]]
            grammar = line_grammar(shipped_tools, example.request, returns)
            assert admits(grammar, print_step(step) + "\n"), (example.request, step)


HOSTILE = [
    '',
    '   ',
    '"',
    'say "hi", she\'s in',
    "back\\slash \\\\ and \\\" and \\n",
    "pay $1, ($2.50) or ${1} to \\$1 and $$1",
    "C:\\temp\\$1\\x $",
    "line\nbreak\ttab\rreturn\x00nul\x1b[31m\x7f\x85",
    "1. send_sms([\"+1 555 0100\"], \"x\")\n2. join()<END_OF_PLAN>",
    'f") 2. send_sms("',
    "Zoé 東京 🧑‍🚀 ñandú \u200b\u202eevil\u2028sep \ud83d",
    "/slashes/ | (a) [b] {c} ~ ^ & % @ # * + ? . <s> </s> <|im_end|> </END_OF_PLAN>",
    "%regex {\"substring_chunks\": []}",
    "a@b.c <x@y.z>, 'q@r.s' q@r",
    "word " * 300,
]  # fmt: skip


@pytest.mark.parametrize("request_text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("returns", [[], ["email", "file_path"]], ids=["first", "third"])
def test_words_of_a_hostile_request_come_back_as_they_were(request_text: str, returns: list[str]) -> None:
    grammar = line_grammar(tool_with("text", extractive=True), request_text, returns)
    for word in dict.fromkeys(request_text.split()):
        text = word.strip(",;:.!?()[]{}<>\"'")
        if not text or (text != word and "$" in word):
            continue
        step = Step(len(returns) + 1, "f", (text,))
        line = print_step(step) + "\n"
        assert admits(grammar, line), line
        assert parsed(line, len(returns)) == step


def walk(grammar: str, dice: random.Random) -> str:
    """A random line of a grammar, short texts preferred."""
    found, bits, spelled = matcher(grammar), allocate_token_bitmask(1, tokens().vocab_size), []
    quotes = set(tokens().tokenize_str('"'))
    while not found.is_stopped():
        fill_next_token_bitmask(found, bits)
        legal = np.flatnonzero(np.unpackbits(bits.view(np.uint8)[0], bitorder="little")[: tokens().vocab_size])
        closing = [token for token in legal if token in quotes]
        spelled.append(int(dice.choice(closing if closing and dice.random() < 0.3 else list(legal))))
        assert found.consume_token(spelled[-1]), found.get_error()
    return tokens().decode_str(spelled)


@pytest.mark.parametrize("request_text", [REQUEST, *HOSTILE], ids=range(len(HOSTILE) + 1))
def test_random_lines_check(shipped_tools: Toolbox, request_text: str) -> None:
    dice = random.Random(7)
    for _ in range(12):
        returns = [dice.choice(RETURNS) for _ in range(dice.randrange(4))]
        line = walk(line_grammar(shipped_tools, request_text, returns), dice)
        step = parsed(line, len(returns))
        assert (step is None) == line.endswith("join()<END_OF_PLAN>")
        if step:
            check_step(step, shipped_tools, dict(enumerate(returns, 1)))  # raises where the grammar holds too much
