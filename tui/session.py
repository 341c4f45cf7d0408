"""One request on its way from its text to its account: drawn into its view, written down, asked about once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tinyagent_mlx import events
from tinyagent_mlx.cli.show import outgoing
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.plan import Plan, Step
from tui import wording
from tui.approval import Answer
from tui.edit import EditScreen
from tui.outgoing import OutgoingScreen
from tui.writing import WritingScreen

if TYPE_CHECKING:
    from tinyagent_mlx.agent import Agent
    from tinyagent_mlx.executor import Outcome
    from tinyagent_mlx.toolbox import Tool
    from tinyagent_mlx.writing import Draft
    from tui.ask import AskScreen
    from tui.run_view import RunView
    from tui.trail import Record


class Session:
    """One run of the agent on the Ask screen."""

    def __init__(self, screen: AskScreen, view: RunView):
        self.screen, self.view = screen, view
        self.note = ""
        self.agent: Agent | None = None
        self.record: Record | None = None
        self.plan = Plan()
        self.doubtful = self.edited = False

    async def run(self, request: str, plan: Plan | None) -> str:
        """Gives the note of a plan that was rejected with one, to plan again with."""
        if not self.screen.engine.ready:
            self.view.say("waits for the planner to load…")
        self.agent = await self.screen.engine.agent()
        self.view.tools = self.agent.toolbox
        if self.screen.trail:
            self.record = await self.screen.trail.begin(request, self.screen.now(), self.agent.toolbox)
            self.view.recorded(self.record.run)
        self.view.say("carrying out the rest…" if plan else "planning…  Esc stops")
        outcome = await self._written_down(request, plan)
        self.view.account(outcome)
        await self._offer_undo()
        if self.note:
            gone = " What you edited is not in it." if self.edited else ""
            self.view.say(f"Not approved: {self.note}. Planning again with that.{gone}")
        return self.note

    async def _written_down(self, request: str, plan: Plan | None) -> Outcome:
        assert self.agent
        agent = (self.record.guard(self.agent) if self.record else self.agent).but(accept=self.accept)
        try:
            if plan:
                outcome = await agent.carry_out(
                    plan, self.screen.now(), self.approve, self._show, self.confirm, self.screen.foreign, request
                )
            else:
                outcome = await agent.run(
                    request, self.screen.now(), self.approve, self._show, self.confirm, self.screen.foreign
                )
        except BaseException as error:
            if self.record:
                await self.record.end(str(error) or type(error).__name__)
            raise
        self.screen.foreign.update(outcome.foreign(agent.toolbox))
        if self.record:
            await self.record.end()
        return outcome

    async def confirm(self, step: Step, arguments: Mapping[str, Any]) -> bool:
        """Ask about a send that carries text which others may have written; nothing that was allowed before covers it."""
        assert self.agent
        title = f"Step {step.id} · {step.tool} would send this out"
        text = outgoing(self.agent.toolbox[step.tool], arguments)
        screen = OutgoingScreen(title, text, self.screen.prompt.take, self.screen.clock)
        yes = await self.screen.app.push_screen_wait(screen)
        if self.record:
            self.record.confirmation(step.id, yes)
        return yes

    async def accept(self, draft: Draft) -> str | None:
        """Show a text as it is written, and give the one to use; None where the step is not to be done."""
        assert draft.task
        title = (
            f"Step {draft.task.step.id} · {draft.task.tool.name}: {draft.writer} writes the {draft.task.argument.label}"
        )
        screen = WritingScreen(title, draft, self.screen.prompt.take, self.screen.clock)
        text = await self.screen.app.push_screen_wait(screen)
        if draft.trouble:
            words = f"{draft.writer} failed: {draft.trouble}. Your own words are used."
            self.screen.notify(words, title="Nothing was written", severity="warning", timeout=12, markup=False)
        return text

    async def _offer_undo(self) -> None:
        if self.screen.trail and self.record and self.agent:
            steps = await self.screen.trail.undoable(self.record.run, self.agent.toolbox)
            if steps:
                self.view.offer_undo(steps, self.screen.choices.key("ask.undo"))

    def _show(self, event: events.Event) -> None:
        if self.record:
            self.record.tell(event)
        if isinstance(event, events.PlanReady):
            self.doubtful = event.doubtful
        self.view.show(event)
        if self.screen.bar.asking and not self._to_approve():
            self.screen.bar.answer(Answer("moot"))  # nothing can act any more, so there is no question

    def _to_approve(self) -> list[Step]:
        """The steps that an approval lets act: no reads unless the plan is doubtful, none that waits for a failed one."""
        assert self.agent
        lost = self._hopeless()
        return [
            step
            for step in self.plan.steps
            if (self.doubtful or self.agent.toolbox[step.tool].effect != "read") and step.id not in lost
        ]

    def _hopeless(self) -> set[int]:
        ended = {number for number, node in self.view.nodes.items() if node.state in ("failed", "unknown", "skipped")}
        assert self.agent
        acting = {step.id for step in self.plan.steps if self.agent.toolbox[step.tool].effect != "read"}
        return wording.hopeless(self.plan, ended) | (ended & acting)

    async def approve(self, plan: Plan) -> Plan | None:
        """Ask until there is an answer; an edited plan is asked for again, as it now is."""
        self.plan = plan
        await self._renew_choices()
        if not self._to_approve() or self._allowed():
            return self._go()
        self._write("asked")
        while self._to_approve():
            answer = await self._ask()
            if answer.choice == "edit":
                await self._edit()
                continue
            self.screen.prompt.focus()
            self.note = answer.note
            if answer.choice in ("reject", "note"):
                self._write("refused")
                self.view.refused()
                return None
            if answer.choice == "always":
                await self._allow(answer.sends)
            edited = None if self.plan == plan else self.plan
            if answer.choice != "moot":
                self._write("approved", edited)
            elif edited:
                self._write("asked", edited)
                self._go()
                return self._reads()  # its reads are done anew, and nobody said yes to what waits for them
            return self._go()
        self._write("approved", self.plan)  # an edit left nothing to ask about
        self.screen.prompt.focus()
        return self._go()

    def _go(self) -> Plan:
        told = f"allowed always: {self.view.unasked}. " if self.view.unasked else ""
        self.view.say(f"{told}carrying it out…  Esc stops")
        self.view.approved()
        return self.plan

    def _reads(self) -> Plan:
        """What of the plan only reads."""
        assert self.agent
        return Plan(tuple(step for step in self.plan.steps if self.agent.toolbox[step.tool].effect == "read"))

    def _write(self, approval: str, plan: Plan | None = None) -> None:
        if self.record:
            self.record.approval(approval, plan)

    def _asking(self) -> list[Tool]:
        """The tools that the plan asks for, each once."""
        assert self.agent
        tools = {step.tool: self.agent.toolbox[step.tool] for step in self._to_approve()}
        return [tool for tool in tools.values() if tool.effect != "read"]

    def _allowed(self) -> bool:
        """Whether all that would act was allowed for good; a plan that the planner is unsure of is asked about all the same."""
        tools = self._asking()
        if self.doubtful or not all(self.screen.choices.allows(tool) for tool in tools):
            return False
        self.view.unasked = ", ".join(tool.name for tool in tools)
        self._write("approved beforehand")
        return True

    async def _allow(self, sends: bool) -> None:
        tools = [tool for tool in self._asking() if tool.effect == "write" or sends]
        if not tools:
            return
        try:
            await self.screen.choices.allow(tools)
        except ConfigError as error:
            self.screen.notify(str(error), title="Not kept", severity="error", timeout=12, markup=False)
        else:
            names = ", ".join(tool.name for tool in tools)
            self.screen.notify(f"Allowed always: {names}. F3 takes it back.", markup=False)

    async def _renew_choices(self) -> None:
        """Take up what was changed in the settings since; while they are wrong, everything asks."""
        choices = self.screen.choices
        try:
            await choices.renew()
        except ConfigError as error:
            choices.forget()
            self.screen.notify(
                f"{error}\nUntil then every plan asks.", title="settings.yaml", severity="error", markup=False
            )

    async def _ask(self) -> Answer:
        assert self.agent
        typing = self.screen.prompt.has_focus and bool(self.screen.prompt.text)
        self.view.say("")
        self.screen._follow()
        question = wording.approval_question(self.plan, self.agent.toolbox, self._hopeless(), self.doubtful)
        sends = tuple(tool.name for tool in self._asking() if tool.effect == "send")
        return await self.screen.bar.ask(question, take_focus=not typing, sends=sends)

    async def _edit(self) -> None:
        assert self.agent
        edited = await self.screen.app.push_screen_wait(EditScreen(self.plan, self.agent.toolbox, self.screen.now()))
        if edited is not None:
            self.edited = self.edited or edited != self.plan
            self.plan = edited
            self.view.edited(edited)
