"""A plan is carried out while it is made: what runs when, who is asked, and how each step ends whatever goes wrong."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

from tinyagent_mlx import events
from tinyagent_mlx.argtypes import TYPES
from tinyagent_mlx.desktop.base import Result
from tinyagent_mlx.errors import Ambiguous, HistoryError, NotFound, OutcomeUnknown, PlannerError, StepError
from tinyagent_mlx.executor import Outcome, execute
from tinyagent_mlx.plan import Plan, Step, parse_plan
from tinyagent_mlx.toolbox import Argument, Tool, Toolbox

NOW = datetime(2026, 11, 23, 9)
PATIENCE = 10  # seconds until a test that hangs is given up


def tool(name: str, effect: str, app: str = "", kind: str = "text", timeout: float = 5) -> Tool:
    argument = Argument("value", TYPES[kind], "a value", TYPES[kind].empty)
    return Tool(name, app or name, name, (argument,), "text", effect, None, None, timeout, "", (), (), "")


TOOLS = Toolbox((
    tool("find", "read"),
    tool("look", "read"),
    tool("note", "write", app="Notes"),
    tool("jot", "write", app="Notes"),
    tool("mail", "write"),
    tool("send", "send"),
    tool("plan", "write", kind="datetime"),
    tool("slow_find", "read", timeout=0.03),
    tool("slow_note", "write", timeout=0.03),
))  # fmt: skip

Behaviour = Callable[[Any], Awaitable[str]]


class FakeDesktop:
    """Does per tool what it is told, and answers "NAME(VALUE)" to everything else; keeps what it was asked."""

    name = "fake"

    def __init__(self, **behaviours: Behaviour):
        self.behaviours = behaviours
        self.calls: list[tuple[str, Any]] = []
        self.at_once: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()

    def preview(self, tool: Tool, arguments: Any) -> str:
        return tool.name

    async def undo(self, tool: Tool, handle: str) -> str:
        raise StepError("nothing is undone here")

    async def call(self, tool: Tool, arguments: Any, now: datetime) -> Result:
        self.calls.append((tool.name, arguments["value"]))
        for who in (tool.app, "any"):
            self.at_once[who] += 1
            self.most_at_once[who] = max(self.most_at_once[who], self.at_once[who])
        try:
            behaviour = self.behaviours.get(tool.name)
            return Result(await behaviour(arguments["value"]) if behaviour else f"{tool.name}({arguments['value']})")
        finally:
            self.at_once[tool.app] -= 1
            self.at_once["any"] -= 1


class Approver:
    """Answers with what it was made with, or with the plan it is shown; keeps every plan it was shown."""

    def __init__(self, *answer: Plan | None, first: Callable[[], Awaitable[Any]] | None = None):
        self.answer, self.first, self.asked = answer, first, []

    async def __call__(self, plan: Plan) -> Plan | None:
        self.asked.append(plan)
        if self.first:
            await self.first()
        return self.answer[0] if self.answer else plan


async def stream(plan: Plan) -> AsyncIterator[Step]:
    for step in plan.steps:
        await asyncio.sleep(0)
        yield step


def run(
    plan: str | AsyncIterator[Step], desktop: FakeDesktop, approve: Approver | None = None, tools: Toolbox = TOOLS,
    doubted: Callable[[], bool] | None = None,
) -> tuple[Outcome, list[events.Event]]:  # fmt: skip
    told: list[events.Event] = []
    steps = stream(parse_plan(plan)) if isinstance(plan, str) else plan
    work = execute(steps, tools, desktop, approve or Approver(), told.append, NOW, doubted)
    return asyncio.run(asyncio.wait_for(work, PATIENCE)), told


def run_and_cancel(plan: str, desktop: FakeDesktop, approve: Approver, when: asyncio.Event) -> tuple[Outcome, list]:
    told: list[events.Event] = []

    async def main() -> Outcome:
        task = asyncio.create_task(execute(stream(parse_plan(plan)), TOOLS, desktop, approve, told.append, NOW))
        await asyncio.wait_for(when.wait(), PATIENCE)
        task.cancel()
        return await asyncio.wait_for(task, PATIENCE)

    return asyncio.run(main()), told


def how(outcome: Outcome) -> dict[int, str]:
    """How each step ended, in a word."""
    return {k: type(ending).__name__.removeprefix("Step").lower() for k, ending in outcome.endings.items()}


def signalling(event: asyncio.Event, seconds: float = 60) -> Behaviour:
    """Say that the call has begun, then take that long."""

    async def behave(value: Any) -> str:
        event.set()
        await asyncio.sleep(seconds)
        return "late"

    return behave


def failing(error: Exception) -> Behaviour:
    async def behave(value: Any) -> str:
        raise error

    return behave


def taking(seconds: float) -> Behaviour:
    async def behave(value: Any) -> str:
        await asyncio.sleep(seconds)
        return str(value)

    return behave


# Doubt


def test_a_doubtful_plan_of_reads_waits_for_approval():
    desktop = FakeDesktop()

    async def nothing_yet() -> None:
        await asyncio.sleep(0.02)
        assert desktop.calls == []

    approve = Approver(first=nothing_yet)
    outcome, told = run('1. find("Sid")\n2. look("$1")', desktop, approve, doubted=lambda: True)
    assert len(approve.asked) == 1
    assert outcome.ok
    assert [event.doubtful for event in told if isinstance(event, events.PlanReady)] == [True]


def test_a_doubtful_plan_that_is_refused_reads_nothing():
    desktop = FakeDesktop()
    outcome, _ = run('1. find("Sid")\n2. note("$1")', desktop, Approver(None), doubted=lambda: True)
    assert desktop.calls == []
    assert how(outcome) == {1: "refused", 2: "refused"}


def test_a_step_may_be_dropped_from_a_doubtful_plan():
    plan = parse_plan('1. find("Sid")\n2. look("Ana")')
    desktop = FakeDesktop()
    outcome, _ = run('1. find("Sid")\n2. look("Ana")', desktop, Approver(plan.without(2)), doubted=lambda: True)
    assert desktop.calls == [("find", "Sid")]
    assert how(outcome) == {1: "done", 2: "refused"}


def test_a_plan_without_doubt_asks_only_for_what_it_writes():
    approve = Approver()
    outcome, told = run('1. find("Sid")\n2. look("$1")', FakeDesktop(), approve, doubted=lambda: False)
    assert approve.asked == []
    assert outcome.ok
    assert [event.doubtful for event in told if isinstance(event, events.PlanReady)] == [False]


def test_a_refusal_is_not_asked_about():
    approve = Approver()
    run("", FakeDesktop(), approve, doubted=lambda: True)
    assert approve.asked == []


# When steps run


def test_a_read_starts_before_the_stream_ends():
    begun = asyncio.Event()

    async def steps() -> AsyncIterator[Step]:
        yield Step(1, "find", ("Sid",))
        await asyncio.wait_for(begun.wait(), PATIENCE)
        yield Step(2, "look", ("$1",))

    outcome, _ = run(steps(), FakeDesktop(find=signalling(begun, 0)))
    assert outcome.ok


def test_a_read_waits_for_the_read_that_it_needs():
    desktop = FakeDesktop()
    outcome, _ = run('1. find("Sid")\n2. look("see $1")', desktop)
    assert desktop.calls == [("find", "Sid"), ("look", "see find(Sid)")]
    assert outcome.results()[2].value == "look(see find(Sid))"


def test_writes_and_sends_wait_for_one_approval_of_the_whole_plan():
    plan = '1. find("Sid")\n2. note("$1")\n3. send("see you")'
    desktop, seen = FakeDesktop(), []

    async def look_around() -> None:
        await asyncio.sleep(0.01)
        seen.extend(desktop.calls)

    approve = Approver(first=look_around)
    outcome, _ = run(plan, desktop, approve)
    assert seen == [("find", "Sid")]
    assert approve.asked == [parse_plan(plan)]
    assert outcome.ok
    assert Counter(name for name, _ in desktop.calls) == {"find": 1, "note": 1, "send": 1}


def test_reads_alone_ask_nobody():
    approve = Approver(None)
    outcome, _ = run('1. find("Sid")\n2. look("$1")', FakeDesktop(), approve)
    assert outcome.ok
    assert approve.asked == []


def test_steps_of_one_app_run_one_after_another_and_apps_side_by_side():
    desktop = FakeDesktop(note=taking(0.01), jot=taking(0.01), mail=taking(0.03))
    outcome, _ = run('1. note("a")\n2. mail("b")\n3. jot("c")\n4. note("d")', desktop)
    assert outcome.ok
    assert desktop.most_at_once["Notes"] == 1
    assert desktop.most_at_once["any"] == 2
    assert [value for name, value in desktop.calls if name != "mail"] == ["a", "c", "d"]


def test_an_empty_plan_is_over_at_once_and_not_a_success():
    outcome, told = run("", FakeDesktop())
    assert told == [events.PlanReady(Plan())]
    assert not outcome.ok


# What a result is


@pytest.mark.parametrize("result", ["$2", "${1} and $1", "\\$1", 'say "$1"', "$15"])
def test_a_result_is_never_read_for_references(result):
    async def behave(value: Any) -> str:
        return result

    desktop = FakeDesktop(find=behave)
    run('1. find("a")\n2. look("b")\n3. note("$1")\n4. mail("<$1> $2")', desktop)
    assert dict(desktop.calls)["note"] == result
    assert dict(desktop.calls)["mail"] == f"<{result}> look(b)"


def test_what_no_step_has_said_stays_money():
    desktop = FakeDesktop()
    run('1. find("a")\n2. note("it costs $15, or \\\\$1")', desktop)
    assert dict(desktop.calls)["note"] == "it costs $15, or $1"


# Refusals and edits


def test_a_no_refuses_writes_and_keeps_reads():
    desktop = FakeDesktop()
    outcome, _ = run('1. find("Sid")\n2. note("$1")\n3. look("$2")\n4. send("x")', desktop, Approver(None))
    assert how(outcome) == {1: "done", 2: "refused", 3: "skipped", 4: "refused"}
    assert outcome.endings[3].because == 2
    assert desktop.calls == [("find", "Sid")]
    assert not outcome.ok


def test_a_step_left_out_is_refused_and_the_others_are_done():
    plan = parse_plan('1. find("Sid")\n2. note("$1")\n3. send("x")')
    desktop = FakeDesktop()
    outcome, _ = run('1. find("Sid")\n2. note("$1")\n3. send("x")', desktop, Approver(Plan(plan.steps[:2])))
    assert how(outcome) == {1: "done", 2: "done", 3: "refused"}
    assert Counter(desktop.calls) == Counter([("find", "Sid"), ("note", "find(Sid)")])


def test_a_changed_argument_is_the_one_that_counts():
    desktop = FakeDesktop()
    edited = parse_plan('1. find("Sid")\n2. note("only $1")')
    outcome, _ = run('1. find("Sid")\n2. note("$1")', desktop, Approver(edited))
    assert desktop.calls == [("find", "Sid"), ("note", "only find(Sid)")]
    assert outcome.plan == edited


def test_a_changed_read_is_run_again_with_all_that_read_its_result():
    plan = '1. find("Sid")\n2. look("$1")\n3. find("Tom")\n4. mail("$1 $2 $3")'
    desktop = FakeDesktop()
    approve = Approver(parse_plan(plan.replace("Sid", "Ana")), first=lambda: asyncio.sleep(0.01))
    outcome, told = run(plan, desktop, approve)
    assert dict(desktop.calls)["mail"] == "find(Ana) look(find(Ana)) find(Tom)"
    assert Counter(desktop.calls)["find", "Tom"] == 1
    assert [event.result.value for event in told if isinstance(event, events.StepDone)][-3:-1] == [
        "find(Ana)",
        "look(find(Ana))",
    ]
    assert outcome.ok


def test_a_read_that_is_changed_while_it_runs_ends_once_and_nothing_waits_in_vain():
    plan = '1. find("Sid")\n2. look("$1")\n3. mail("$2")'
    begun = asyncio.Event()

    async def behave(value: Any) -> str:
        begun.set()
        await asyncio.sleep(60 if value == "Sid" else 0)
        return value

    desktop = FakeDesktop(find=behave)
    outcome, told = run(plan, desktop, Approver(parse_plan(plan.replace("Sid", "Ana")), first=begun.wait))
    assert outcome.ok
    assert dict(desktop.calls)["mail"] == "look(Ana)"
    assert Counter(event.step.id for event in told if isinstance(event, events.Ending)) == {1: 1, 2: 1, 3: 1}


# Failures


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (NotFound("no contact is called 'Sid'"), ""),
        (StepError("no", "grant it"), "grant it"),
        (Ambiguous("two are called Sid", ("Sid A", "Sid B")), "choose one of: Sid A; Sid B"),
    ],
    ids=["not found", "advice", "ambiguous"],
)
def test_a_failed_step_skips_what_depends_on_it_and_nothing_else(error, advice):
    desktop = FakeDesktop(find=failing(error))
    outcome, _ = run('1. find("Sid")\n2. mail("$1")\n3. look("$2")\n4. note("x")\n5. look("y")', desktop)
    assert how(outcome) == {1: "failed", 2: "skipped", 3: "skipped", 4: "done", 5: "done"}
    assert (outcome.endings[1].message, outcome.endings[1].advice) == (str(error), advice)
    assert (outcome.endings[2].because, outcome.endings[3].because) == (1, 2)
    assert Counter(name for name, _ in desktop.calls) == {"find": 1, "note": 1, "look": 1}
    assert not outcome.ok


def test_a_fault_of_the_desktop_is_named_and_stops_only_what_depends_on_it():
    desktop = FakeDesktop(
        find=failing(UnicodeDecodeError("utf-8", b"x", 0, 1, "bad")), note=failing(LookupError("x-unknown"))
    )
    outcome, _ = run('1. find("Sid")\n2. mail("$1")\n3. note("x")\n4. jot("y")', desktop)
    assert how(outcome) == {1: "failed", 2: "skipped", 3: "unknown", 4: "done"}
    assert "note has a fault: LookupError: x-unknown" in outcome.endings[3].message


def test_a_read_that_takes_too_long_has_failed():
    outcome, _ = run('1. slow_find("a")\n2. look("$1")\n3. look("b")', FakeDesktop(slow_find=taking(60)))
    assert how(outcome) == {1: "failed", 2: "skipped", 3: "done"}
    assert "0.03 seconds" in outcome.endings[1].message


def test_a_write_that_takes_too_long_is_unknown_and_not_tried_again():
    desktop = FakeDesktop(slow_note=taking(60))
    outcome, _ = run('1. slow_note("a")\n2. look("$1")', desktop)
    assert how(outcome) == {1: "unknown", 2: "skipped"}
    assert "before you run it again" in outcome.endings[1].advice
    assert desktop.calls == [("slow_note", "a")]


def test_a_time_limit_counts_from_the_call_and_not_from_the_wait_for_the_app():
    tools = Toolbox((tool("a", "write", "Notes", timeout=0.15), tool("b", "write", "Notes", timeout=0.15)))
    outcome, _ = run('1. a("x")\n2. b("y")', FakeDesktop(a=taking(0.1), b=taking(0.1)), tools=tools)
    assert how(outcome) == {1: "done", 2: "done"}


def test_an_unclear_moment_is_told_before_anything_is_asked_and_may_be_mended():
    plan = '1. plan("31 February")\n2. mail("$1")\n3. note("x")'
    desktop, told = FakeDesktop(), []

    class Looking(Approver):
        async def __call__(self, plan: Plan) -> Plan | None:
            told.extend(desktop.calls)
            return await super().__call__(plan)

    outcome, events_told = run(plan, desktop, Looking(parse_plan(plan.replace("31 February", "2026-12-01"))))
    assert told == []
    kinds = [type(event).__name__ for event in events_told]
    assert kinds.index("StepFailed") < kinds.index("PlanReady")
    assert how(outcome) == {1: "done", 2: "done", 3: "done"}
    outcome, _ = run(plan, FakeDesktop(), Approver())
    assert how(outcome) == {1: "failed", 2: "skipped", 3: "done"}
    outcome, _ = run(plan, FakeDesktop(), Approver(None))
    assert how(outcome) == {1: "failed", 2: "refused", 3: "refused"}


def test_a_mended_moment_takes_what_reads_its_result_along():
    plan = '1. plan("31 February")\n2. look("$1")\n3. mail("$2")'
    outcome, _ = run(plan, FakeDesktop(), Approver(parse_plan(plan.replace("31 February", "2026-12-01"))))
    assert how(outcome) == {1: "done", 2: "done", 3: "done"}


def test_a_step_with_an_unclear_moment_may_be_left_out():
    plan = parse_plan('1. plan("31 February")\n2. note("x")')
    outcome, _ = run('1. plan("31 February")\n2. note("x")', FakeDesktop(), Approver(Plan(plan.steps[1:])))
    assert how(outcome) == {1: "refused", 2: "done"}


def test_what_cannot_be_written_down_ends_the_run():
    desktop = FakeDesktop(note=failing(HistoryError("disk is full")))
    with pytest.raises(HistoryError, match="disk is full"):
        run('1. note("x")\n2. mail("y")', desktop)


def test_a_plan_that_can_do_nothing_is_not_asked_about():
    approver = Approver()
    outcome, _ = run('1. plan("31 February")', FakeDesktop(), approver)
    assert how(outcome) == {1: "failed"}
    assert approver.asked == []


def test_what_the_desktop_does_not_know_is_unknown():
    desktop = FakeDesktop(note=failing(OutcomeUnknown("cut off", "look")))
    outcome, _ = run('1. note("a")\n2. jot("$1")', desktop)
    assert how(outcome) == {1: "unknown", 2: "skipped"}
    assert (outcome.endings[1].message, outcome.endings[1].advice) == ("cut off", "look")


@pytest.mark.parametrize(("value", "ended"), [("2026-11-27", "done"), ("", "done"), ("someday", "failed")])
def test_a_step_with_an_unclear_moment_is_not_tried(value, ended):
    desktop = FakeDesktop()
    outcome, _ = run(f'1. plan("{value}")', desktop)
    assert how(outcome) == {1: ended}
    assert len(desktop.calls) == (ended == "done")


def test_a_planner_that_breaks_stops_what_runs():
    begun = asyncio.Event()
    desktop = FakeDesktop(find=signalling(begun))

    async def steps() -> AsyncIterator[Step]:
        yield Step(1, "find", ("Sid",))
        await begun.wait()
        raise PlannerError("the model broke")

    with pytest.raises(PlannerError, match="the model broke"):
        run(steps(), desktop)
    assert desktop.at_once["any"] == 0


# Cancelling


def test_cancelling_accounts_for_every_step():
    running = asyncio.Event()
    desktop = FakeDesktop(look=taking(60), mail=signalling(running))
    plan = '1. find("a")\n2. look("b")\n3. mail("$1")\n4. send("$3")\n5. look("$2")'
    outcome, told = run_and_cancel(plan, desktop, Approver(), running)
    assert outcome.cancelled
    assert how(outcome) == {1: "done", 2: "failed", 3: "unknown", 4: "cancelled", 5: "cancelled"}
    assert Counter(event.step.id for event in told if isinstance(event, events.Ending)) == dict.fromkeys(range(1, 6), 1)
    assert desktop.at_once["any"] == 0


def test_cancelling_the_question_writes_nothing():
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.sleep(60)

    desktop = FakeDesktop()
    outcome, _ = run_and_cancel('1. note("a")\n2. send("$1")', desktop, Approver(first=never), asked)
    assert how(outcome) == {1: "cancelled", 2: "cancelled"}
    assert desktop.calls == []
    assert not outcome.ok


def test_cancelling_a_read_that_is_run_again_forgets_its_first_result():
    plan, again = '1. find("Sid")\n2. look("$1")\n3. mail("x")', asyncio.Event()

    async def behave(value: Any) -> str:
        if value == "Ana":
            again.set()
            await asyncio.sleep(60)
        return value

    approve = Approver(parse_plan(plan.replace("Sid", "Ana")), first=lambda: asyncio.sleep(0.01))
    outcome, _ = run_and_cancel(plan, FakeDesktop(find=behave), approve, again)
    assert (how(outcome)[1], how(outcome)[2]) == ("failed", "cancelled")


def test_a_desktop_may_tidy_up_when_it_is_cut_off():
    running, tidied = asyncio.Event(), []

    async def behave(value: Any) -> str:
        try:
            running.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            tidied.append(value)
        return ""

    outcome, _ = run_and_cancel('1. mail("a")', FakeDesktop(mail=behave), Approver(), running)
    assert tidied == ["a"]
    assert how(outcome) == {1: "unknown"}


# What is told


def test_events_come_in_the_order_in_which_things_happen():
    _, told = run('1. find("Sid")\n2. note("$1")', FakeDesktop())
    names = [(type(event).__name__, getattr(getattr(event, "step", None), "id", 0)) for event in told]
    assert names.index(("StepPlanned", 1)) < names.index(("StepStarted", 1)) < names.index(("StepDone", 1))
    assert names.index(("PlanReady", 0)) < names.index(("StepStarted", 2)) < names.index(("StepDone", 2))
    assert sorted(Counter(names).values()) == [1] * 7


# What it costs


def best_of_3(plan: str, tools: Toolbox, desktop: Callable[[], FakeDesktop]) -> float:
    times, parsed = [], parse_plan(plan)
    for _ in range(3):
        began = time.perf_counter()
        outcome, _ = run(stream(parsed), desktop(), tools=tools)
        times.append(time.perf_counter() - began)
        assert outcome.ok
    return min(times)


@pytest.mark.parametrize("effect", ["read", "write"])
def test_200_steps_of_200_apps_take_little_longer_than_one(effect):
    tools = Toolbox(tuple(tool(f"t{k}", effect) for k in range(200)))
    plan = "\n".join(f'{k + 1}. t{k}("x")' for k in range(200))
    behaviours = {f"t{k}": taking(0.01) for k in range(200)}
    assert best_of_3(plan, tools, lambda: FakeDesktop(**behaviours)) < 1.5 * 0.01 + 0.05


@pytest.mark.parametrize("name", ["find", "note"])
def test_a_chain_of_50_steps_costs_next_to_nothing(name):
    plan = f'1. {name}("x")\n' + "\n".join(f'{k}. {name}("${k - 1}")' for k in range(2, 51))

    async def nothing(value: Any) -> str:
        return "x"

    assert best_of_3(plan, TOOLS, lambda: FakeDesktop(**{name: nothing})) < 0.05
