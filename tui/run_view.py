"""One request in the transcript: its plan, its state in a line, and at the end what happened and what can be done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
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

if TYPE_CHECKING:
    from tui.trail import Undone

SHORT = 60  # results up to this length are repeated where they are used
_STYLES = {"good": "bold green", "bad": "bold red", "dim": "dim", "": ""}


class RunView(Vertical):
    class Again(Message):
        """The user wants the rest of a plan carried out, or first edited."""

        def __init__(self, request: str, plan: Plan, edit: bool):
            self.request, self.plan, self.edit = request, plan, edit
            super().__init__()

    def __init__(self, request: str, tools: Toolbox | None = None):
        super().__init__(classes="run")
        self.request, self.tools = request, tools
        self.nodes: dict[int, StepNode] = {}
        self.head = RequestLine(request)
        self.steps_box = Vertical(classes="steps")
        self.status = Static("", classes="status", markup=False)
        self.offers = Offers()
        self.run: int | None = None  # its number in the history
        self.undoable: set[int] = set()
        self.undoing = False
        self.unasked = ""
        self._account: list[tuple[str, str]] = []

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.steps_box
        yield self.status
        yield self.offers

    def recorded(self, run: int) -> None:
        """It is written down under this number, so that it can be undone later."""
        self.run = run
        self.add_class("-recorded")

    def fold(self, folded: bool = True) -> None:
        """Hide the steps, or show them again: whatever is shown costs time with every step of a later plan."""
        steps = len(self.nodes) if folded else 0
        self.steps_box.display = not steps
        self.head.fold(steps)

    def on_request_line_unfolded(self) -> None:
        self.fold(False)
        if self.nodes:
            next(iter(self.nodes.values())).body.focus()

    def say(self, text: str, style: str = "dim") -> None:
        self.status.update(Text(text, _STYLES[style]))

    def show(self, event: events.Event) -> None:
        """Draw what the executor tells."""
        match event:
            case events.StepPlanned(step):
                self._add(step)
            case events.PlanReady():
                self.say("carrying it out…  Esc stops" if self.nodes else "")
                if event.doubtful:
                    for node in self.nodes.values():
                        node.asks()
            case events.StepStarted(step):
                self.nodes[step.id].start()
            case _:
                self.nodes[event.step.id].end(event)
                if isinstance(event, events.StepDone) and len(event.result.value) <= SHORT:
                    for node in self.nodes.values():
                        node.learn(event.step.id, event.result.value)

    def _add(self, step: Step) -> None:
        assert self.tools
        node = StepNode(step, self.tools[step.tool])
        waits = step.depends_on()
        for k in waits:
            if 0 < len(self.nodes[k].result) <= SHORT:
                node.known[k] = self.nodes[k].result.split("\n")[0]
        self.nodes[step.id] = node
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

    def approved(self) -> None:
        for node in self.nodes.values():
            node.approved()

    def account(self, outcome: Outcome) -> None:
        """Say what happened and offer what can be done about it."""
        assert self.tools
        self._account = wording.account(outcome, self.tools)
        if self.unasked:
            self._account.append(("dim", f"You were not asked: {self.unasked}. F3 takes that back."))
        self._draw_account()
        self.offers.offer(outcome)

    def offer_undo(self, steps: Iterable[int], key: str, undone: Sequence[Undone] = ()) -> None:
        """Say which steps can be undone and how, and before that what became of an undo."""
        for one in undone:
            if one.step in self.nodes:
                self.nodes[one.step].undone(one.ok, one.text)
        self.undoable = set(steps)
        lines = wording.undo_lines(undone)
        if self.undoable:
            numbers = ", ".join(map(str, sorted(self.undoable)))
            lines.append(("dim", f"{key} undoes step{'s' if len(self.undoable) > 1 else ''} {numbers}."))
        self._draw_account(lines)

    def _draw_account(self, more: Iterable[tuple[str, str]] = ()) -> None:
        text = Text()
        for style, line in [*self._account, *more]:
            text.append(("\n" if text else "") + line, _STYLES[style])
        self.status.update(text)

    def fail(self, message: str, advice: str) -> None:
        """Nothing came of the request."""
        text = Text(message, _STYLES["bad"])
        if advice:
            text.append(f"\nWhat to do: {advice}", "")
        self.status.update(text)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        offer = self.offers.offers[event.option_index]
        self.offers.display = False
        self.post_message(self.Again(self.request, offer.plan, offer.edit))


class RequestLine(Static):
    """A request; while its steps are folded away, Enter or a click asks for them."""

    BINDINGS: ClassVar = [
        Binding("enter", "unfold", "Show the steps"),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    class Unfolded(Message):
        """The steps are wanted."""

    def __init__(self, request: str):
        super().__init__(Text(f"› {request}", "bold"), classes="request")
        self._request = request

    def fold(self, steps: int) -> None:
        """Say that so many steps are folded away, or none."""
        self.can_focus = steps > 0
        text = Text(f"› {self._request}", "bold")
        self.update(text.append(f"  {steps} step{'s' if steps > 1 else ''} ▸", "not bold dim") if steps else text)

    def action_unfold(self) -> None:
        if self.can_focus:
            self.post_message(self.Unfolded())

    def on_click(self) -> None:
        self.action_unfold()


@dataclass(frozen=True)
class Offer:
    text: str
    plan: Plan
    edit: bool = False


def offers(outcome: Outcome) -> list[Offer]:
    """A plan for each choice of an ambiguous step, what failed once more, and the rest to be edited first."""
    failed = [ending for ending in outcome.endings.values() if isinstance(ending, events.StepFailed)]
    if not failed:
        return []
    unclear = next((ending for ending in failed if ending.choices), None)
    rest = still_to_do(outcome)
    found = []
    if unclear:
        found = [Offer(f"take {choice}", with_choice(outcome, unclear, choice)) for choice in unclear.choices]
    else:
        found = [Offer("try what failed once more", rest)]
    return [*found, Offer("edit what is left, then carry it out", rest, edit=True)]


class Offers(OptionList):
    """What can be done about an outcome."""

    def __init__(self) -> None:
        super().__init__(classes="offers", compact=True, markup=False)
        self.display = False
        self.offers: list[Offer] = []

    def offer(self, outcome: Outcome) -> None:
        self.offers = offers(outcome)
        self.clear_options()
        self.add_options([Option(offer.text) for offer in self.offers])
        self.highlighted = 0 if self.offers else None
        self.display = bool(self.offers)
