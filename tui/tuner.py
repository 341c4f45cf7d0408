"""Fine-tuning as the screen needs it: what it learns from, training that can be stopped, installing and going back.

Everything here is called in threads and may take its time. Knows nothing of screens.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tinyagent_mlx import paths
from tinyagent_mlx.lab.recipes import FINETUNE_STEPS
from tinyagent_mlx.planners import Planners
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import load_toolbox

if TYPE_CHECKING:
    from tinyagent_mlx.lab.finetune import Outcome
    from tinyagent_mlx.lab.ownworlds import Lesson
    from tinyagent_mlx.lab.train_planner import Progress, Recipe


@dataclass(frozen=True)
class Matter:
    """What a fine-tuning would be about. `shown` and `held` count examples; `losses` are those of the steps that were
    made before it was stopped, by step; `in_use` names the planner that it starts from.
    """

    own: tuple[str, ...]
    shown: int
    held: int
    in_use: str
    steps: int
    reached: int = 0
    losses: dict[int, float] = field(default_factory=dict)
    outcome: Outcome | None = None


class Tuner(Protocol):
    def matter(self) -> Matter:
        """Look at what there is to learn. Raises `ConfigError` where there is nothing."""

    def tune(self, stepped: Callable[[Progress], bool], measured: Callable[[int, int], bool]) -> Outcome | None:
        """Train a copy of the planner in use, from the checkpoint where there is one; None when it was stopped.

        `stepped` is called after each step, `measured` with the number of measured requests and of all: True stops.
        """

    def install(self) -> str:
        """Use the planner that was trained from now on; gives its name."""

    def anew(self) -> None:
        """Forget what was trained; the next training draws other requests."""

    def rollback(self) -> str:
        """Go back to the planner before the one in use; gives its name."""


class Stopped(Exception):
    """Ends measuring early; it never leaves this module."""


class OwnTuner:
    """The real one: `tinyagent finetune` without its command line, in the same folders of the home."""

    def __init__(self, load_tools: Callable[[], Toolbox], home: Path, steps: int = FINETUNE_STEPS, model: str = ""):
        self._load, self._home, self.steps, self._model = load_tools, home, steps, model
        self.planners = Planners(home / "planners")
        self.seed = 0
        self._out = home / "finetune"  # where the last training lies: tools.yaml may change while it goes on

    def lesson(self) -> tuple[Lesson, Path]:
        """What is to be learnt, and the folder for its training."""
        from tinyagent_mlx.lab import finetune, ownworlds

        about = ownworlds.lesson(self._load(), load_toolbox(paths.shipped("tools.yaml")))
        return about, finetune.folder_of(self._home, about, self.start(), self.steps, self.seed)

    def start(self) -> Path:
        """The planner that is trained further: a copy of it."""
        return self.planners.in_use or paths.shipped("weights") / "planner"

    def recipe(self, out: Path) -> Recipe:
        from tinyagent_mlx.lab import finetune

        return finetune.recipe(out, self.steps, self.seed)

    def matter(self) -> Matter:
        from tinyagent_mlx.lab.train_planner import reached

        about, out = self.lesson()
        found = Matter(about.names, len(about.shown), len(about.held), _name(self.planners.in_use), self.steps)
        step = min(reached(self.recipe(out)), self.steps)
        losses = {n: loss for n, loss in _read_losses(out).items() if n <= step}
        return Matter(**{**vars(found), "reached": step, "losses": losses, "outcome": _read_outcome(out)})

    def tune(self, stepped: Callable[[Progress], bool], measured: Callable[[int, int], bool]) -> Outcome | None:
        from tinyagent_mlx.lab import finetune

        about, out = self.lesson()
        self._out = out

        def tell(progress: Progress) -> bool:
            with _losses(out).open("a", encoding="utf-8") as file:
                file.write(json.dumps([progress.step, progress.loss]) + "\n")
            return stepped(progress)

        def count(done: int, of: int) -> None:
            if measured(done, of):
                raise Stopped

        try:
            return finetune.finetune(about, self.start(), out, self.recipe(out), tell, count)
        except Stopped:
            return None

    def install(self) -> str:
        from tinyagent_mlx.lab import finetune

        place = self.planners.install(self._out / "planner")
        finetune.forget(self._out)
        return self._told(place)

    def anew(self) -> None:
        from tinyagent_mlx.lab import finetune

        finetune.forget(self.lesson()[1])
        self.seed += 1

    def rollback(self) -> str:
        return self._told(self.planners.rollback())

    def _told(self, planner: Path | None) -> str:
        return _name(planner) + (f" (this session keeps --model {self._model})" if self._model else "")


def _name(planner: Path | None) -> str:
    return f"fine-tuned planner {planner.name}" if planner else "shipped planner"


def _losses(out: Path) -> Path:
    return out / "losses.jsonl"


def _read_losses(out: Path) -> dict[int, float]:
    """The loss by step; of a step that was made twice, the last one. A line torn by a crash is left out."""
    try:
        lines = _losses(out).read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        try:
            step, loss = json.loads(line)
        except ValueError:
            continue
        found[int(step)] = float(loss)
    return found


def _read_outcome(out: Path) -> Outcome | None:
    from tinyagent_mlx.lab.finetune import Outcome, Scores

    try:
        found = json.loads((out / "outcome.json").read_text(encoding="utf-8"))
        return Outcome(Scores(**found["before"]), Scores(**found["after"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
