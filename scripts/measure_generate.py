"""Measure a plan of the language planner beside transformers' own `generate`, with the same weights, prompts and threads.

    python scripts/measure_generate.py --model runs/language/model --data runs/language/data --count 40

Each request is planned by both in turn, ours first and then theirs, so that other work on the machine is fair; PyTorch
lives in a process of its own, because two libraries of threads in one process fight for the cores. Both decode greedily in
float32 on the CPU and stop where the plan ends. The tools at hand are those of the validation rows. Needs PyTorch and
transformers, which are no dependencies: `--python` names an environment that has them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

NOW = datetime(2026, 11, 23, 9)
MOST = 256  # tokens of a plan
ROOT = Path(__file__).parent.parent
THEIRS = """
import json, sys, time
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
folder, threads, most = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json")
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
stop = tokenizer("<END_OF_PLAN>").input_ids
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    prompt = json.loads(line)
    began = time.perf_counter()
    tokens = tokenizer(prompt, return_tensors="pt", add_special_tokens=False, return_token_type_ids=False)
    with torch.inference_mode():
        out = model.generate(
            **tokens, max_new_tokens=most, do_sample=False, num_beams=1, pad_token_id=stop[-2], eos_token_id=stop[-2]
        )
    new = out[0, tokens["input_ids"].shape[1]:]
    text = tokenizer.decode(new)
    seconds = time.perf_counter() - began
    print(json.dumps({"text": text, "tokens": len(new), "seconds": seconds}), flush=True)
"""


@dataclass(frozen=True)
class Timed:
    """A request planned by both."""

    ours: float
    theirs: float
    our_tokens: int
    their_tokens: int
    our_passes: int
    same: bool


class Generate:
    """transformers' `generate` in a process of its own."""

    def __init__(self, python: str, folder: Path, threads: int, most: int):
        quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        environment = {**os.environ, **quiet, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            [python, "-c", THEIRS, str(folder), str(threads), str(most)], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._answer()

    def plan(self, prompt: str) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(prompt) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("transformers' process ended; --python names an environment with torch and transformers")
        return json.loads(line)


def measure(model: Path, data: Path, count: int, python: str, threads: int, most: int = MOST) -> list[Timed]:
    """Plan requests of the validation rows by both, in `most` tokens at most; the first one is a warm-up, not counted."""
    from tinyagent_mlx import language
    from tinyagent_mlx.lab.rows import AtHand
    from tinyagent_mlx.paths import shipped
    from tinyagent_mlx.plan import Plan, Step, print_plan
    from tinyagent_mlx.planner import PlanEnd
    from tinyagent_mlx.prompt import planner_prompt
    from tinyagent_mlx.toolfile import load_toolbox

    tools, planner, at_hand = load_toolbox(shipped("tools.yaml")), language.load(model), AtHand(data)
    theirs, found = Generate(python, model, threads, most), []
    planner.max_tokens = most
    for case in at_hand.cases[: count + 1]:
        chosen = at_hand.retrieve(case.query, tools)
        began = time.perf_counter()
        steps = list(planner.plan(case.query, tools, chosen, case.now or NOW))
        seconds = time.perf_counter() - began
        few = tools.subset(chosen)
        most_shown = planner.profile.examples
        shown = planner.examples.choose(case.query, few, most_shown) if most_shown else ()
        prompt = planner_prompt(few, case.query, case.now or NOW, len(few) < len(tools), planner.profile, shown)
        other = theirs.plan(prompt)
        plan = print_plan(Plan(tuple(step for step in steps if isinstance(step, Step))), join=True)
        same = plan.split("<END")[0] == other["text"].split("<END")[0]
        end = steps[-1]
        assert isinstance(end, PlanEnd)
        found.append(Timed(seconds, other["seconds"], end.generated_tokens, other["tokens"], end.forward_passes, same))
    theirs.close()
    return found[1:]


def figures(found: list[Timed]) -> dict[str, Any]:
    """Medians, and the ratio of each request's two times; `same` counts the requests that both planned alike."""
    alike = [timed for timed in found if timed.same]
    columns = [asdict(timed) for timed in found]
    out: dict[str, Any] = {"requests": len(found), "same": len(alike)}
    for key in ("ours", "theirs"):
        out[f"{key}_seconds_p50"] = round(statistics.median(row[key] for row in columns), 4)
    for key in ("our_tokens", "their_tokens", "our_passes"):
        out[f"{key}_mean"] = round(statistics.fmean(row[key] for row in columns), 1)
    out["ratio_p50"] = round(statistics.median(timed.ours / timed.theirs for timed in found), 3)
    out["ratio_total"] = round(sum(timed.ours for timed in found) / sum(timed.theirs for timed in found), 3)
    out["ratio_total_where_same"] = (
        round(sum(timed.ours for timed in alike) / sum(timed.theirs for timed in alike), 3) if alike else None
    )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="a folder that `tinyagent train language` wrote")
    parser.add_argument("--data", type=Path, required=True, help="the folder of its rows")
    parser.add_argument("--count", type=int, default=40, help="requests (default: 40)")
    parser.add_argument("--threads", type=int, default=2, help="of each library (default: 2)")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has transformers")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)  # before MLX is loaded
    sys.path.insert(0, str(ROOT))
    found = measure(options.model, options.data, options.count, options.python, options.threads)
    print(json.dumps(figures(found), indent=1))


if __name__ == "__main__":
    main()
