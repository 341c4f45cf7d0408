"""Fine-tune the planner on your own tools, on this machine: from the examples in your tools.yaml."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyagent_mlx import paths
from tinyagent_mlx.cli import setup
from tinyagent_mlx.errors import UsageError
from tinyagent_mlx.lab.recipes import FINETUNE_STEPS
from tinyagent_mlx.planners import Planners

if TYPE_CHECKING:
    from tinyagent_mlx.lab.finetune import Outcome, Scores
    from tinyagent_mlx.lab.train_planner import Progress
    from tinyagent_mlx.toolbox import Example, Toolbox

WIDTH = 24  # of the progress bar, in characters


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--steps", type=int, default=FINETUNE_STEPS, metavar="N", help=f"training steps (default: {FINETUNE_STEPS})"
    )
    parser.add_argument("--cases", type=Path, metavar="FILE", help="learn from these requests and plans too")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="another seed draws other requests (default: 0)"
    )
    parser.add_argument("--restart", action="store_true", help="forget a fine-tuning that was stopped, and begin anew")
    parser.add_argument("--rollback", action="store_true", help="go back to the planner before the last fine-tuning")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def call(options: argparse.Namespace) -> int:
    planners = Planners(paths.home(options.home) / "planners")
    if options.rollback:
        back = planners.rollback()
        _say({"in_use": str(back) if back else "shipped planner"}, "in use: {in_use}", options.json)
        return 0
    if options.steps < 1:
        raise UsageError(f"--steps {options.steps}: expected 1 or more")
    return _finetune(options, planners)


def _finetune(options: argparse.Namespace, planners: Planners) -> int:
    from tinyagent_mlx.lab import finetune, ownworlds
    from tinyagent_mlx.toolfile import load_toolbox

    tools = setup.toolbox(options)
    shipped = load_toolbox(paths.shipped("tools.yaml"))
    about = ownworlds.lesson(tools, shipped, _examples(options.cases, tools))
    start = planners.in_use or paths.shipped("weights") / "planner"
    out = finetune.folder_of(paths.home(options.home), about, start, options.steps, options.seed)
    settings = finetune.recipe(out, options.steps, options.seed)
    if options.restart:
        finetune.forget(out)
    _tell(
        f"own tools: {', '.join(about.names)}; {len(about.shown)} examples to learn from, {len(about.held)} held back"
    )
    bar = _Bar()
    before = signal.signal(signal.SIGINT, bar.interrupt)
    try:
        outcome = finetune.finetune(about, start, out, settings, bar)
    finally:
        signal.signal(signal.SIGINT, before)
    if outcome is None:
        _say(
            {"stopped_at": bar.step},
            "stopped at step {stopped_at}; `tinyagent finetune` goes on from there",
            options.json,
        )
        return 1
    return _end(outcome, out, planners, options.json)


def _examples(file: Path | None, tools: Toolbox) -> list[Example]:
    """Cases as examples, their moments in the requests' words."""
    from tinyagent_mlx.cases import read_cases
    from tinyagent_mlx.lab.own import in_words
    from tinyagent_mlx.toolbox import Example

    cases = read_cases(file) if file else []
    return [in_words(Example(case.query, case.plans[0]), tools, case.now or setup.now(None)) for case in cases]


def _end(outcome: Outcome, out: Path, planners: Planners, as_json: bool) -> int:
    """Say what came out, and use it if it is better."""
    from tinyagent_mlx.lab import finetune

    found: dict[str, Any] = {"before": vars(outcome.before), "after": vars(outcome.after), "installed": ""}
    if outcome.better:
        found["installed"] = str(planners.install(out / "planner"))
        finetune.forget(out)
    if as_json:
        print(json.dumps(found))
        return 0 if outcome.better else 1
    print(table(outcome.before, outcome.after))
    if outcome.better:
        print(f"installed: {found['installed']} (`tinyagent finetune --rollback` goes back)")
        return 0
    print("not installed: it is not better, or the shipped tools lost more than a point; the planner in use stays")
    return 1


def table(before: Scores, after: Scores) -> str:
    """Before and after, as lines."""

    def cell(value: float | None) -> str:
        return "      –" if value is None else f"{value:7.1%}"

    rows = (("your tools", before.own, after.own), ("shipped tools", before.old, after.old))
    lines = [f"{name:<16}{cell(was)}  {cell(now)}" for name, was, now in rows]
    return "\n".join([f"{'plans right':<16}{'before':>7}  {'after':>7}", *lines])


def _say(found: dict[str, Any], text: str, as_json: bool) -> None:
    print(json.dumps(found) if as_json else text.format(**found))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class _Bar:
    """Progress on stderr: a bar on a terminal, elsewhere a line each twenty steps. Ctrl-C stops after the step it is at,
    a second one at once.
    """

    def __init__(self) -> None:
        self.step, self.stopping = 0, False

    def interrupt(self, *_: object) -> None:
        if self.stopping:
            raise KeyboardInterrupt
        self.stopping = True

    def __call__(self, progress: Progress) -> bool:
        self.step = progress.step
        if sys.stderr.isatty():
            filled = "█" * (WIDTH * progress.step // progress.steps)
            end = "\n" if progress.step == progress.steps else ""
            print(f"\r{filled:<{WIDTH}} {progress}   ", end=end, file=sys.stderr, flush=True)
        elif progress.step % 20 == 0 or progress.step == progress.steps:
            _tell(str(progress))
        return self.stopping
