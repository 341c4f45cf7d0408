"""Print what happens to a plan, a line a step: first the plan, then how each step ended."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from tinyagent_mlx import events
from tinyagent_mlx.cli import show
from tinyagent_mlx.executor import Outcome
from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.values import Ref, map_references


class Progress:
    """Listens to a run. Reads that end while the plan is still made are told after it."""

    def __init__(self, tools: Toolbox, query: str, quiet: bool):
        self.tools, self.query, self.quiet = tools, query, quiet
        self.console = show.console()
        self._results: dict[int, str] = {}
        self._written: dict[int, dict[str, str]] = {}
        self._writing: set[int] = set()  # steps whose summary is being written
        self._held: list[events.Event] | None = []

    def show(self, event: events.Event) -> None:
        """Take one event."""
        if isinstance(event, events.StepDone):
            self._results[event.step.id] = event.result.value
        if isinstance(event, events.StepWritten):
            self._written.setdefault(event.step.id, {})[event.argument] = event.text
        if self.quiet:
            return
        if isinstance(event, events.PlanReady):
            if event.plan.steps:
                self.console.print(show.tree(event.plan, self.tools, self.query))
            held, self._held = self._held or [], None
            for earlier in held:
                self._tell(earlier)
            if event.doubtful:
                self.console.print(f"{show.UNSURE}.", style="bold yellow")
        elif self._held is not None:
            self._held.append(event)
        else:
            self._tell(event)

    def _tell(self, event: events.Event) -> None:
        match event:
            case events.StepWriting(step) if step.id not in self._writing:
                self._writing.add(step.id)
                self._line("dim", "…", step, "is being written")
            case events.StepDone(step, result, seconds):
                note = f", {result.note}" if result.note else ""
                self._line("green", "✓", step, f"→ {result.value}", f"{seconds:.2f} s{note}")
                for file in result.files:
                    self.console.print(show.plain(f"     {file}"), style="dim", markup=False, soft_wrap=True)
            case events.StepFailed(step, message, advice):
                self._line("red", "✗", step, f"failed: {message}", advice)
            case events.StepUnknown(step, message, advice):
                self._line("yellow", "?", step, f"may or may not have happened: {message}", advice)
            case events.StepSkipped(step, because):
                self._line("yellow", "–", step, f"not done: step {because} gave no result")
            case events.StepRefused(step, message):
                self._line("dim", "–", step, f"not done: {message}" if message else "not approved")
            case events.StepCancelled(step):
                self._line("dim", "–", step, "stopped before its turn")

    def _line(self, style: str, mark: str, step: Step, text: str, note: str = "") -> None:
        self.console.print(f"[{style}]{mark}[/] {step.id}. ", end="")
        self.console.print(show.plain(f"{self._sentence(step)} {text}"), markup=False, end="", soft_wrap=True)
        self.console.print(show.plain(f"  {note}") if note else "", style="dim", markup=False, soft_wrap=True)

    def _sentence(self, step: Step) -> str:
        """The step in words, with the results that it was given."""

        def result(k: int) -> str | Ref:
            return self._results.get(k, Ref(k))

        arguments = self.tools[step.tool].bind(map_references(value, result) for value in step.arguments)
        arguments |= self._written.get(step.id, {})
        return show.describe(Step(step.id, step.tool, tuple(arguments.values())), self.tools)

    async def ask(self, plan: Plan) -> bool:
        """One question for the whole plan. Without a terminal the answer is no."""
        if not sys.stdin.isatty() or self.quiet:
            print("tinyagent: not approved: there is no terminal to ask on; use --yes", file=sys.stderr)
            return False
        answer = await line_from_terminal("Carry this out? Type yes: ")
        return answer.strip().lower() in ("y", "yes")

    async def confirm(self, step: Step, arguments: Mapping[str, Any]) -> bool:
        """Show what a send would carry and ask, whatever was approved beforehand. Without a terminal the answer is no."""
        if not sys.stdin.isatty() or self.quiet:
            print(
                f"tinyagent: step {step.id}, {step.tool}, was held back: it would send text that others may have written, "
                "and there is no terminal to show it on; --yes does not cover that",
                file=sys.stderr,
            )
            return False
        self.console.print(
            f"Step {step.id}, {step.tool}, would send text that came out of a document, a note or a mail. "
            "Others may have written it. This goes out:",
            style="bold yellow", markup=False,
        )  # fmt: skip
        print(show.outgoing(self.tools[step.tool], arguments))
        answer = await line_from_terminal("Send it? Type yes: ")
        return answer.strip().lower() in ("y", "yes")

    def account(self, outcome: Outcome) -> None:
        """Say how much of the plan was done."""
        if self.quiet:
            return
        if outcome.plan.refused:
            print("None of the tools can do that, so nothing was done.")
            return
        done = len(outcome.results())
        rest = len(outcome.plan.steps) - done
        self.console.print(f"{done} of {len(outcome.plan.steps)} steps done" + (f", {rest} not" if rest else "") + ".")


async def line_from_terminal(question: str) -> str:
    """Ask, and wait for a line without a thread: one that waits for input could not be stopped by Ctrl-C."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        if not answered.done():
            answered.set_result(sys.stdin.readline())

    print(question, end="", flush=True)
    loop.add_reader(sys.stdin.fileno(), read)
    try:
        return await answered
    finally:
        loop.remove_reader(sys.stdin.fileno())
