"""Write cases from held-out wordings: the own test split, none of whose wordings, nor a near copy, is in training.

python -m tinyagent_mlx.lab.testset --base FOLDER --out runs/test.jsonl --count 1000
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tinyagent_mlx.lab import corpus
from tinyagent_mlx.lab.generate import Generator, open_dictionary, vocabulary
from tinyagent_mlx.plan import print_plan
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import load_toolbox

NOW = "2026-11-23 09:00:00"


def write_cases(
    file: Path, tools: Toolbox, dictionary: list[str], wordings: list[corpus.Wording], part: str, count: int, seed: int
) -> None:
    """Write `count` cases of wordings that belong to a part ("valid" or "test") of the split."""
    rows = Generator(wordings, tools, dictionary, seed).rows()
    lines = []
    for number, row in zip(range(count), rows, strict=False):
        tags = [
            row.register,
            f"steps {len(row.plan.steps)}",
            "refusal" if row.plan.refused else f"wordings {len(row.sources)}",
        ]
        plan = print_plan(row.graded(tools))
        case = {"id": f"{part}-{number:04}", "query": row.request, "plans": [plan], "now": NOW, "tags": tags}
        lines.append(json.dumps(case, ensure_ascii=False))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--tools", type=Path, default=Path("tools.yaml"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--part", choices=("valid", "test"), default="test")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dictionary = open_dictionary(vocabulary(options.base))
    wordings = getattr(corpus.split(corpus.read_corpus()), options.part)
    tools = load_toolbox(options.tools)
    write_cases(options.out, tools, dictionary, wordings, options.part, options.count, options.seed)


if __name__ == "__main__":
    main()
