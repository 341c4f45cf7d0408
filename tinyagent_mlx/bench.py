"""Time planning on this machine: a few fixed requests, planned by several models in several ways, all in one run.

Everything takes turns request by request, so that a machine which is busy with other work is fair to all; what is compared
are ratios of one turn. Knows nothing of where models come from and of how figures are shown.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
from mlx_lm.models.cache import make_prompt_cache

from tinyagent_mlx import grammar, when
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cases import same_graph
from tinyagent_mlx.decoding import Decoder
from tinyagent_mlx.language import LanguagePlanner
from tinyagent_mlx.plan import Plan, parse_plan, print_plan
from tinyagent_mlx.planner import PlanEnd
from tinyagent_mlx.pointing import PointerEngine
from tinyagent_mlx.prompt import planner_prompt

NOW = datetime(2026, 11, 23, 9)
USED = "as used"
DRAFT = 8  # tokens that are guessed at most
WARM = "open the packing list"  # planned once by each before anything is timed
DECODED = 32  # tokens that the speed of writing is measured over
_CHUNK = 512

# What is asked, with a right plan; the first is the request of three steps.
REQUESTS: tuple[tuple[str, str], ...] = (
    (
        "email the boiler invoice to Marta",
        '1. get_email_address("Marta")\n2. open_and_get_file_path("the boiler invoice")\n'
        '3. compose_new_email(["$1"], [], "", "", ["$2"])',
    ),
    ("text 555-0142 that the plumber is here", '1. send_sms(["555-0142"], "the plumber is here")'),
    (
        "dinner with Pavel on Saturday at 19:30",
        '1. get_email_address("Pavel")\n2. create_calendar_event("dinner", "Saturday at 19:30", "", "", ["$1"], "", "")',
    ),
    ("remind me to water the ferns", '1. create_reminder("water the ferns", "", "", "", 0, False)'),
    (
        "give me the gist of tide tables.pdf",
        '1. open_and_get_file_path("tide tables.pdf")\n2. summarize_pdf("$1")',
    ),
    ("start a note called seeds: kale, beetroot, chard", '1. create_note("seeds", "kale, beetroot, chard", "")'),
)


@dataclass(frozen=True)
class Subject:
    """A model that is measured, with an agent for each way of planning with it; what loading it took."""

    title: str
    folder: Path
    agents: dict[str, Agent]
    load_seconds: float
    peak: int  # bytes that MLX held at most while it was loaded, and planned once in each way


@dataclass(frozen=True)
class Turn:
    """One request planned once. `order` is the same for all that took turns at it."""

    title: str
    way: str
    request: int
    order: int
    seconds: float
    plan: Plan
    end: PlanEnd


def prepare(title: str, folder: Path, build: Callable[[], Agent]) -> Subject:
    """Load a model, and plan once in each way."""
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    began = time.perf_counter()
    agent = build()
    seconds = time.perf_counter() - began
    agents = dict(ways(agent))
    for each in agents.values():
        each.plan(WARM, NOW)
    return Subject(title, folder, agents, seconds, mx.get_peak_memory() - before)


def ways(agent: Agent) -> Iterator[tuple[str, Agent]]:
    """The agent as it is and, where a language model plans, with one thing changed at a time."""
    yield USED, agent
    planner = agent.planner
    if not isinstance(planner, LanguagePlanner) or not isinstance(planner.decoder, Decoder):
        return
    decoder, profile = planner.decoder, planner.profile

    def changed(decoder: Decoder, profile: Any = profile) -> Agent:
        other = LanguagePlanner(decoder, profile, planner.examples, planner.max_steps, planner.max_tokens)
        return Agent(agent.toolbox, other, agent.retriever, agent.desktop)

    yield "the first request of a process", changed(decoder.like(reuse=False))
    yield "no prompt cache", changed(decoder.like(reuse=False, heads=None))
    yield "a pass for every token", changed(decoder.like(together=False))
    yield f"guessing {DRAFT} tokens", changed(decoder.like(draft=DRAFT))
    listed = "only retrieved tools in the prompt" if profile.all_tools else "all tools in the prompt"
    yield listed, changed(decoder.like(), replace(profile, all_tools=not profile.all_tools))


def measure(
    subjects: Sequence[Subject], rounds: int, requests: int, tell: Callable[[str], None] = lambda text: None
) -> list[Turn]:
    """Plan each request in each round by each model in each way, in turn."""
    turns = []
    for order in range(rounds * requests):
        request = order % requests
        tell(f"{order + 1} of {rounds * requests}: {REQUESTS[request][0]}")
        all_ways = [(subject, way, agent) for subject in subjects for way, agent in subject.agents.items()]
        first = order % len(all_ways)  # nobody is always the first
        for subject, way, agent in all_ways[first:] + all_ways[:first]:
            _forget(agent)
            made = agent.plan(REQUESTS[request][0], NOW)
            turns.append(Turn(subject.title, way, request, order, made.seconds, made.plan, made.end))
    return turns


def _forget(agent: Agent) -> None:
    """Drop what was worked out from the words of requests: each turn meets its request for the first time."""
    grammar.forget()
    when.count.cache_clear()
    for part in (agent.planner, agent.retriever):
        engine = getattr(part, "engine", None)
        if isinstance(engine, PointerEngine):
            engine.read.cache_clear()
    decoder = getattr(agent.planner, "decoder", None)
    if isinstance(decoder, Decoder):
        decoder.matcher.cache_clear()


def speed(agent: Agent, rounds: int) -> dict[str, float]:
    """Tokens a second, read and written one by one, of a language model; nothing for a planner of another kind."""
    planner = agent.planner
    if not isinstance(planner, LanguagePlanner) or not isinstance(planner.decoder, Decoder):
        return {}
    tokens = planner.decoder.encode(planner_prompt(agent.toolbox, WARM, NOW, profile=planner.profile))
    found = [pace(planner.decoder.model, tokens, DECODED) for _ in range(rounds)]
    read, written = (round(statistics.median(each), 2) for each in zip(*found, strict=True))
    return {"speed_tokens": len(tokens), "prefill_tokens_s": read, "decode_tokens_s": written}


def pace(model: Any, tokens: list[int], written: int) -> tuple[float, float]:
    """Tokens a second: those of a prompt, in passes of many, and those that are written after it, one a pass."""
    cache = make_prompt_cache(model)
    began = time.perf_counter()
    for start in range(0, len(tokens), _CHUNK):
        logits = model(mx.array(tokens[start : start + _CHUNK])[None], cache=cache)
        mx.eval(logits, [layer.state for layer in cache])
    middle = time.perf_counter()
    for _ in range(written):
        logits = model(mx.argmax(logits[:, -1:], axis=-1), cache=cache)
        mx.eval(logits)
    return len(tokens) / (middle - began), written / (time.perf_counter() - middle)


def figures(turns: Sequence[Turn], title: str) -> dict[str, Any]:
    """What a model took, and each way beside the way it is used."""
    mine = [turn for turn in turns if turn.title == title]
    used = {turn.order: turn for turn in mine if turn.way == USED}
    found: dict[str, dict[str, Any]] = {}
    for way in dict.fromkeys(turn.way for turn in mine):
        of_way = [turn for turn in mine if turn.way == way]
        found[way] = {
            **_spread([turn.seconds for turn in of_way]),
            "ratio": _middle([turn.seconds / used[turn.order].seconds for turn in of_way]),
            "right": _share([_right(turn) for turn in of_way]),
            "same_plans": _share([turn.plan == used[turn.order].plan for turn in of_way]),
            "prompt_tokens": _middle([turn.end.prompt_tokens for turn in of_way]),
            "generated_tokens": _middle([turn.end.generated_tokens for turn in of_way]),
            "forward_passes": _middle([turn.end.forward_passes for turn in of_way]),
        }
    first = _spread([turn.seconds for turn in used.values() if turn.request == 0])
    return {"three_steps": first, "ways": found}


def ratio(turns: Sequence[Turn], title: str, other: str) -> float:
    """How many times as long a model takes as another, as both are used: the median over their turns."""
    seconds = {(turn.title, turn.order): turn.seconds for turn in turns if turn.way == USED}
    orders = sorted({turn.order for turn in turns})
    return _middle([seconds[title, order] / seconds[other, order] for order in orders])


def better_listing(profile_lists_all: bool, ways: dict[str, dict[str, Any]]) -> bool:
    """Whether a prompt that lists all tools does better: more right plans or, where they are as many, quicker."""
    other = next(found for way, found in ways.items() if "tools in the prompt" in way)
    better = (other["right"], -other["ratio"]) > (ways[USED]["right"], -ways[USED]["ratio"])
    return profile_lists_all != better


def rows(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Each turn as it was."""
    return [
        {
            "model": turn.title, "way": turn.way, "query": REQUESTS[turn.request][0], "seconds": round(turn.seconds, 4),
            "plan": print_plan(turn.plan), "forward_passes": turn.end.forward_passes,
        }
        for turn in turns
    ]  # fmt: skip


def _right(turn: Turn) -> bool:
    return same_graph(turn.plan, parse_plan(REQUESTS[turn.request][1]))


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {name: round(ordered[min(last, int(at * len(ordered)))], 4) for name, at in (("p50", 0.5), ("p95", 0.95))}


def _middle(values: Sequence[float]) -> float:
    return round(statistics.median(values), 3)


def _share(values: Sequence[bool]) -> float:
    return round(sum(values) / len(values), 3)
