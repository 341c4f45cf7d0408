"""A dataset in the published layout, with prompts in sentences of our own: tools that retrieval chose, rules that stand with
some tools only, a date, examples. Nothing of it is upstream's but the outer shape."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tinyagent_mlx.plan import END

BLOCKS = {
    "get_phone_number": "get_phone_number(name: str) -> str\n * Finds the number of one of your people.\n\n",
    "get_email_address": "get_email_address(name: str) -> str\n * Finds the address of one of your people.\n * {name} stays {name}.\n\n",
    "open_note": "open_note(name: str, folder: str) -> str\n * Brings a note to the front.\n\n",
    "append_note_content": "append_note_content(name: str, content: str, folder: str) -> str\n * Puts words under a note.\n\n",
    "send_sms": "send_sms(recipients: list[str], message: str) -> str\n * Texts numbers.\n\n",
    "compose_new_email": "compose_new_email(recipients: list[str], cc: list[str], subject: str, context: str, attachments: list[str]) -> str\n * Starts a mail.\n\n",
}
ORDER = tuple(BLOCKS)
MAIL = {"get_email_address", "compose_new_email"}
PHONE = {"get_phone_number", "send_sms"}
EXAMPLES = (
    (("get_phone_number", "send_sms"), "Text Ada the gate code", '1. get_phone_number("Ada")\n2. send_sms(["$1"], "The gate code is on the door")\n'),
    (("open_note",), "Show my  seed list", '1. open_note("seed list", "")\n'),
    (("append_note_content",), "Add oats to shopping", '1. append_note_content("shopping", "oats", "")\n'),
    (("get_email_address", "compose_new_email"), "Write to Bo about the roof", "1. get_email_address('Bo')\n2. compose_new_email([\"$1\"], [], \"The roof\", \"\", [])\nThought: all is there\n"),
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How the prompts are written; the fields are what tests change."""

    join: bool = True
    begins: str = "Asked: "
    dated: bool = True
    both: bool = False  # a rule that needs two tools at once
    shuffled: bool = False  # tools in any order


USUAL = Layout()


def system(names: Sequence[str], now: datetime, shown: Sequence[tuple[str, str]], layout: Layout) -> str:
    count = len(names) + layout.join
    text = f"Turn what is asked into steps. There are {count} kinds of step, never 10:\n"
    text += "".join(f"{number}. {BLOCKS[name]}" for number, name in enumerate(names, 1))
    if layout.join:
        text += f"{count}. join():\n * Ends the steps.\n   (a) when all is told\n\n"
    text += "Mind this:\n * Keep to the kinds above.\n * Say no more than {that}.\n\n"
    if layout.dated:
        text += f" * It is {now:%A %Y-%m-%d %H:%M} now\n"
    if MAIL & set(names):
        text += " * Know the address before a mail.\n"
    if PHONE & set(names):
        text += " * Know the number before a text.\n * One text for all.\n"
    if (MAIL | PHONE) & set(names):
        text += " * Send before the end.\n"
    if layout.both and {"open_note", "append_note_content"} <= set(names):
        text += " * A note need not be open to grow.\n"
    text += " * Dates look like 2022-01-31 10:00:00.\n\nSee how others did:\n\n"
    return text + "".join(example(request, plan, layout) for request, plan in shown)


def example(request: str, plan: str, layout: Layout) -> str:
    number = 1 + sum(line[0].isdigit() for line in plan.splitlines())
    return f"{layout.begins}{request}\n{plan}{number}. join(){END}\n~~~\n"


def entries(count: int, seed: int = 0, layout: Layout = USUAL) -> dict[str, Any]:
    rng = random.Random(seed)
    found: dict[str, Any] = {}
    for number in range(count):
        chosen = set(rng.sample(ORDER, rng.randint(1, 4)))
        names = [name for name in ORDER if name in chosen]
        if layout.shuffled:
            rng.shuffle(names)
        shown = [(request, plan) for used, request, plan in EXAMPLES if chosen.issuperset(used)][:2]
        now = datetime(2026, 1, 5, 8, 0) + timedelta(minutes=rng.randrange(400_000))
        request = f"Do   the {number}th thing with '{names[0]}'\n and \"more\" {{request}}"
        told = [
            {"role": "system", "content": system(names, now, shown, layout)},
            {"role": "user", "content": f"{layout.begins}{request}"},
        ]
        plan = {"type": "plan", "raw_input": str(told), "raw_output": "1. join()\n", "parsed_output": [], "id": str(number), "index": 0}  # fmt: skip
        found[str(number)] = {"input": request, "output": [plan, {**plan, "type": "join", "raw_input": "[]"}]}
    return found


def write(file: Path, count: int, seed: int = 0, layout: Layout = USUAL) -> Path:
    file.write_text(json.dumps(entries(count, seed, layout)), encoding="utf-8")
    return file
