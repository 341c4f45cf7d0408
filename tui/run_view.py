"""One request in the transcript: its plan, its state in a line, and at the end what happened and what can be done."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tinyagent_mlx import events
from tinyagent_mlx.executor import Outcome
from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.toolbox import Toolbox
from tui import wording
from tui.again import still_to_do, with_choice
from tui.plan_view import StepNode

_STYLES = {"good": "bold green", "bad": "bold red", "dim": "dim", "": ""}


class RunView(Vertical):
    class Again(Message):
        """The user wants the rest of a plan carried out."""

        def __init__(self, request: str, plan: Plan):
            self.request, self.plan = request, plan
            super().__init__()

    def __init__(self, request: str, tools: Toolbox | None = None):
        super().__init__(classes="run")
        self.request, self.tools = request, tools
        self.nodes: dict[int, StepNode] = {}
        self.steps_box = Vertical(classes="steps")
        self.status = Static("", classes="status", markup=False)
        self.offers = Offers()

    def compose(self) -> ComposeResult:
        yield Static(Text(f"› {self.request}", "bold"), classes="request")
        yield self.steps_box
        yield self.status
        yield self.offers

    def say(self, text: str, style: str = "dim") -> None:
        self.status.update(Text(text, _STYLES[style]))

    def show(self, event: events.Event) -> None:
        """Draw what the executor tells."""
        match event:
            case events.StepPlanned(step):
                self._add(step)
            case events.PlanReady():
                self.say("carrying it out…" if self.nodes else "")
            case events.StepStarted(step):
                self.nodes[step.id].start()
            case _:
                self.nodes[event.step.id].end(event)

    def _add(self, step: Step) -> None:
        assert self.tools
        node = self.nodes[step.id] = StepNode(step, self.tools[step.tool])
        waits = step.depends_on()
        if waits:
            self.nodes[waits[-1]].adopt(node)
        else:
            self.steps_box.mount(node)

    def changed(self, plan: Plan) -> None:
        """Show an edited plan: same numbers, other arguments, some steps gone."""
        kept = {step.id: step for step in plan.steps}
        for number, node in self.nodes.items():
            if number in kept:
                node.replace(kept[number])
            else:
                node.drop()

    def account(self, outcome: Outcome) -> None:
        """Say what happened and offer what can be done about it."""
        assert self.tools
        text = Text()
        for style, line in wording.account(outcome, self.tools):
            text.append(("\n" if text else "") + line, _STYLES[style])
        self.status.update(text)
        self.offers.offer(outcome)

    def fail(self, message: str, advice: str) -> None:
        """Nothing came of the request."""
        text = Text(message, _STYLES["bad"])
        if advice:
            text.append(f"\nWhat to do: {advice}", "")
        self.status.update(text)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        plan = self.offers.plans[event.option_index]
        self.offers.display = False
        self.post_message(self.Again(self.request, plan))


class Offers(OptionList):
    """What can be done about an outcome: one plan for each choice of an ambiguous step, or what failed once more."""

    def __init__(self) -> None:
        super().__init__(classes="offers", compact=True, markup=False)
        self.display = False
        self.plans: list[Plan] = []

    def offer(self, outcome: Outcome) -> None:
        failed = [ending for ending in outcome.endings.values() if isinstance(ending, events.StepFailed)]
        unclear = next((ending for ending in failed if ending.choices), None)
        offers: list[tuple[str, Plan]] = []
        if unclear:
            offers = [(f"step {unclear.step.id}: take {choice}", with_choice(outcome, unclear, choice)) for choice in unclear.choices]
        elif failed:
            offers = [("try what failed once more", still_to_do(outcome))]
        offers = [(text, plan) for text, plan in offers if plan.steps]
        self.plans = [plan for _, plan in offers]
        self.clear_options()
        self.add_options([Option(text) for text, _ in offers])
        self.display = bool(offers)
