"""What `tinyagent mcp` offers: every tool as it is declared, and whole requests. Knows nothing of the protocol.

Reads run. A tool that writes or sends runs only if the user's settings name it; there is nobody to ask, so everything
else fails closed: a plan that the planner is unsure of, a send that would carry text which others may have written, and any
send at all once the client was given such text, which it could send on in other words. A "$1" in an argument is text. Calls
run one after another, and each is written down.
"""

from __future__ import annotations

import asyncio
import difflib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tinyagent_mlx import events
from tinyagent_mlx.check import check_plan
from tinyagent_mlx.cli import show
from tinyagent_mlx.errors import ConfigError, PlanError, TinyAgentError
from tinyagent_mlx.executor import Approve, Emit, Outcome, execute
from tinyagent_mlx.history import History, recording
from tinyagent_mlx.plan import Plan, Step, print_plan
from tinyagent_mlx.toolbox import Tool, Toolbox
from tinyagent_mlx.when import resolve_plan

if TYPE_CHECKING:
    from tinyagent_mlx.agent import Agent
    from tinyagent_mlx.desktop.base import Desktop

REQUEST = "plan_and_run"
ABOUT = (
    "Plan a request in plain words with the local planner and carry it out: reads run, writes and sends only where the "
    "user's settings allow each tool of the plan."
)
_UNSURE = (
    "the planner is not sure that this plan is what was meant, and nobody can be asked here; say it in other words"
)
_TOLD = (
    "text that others may have written was read in this session, and nothing is sent in it from then on; a new session sends, "
    "and tinyagent itself asks"
)
_HINTS = {
    "datetime": "2026-11-27 15:00:00, 2026-11-27 for a whole day, or words such as 'friday at 3pm'",
    "file_path": "a full path, in a folder that may be read",
}


@dataclass(frozen=True)
class Offer:
    """A tool as a client sees it. Hints are for its user interface: what holds is the settings' rules."""

    name: str
    title: str
    description: str
    schema: dict[str, Any]
    output: dict[str, Any]
    read_only: bool
    destructive: bool
    open_world: bool


@dataclass(frozen=True)
class Answer:
    """What a call gave: for people, and for programs."""

    ok: bool
    text: str
    content: dict[str, Any] | None = None


def offers(tools: Toolbox) -> list[Offer]:
    """Every tool, then `plan_and_run`. Raises `ConfigError` when a tool has that name."""
    if REQUEST in tools:
        raise ConfigError(f"{tools[REQUEST].declared}: {REQUEST!r} is the name of MCP's own tool; call it otherwise")
    return [*(_offer(tool) for tool in tools), _request_offer()]


def _offer(tool: Tool) -> Offer:
    return Offer(
        name=tool.name,
        title=f"{tool.app}: {tool.name.replace('_', ' ')}",
        description=tool.description,
        schema=input_schema(tool),
        output=_object({"result": {"type": "string"}, "files": _LIST}, ["result", "files"]),
        read_only=tool.effect == "read",
        destructive=tool.effect == "send" or (tool.effect == "write" and tool.inverse is None),  # no way back
        open_world=tool.effect == "send",
    )


def input_schema(tool: Tool) -> dict[str, Any]:
    """The JSON Schema of the arguments, with those that are never left empty required."""
    schema = tool.json_schema()["inputSchema"]
    required = []
    for argument in tool.arguments:
        entry = schema["properties"][argument.name]
        if hint := _HINTS.get(argument.type.item.name):
            entry["description"] += f" ({hint})"
        if "enum" in entry and argument.default not in entry["enum"]:
            entry["enum"].append(argument.default)
        if argument.needed:
            required.append(argument.name)
            del entry["default"]
    return schema | {"required": required}


_LIST = {"type": "array", "items": {"type": "string"}}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


def _request_offer() -> Offer:
    asked = {"request": {"type": "string", "minLength": 1, "description": "what should be done, in plain words"}}
    step = _object(
        {
            "id": {"type": "integer"},
            "tool": {"type": "string"},
            "args": {"type": "object"},
            "ended": {"type": "string"},
        },
        ["id", "tool", "args", "ended"],
    )
    output = {
        "plan": {"type": "string"},
        "ok": {"type": "boolean"},
        "outcome": {"type": "array", "items": step},
        "missing_rules": _LIST,
    }
    schema = _object(asked, ["request"]) | {"additionalProperties": False}
    return Offer(REQUEST, "Plan and run", ABOUT, schema, _object(output, list(output)), False, True, True)


def check_rules(allow: tuple[str, ...], tools: Toolbox, where: str) -> None:
    """Raises `ConfigError` for a rule that names no tool."""
    for name in allow:
        if name not in tools.whole:
            near = difflib.get_close_matches(name, tools.whole.names, 1, 0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"{where}: mcp: allow: no tool is called {name!r}{hint}")


@dataclass
class _Gate:
    """Listens to a run and answers for the user: yes only where each tool that acts has its rule, and to no send once the client
    was `told` what others may have written."""

    tools: Toolbox
    rules: Callable[[], tuple[str, ...]]
    told: bool
    doubtful: bool = False
    leaking: bool = False
    missing: list[str] = field(default_factory=list)
    trouble: str = ""

    def hear(self, event: events.Event) -> None:
        if isinstance(event, events.PlanReady):
            self.doubtful = event.doubtful

    async def approve(self, plan: Plan) -> Plan | None:
        acting = {step.tool for step in plan.steps if self.tools[step.tool].effect != "read"}
        try:
            allowed = self.rules() if acting else ()
        except ConfigError as error:
            allowed, self.trouble = (), str(error)
        self.missing = sorted(acting.difference(allowed))
        self.leaking = self.told and any(self.tools[name].effect == "send" for name in acting)
        return None if self.doubtful or self.missing or self.leaking else plan


class Served:
    """`rules` gives the names that may write or send, as they are at that moment; `settings` is where they stand, for
    messages. `make_agent` loads the planner, which only whole requests need.
    """

    def __init__(
        self, tools: Toolbox, desktop: Desktop, place: str, history: History, make_agent: Callable[[], Agent],
        rules: Callable[[], tuple[str, ...]], settings: str, now: Callable[[], datetime],
    ):  # fmt: skip
        self.tools, self.desktop, self.place, self.history = tools, desktop, place, history
        self.rules, self.settings, self.now = rules, settings, now
        self._make_agent = make_agent
        self._agent: Agent | None = None
        self._turn = asyncio.Lock()
        self._told = False  # the client was given text that others may have written

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        """Carry out one call; an error of ours is an answer."""
        async with self._turn:
            try:
                if name == REQUEST:
                    return await self._request(arguments)
                if name not in self.tools:
                    near = difflib.get_close_matches(name, self.tools.names, 1, 0.5)
                    raise PlanError(f"no tool is called {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
                return await self._one(self.tools[name], arguments)
            except TinyAgentError as error:
                return Answer(False, str(error))

    async def _one(self, tool: Tool, arguments: Mapping[str, Any]) -> Answer:
        async def work(approve: Approve, emit: Emit) -> Outcome:
            plan = self._plan_of(tool, arguments)

            async def steps() -> AsyncIterator[Step]:
                yield plan.steps[0]

            return await execute(steps(), self.tools, self.desktop, approve, emit, self.now())

        outcome, gate = await self._written_down(f"MCP: {tool.name}", work)
        ending = outcome.endings[1]
        if isinstance(ending, events.StepDone):
            files = [str(file) for file in ending.result.files]
            return Answer(True, ending.result.value, {"result": ending.result.value, "files": files})
        return Answer(False, f"{tool.name}: {self._how(ending, gate)}")

    async def _request(self, arguments: Mapping[str, Any]) -> Answer:
        request = arguments.get("request")
        if set(arguments) != {"request"} or not isinstance(request, str) or not request.strip():
            raise PlanError(f"{REQUEST} takes one argument, 'request', which is text; got {_short(dict(arguments))}")

        async def work(approve: Approve, emit: Emit) -> Outcome:
            if self._agent is None:
                self._agent = await asyncio.to_thread(self._make_agent)
            return await self._agent.run(request, self.now(), approve, emit)

        outcome, gate = await self._written_down(request, work)
        return self._account(outcome, gate)

    async def _written_down(
        self, query: str, work: Callable[[Approve, Emit], Awaitable[Outcome]]
    ) -> tuple[Outcome, _Gate]:
        gate = _Gate(self.tools, self.rules, self._told)
        run = self.history.begin(query, self.now(), self.tools, self.place)
        with recording(self.history, run, gate.hear, gate.approve, beforehand=True) as (emit, approve):
            outcome = await work(approve, emit)
        self._told = self._told or any(outcome.foreign(self.tools))
        return outcome, gate

    def _plan_of(self, tool: Tool, arguments: Mapping[str, Any]) -> Plan:
        """The plan of one step, with dates resolved. Raises `PlanError` naming the argument at fault."""
        names = [argument.name for argument in tool.arguments]
        for name in arguments:
            if name not in names:
                near = difflib.get_close_matches(name, names, 1, 0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(names)}"
                raise PlanError(f"{tool.name} has no argument {name!r}; {hint}")
        values = []
        for argument in tool.arguments:
            value = _value(arguments.get(argument.name, argument.default))
            to_nobody = tool.effect == "send" and argument.type.item.name in ("email", "phone") and value == ()
            if to_nobody or (argument.needed and value == ""):
                raise PlanError(f"{tool.name} needs {argument.name}: {argument.description}")
            problem = argument.type.check(value)
            if problem:
                raise PlanError(f"{tool.name}, argument {argument.name} {problem:.200}")
            values.append(value)
        plan = resolve_plan(Plan((Step(1, tool.name, tuple(values)),)), self.tools, self.now())
        check_plan(plan, self.tools)
        return plan

    def _how(self, ending: events.Ending, gate: _Gate) -> str:
        match ending:
            case events.StepDone(_, result):
                return f"done: {result.value}"
            case events.StepFailed(_, message, advice):
                return f"failed: {message}" + (f". {advice}" if advice else "")
            case events.StepUnknown(_, message, advice):
                return f"may or may not have happened: {message}. {advice}"
            case events.StepSkipped(_, because):
                return f"not done: step {because} gave no result"
            case events.StepRefused(_, message) if message:
                return f"not done: {message}. Nobody can be asked over MCP; do it in tinyagent itself"
            case events.StepRefused():
                return f"not done: {self._missing(gate)}"
        return "not done: stopped before its turn"

    def _missing(self, gate: _Gate) -> str:
        if gate.trouble:
            return f"the rules can't be read: {gate.trouble}"
        if gate.doubtful:
            return _UNSURE
        if gate.leaking and not gate.missing:
            return _TOLD
        names = ", ".join(gate.missing)
        return f"no rule allows {names}; the user may add 'mcp: {{allow: [{names}]}}' to {self.settings}"

    def _account(self, outcome: Outcome, gate: _Gate) -> Answer:
        facts = {
            "plan": print_plan(outcome.plan),
            **show.outcome_json(outcome, self.tools),
            "missing_rules": gate.missing,
        }
        if outcome.plan.refused:
            return Answer(False, "None of the tools can do that, so nothing was done.", facts)
        lines = [facts["plan"], ""]
        for ending in outcome.endings.values():
            lines.append(f"step {ending.step.id}, {ending.step.tool}: {self._how(ending, gate)}")
        return Answer(outcome.ok, "\n".join(lines), facts)


def _value(given: Any) -> Any:
    """A JSON value as a plan holds it. Text stays text: nothing in it is read for references."""
    if isinstance(given, list):
        return tuple(_value(item) for item in given)
    return int(given) if isinstance(given, float) and given.is_integer() else given


def _short(value: Any) -> str:
    return f"{json.dumps(value, ensure_ascii=False, default=repr):.100}"
