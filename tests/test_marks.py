"""The marks at a request's end come back to the text that they end."""

from __future__ import annotations

import pytest

from tinyagent_mlx.marks import with_marks
from tinyagent_mlx.plan import parse_plan, print_step

SMS = 'send_sms(["555-0199"], "{}")'
NOTE = 'create_note("{}", "{}", "")'
CASES = {
    "a password": ("note: the password is hunter2!", NOTE.format("", "the password is hunter2"), "hunter2!"),
    "a password with marks in it": ("new note called wifi: Xy$9!kk?", NOTE.format("wifi", "Xy$9"), "Xy$9!kk?"),
    "two with a stroke": ("text 555-0199 ask Sid/Ana.", SMS.format("ask Sid"), "ask Sid/Ana"),
    "a clause behind a dash": ("text 555-0199 I'm late—and open maps", SMS.format("I'm late"), ""),
    "marks in a row": ("text 555-0199 wow?!", SMS.format("wow"), ""),
    "a text that asks": ("text 555-0199 are you coming?", SMS.format("are you coming"), "coming?"),
    "a request that asks": ("can you text 555-0199 that I'm late?", SMS.format("I'm late"), ""),
    "a request that asks for what asks": ("can you text 555-0199 will be late?", SMS.format("will be late"), ""),
    "an order in a request that asks": ("could you text 555-0199 do the dishes?", SMS.format("do the dishes"), ""),
    "no question": ("text 555-0199 May rent is paid?", SMS.format("May rent is paid"), ""),
    "a part of another word": ("text 555-0199 hi and open the map of Delhi!", SMS.format("hi"), ""),
    "before a full stop": ("note: the password is hunter2!.", NOTE.format("", "the password is hunter2"), "hunter2!"),
    "a smiley": ("text 555-0199 that I love her 😘", SMS.format("I love her"), "her 😘"),
    "a full stop": ("text 555-0199 ok.", SMS.format("ok"), ""),
    "a quote": ("text 555-0199 'ok!'", SMS.format("ok"), ""),
    "words after it": ("text 555-0199 ok! and call Sid", SMS.format("ok"), ""),
    "a name": ("new note called shopping!", NOTE.format("shopping", ""), ""),
    "what a look-up wants": ("what's Ines's number!", 'get_phone_number("Ines")', ""),
    "other words": ("text 555-0199 that the train is late!", SMS.format("running late"), ""),
    "case": ("text 555-0199 OK!", SMS.format("ok"), "ok!"),
    "after a result": ("text 555-0199 the summary and thanks!", 'send_sms(["555-0199"], "$1 thanks")', "thanks!"),
}


@pytest.mark.parametrize(("request_", "plan", "ends"), CASES.values(), ids=CASES)
def test_marks_come_back_to_a_text_and_to_nothing_else(shipped_tools, request_, plan, ends):
    *_, step = parse_plan(f'1. summarize_pdf("x")\n2. {plan}').steps
    found = with_marks(step, shipped_tools[step.tool], request_)
    assert (found != step) == bool(ends)
    assert ends in print_step(found)
