"""Edit a plan before it is approved: every argument in place, steps dropped with what waits for them, checked at once."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import networkx as nx
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from tinyagent_mlx.check import check_plan
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.plan import Plan, Step
from tinyagent_mlx.toolbox import Argument, Tool, Toolbox
from tinyagent_mlx.values import Value
from tinyagent_mlx.when import resolve_plan
from tui import fields, wording
from tui.footer import Footer
from tui.keymap import bind


class EditScreen(ModalScreen[Plan | None]):
    """Gives the plan as it was left, under its old step numbers; None when nothing shall change."""

    BINDINGS: ClassVar = [
        bind("edit.keep", "keep", "Keep the changes", priority=True),
        bind("edit.drop", "drop", "Drop / bring back this step", priority=True),
        Binding("escape", "dismiss(None)", "Leave unchanged"),
    ]

    HELP = "edit"

    def __init__(self, plan: Plan, tools: Toolbox, now: datetime):
        super().__init__()
        self.plan, self.tools, self.now = plan, tools, now
        self.dropped: set[int] = set()
        self._told = ""
        self.forms = {step.id: StepForm(step, tools[step.tool]) for step in plan.steps}

    def compose(self) -> ComposeResult:
        with Vertical(id="edit-form"):
            yield Label("Edit the plan", classes="heading")
            with VerticalScroll(id="forms", can_focus=False):
                yield from self.forms.values()
            yield Static("", id="verdict", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self._check()
        first = self.query(Input).first() if self.query(Input) else None
        if first:
            first.focus()

    @on(Input.Changed)
    def _check(self) -> Plan | None:
        """Read and check every field, say what is wrong beside it; gives the plan when nothing is."""
        returns: dict[int, str] = {}
        steps, wrong = [], 0
        for number, form in self.forms.items():
            if number in self.dropped:
                continue
            step, problems = form.read(self.tools, self.now, returns)
            wrong += problems
            returns[number] = form.tool.returns
            steps.append(step)
        if wrong:
            self._say(f"{wrong} field{'s are' if wrong > 1 else ' is'} not right yet", "red")
            return None
        return self._checked(Plan(tuple(steps)))

    def _checked(self, plan: Plan) -> Plan | None:
        ids = {step.id: number for number, step in enumerate(plan.steps, 1)}
        try:
            check_plan(Plan(tuple(step.renumbered(ids) for step in plan.steps)), self.tools)
        except PlanError as error:
            self._say(str(error), "red")
            return None
        self._say(f"The plan checks: {len(plan.steps)} of {len(self.forms)} steps. Ctrl+S keeps it.", "green")
        return plan

    def _say(self, text: str, style: str) -> None:
        self.query_one("#verdict", Static).update(Text(self._told).append(text, style))

    def action_keep(self) -> None:
        plan = self._check()
        if plan is None:
            self.notify("Mend the fields that are marked, or press Esc.", severity="warning")
        else:
            self.dismiss(plan)

    def action_field(self, by: int) -> None:
        """Go to the field before or after; of a dropped step, to the button that brings it back."""
        stops = [w for w in self.focus_chain if isinstance(w, Input) or w is self.focused or w.has_class("-back")]
        if self.focused in stops:
            stops[(stops.index(self.focused) + by) % len(stops)].focus()

    def action_drop(self) -> None:
        form = next(
            (node for node in (self.focused.ancestors_with_self if self.focused else ()) if isinstance(node, StepForm)),
            None,
        )
        if form:
            self.toggle(form.step.id)

    @on(Button.Pressed)
    def _drop_pressed(self, event: Button.Pressed) -> None:
        form = next(node for node in event.button.ancestors if isinstance(node, StepForm))
        self.toggle(form.step.id)

    def toggle(self, number: int) -> None:
        """Drop a step and all that waits for it, or bring it back with all that it waits for."""
        graph = self._graph()
        if number in self.dropped:
            back = {number, *nx.ancestors(graph, number)} & self.dropped
            self.dropped -= back
            others = sorted(back - {number})
            told = f"Step {number} is back" + (
                f", with step {', '.join(map(str, others))} that it needs." if others else "."
            )
        else:
            gone = {number, *nx.descendants(graph, number)} - self.dropped
            self.dropped |= gone
            others = sorted(gone - {number})
            told = f"Step {number} dropped" + (
                f", and {', '.join(map(str, others))} with it: they need its result." if others else "."
            )
        for k, form in self.forms.items():
            form.show_dropped(k in self.dropped)
        self.forms[number].to_first()
        self._told = told + " "
        self._check()
        self._told = ""

    def _graph(self) -> nx.DiGraph:
        """What waits for what as the fields stand now: a reference that was edited away binds nothing."""
        steps = tuple(form.current for form in self.forms.values())
        return Plan(steps).graph()


class StepForm(Vertical):
    """The fields of one step."""

    BINDINGS: ClassVar = [  # here and not on the screen: the box around the forms scrolls with these keys
        Binding("up", "screen.field(-1)", show=False),
        Binding("down", "screen.field(1)", show=False),
    ]

    def __init__(self, step: Step, tool: Tool):
        super().__init__(classes="form")
        self.step, self.tool, self.current = step, tool, step
        self.button = Button("Drop", classes="drop", compact=True)
        self.rows = [ArgumentRow(a, value, step.id) for a, value in zip(tool.arguments, step.arguments, strict=True)]

    def compose(self) -> ComposeResult:
        with Horizontal(classes="form-head"):
            yield Label(wording.head(self.step, self.tool), markup=False)
            yield self.button
        yield from self.rows

    def read(self, tools: Toolbox, now: datetime, returns: dict[int, str]) -> tuple[Step, int]:
        """The step as its fields say, dates resolved, and how many fields are wrong."""
        values, problems = [], []
        for row in self.rows:
            value, problem = row.read()
            values.append(value)
            problems.append(problem)
        step = resolve_plan(Plan((Step(self.step.id, self.tool.name, tuple(values)),)), tools, now).steps[0]
        for n, (row, value) in enumerate(zip(self.rows, step.arguments, strict=True)):
            problems[n] = problems[n] or fields.problem(row.argument, value, returns) or _unclear(row.argument, value)
            row.say(problems[n], value)
        self.current = step
        return step, sum(1 for problem in problems if problem)

    def show_dropped(self, dropped: bool) -> None:
        self.set_class(dropped, "-dropped")
        for row in self.rows:
            row.display = not dropped
        self.button.label = "Bring back" if dropped else "Drop"
        self.button.set_class(dropped, "-back")

    def to_first(self) -> None:
        """Be at the first field, or at the button of a step that has none to show."""
        shown = [row.field for row in self.rows if row.display]
        (shown[0] if shown else self.button).focus()


def _unclear(argument: Argument, value: Value) -> str:
    if argument.type.name == "datetime" and isinstance(value, str) and value and not wording.date_words(value):
        return "says no clear time; write it as 2026-11-27 15:00"
    return ""


class ArgumentRow(Vertical):
    """A field with its name before it and, under it, what is wrong or how it is read."""

    def __init__(self, argument: Argument, value: Value, step: int):
        super().__init__(classes="row")
        self.argument, self.value, self.number = argument, value, step
        self.text = fields.to_text(value, step)
        choices = " | ".join(
            f"{key} {meaning}" if meaning != str(key) else str(key) for key, meaning in argument.choices.items()
        )
        self.field = Input(self.text, placeholder=choices or argument.type.name, compact=True, select_on_focus=False)
        self.field.tooltip = argument.description
        self.note = Label("", classes="note", markup=False)

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Label(self.argument.label, classes="name", markup=False)
            yield self.field
        yield self.note

    def read(self) -> tuple[Value, str]:
        """The value and what is wrong with it. A field that was not touched gives its old value, whatever it holds."""
        if self.field.value == self.text:
            return self.value, ""
        try:
            return fields.from_text(self.field.value, self.argument, self.number), ""
        except PlanError as error:
            return self.argument.default, str(error)

    def say(self, problem: str, value: Value) -> None:
        reading = wording.date_words(value) if self.argument.type.name == "datetime" and isinstance(value, str) else ""
        self.note.update(f"✗ {problem}" if problem else reading)
        self.note.display = bool(problem or reading)
        self.set_class(bool(problem), "-wrong")
