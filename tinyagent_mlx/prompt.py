"""The planner's prompt: a pure function of tools, request and moment. It knows nothing of models and tokenizers.

What never changes stands first (the plan language, the common rules), then what retrieval chose (tools, examples),
then the moment and the request: a model's memory of the beginning serves every request. Which words those are is a
`Profile`'s; ours are in profiles.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol

import yaml

from tinyagent_mlx.earlier import Earlier
from tinyagent_mlx.plan import Plan, print_plan, print_step
from tinyagent_mlx.profile import Piece, Profile, fill, from_data
from tinyagent_mlx.toolbox import Argument, Example, Tool, Toolbox

VERDICTS = ("Finish", "Replan")
MAX_DECLARED = 2  # examples, without the request's nearness to choose by


def _ours() -> tuple[dict[str, Profile], dict[str, str]]:
    """The profiles and the frames of profiles.yaml."""
    file = Path(__file__).with_name("profiles.yaml")
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    profiles = {name: from_data(entry, f"{file}: {name}", name) for name, entry in data["profiles"].items()}
    return profiles, data["frames"]


PROFILES, FRAMES = _ours()
PLAIN, ALPACA, BRIEF = (PROFILES[name] for name in ("plain", "alpaca", "brief"))


class Examples(Protocol):
    """Chooses what a prompt shows; see `Declared` and `nearness.NearestExamples`."""

    def choose(self, request: str, tools: Toolbox, most: int) -> Sequence[Example]: ...


class Declared:
    """The examples of tools.yaml that show many of the tools at hand, whatever the request."""

    def choose(self, request: str, tools: Toolbox, most: int) -> Sequence[Example]:
        return choose_examples(tools, min(most, MAX_DECLARED))


def planner_prompt(
    tools: Toolbox,
    request: str,
    now: datetime,
    more: bool = False,
    profile: Profile = PLAIN,
    examples: Sequence[Example] | None = None,
    earlier: Earlier | None = None,
) -> str:
    """Write the prompt for the tools at hand; `more` tells that there are others to ask for.

    `examples` are those to show, in order; None leaves it to `Declared`. `earlier` is what was tried before: the plan goes
    on from there.
    """
    request = " ".join(request.split())
    shown = Declared().choose(request, tools, profile.examples) if examples is None else examples
    blocks = {tool.name: profile.blocks.get(tool.name) or _block(tool, profile) for tool in _in_order(tools, profile)}
    system = system_text(profile, blocks, now, [_example(example, profile) for example in shown], tools.rules, more)
    if earlier:
        user = _again(again_texts(profile)["user"], request, now, earlier, profile)
    else:
        user = fill(profile.user, request=request, now=now)
    return fill(profile.frame, system=system, user=user, now=now)


def judge_prompt(request: str, now: datetime, earlier: Earlier, profile: Profile = PLAIN) -> str:
    """Ask whether to plan on after what was tried; the answer is one of `VERDICTS`."""
    texts = again_texts(profile)
    user = _again(texts["verdict"], " ".join(request.split()), now, earlier, profile)
    return fill(profile.frame, system=fill(texts["judge"], now=now), user=user, now=now)


def again_texts(profile: Profile) -> dict[str, str]:
    """How a profile tells what was tried; what it has no words for is told in ours."""
    return {**PLAIN.again, **profile.again}


def _again(text: str, request: str, now: datetime, earlier: Earlier, profile: Profile) -> str:
    texts = again_texts(profile)
    tried = "".join(
        fill(texts["not_done" if one.result is None else "done"], step=print_step(one.step), result=one.told, why=one.told)
        for one in earlier.tried
    )  # fmt: skip
    note = fill(texts["note"], note=" ".join(earlier.note.split())) if earlier.note.strip() else ""
    return fill(text, request=request, now=now, tried=tried, note=note, next=len(earlier.tried) + 1)


def prompt_head(tools: Toolbox, profile: Profile = PLAIN) -> str:
    """What the prompts of a toolbox begin with, whatever is retrieved, asked, and at which moment."""
    first, last = (
        (tools, tools) if profile.all_tools else (tools.subset(tools.names[:1]), tools.subset(tools.names[-2:]))
    )
    known = [example for tool in tools for example in tool.examples]
    prompts = [
        planner_prompt(first, "a", datetime(2001, 2, 3, 4, 5), False, profile, ()),
        planner_prompt(last, "b", datetime(1999, 11, 30, 23, 16), True, profile, known[:1] if profile.examples else ()),
    ]
    return "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], zip(*prompts, strict=False)))


def system_text(
    profile: Profile, blocks: Mapping[str, str], now: datetime, examples: Sequence[str] = (), rules: Sequence[str] = (),
    more: bool = False,
) -> str:  # fmt: skip
    """What stands before the request: `blocks` are the tools at hand in the profile's words, in order, and `examples` are
    written as they are."""
    counts: dict[str, Any] = {"tools": len(blocks), "entries": len(blocks) + 1, "now": now}
    parts: list[str] = []
    for piece in profile.system:
        if not _stands(piece, blocks, bool(rules), more):
            continue
        if piece.each == "rule":
            parts.extend(fill(piece.text, rule=rule) for rule in rules)
        elif piece.each == "tool":
            numbered = enumerate(blocks.items(), 1)
            parts.extend(fill(piece.text, number=number, name=name, block=text) for number, (name, text) in numbered)
        elif piece.each == "example":
            parts.extend(examples)
        else:
            parts.append(fill(piece.text, **counts))
    return "".join(parts)


def _stands(piece: Piece, at_hand: Mapping[str, str], rules: bool, more: bool) -> bool:
    if (piece.when == "rules" and not rules) or (piece.when == "more" and not more):
        return False
    return (not piece.any or any(name in at_hand for name in piece.any)) and all(name in at_hand for name in piece.all)


def _in_order(tools: Toolbox, profile: Profile) -> list[Tool]:
    """Tools in the order that the profile lists them in; those that it does not know come last."""
    place = {name: number for number, name in enumerate(profile.order)}
    return sorted(tools, key=lambda tool: place.get(tool.name, len(place)))


def _block(tool: Tool, profile: Profile) -> str:
    """A tool that the profile has no words for; it ends as the profile's own do."""
    known = next(iter(profile.blocks.values()), "")
    return tool_block(tool) + known[len(known.rstrip("\n")) :]


def tool_block(tool: Tool) -> str:
    """A tool as the prompt shows it: its signature with a note on each argument, what it does, its rules."""
    arguments = "; ".join(map(_argument, tool.arguments))
    return "\n  ".join([f"{tool.name}({arguments}) -> {tool.returns}", tool.description, *tool.rules])


def _argument(argument: Argument) -> str:
    """Name, type unless it is text, description, choices: short, for most of the prompt is this."""
    kind = "" if argument.type.name == "text" else f"{argument.type.name}, "
    choices = "".join(f", {value!r} {meaning}" for value, meaning in argument.choices.items())
    return f"{argument.name}: {kind}{argument.description}{choices}"


def choose_examples(tools: Toolbox, most: int) -> tuple[Example, ...]:
    """Few examples that show many of the tools, and none that is not at hand; the ones with most tools first."""
    known = [
        (example, used)
        for tool in tools
        for example in tool.examples
        if (used := {step.tool for step in example.plan.steps}) and used <= set(tools.names)
    ]
    chosen: list[Example] = []
    shown: set[str] = set()
    while len(chosen) < most and (new := max((len(used - shown) for _, used in known), default=0)):
        example, used = next((example, used) for example, used in known if len(used - shown) == new)
        chosen.append(example)
        shown |= used
    return tuple(chosen)


def _example(example: Example, profile: Profile) -> str:
    """An example as the profile has it word for word, or else in its layout."""
    return profile.shown.get(example.request) or example_text(example, profile)


def example_text(example: Example, profile: Profile) -> str:
    """An example in the profile's layout; "" where it shows none."""
    layout = next((piece.text for piece in profile.system if piece.each == "example"), "")
    plan = Plan(example.plan.steps)
    request = " ".join(example.request.split())
    steps = print_plan(plan)
    return fill(
        layout, request=request, plan=print_plan(plan, join=True), steps=f"{steps}\n" if steps else "",
        number=len(plan.steps) + 1,
    )  # fmt: skip
