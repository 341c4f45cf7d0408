"""Show the plan for a request; nothing is carried out."""

from __future__ import annotations

import argparse
import json

from tinyagent_mlx.cli import hearing, setup, show


def add_options(parser: argparse.ArgumentParser) -> None:
    setup.add_request_options(parser)


def call(options: argparse.Namespace) -> int:
    query = hearing.request(options)
    agent = setup.agent(options, instructed=True)
    planned = agent.plan(query, setup.now(options.now))
    show.tell_unread(planned)
    if options.json:
        print(json.dumps(show.planned_json(planned, agent.toolbox), ensure_ascii=False))
        return 0
    if planned.plan.refused:
        print("None of the tools can do that, so there is no plan.")
        return 0
    show.console().print(show.tree(planned.plan, agent.toolbox, planned.query))
    sure = planned.end.confidence
    if sure is not None and sure < agent.planner.ask_below:
        print(f"{show.UNSURE} (confidence {sure:.0%}).")
    return 0
