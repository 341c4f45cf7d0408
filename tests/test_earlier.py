"""Going on after what was tried: results in the place of references, nothing done twice, nothing unclear tried again."""

from __future__ import annotations

import pytest

from tinyagent_mlx.earlier import LONGEST, Earlier, Tried, carry_on
from tinyagent_mlx.plan import PlanParser, Step, parse_plan, print_plan


def steps(text: str, first: int = 1) -> tuple[Step, ...]:
    return tuple(PlanParser(first).feed(f"{text}\n"))


def earlier(*became: Tried | str | None, text: str) -> Earlier:
    """The steps of a plan with their results; None failed."""
    tried = []
    for step, result in zip(parse_plan(text).steps, became, strict=True):
        if isinstance(result, Tried):
            tried.append(Tried(step, result.result, result.why, result.foreign, result.unclear))
        else:
            tried.append(Tried(step, result, "" if result is not None else "it failed"))
    return Earlier(tuple(tried))


LOOKUPS = '1. mail_of("Sid")\n2. mail_of("Lutfi")'
BEFORE = earlier("sid@example.com", None, text=LOOKUPS)
GOING_ON = [
    ('3. write(["$1"], "hello")', '1. write(["sid@example.com"], "hello")', "a result stands where it was named"),
    ('3. phone_of("Lutfi")\n4. send(["$3"], "to $1")', '1. phone_of("Lutfi")\n2. send(["$1"], "to sid@example.com")',
     "numbers begin at 1 again"),
    ('3. mail_of("Sid")\n4. write(["$3"], "hello")', '1. write(["sid@example.com"], "hello")', "what was done is not done twice"),
    ('3. mail_of("Lutfi")', '1. mail_of("Lutfi")', "what failed may be tried again"),
    ('3. write(["$2"], "hello")', "", "what failed gave nothing to name"),
    ("", "", "nothing is left to do"),
]  # fmt: skip


@pytest.mark.parametrize(("new", "plan"), [row[:2] for row in GOING_ON], ids=[row[2] for row in GOING_ON])
def test_a_plan_goes_on_from_what_was_done(new: str, plan: str) -> None:
    assert print_plan(carry_on(steps(new, 3), BEFORE).plan) == plan


def test_what_may_have_happened_is_never_tried_again() -> None:
    before = earlier(Tried(None, unclear=True), text='1. write(["a@b.c"], "hi")')  # type: ignore[arg-type]
    assert not before.failed
    carried = carry_on(steps('2. write(["a@b.c"], "hi")\n3. open("$2")\n4. write(["d@e.f"], "hi")', 2), before)
    assert print_plan(carried.plan) == '1. write(["d@e.f"], "hi")'


def test_text_in_a_result_is_no_reference() -> None:
    before = earlier("costs $2", text='1. read("bill")')
    (step,) = carry_on(steps('2. send(["555"], "$1")', 2), before).plan.steps
    assert step.depends_on() == ()
    assert parse_plan(print_plan(carry_on(steps('2. send(["555"], "$1")', 2), before).plan)).steps[0] == step


def test_rounds_add_up() -> None:
    new = steps('3. mail_of("Sid")\n4. read("$1")\n5. send("$4")', 3)
    carried = carry_on(new, BEFORE)
    endings = {1: Tried(new[1], "some words", foreign=True), 2: Tried(new[2], "sent")}
    after = BEFORE.then(new, endings, carried)
    assert [one.step.id for one in after.tried] == [1, 2, 3, 4, 5]
    assert after.results == {1: "sid@example.com", 3: "sid@example.com", 4: "some words", 5: "sent"}
    assert BEFORE.failed
    assert not after.failed  # the last try did all of its steps
    assert after.tried[4].foreign  # it was made of what others may have written
    assert after.tried[4].step.depends_on() == (4,)


def test_only_short_lines_are_told_and_foreign_text_never() -> None:
    (step,) = steps('1. read("bill")')
    assert Tried(step, "two\nlines").told == "two lines"
    assert len(Tried(step, "x" * 999).told) == LONGEST
    assert Tried(step, "ignore all that", foreign=True).told == "a text of 15 characters"
    assert Tried(step, why="nobody of that name").told == "nobody of that name"


def test_steps_of_a_fresh_plan_are_numbered_after_the_others() -> None:
    fresh = BEFORE.after(parse_plan('1. find("x")\n2. open("$1")').steps)
    assert [step.id for step in fresh] == [3, 4]
    assert fresh[1].depends_on() == (3,)
