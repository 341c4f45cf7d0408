"""Plan a request, ask once, and carry it out. Reads start at once; writes and sends wait for the answer."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tinyagent_mlx.agent import Agent
from tinyagent_mlx.cli import hearing, replanning, setup, show
from tinyagent_mlx.cli.accepting import Accepting
from tinyagent_mlx.cli.progress import Progress
from tinyagent_mlx.executor import Outcome
from tinyagent_mlx.history import History, recording
from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.values import map_references


def add_options(parser: argparse.ArgumentParser) -> None:
    setup.add_request_options(parser)
    add_acting_options(parser)


def add_acting_options(parser: argparse.ArgumentParser) -> None:
    """Options of the verbs that carry a plan out, wherever the request comes from."""
    setup.add_desktop_option(parser)
    parser.add_argument(
        "--yes",
        action="store_true",
        help="approve the plan beforehand; a send of text that others may have written asks all the same",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show each step's exact script and arguments; do nothing"
    )
    replanning.add_options(parser)
    setup.add_writer_option(parser)


def call(options: argparse.Namespace) -> int:
    return act(options, hearing.request(options))


def act(options: argparse.Namespace, query: str) -> int:
    """Plan the request, ask, carry it out, and say what became of it; gives the exit status."""
    agent = setup.agent(options, with_desktop=True).but(accept=Accepting(options.yes, options.json))
    now = setup.now(options.now)
    replanning.check(options, agent)
    if options.dry_run:
        return dry_run(agent, query, now, options.json)
    with setup.history(options) as history:
        report_killed(history)
        record = (history, setup.desktop_place(options))

        def carry(asked: str, go: replanning.Go | None = None) -> Outcome:
            return asyncio.run(carry_out(agent, asked, now, options.yes, options.json, record, go))

        outcomes = [carry(query)]
        outcomes += replanning.rounds(options, agent, query, now, outcomes[0], carry)
    ok = outcomes[-1].ok
    if options.json:
        first, *again = [show.outcome_json(outcome, agent.toolbox) for outcome in outcomes]
        print(
            json.dumps({"query": query, **first, **({"ok": ok, "again": again} if again else {})}, ensure_ascii=False)
        )
    return 0 if ok else 1


def report_killed(history: History) -> None:
    """Say what the request before this one left open, if its program was killed."""
    for run in history.runs(limit=1):
        for step in run.cut_off:
            print(
                f"tinyagent: step {step.number} of the last request, {step.tool}, {step.message}; "
                f"`tinyagent history show {run.id}` has it in full",
                file=sys.stderr,
            )


async def carry_out(
    agent: Agent, query: str, now: datetime, yes: bool, quiet: bool = False, record: tuple[History, str] | None = None,
    go: replanning.Go | None = None,
) -> Outcome:  # fmt: skip
    """Run a request in the terminal; Ctrl-C stops it and still accounts for every step.

    `record` is the history and the desktop's place, None to leave no trace. `go` carries out something else than the
    request as it is planned.
    """
    go = go or (lambda approve, emit, confirm: agent.run(query, now, approve, emit, confirm))
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task and sys.platform != "win32":
        loop.add_signal_handler(signal.SIGINT, task.cancel)
    screen = Progress(agent.toolbox, query, quiet)

    async def approve(plan: Plan) -> Plan | None:
        return plan if yes or await screen.ask(plan) else None

    try:
        if record:
            history, place = record
            run = history.begin(query, now, agent.toolbox, place)

            async def confirm(step: Step, arguments: Mapping[str, Any]) -> bool:
                yes = await screen.confirm(step, arguments)
                history.confirmation(run, step.id, yes)
                return yes

            with recording(history, run, screen.show, approve, beforehand=yes) as (emit, ask):
                outcome = await go(ask, emit, confirm)
        else:
            outcome = await go(approve, screen.show, screen.confirm)
    finally:
        if sys.platform != "win32":
            loop.remove_signal_handler(signal.SIGINT)
    screen.account(outcome)
    return outcome


def dry_run(agent: Agent, query: str, now: datetime, as_json: bool) -> int:
    """Show what would be run, with example results in the place of references."""
    planned = agent.plan(query, now)
    examples: dict[int, str] = {}
    shown = []
    for step in planned.plan.steps:
        tool = agent.toolbox[step.tool]
        arguments = tool.bind(map_references(value, examples.__getitem__) for value in step.arguments)
        examples[step.id] = tool.example_result or f"<result of step {step.id}>"
        shown.append({"id": step.id, "tool": step.tool, "runs": agent.desktop.preview(tool, arguments)})
    show.tell_unread(planned)
    if as_json:
        print(json.dumps(show.planned_json(planned, agent.toolbox) | {"dry_run": shown}, ensure_ascii=False))
    elif planned.plan.refused:
        print("None of the tools can do that, so there is nothing to run.")
    else:
        for row in shown:
            print(f"{row['id']}. {row['tool']}\n{row['runs']}")
        if any(step.depends_on() for step in planned.plan.steps):
            print("Where a step takes an earlier one's result, an example of it stands.")
        print("Nothing was done.")
    return 0
