"""One request in the transcript: its plan, its state in a line, and at the end what happened and what can be done.

Blocks of text and no widgets; `changed` is called when they are others than before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from tinyagent_mlx import events
from tinyagent_mlx.executor import Outcome
from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.toolbox import Toolbox
from tui import wording
from tui.again import still_to_do, with_choice
from tui.blocks import BLANK, Block
from tui.plan_view import StepNode

if TYPE_CHECKING:
    from tui.trail import Undone

SHORT = 60  # results up to this length are repeated where they are used
_STYLES = {"good": "bold $text-success", "bad": "bold $text-error", "dim": "dim", "": ""}


@dataclass(frozen=True)
class Offer:
    """Something that can be done about an outcome: a plan to carry out, or to edit first."""

    text: str
    plan: Plan
    edit: bool = False


class RunView:
    """`folded` hides the steps; `run` is its number in the history."""

    def __init__(self, request: str, changed: Callable[[], None] = lambda: None, tools: Toolbox | None = None):
        self.request, self.changed, self.tools = request, changed, tools
        self.nodes: dict[int, StepNode] = {}
        self.offers: list[Offer] = []
        self.folded = False
        self.run: int | None = None
        self.undoable: set[int] = set()
        self.undoing = False
        self.unasked = ""
        self._account: list[tuple[str, str]] = []
        self._status: Block | None = None
        self._head = self._make_head()
        self._offers: list[Block] = []
        self._anew: set[int] = set()  # steps that an edit puts off: what they still tell is of the plan before
        self._held: list[events.Event] = []

    def blocks(self) -> list[Block]:
        """What stands on the screen now, from top to bottom."""
        shown = [self._head]
        if not self.folded:
            shown += [node.block() for root in self.nodes.values() if not root.above for node in root.walk()]
        return [*shown, *([self._status] if self._status else []), *self._offers, BLANK]

    def recorded(self, run: int) -> None:
        """It is written down under this number, so that it can be undone later."""
        self.run = run

    def fold(self, folded: bool = True) -> None:
        """Hide the steps, or show them again."""
        if self.folded != (folded and bool(self.nodes)):
            self.folded = not self.folded
            self._head = self._make_head()
            self.changed()

    def _make_head(self) -> Block:
        head, steps = Content.styled(f"› {self.request}", "bold"), len(self.nodes)
        if self.folded:
            head = head.append_text(f"  {steps} step{'s' if steps > 1 else ''} ▸", "dim")
        return Block([(0, head)], self if self.folded else None)

    def say(self, text: str, style: str = "dim") -> None:
        self._say([(style, text)] if text else [])

    def _say(self, lines: Iterable[tuple[str, str]]) -> None:
        said = [(2, Content.styled(text, _STYLES[style])) for style, text in lines]
        self._status = Block(said) if said else None
        self.changed()

    def show(self, event: events.Event) -> None:
        """Draw what the executor tells; what is of the plan before an edit is held until there is an answer."""
        step = getattr(event, "step", None)
        if step is not None and step.id in self._anew and not isinstance(event, events.StepPlanned):
            self._held.append(event)
            return
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
            case events.StepWriting(step, piece):
                self.nodes[step.id].write(piece)
            case events.StepWritten():
                pass  # it was just shown; the history has it
            case _:
                self.nodes[event.step.id].end(event)
                if isinstance(event, events.StepDone) and len(event.result.value) <= SHORT:
                    for node in self.nodes.values():
                        node.learn(event.step.id, event.result.value)

    def _add(self, step: Step) -> None:
        """Hang a step under the last of the steps that it waits for."""
        assert self.tools
        waits = step.depends_on()
        node = StepNode(step, self.tools[step.tool], self.changed, self.nodes[waits[-1]] if waits else None)
        for k in waits:
            if 0 < len(self.nodes[k].result) <= SHORT:
                node.known[k] = self.nodes[k].result.split("\n")[0]
        self.nodes[step.id] = node
        self.changed()

    def tick(self) -> None:
        for node in self.nodes.values():
            node.tick()

    def edited(self, plan: Plan) -> None:
        """Show an edited plan: same numbers, other arguments, some steps gone. What takes the result of a changed step, directly or
        not, waits again as well: it is carried out anew."""
        kept = {step.id: step for step in plan.steps}
        again: set[int] = set()
        for number, node in self.nodes.items():
            if number not in kept:
                node.drop()
                continue
            step = kept[number]
            if step != node.step or number in self._anew or not again.isdisjoint(step.depends_on()):
                again.add(number)
                node.replace(step, [k for k in node.known if k in step.depends_on() and k not in again])
        self._anew |= again

    def approved(self) -> None:
        self._anew, self._held = set(), []
        for node in self.nodes.values():
            node.approved()

    def refused(self) -> None:
        """Nothing is carried out, and what was told of the plan before holds after all."""
        self._anew, held = set(), self._held
        self._held = []
        for event in held:
            self.show(event)

    def account(self, outcome: Outcome) -> None:
        """Say what happened and offer what can be done about it."""
        assert self.tools
        self._account = wording.account(outcome, self.tools)
        if self.unasked:
            self._account.append(("dim", f"You were not asked: {self.unasked}. F3 takes that back."))
        self._say(self._account)
        self.offer(offers(outcome))

    def offer(self, offers: list[Offer]) -> None:
        """Let the user choose one of these, or none any more."""
        self.offers = offers
        self._offers = [Block([(2, Content.styled(f"↳ {offer.text}", "$text-accent"))], offer) for offer in offers]
        self.changed()

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
        self._say([*self._account, *lines])

    def fail(self, message: str, advice: str) -> None:
        """Nothing came of the request."""
        self._say([("bad", message), *([("", f"What to do: {advice}")] if advice else [])])


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
