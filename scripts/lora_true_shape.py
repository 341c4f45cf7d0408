"""Fine-tune, fuse, quantize, use and plan at the true shape of TinyLlama-1.1B, with random weights and no network.

    python scripts/lora_true_shape.py                     # 20 steps of two rows of at most 128 tokens
    python scripts/lora_true_shape.py --layers 2          # cut in depth, to see that it goes

The rows are of this project's corpus, written in the layout of the published dataset and imported from there. Every step is
the command that a user types, in a process of its own; each loss and what it took is printed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from true_shape import COMMON, REQUESTS, SHAPES, run, snapshot, texts, write_weights

NAME, ID = "tinyllama-1.1b-32k-instruct", "Doctor-Shotgun/TinyLlama-1.1B-32k-Instruct"
BRIEFLY = ("--profile", "brief", "--shown", "0", "--everything", "0")  # short prompts: products on a CPU are slow
ROWS = 600
LOSS = re.compile(r"^step (\d+)/\d+  loss ([\d.]+)  ([\d.]+) s a step", re.MULTILINE)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--layers", type=int, help="fewer layers than the true ones")
    options.add_argument("--steps", type=int, default=20, help="training steps (default: 20)")
    options.add_argument("--batch", type=int, default=2, help="rows a step (default: 2)")
    options.add_argument("--longest", type=int, default=128, help="tokens of a row at most (default: 128)")
    options.add_argument(
        "--lr", type=float, default=5e-4, help="learning rate; random weights need a high one (default: 5e-4)"
    )
    options.add_argument("--simulate", type=float, default=0.15, help="share of the steps with simulated 4 bits")
    options.add_argument("--no-checkpoint", action="store_true", help="without gradient checkpointing")
    options.add_argument("--no-plan", action="store_true", help="up to `use`, and no further")
    options.add_argument("--make", type=Path, metavar="CACHE", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    config = {**COMMON, **SHAPES["1.1b"]}
    config["num_hidden_layers"] = chosen.layers or config["num_hidden_layers"]
    if chosen.make:
        make(chosen.make, config)
        return
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: the peak of a child counts what its parent filled when it was started.
        subprocess.run([sys.executable, *sys.argv, "--make", f"{folder}/cache"], check=True)
        measure(Path(folder), chosen)


def make(cache: Path, config: dict[str, Any]) -> None:
    """The base model in a hub's cache, weights and tokenizer."""
    from tinyagent_mlx.lab.small_llama import train_tokenizer, write_tokenizer

    place = snapshot(cache, ID)
    parameters = write_weights(place, config)
    write_tokenizer(place, train_tokenizer(texts(), config["vocab_size"]))
    print(f"{ID}: {parameters:.3f}e9 random parameters, {config['num_hidden_layers']} layers", flush=True)


def published(rows: Path, file: Path) -> None:
    """Rows in the layout of the published dataset, which has no refusals."""
    entries = {}
    for line in rows.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        plan = row["plans"][0]
        if plan:
            answer = f"{plan}\n{plan.count(chr(10)) + 2}. join()\n"
            entries[row["id"]] = {"input": row["query"], "output": [{"type": "plan", "raw_output": answer}]}
    file.write_text(json.dumps(entries), encoding="utf-8")


def measure(folder: Path, chosen: argparse.Namespace) -> None:
    home, out = folder / "home", folder / "lora"
    took = {"pull": run(home, "models", "pull", NAME, "--from", str(folder / "cache"), "--no-profile")}
    run(home, "data", "generate", "--count", str(ROWS), "--workers", "2", "--out", str(folder / "rows.jsonl"))
    published(folder / "rows.jsonl", folder / "dataset.json")
    run(home, "data", "import", str(folder / "dataset.json"), "--out", str(folder / "imported.jsonl"))
    took["train"] = run(
        home, "train", "planner", "--model", NAME, "--data", str(folder / "imported.jsonl"), *BRIEFLY,
        "--held", "10", "--cases", "0", "--measure-every", "10", "--out", str(out),
        "--steps", str(chosen.steps), "--batch", str(chosen.batch), "--longest", str(chosen.longest),
        "--lr", str(chosen.lr), "--simulate-quantization", str(chosen.simulate),
        *([] if chosen.no_checkpoint else ["--grad-checkpoint"]),
    )  # fmt: skip
    print(took["train"][0], flush=True)
    took["use"] = run(home, "models", "use", f"{NAME}-lora")
    if not chosen.no_plan:
        took["plan"] = run(home, "plan", REQUESTS[0], "--now", "2026-11-23 09:00", "--json")
        print(json.loads(took["plan"][0])["plan"], flush=True)
    model = home / "models" / f"{NAME}-lora"
    figures = {
        "losses": [float(loss) for _, loss, _ in LOSS.findall(took["train"][0])],
        "seconds_a_step": [float(seconds) for _, _, seconds in LOSS.findall(took["train"][0])],
        "gb": {
            "adapters": gb(out / "adapters", "adapters.safetensors"),
            "16 bits": gb(model / "source"),
            "4 bits": gb(model / "4bit-g32"),
        },
        "seconds": {step: round(seconds, 1) for step, (_, seconds, _) in took.items()},
        "peak_gb": {step: round(peak, 2) for step, (_, _, peak) in took.items()},
    }
    print(json.dumps(figures, indent=1))


def gb(folder: Path, pattern: str = "*.safetensors") -> float:
    return round(sum(file.stat().st_size for file in folder.glob(pattern)) / 1e9, 3)


if __name__ == "__main__":
    main()
