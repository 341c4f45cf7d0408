"""See what was asked, approved and done: list, show, search, export, or save a request as an evaluation case."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyagent_mlx.cli import places, setup
from tinyagent_mlx.cli.show import plain

if TYPE_CHECKING:
    from tinyagent_mlx.history import History
    from tinyagent_mlx.plan import Plan
    from tinyagent_mlx.records import RunRecord, StepRecord

SHOWN = 20


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(action="list", limit=SHOWN)
    actions = parser.add_subparsers(metavar="ACTION", help="list, when nothing is said")
    listing = _action(actions, "list", "the newest requests first")
    searching = _action(actions, "search", "the requests that hold all of these words, in plan and results too")
    searching.add_argument("text", nargs="+", metavar="TEXT")
    for action in (listing, searching):
        action.add_argument("--limit", type=_count, default=SHOWN, metavar="N", help=f"how many (default: {SHOWN})")
    _action(actions, "show", "one request with every step").add_argument("id", type=int, metavar="ID")
    _action(actions, "export", "every request, one JSON object a line").add_argument("file", type=Path, metavar="FILE")
    saving = _action(actions, "save-case", "append a request to a case file for `tinyagent eval`")
    saving.add_argument("id", type=int, metavar="ID")
    saving.add_argument(
        "--cases", type=Path, metavar="FILE", help="default: cases.jsonl beside your own tools.yaml, for `eval --mine`"
    )
    saving.add_argument("--plan", metavar="TEXT", help="the right plan (default: the one that was approved)")


def _action(actions: Any, name: str, text: str) -> argparse.ArgumentParser:
    """An action takes the verb's own options too, on either side of its name."""
    made: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    made.set_defaults(action=name)
    made.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object")
    places.add_options(made, again=True)
    return made


def _count(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("expected a number from 1 on")
    return int(text)


def call(options: argparse.Namespace) -> int:
    with setup.history(options) as history:
        match options.action:
            case "show":
                _show(history.run(options.id), options.json)
            case "export":
                said = {"file": str(options.file), "requests": history.export(options.file)}
                _say(said, "{requests} requests written to {file}", options.json)
            case "save-case":
                cases = options.cases or setup.own_cases(options)
                case = history.save_case(options.id, cases, _plan(options))
                _say({"file": str(cases), "case": case}, "saved as {case} in {file}", options.json)
            case _:
                _list(history, " ".join(getattr(options, "text", ())), options.limit, options.json)
    return 0


def _plan(options: argparse.Namespace) -> Plan | None:
    """The plan given on the command line, checked; "" is the plan of a request that no tool serves."""
    from tinyagent_mlx.check import check_plan
    from tinyagent_mlx.plan import parse_written

    if options.plan is None:
        return None
    plan = parse_written(options.plan)
    check_plan(plan, setup.toolbox(options))
    return plan


def _say(facts: dict[str, Any], words: str, as_json: bool) -> None:
    print(json.dumps(facts, ensure_ascii=False) if as_json else words.format_map(facts))


def _list(history: History, search: str, limit: int, as_json: bool) -> None:
    runs = history.runs(limit, search)
    if as_json:
        print(json.dumps({"requests": [run.as_json() for run in runs]}, ensure_ascii=False))
    elif not runs:
        print(f"No request holds {plain(search)}." if search else "No request was carried out yet.")
    for run in () if as_json else runs:
        print(f"{run.id:>5}  {_when(run.began)}  {run.state:<12}  {plain(run.query).replace(chr(10), ' ')}")


def _show(run: RunRecord, as_json: bool) -> None:
    if as_json:
        print(json.dumps(run.as_json(), ensure_ascii=False))
        return
    print("\n\n".join([run_text(run), *(step_text(step) for step in run.steps)]))


def run_text(run: RunRecord) -> str:
    """A request as people read it, without its steps."""
    answered = f" at {_when(run.answered)}" if run.answered else ""
    lines = [
        f"{run.id}. {plain(run.query)}",
        f"{run.state}, {_when(run.began)}, planned as of {run.now}" + (f", on {plain(run.place)}" if run.place else ""),
        f"approval: {run.approval or 'never asked for'}{answered}",
    ]
    if run.fault:
        lines.append(f"broken off: {plain(run.fault)}")
    if run.approved_plan is not None:
        lines += ["planned was:", _indented(run.plan or "nothing"), "approved was:", _indented(run.approved_plan)]
    if not run.steps:
        lines.append("No steps.")
    return "\n".join(lines)


def step_text(step: StepRecord) -> str:
    """A step as people read it: arguments and result in full, the script's hash, what an undo did."""
    from tinyagent_mlx.plan import quote

    took = f" in {step.seconds:.2f} s" if step.seconds is not None else ""
    begun = f", started {_when(step.started)}" if step.started else ""
    lines = [f"{step.number}. {step.tool}: {step.state}{took}{begun}"]
    if step.arguments:
        for name, value in step.arguments.items():
            items = value if isinstance(value, list) else [value]
            words = ", ".join(quote(item) if isinstance(item, str) else repr(item) for item in items)
            lines.append(f"     {name}: {f'[{words}]' if isinstance(value, list) else words}")
    else:
        lines.append(f"     {plain(step.call)}")
    if step.script:
        lines.append(f"     script: sha256 {step.script}")
    if step.value:
        lines.append(_indented(f"→ {step.value}"))
    lines += [f"     file: {plain(file)}" for file in step.files]
    lines += [_indented(text) for text in (step.message, step.advice) if text]
    if step.undone:
        lines.append(_indented(f"undone {_when(step.undone)}: {step.undo_text}"))
    elif step.undo_started:
        lines.append(_indented(f"an undo began {_when(step.undo_started)} and was cut off; look whether it happened"))
    elif step.undo_text:
        lines.append(_indented(f"could not be undone: {step.undo_text}"))
    return "\n".join(lines)


def _indented(text: str) -> str:
    return "\n".join(f"     {line}" for line in plain(text).splitlines())


def _when(time: str) -> str:
    return time[:19].replace("T", " ")
