"""Learn how a dataset's prompts tell what was tried before a request was planned again, from its items of type "replan".

Such a prompt is the request, then numbered calls, each with what came back, then a thought and the words that the new plan
follows. What never changes is text; calls, results and thoughts become fields. No sentence of any prompt is in here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from tinyagent_mlx.lab.published import read_entries
from tinyagent_mlx.lab.told import messages
from tinyagent_mlx.profile import fill

ENOUGH = 0.9  # share of the prompts that must come out again
_CALL = re.compile(r"^\d+\. ?\w+\(.*\)$", re.MULTILINE)
_LABEL = re.compile(r"\n([^\n:]{1,40}: )")


@dataclass(frozen=True)
class _Told:
    """What stands between the request and the first call, the calls, what follows each, and what follows the last."""

    lead: str
    calls: tuple[str, ...]
    gaps: tuple[str, ...]
    tail: str


def learn_again(file: Path, before: str, after: str) -> dict[str, str]:
    """The texts of a profile's `again`; {} where the dataset has no such prompts, or where they do not come out again.

    `before` and `after` are what stands around a request.
    """
    told = [one for entry in read_entries(file) for one in _of_entry(entry, before, after)]
    if not told:
        return {}
    lead = Counter(one.lead for one in told).most_common(1)[0][0]
    answer = _up_to_label(_common([text for one in told for text in (*one.gaps, one.tail)]))
    between = _blanks([gap for one in told for gap in one.gaps]) or "\n"
    ends = _common([one.tail[::-1] for one in told])[::-1]
    ends = ends[ends.find("\n") :] if "\n" in ends else ""
    rest = [one.tail[: len(one.tail) - len(ends)] for one in told]
    labels = set.intersection(*(set(_LABEL.findall(text)) for text in rest)) - {answer.lstrip("\n")}
    label = min(labels, key=lambda text: rest[0].rfind(text), default="")
    thought = _blanks([text[: text.rfind(label)] for text in rest]) + label if label else ""
    step = f"{{step}}{answer}{{result}}{between}"
    texts = {
        "user": f"{before}{{request}}{after}{lead}{{tried}}{{note}}{ends}",
        "done": step,
        "not_done": step.replace("{result}", "{why}"),
        "note": thought.removeprefix(between) + "{note}" if thought else "",
    }
    right = sum(_comes_out(one, texts, thought, between, ends) for one in told)
    return texts if right >= ENOUGH * len(told) else {}


def _of_entry(entry: Any, before: str, after: str) -> list[_Told]:
    request = entry.get("input") if isinstance(entry, dict) else None
    items = entry.get("output") if isinstance(entry, dict) else None
    if not isinstance(request, str) or not isinstance(items, list):
        return []
    raw = [item.get("raw_input") for item in items if isinstance(item, dict) and item.get("type") == "replan"]
    found = [messages(text) for text in raw if isinstance(text, str)]
    users = [one[-1][1] for one in found if one and one[-1][0] == "user"]
    head = f"{before}{request}{after}"
    return [one for user in users if user.startswith(head) and (one := _taken_apart(user[len(head) :]))]


def _taken_apart(text: str) -> _Told | None:
    calls = list(_CALL.finditer(text))
    if not calls:
        return None
    ends = [*(later.start() for later in calls[1:]), len(text)]
    gaps = [text[call.end() : end] for call, end in zip(calls, ends, strict=True)]
    return _Told(text[: calls[0].start()], tuple(call[0] for call in calls), tuple(gaps[:-1]), gaps[-1])


def _common(texts: Sequence[str]) -> str:
    """The longest beginning that all texts share."""
    return "".join(same[0] for same in takewhile(lambda same: len(set(same)) == 1, zip(*texts, strict=False)))


def _up_to_label(text: str) -> str:
    """Without what results may begin alike with."""
    return text[: text.rfind(": ") + 2] if ": " in text else text[: text.rfind("\n") + 1]


def _blanks(texts: Sequence[str]) -> str:
    """The white space that all texts end with."""
    common = _common([text[::-1] for text in texts])[::-1]
    return common[len(common.rstrip()) :]


def _comes_out(told: _Told, texts: dict[str, str], thought: str, between: str, ends: str) -> bool:
    """Whether a prompt's end is written again, with its own results and its own thought."""
    answer = texts["done"].removeprefix("{step}").partition("{result}")[0]
    last, _, note = told.tail[: len(told.tail) - len(ends)].rpartition(thought) if thought else (told.tail, "", "")
    results = [gap.removeprefix(answer).removesuffix(between) for gap in told.gaps] + [last.removeprefix(answer)]
    pairs = zip(told.calls, results, strict=True)
    tried = "".join(fill(texts["done"], step=call, result=result) for call, result in pairs)
    theirs = "".join(call + gap for call, gap in zip(told.calls, (*told.gaps, told.tail), strict=True))
    return tried + fill(texts["note"], note=note) + ends == theirs
