"""Offer another plan after one that was not done whole: `--replan N` and `--joiner` of the verbs that act."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from tinyagent_mlx import replan
from tinyagent_mlx.agent import Agent
from tinyagent_mlx.earlier import CarriedOn, Earlier, carry_on
from tinyagent_mlx.errors import UsageError
from tinyagent_mlx.events import Event
from tinyagent_mlx.executor import Approve, Confirm, Outcome
from tinyagent_mlx.planner import Continuing

Go = Callable[[Approve, Callable[[Event], None], Confirm], Awaitable[Outcome]]  # carries something out
MOST = 9


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--replan",
        type=int,
        choices=range(MOST + 1),
        default=0,
        metavar="N",
        help=f"when something was not done, offer to plan again, up to N times (0 to {MOST}, default: 0)",
    )
    parser.add_argument(
        "--joiner",
        action="store_true",
        help="let the language model that plans say whether to offer it, instead of whether something failed",
    )


def check(options: argparse.Namespace, agent: Agent) -> None:
    """Raises `UsageError` where the options ask for what can't be."""
    if options.joiner and not options.replan:
        raise UsageError("--joiner belongs to --replan N")
    if options.joiner and not isinstance(agent.planner, Continuing):
        raise UsageError("--joiner: the shipped planner reads no results; --model names a language model")


def rounds(
    options: argparse.Namespace, agent: Agent, query: str, now: datetime, first: Outcome,
    carry: Callable[[str, Go], Outcome],
) -> list[Outcome]:  # fmt: skip
    """Plan again as often as was allowed and is wanted; gives how each plan ended. `carry` shows, asks and writes down."""
    earlier, outcome, outcomes = replan.first_try(first, agent.toolbox), first, list[Outcome]()
    while len(outcomes) < options.replan and not outcome.cancelled:
        if not replan.wants_more(agent, query, now, earlier, options.joiner) or (note := _ask(options)) is None:
            break
        earlier = replace(earlier, note=note)
        steps = replan.plan_again(agent, query, now, earlier)
        carried = carry_on(steps, earlier)
        if carried.plan.refused:
            print("Nothing else was found that could be done.", file=sys.stderr)
            break
        outcome = carry(f"{query} ({note})" if note else query, _going_on(agent, query, carried, earlier, now))
        outcomes.append(outcome)
        earlier = replan.next_try(earlier, steps, carried, outcome, agent.toolbox)
    return outcomes


def _going_on(agent: Agent, query: str, carried: CarriedOn, earlier: Earlier, now: datetime) -> Go:
    def go(approve: Approve, emit: Callable[[Event], None], confirm: Confirm) -> Awaitable[Outcome]:
        return replan.carry_out(agent, query, carried, earlier, now, approve, emit, confirm)

    return go


def _ask(options: argparse.Namespace) -> str | None:
    """What should be different, "" for nothing; None stops. With --yes nobody is asked."""
    if options.yes:
        return ""
    if not sys.stdin.isatty() or options.json:
        print("tinyagent: not planned again: there is no terminal to ask on; use --yes", file=sys.stderr)
        return None
    try:
        answer = input("Plan again? Say what should be different, or yes; Enter stops: ").strip()
    except EOFError:
        return None
    return "" if answer.lower() in ("y", "yes") else answer or None
