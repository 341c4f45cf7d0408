"""The Ask screen: from a request to its account, through the one approval."""

from __future__ import annotations

import asyncio
import re
import threading

import pytest
from textual import events

from tests.tui_fakes import SYNC, FakeDesktop, FakePlanner, ask, done, make_app, text_of, to_approval, unlock, until
from tinyagent_mlx.errors import Ambiguous, NotFound, OutcomeUnknown, PlannerError, StepError
from tui.hesitation import TYPING

REMINDER = '1. create_reminder("call the dentist", "tomorrow at 9am", "", "", 0, False)'
LOOKUP = '1. get_email_address("Sid")'


def run(coroutine):
    return asyncio.run(coroutine)


def test_approved_plan_is_carried_out_and_accounted_for():
    async def flow():
        desktop = FakeDesktop()
        async with make_app(desktop=desktop).run_test(size=(80, 24)) as pilot:
            await to_approval(pilot)
            assert not desktop.called("create_calendar_event")
            await pilot.press("a")
            await pilot.pause(TYPING + 0.1)
            await done(pilot)
            assert desktop.called("create_calendar_event")[0]["invitees"] == ("sid@example.org", "lutfi@example.org")
            assert "3 of 3 steps done." in text_of(pilot)

    run(flow())


def test_plan_shows_arguments_in_full_with_resolved_dates_and_what_waits_for_what():
    async def flow():
        async with make_app().run_test(size=(80, 24)) as pilot:
            await to_approval(pilot)
            shown = text_of(pilot)
            assert "3. ✎ create_calendar_event  Calendar · after 1, 2" in shown
            assert "start_date: Fri 27 Nov 2026, 15:00" in shown
            assert 'invitees: ["$1", "$2"]' in shown
            assert "$2 is lutfi@example.org" in shown
            node = pilot.app.screen.transcript.runs[-1].nodes[3]
            assert node.above.step.id == 2, "a step hangs under the last of the steps it waits for"

    run(flow())


def test_reads_run_while_the_plan_still_streams():
    async def flow():
        gate = threading.Event()
        desktop = FakeDesktop()
        async with make_app(FakePlanner(SYNC, hold={2: gate}), desktop).run_test() as pilot:
            await ask(pilot, "sync")
            await until(pilot, lambda: "→ sid@example.org" in text_of(pilot))
            assert "Lutfi" not in text_of(pilot)
            gate.set()
            await until(pilot, lambda: pilot.app.screen.bar.asking)

    run(flow())


def test_what_arrives_at_once_at_the_approval_goes_to_the_prompt_as_it_was_typed():
    async def flow():
        desktop, text = FakeDesktop(), "add a new note, also on Sid's sofa"
        async with make_app(FakePlanner(REMINDER), desktop).run_test() as pilot:
            await to_approval(pilot)
            for character in text:
                pilot.app.post_message(events.Key("space" if character == " " else character, character))
            await pilot.pause(TYPING + 0.1)
            assert pilot.app.screen.prompt.text == text
            assert pilot.app.screen.bar.asking
            assert not desktop.calls

    run(flow())


def test_what_is_pasted_at_the_approval_goes_to_the_prompt():
    async def flow():
        async with make_app(FakePlanner(REMINDER)).run_test() as pilot:
            await to_approval(pilot)
            pilot.app.post_message(events.Paste("a note for Sid"))
            await until(pilot, lambda: pilot.app.screen.prompt.text == "a note for Sid")
            assert pilot.app.screen.bar.asking

    run(flow())


def test_a_step_that_cannot_be_done_is_not_among_what_is_asked():
    async def flow():
        desktop = FakeDesktop()
        plan = '1. create_reminder("call", "31 February", "", "", 0, False)\n2. create_note("a", "b", "")'
        async with make_app(FakePlanner(plan), desktop).run_test(size=(80, 24)) as pilot:
            await to_approval(pilot)
            assert "1 step writes on this machine. Step 1 can't be done: see above." in text_of(pilot, "#question")
            assert "'31 February' is no moment" in text_of(pilot)

    run(flow())


def test_plan_that_only_reads_needs_no_approval():
    async def flow():
        async with make_app(FakePlanner(LOOKUP)).run_test() as pilot:
            await ask(pilot, "sid's address")
            await until(pilot, lambda: "Done." in text_of(pilot))
            assert not pilot.app.screen.bar.display

    run(flow())


def test_empty_plan_says_that_no_tool_can_do_it():
    async def flow():
        async with make_app(FakePlanner("")).run_test() as pilot:
            await ask(pilot, "what is love")
            await until(pilot, lambda: "None of the tools can do that" in text_of(pilot))

    run(flow())


@pytest.mark.parametrize("keys", [["a"], ["enter"], ["a", "a", "a"], ["enter", "enter"]], ids=str)
def test_keys_typed_ahead_never_approve(keys):
    async def flow():
        desktop = FakeDesktop()
        async with make_app(FakePlanner(REMINDER), desktop).run_test() as pilot:
            await ask(pilot, "remind me")
            await until(pilot, lambda: pilot.app.screen.bar.asking)
            await pilot.press(*keys)
            await pilot.pause(TYPING + 0.1)
            assert pilot.app.screen.bar.asking
            assert not desktop.calls

    run(flow())


def test_letters_typed_at_the_bar_go_to_the_prompt_and_approve_nothing():
    async def flow():
        desktop = FakeDesktop()
        async with make_app(FakePlanner(REMINDER), desktop).run_test() as pilot:
            await to_approval(pilot)
            await pilot.press(*"also")
            await pilot.pause(TYPING + 0.1)
            assert pilot.app.screen.prompt.text == "also"
            assert pilot.app.screen.prompt.has_focus
            assert pilot.app.screen.bar.asking
            assert not desktop.calls
            assert "Tab goes to the answers." in text_of(pilot, "#question")
            await pilot.press("tab")
            await until(pilot, lambda: "Tab goes" not in text_of(pilot, "#question"))
            await unlock(pilot)
            await pilot.press("a")
            await done(pilot)
            assert desktop.calls
            assert pilot.app.screen.prompt.text == "also"

    run(flow())


def test_bar_leaves_the_focus_to_someone_who_types():
    async def flow():
        gate = threading.Event()
        async with make_app(FakePlanner(REMINDER, hold={1: gate})).run_test() as pilot:
            await ask(pilot, "remind me")
            await pilot.press(*"next")
            gate.set()
            await until(pilot, lambda: pilot.app.screen.bar.asking)
            await pilot.press(*" a")
            assert pilot.app.screen.prompt.text == "next a"
            await pilot.press("tab")
            assert pilot.app.screen.bar.has_focus_within
            assert pilot.app.screen.bar.asking

    run(flow())


def test_enter_on_a_focused_button_answers():
    async def flow():
        desktop = FakeDesktop()
        async with make_app(FakePlanner(REMINDER), desktop).run_test() as pilot:
            await to_approval(pilot)
            await pilot.press("tab", "enter")
            await done(pilot)
            assert desktop.called("create_reminder")

    run(flow())


def test_rejected_plan_does_nothing_and_says_so():
    async def flow():
        desktop = FakeDesktop()
        async with make_app(FakePlanner(REMINDER), desktop).run_test() as pilot:
            await to_approval(pilot)
            await pilot.press("r")
            await done(pilot)
            assert not desktop.calls
            assert "not approved" in text_of(pilot)

    run(flow())


def test_rejecting_with_a_note_plans_again_with_it():
    async def flow():
        planner = FakePlanner(REMINDER)
        async with make_app(planner).run_test() as pilot:
            await to_approval(pilot, "remind me to call the dentist.")
            await pilot.press("n")
            await pilot.pause(TYPING + 0.1)
            await pilot.press(*"at ten", "enter")
            await until(pilot, lambda: len(planner.asked) == 2)
            assert planner.asked[1] == "remind me to call the dentist. at ten"
            await until(pilot, lambda: pilot.app.screen.bar.asking)

    run(flow())


def test_escape_stops_planning_at_once():
    async def flow():
        gate = threading.Event()
        async with make_app(FakePlanner(SYNC, hold={1: gate})).run_test() as pilot:
            await ask(pilot, "sync")
            await until(pilot, lambda: "planning" in text_of(pilot))
            await pilot.press("escape")
            await until(pilot, lambda: "Stopped while it was planned. Nothing was done." in text_of(pilot))
            gate.set()

    run(flow())


def test_escape_stops_a_run_and_accounts_for_every_step():
    async def flow():
        desktop = FakeDesktop(hold={"create_calendar_event": asyncio.Event()})
        async with make_app(desktop=desktop).run_test() as pilot:
            await to_approval(pilot)
            await pilot.press("a")
            await until(pilot, lambda: desktop.called("create_calendar_event"))
            await pilot.press("escape")
            await done(pilot)
            shown = text_of(pilot)
            assert "Stopped. 2 of 3 steps done." in shown
            assert "may or may not have happened" in shown
            assert "Look whether it happened" in shown

    run(flow())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotFound("no contact 'Lutfi'", "add Lutfi to the contacts"), "What to do: add Lutfi to the contacts"),
        (OutcomeUnknown("the lookup was cut off"), "may or may not have happened: the lookup was cut off"),
    ],
    ids=["failed", "unknown"],
)
def test_failure_says_what_happened_what_was_not_done_and_what_to_do(error, said):
    async def flow():
        desktop = FakeDesktop(answers={("get_email_address", "Lutfi"): error})
        async with make_app(desktop=desktop).run_test(size=(120, 40)) as pilot:
            await ask(pilot, "sync")
            await until(pilot, lambda: not pilot.app.screen.running)
            shown = text_of(pilot)
            assert "1 of 3 steps done." in shown
            assert said in shown
            assert "Not done because of it: step 3 (Create the event Sync at Fri 27 Nov 2026, 15:00)" in shown
            assert not desktop.called("create_calendar_event")

    run(flow())


def test_choice_of_an_ambiguous_step_carries_out_the_rest_and_nothing_twice():
    async def flow():
        two = Ambiguous("'Sid' is in the contacts more than once", ("Sid Patel", "Sid Moore"))
        desktop = FakeDesktop(answers={("get_email_address", "Sid"): two})
        async with make_app(desktop=desktop).run_test() as pilot:
            await ask(pilot, "sync")
            await until(pilot, lambda: not pilot.app.screen.running)
            await pilot.press("tab", "down", "enter")
            await unlock(pilot)
            await pilot.press("a")
            await pilot.pause(TYPING + 0.1)
            await done(pilot)
            names = [call["name"] for call in desktop.called("get_email_address")]
            assert names == ["Sid", "Lutfi", "Sid Moore"]
            invited = desktop.called("create_calendar_event")[0]["invitees"]
            assert invited == ("sid moore@example.org", "lutfi@example.org")

    run(flow())


def test_request_waits_for_a_planner_that_still_loads():
    async def flow():
        gate = threading.Event()

        def slow():
            gate.wait(10)
            return made.engine_agent

        made = make_app(FakePlanner(LOOKUP))
        made.engine_agent = made.engine._make()
        async with make_app(make_agent=slow).run_test() as pilot:
            await ask(pilot, "sid's address")
            await until(pilot, lambda: "waits for the planner to load" in text_of(pilot))
            gate.set()
            await until(pilot, lambda: "Done." in text_of(pilot))

    run(flow())


def test_planner_that_can_not_be_loaded_is_told():
    async def flow():
        def broken():
            raise PlannerError("no weights in 'x'")

        async with make_app(make_agent=broken).run_test() as pilot:
            await ask(pilot, "sid's address")
            await until(pilot, lambda: "no weights in 'x'. Nothing was done." in text_of(pilot))

    run(flow())


def test_arrow_keys_walk_through_earlier_requests():
    async def flow():
        async with make_app(FakePlanner("")).run_test() as pilot:
            for request in ("first", "second"):
                await ask(pilot, request)
                await done(pilot)
            prompt = pilot.app.screen.prompt
            await pilot.press(*"dra", "up")
            assert prompt.text == "second"
            await pilot.press("up")
            assert prompt.text == "first"
            await pilot.press("down", "down")
            assert prompt.text == "dra"

    run(flow())


def test_result_is_copied_and_opened_and_the_step_previewed():
    async def flow():
        async with make_app(FakePlanner(LOOKUP)).run_test() as pilot:
            await ask(pilot, "sid's address")
            await done(pilot)
            await pilot.press("tab", "c")
            await pilot.pause(TYPING + 0.1)
            assert pilot.app.clipboard == "sid@example.org"
            await pilot.press("enter")
            assert pilot.app.screen.query_one("TextArea").text == "sid@example.org"
            await pilot.press("escape", "p")
            await pilot.pause(TYPING + 0.1)
            assert "get_email_address with {'name': 'Sid'}" in pilot.app.screen.query_one("TextArea").text

    run(flow())


def test_what_is_typed_at_a_step_goes_to_the_prompt_and_does_nothing_to_it():
    async def flow():
        desktop, text = FakeDesktop(handles=True), "put lunch with Ines"
        async with make_app(FakePlanner(LOOKUP), desktop).run_test() as pilot:
            await ask(pilot, "sid's address")
            await done(pilot)
            await pilot.press("tab")
            for character in text:
                pilot.app.post_message(events.Key("space" if character == " " else character, character))
            await until(pilot, lambda: pilot.app.screen.prompt.text == text)
            await pilot.pause(TYPING + 0.1)
            assert pilot.app.screen.prompt.text == text
            assert pilot.app.clipboard == ""
            assert not desktop.undone

    run(flow())


def test_a_step_that_has_no_preview_says_why():
    class Without(FakeDesktop):
        def preview(self, tool, arguments):
            raise StepError(f"{tool.name} has no script")

    async def flow():
        async with make_app(FakePlanner(LOOKUP), Without()).run_test() as pilot:
            await ask(pilot, "sid's address")
            await done(pilot)
            await pilot.press("tab", "p")
            await until(pilot, lambda: any("has no script" in n.message for n in pilot.app._notifications))

    run(flow())


def test_letters_typed_right_behind_a_request_are_the_next_one():
    async def flow():
        async with make_app(FakePlanner(LOOKUP)).run_test() as pilot:
            pilot.app.screen.prompt.write("sid's address")
            await pilot.press("enter", *"next")
            await done(pilot)
            assert pilot.app.screen.prompt.text == "next"

    asyncio.run(flow())


def test_request_waits_its_turn_and_its_text_stays():
    async def flow():
        planner = FakePlanner(REMINDER)
        async with make_app(planner).run_test() as pilot:
            await to_approval(pilot)
            await ask(pilot, "another")
            assert pilot.app.screen.prompt.text == "another"
            assert len(planner.asked) == 1

    asyncio.run(flow())


def test_no_color_leaves_no_colour(monkeypatch):
    async def flow():
        async with make_app(FakePlanner(LOOKUP)).run_test() as pilot:
            await ask(pilot, "sid's address")
            await done(pilot)
            assert pilot.app.no_color
            drawn = pilot.app.export_screenshot()
            colours = {match.lower() for match in re.findall(r"-r\d+ {[^}]*fill: (#[0-9a-fA-F]{6})", drawn)}
            colours -= {"#c5c8c6"}  # the export's own colour for text that has none
            assert colours
            assert not [c for c in colours if len({c[1:3], c[3:5], c[5:7]}) > 1]

    monkeypatch.setenv("NO_COLOR", "1")
    asyncio.run(flow())
