"""Choose the retriever's threshold on the validation part of the split and write it into the planner's manifest.

    python -m tinyagent_mlx.lab.calibrate --model weights/planner --cases runs/valid.jsonl

The threshold is the highest at which all needed tools of `--recall` of the cases are found.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tinyagent_mlx.cases import Case, read_cases
from tinyagent_mlx.pointing import PointerEngine, PointerRetriever
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import load_toolbox

_LOWEST, _HIGHEST = 0.0005, 0.5


def weakest_needed(retriever: PointerRetriever, cases: list[Case], tools: Toolbox) -> list[float]:
    """For each case that needs tools, the score of the needed tool that is scored lowest, ascending."""
    out = []
    for case in cases:
        if not case.refusal:
            scores = retriever.scores(case.query, tools)
            out.append(min(scores[step.tool] for step in case.plans[0].steps))
    return sorted(out)


def threshold_for(weakest: list[float], recall: float) -> float:
    """The highest threshold, within bounds, that keeps the weakest needed tool of `recall` of the cases."""
    missed = int(len(weakest) * (1 - recall))
    return round(min(_HIGHEST, max(_LOWEST, weakest[missed])), 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--tools", type=Path, default=Path("tools.yaml"))
    parser.add_argument("--recall", type=float, default=0.998)
    options = parser.parse_args()
    tools, engine = load_toolbox(options.tools), PointerEngine(options.model)
    found = threshold_for(weakest_needed(PointerRetriever(engine), read_cases(options.cases), tools), options.recall)
    file = options.model / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "threshold": found}, indent=1) + "\n")
    print(f"threshold {found}")


if __name__ == "__main__":
    main()
