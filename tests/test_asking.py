"""What a teacher is asked, and what of its answers is kept. The teacher is a plain script."""

from __future__ import annotations

import random

import pytest

from tinyagent_mlx.lab.asking import REFUSED, ask_for_cases, read_answer, sample_tools, write_prompt
from tinyagent_mlx.lab.dataset import Sieve
from tinyagent_mlx.plan import print_plan

JOIN = "join()<END_OF_PLAN>"
GOOD = f"""Sure!
```
Request: pull up the tide table.pdf
Plan:
1. open_and_get_file_path("tide table.pdf")
2. {JOIN}

**Request 2:** "what's Odalys's number"
**Plan:**
1. get_phone_number("Odalys")
2. {JOIN}
```
"""
REFUSAL = f"Request: who won the match number {{}}\nPlan:\n1. {JOIN}\n"


class Script:
    """Answers in order, the last one again and again."""

    def __init__(self, *answers: str):
        self.answers, self.prompts = list(answers), []

    def ask(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return self.answers[min(len(self.prompts), len(self.answers)) - 1]


class Willing:
    """Answers each question with a new row of the kind that is asked for, whose plan needs the first tool it can fill."""

    def __init__(self) -> None:
        self.asked = self.refusals = 0

    def ask(self, prompt: str) -> str:
        self.asked += 1
        if "none of the tools can serve" in prompt:
            self.refusals += 1
            return REFUSAL.format(self.asked)
        return f'Request: open map {self.asked}\nPlan:\n1. maps_open_location("map {self.asked}")\n2. {JOIN}\n'


def read(answer: str, tools):
    sieve = Sieve(tools)
    return [(query, print_plan(plan)) for query, plan in read_answer(answer, sieve)], dict(sieve.dropped)


def test_requests_and_plans_are_found_in_an_answer(shipped_tools):
    rows, dropped = read(GOOD, shipped_tools)
    assert rows == [
        ("pull up the tide table.pdf", '1. open_and_get_file_path("tide table.pdf")'),
        ("what's Odalys's number", '1. get_phone_number("Odalys")'),
    ]
    assert dropped == {}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("I'd rather not.", "no request in the answer"),
        ("", "no request in the answer"),
        ("Request: hello", "plan without an end"),
        ('Request: call Ada\nPlan:\n1. get_phone_number("Ada")\n', "plan without an end"),
        (f"Request: call Ada\nPlan:\n1. get_phone_number(who)\n2. {JOIN}", "plan does not parse"),
    ],
    ids=["prose", "nothing", "no plan", "cut", "no literal"],
)
def test_what_is_no_row_is_counted(shipped_tools, answer, reason):
    assert read(answer, shipped_tools) == ([], {reason: 1})


def test_tools_come_with_those_that_feed_them(shipped_tools):
    for seed in range(60):
        names = set(sample_tools(shipped_tools, random.Random(seed)).names)
        assert "summarize_pdf" not in names or "open_and_get_file_path" in names
        assert "send_sms" not in names or "get_phone_number" in names
        assert "forward_email" not in names or "get_email_address" in names
        assert len(names) < len(shipped_tools)


def test_the_prompt_tells_tools_rules_and_layout(shipped_tools):
    prompt = write_prompt(shipped_tools, shipped_tools.subset(["open_note"]), "voice", refuse=False)
    assert "open_note(" in prompt
    assert "append_note_content(" not in prompt
    assert all(rule in prompt for rule in shipped_tools.rules)
    assert "transcripts of speech" in prompt
    assert "Request: <one line>" in prompt


def test_only_fit_rows_of_the_kind_asked_for_are_kept(shipped_tools):
    sieve, teacher = Sieve(shipped_tools), Willing()
    cases = list(ask_for_cases(teacher, shipped_tools, 12, sieve, seed=3, patience=400))
    assert len(cases) == sieve.kept == 12
    assert {"map", "match"} & {word for case in cases for word in case["query"].split()} == {"map", "match"}
    assert all(case["plans"] == [""] for case in cases if "match" in case["query"])
    assert sieve.dropped.keys() == {"unknown tool"}  # where the question was about other tools
    assert teacher.refusals == teacher.asked // REFUSED


def test_an_invented_name_and_a_wrong_kind_are_dropped(shipped_tools):
    invented = f'Request: call my sister\nPlan:\n1. get_phone_number("Ada")\n2. {JOIN}\n'
    sieve = Sieve(shipped_tools)
    assert (
        list(ask_for_cases(Script(invented), shipped_tools.subset(["get_phone_number"]), 5, sieve, patience=REFUSED))
        == []
    )
    assert sieve.dropped == {"argument not in the request": REFUSED - 1, "plan where a refusal was asked for": 1}


def test_a_useless_teacher_is_given_up(shipped_tools):
    teacher = Script("no")
    assert list(ask_for_cases(teacher, shipped_tools, 5, Sieve(shipped_tools), patience=6)) == []
    assert len(teacher.prompts) == 6


def test_questions_are_the_same_for_a_seed_and_differ_among_themselves(shipped_tools):
    asked = []
    for seed in (1, 1, 2):
        teacher = Script("no")
        list(ask_for_cases(teacher, shipped_tools, 1, Sieve(shipped_tools), seed, patience=5))
        asked.append(teacher.prompts)
    assert asked[0] == asked[1] != asked[2]
    assert len(set(asked[0])) == 5
