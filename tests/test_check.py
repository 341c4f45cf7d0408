"""A plan is checked against the tools: each fault is named with its step, tool and argument."""

from __future__ import annotations

import pytest

from tinyagent_mlx.check import argument_problem, check_plan, check_step
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.plan import Plan, Step, parse_plan
from tinyagent_mlx.values import Mixed, Ref

RIGHT = {
    "no steps": "",
    "lookup and event": '1. get_email_address("Sid")\n2. create_calendar_event("Sync", "", "", "", ["$1", "a@b.com"], "", "")',
    "file and summary": '1. open_and_get_file_path("a.pdf")\n2. summarize_pdf("$1")',
    "summary as text of a mail": '1. open_and_get_file_path("a.pdf")\n2. summarize_pdf("$1")\n'
    '3. compose_new_email([], [], "Summary", "Here: $2", ["$1"])',
    "any result as text": '1. get_phone_number("Sid")\n2. create_note("Number", "$1", "")',
    "status as text": '1. create_note("a", "", "")\n2. create_note("b", "$1", "")',
    "link as location": '1. get_zoom_meeting_link("Sync", "", 60, [])\n2. create_calendar_event("Sync", "", "", "$1", [], "", "")',
    "choices": '1. maps_show_directions("", "Elm Park", "w")\n2. create_reminder("a", "", "", "", 9, True)',
    "empty lists and texts": '1. compose_new_email([], [], "", "", [])',
    "literal number": '1. send_sms(["+1 555 0199"], "hi")',
}

# Each plan's last step is at fault: (plan, what the message says).
WRONG = {
    "unknown tool": ('1. send_fax("a")', "step 1: no tool is called 'send_fax'"),
    "tool in other letters": ('1. Open_Note("a", "")', "no tool is called 'Open_Note'"),
    "too few arguments": ('1. open_note("a")', "step 1: open_note takes 2 arguments, got 1"),
    "too many arguments": ('1. open_note("a", "", "")', "takes 2 arguments, got 3"),
    "no arguments": ("1. open_note()", "takes 2 arguments, got 0"),
    "number for text": ('1. open_note(5, "")', "open_note, argument name is 5, expected text"),
    "list for text": ('1. open_note(["a"], "")', "argument name is a list where one text is expected"),
    "text for a list": ('1. send_sms("555-0199", "hi")', "argument recipients is '555-0199', expected a list of phone"),
    "reference for a list": (
        '1. get_phone_number("a")\n2. send_sms("$1", "hi")',
        "step 2: send_sms, argument recipients",
    ),
    "name for a number": ('1. send_sms(["Sid"], "hi")', "recipients is 'Sid', which is no phone"),
    "name for an address": ('1. reply_to_email(["Sid"], "", [])', "cc is 'Sid', which is no email"),
    "text for a count": ('1. get_zoom_meeting_link("a", "", "60", [])', "duration is '60', expected integer"),
    "boolean for a count": ('1. get_zoom_meeting_link("a", "", True, [])', "duration is True, expected integer"),
    "count for a boolean": ('1. create_reminder("a", "", "", "", 0, 0)', "all_day is 0, expected boolean"),
    "unknown choice": ('1. maps_show_directions("", "a", "x")', "transport is 'x', expected one of 'd', 'w', 'r'"),
    "empty choice": ('1. maps_show_directions("", "a", "")', "transport is '', expected one of"),
    "unknown priority": ('1. create_reminder("a", "", "", "", 3, False)', "priority is 3, expected one of 0, 1, 5, 9"),
    "reference to a phone as address": (
        '1. get_phone_number("a")\n2. reply_to_email(["$1"], "", [])',
        "step 2: reply_to_email, argument cc takes no phone, which is what step 1 returns",
    ),
    "reference to an address as phone": (
        '1. get_email_address("a")\n2. send_sms(["$1"], "")',
        "recipients takes no email",
    ),
    "reference to an address as path": ('1. get_email_address("a")\n2. summarize_pdf("$1")', "pdf_path takes no email"),
    "reference to text as attachment": (
        '1. open_note("a", "")\n2. reply_to_email([], "", ["$1"])',
        "attachments takes no text, which is what step 1 returns",
    ),
    "wrong reference among right ones": (
        '1. get_email_address("a")\n2. get_phone_number("a")\n3. reply_to_email(["$1", "$2"], "", [])',
        "step 3: reply_to_email, argument cc takes no phone, which is what step 2 returns",
    ),
    "reference as a name": (
        '1. open_note("a", "")\n2. get_phone_number("$1")',
        "is a reference, which person does not take",
    ),
    "reference as a date": (
        '1. open_note("a", "")\n2. create_reminder("a", "$1", "", "", 0, False)',
        "due_date is a reference, which datetime does not take",
    ),
    "reference as a choice": (
        '1. open_note("a", "")\n2. maps_show_directions("", "a", "$1")',
        "transport is a reference",
    ),
    "reference as a count": (
        '1. open_note("a", "")\n2. get_zoom_meeting_link("a", "", "$1", [])',
        "duration is a reference",
    ),
    "reference inside an address": (
        '1. get_email_address("a")\n2. reply_to_email(["<$1>"], "", [])',
        "cc mixes text and references, which email does not take",
    ),
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_a_right_plan_passes(shipped_tools, text):
    check_plan(parse_plan(text), shipped_tools)


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_a_fault_is_named_with_step_tool_and_argument(shipped_tools, text, says):
    with pytest.raises(PlanError) as error:
        check_plan(parse_plan(text), shipped_tools)
    assert says in str(error.value)
    assert str(error.value).startswith(f"step {len(text.splitlines())}: ")
    assert "\n" not in str(error.value)


def test_every_example_of_the_shipped_tools_passes(shipped_tools):
    for tool in shipped_tools:
        for example in tool.examples:
            check_plan(example.plan, shipped_tools)


def test_a_subset_of_tools_knows_no_others(shipped_tools):
    plan = parse_plan('1. open_note("a", "")')
    with pytest.raises(PlanError, match="no tool is called 'open_note'"):
        check_plan(plan, shipped_tools.subset(["create_note"]))


@pytest.mark.parametrize("number", [0, 2, -1])
def test_steps_made_in_code_are_numbered_too(shipped_tools, number):
    with pytest.raises(PlanError, match="expected step 1"):
        check_plan(Plan((Step(number, "open_note", ("a", "")),)), shipped_tools)


@pytest.mark.parametrize("value", [Ref(2), Ref(7), Mixed(("see ", Ref(2)))], ids=str)
def test_a_reference_to_no_earlier_step_is_refused(shipped_tools, value):
    with pytest.raises(PlanError, match=r"refers to step [27], which is no earlier step"):
        check_step(Step(2, "create_note", ("a", value, "")), shipped_tools, {1: "text"})


def test_an_argument_alone_can_be_checked(shipped_tools):
    cc = shipped_tools["reply_to_email"].arguments[0]
    assert argument_problem(cc, (Ref(1), "a@b.com"), {1: "email"}) is None
    assert argument_problem(cc, (Ref(1),), {1: "phone"}) == "takes no phone, which is what step 1 returns"
