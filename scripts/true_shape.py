"""Pull, convert, use and plan at a published model's true shape, with random weights and no network; prints what it took.

    python scripts/true_shape.py                          # TinyAgent-1.1B, whole
    python scripts/true_shape.py --shape 7b --layers 2    # TinyAgent-7B's architecture, cut in depth

The weights, and a tokenizer of 32,000 tokens that is trained on this machine's own Python files, lie in a folder in the
hub's cache layout; every step is the command that a user types, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHAPES: dict[str, dict[str, Any]] = {
    "1.1b": {
        "model_type": "llama", "hidden_size": 2048, "num_hidden_layers": 22, "intermediate_size": 5632,
        "num_attention_heads": 32, "num_key_value_heads": 4, "rope_theta": 1e6, "torch_dtype": "bfloat16",
    },
    "7b": {
        "model_type": "mistral", "hidden_size": 4096, "num_hidden_layers": 32, "intermediate_size": 14336,
        "num_attention_heads": 32, "num_key_value_heads": 8, "rope_theta": 1e4, "torch_dtype": "float32",
    },
}  # fmt: skip
COMMON = {"vocab_size": 32_000, "max_position_embeddings": 32_768, "rms_norm_eps": 1e-5, "tie_word_embeddings": False}
IDS = {
    "1.1b": ("tinyagent-1.1b", "squeeze-ai-lab/TinyAgent-1.1B", "Doctor-Shotgun/TinyLlama-1.1B-32k-Instruct"),
    "7b": ("tinyagent-7b", "squeeze-ai-lab/TinyAgent-7B", "lucyknada/microsoft_WizardLM-2-7B"),
}
REVISION = "0" * 40
REQUESTS = (
    "text 555-0199 that the package arrived",
    "put lunch with Ines on Friday at 12:30",
    "email Sid the lease agreement.pdf",
)
TEXT = 12_000_000  # characters that the tokenizer is trained on


def snapshot(cache: Path, id: str) -> Path:
    """The folder of a repository in a cache in the hub's layout, made."""
    place = cache / f"models--{id.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(REVISION)
    (place / "snapshots" / REVISION).mkdir(parents=True)
    return place / "snapshots" / REVISION


def write_weights(folder: Path, config: dict[str, Any]) -> float:
    """Random weights, as they are published: without a tokenizer; gives billions of parameters."""
    import tinyagent_mlx.device  # noqa: F401  (before MLX)

    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.models.llama import Model, ModelArgs

    mx.random.seed(0)
    dtype = getattr(mx, config["torch_dtype"])
    shapes: Any = tree_flatten(Model(ModelArgs.from_dict(config)).parameters())
    weights = {
        name: mx.ones(value.shape, dtype) if value.ndim == 1 else (mx.random.normal(value.shape) * 0.02).astype(dtype)
        for name, value in shapes
    }
    mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    return sum(value.size for value in weights.values()) / 1e9


def texts() -> Iterator[str]:
    left = TEXT
    for file in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        text = file.read_text(encoding="utf-8", errors="ignore")[:left]
        left -= len(text)
        yield text
        if not left:
            return


def run(home: Path, *arguments: str) -> tuple[str, float, float]:
    """A command in a process of its own, offline; gives what it printed, its seconds and its peak memory in GB."""
    print(f"$ tinyagent {' '.join(arguments)}", flush=True)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TINYAGENT_HOME": str(home)}
    began = time.perf_counter()
    command = [sys.executable, "-m", "tinyagent_mlx.cli.main", *arguments]
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"exit status {process.returncode}")
        out.seek(0)
        peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
        seconds = time.perf_counter() - began
        print(f"    {seconds:.1f} s, peak memory {peak:.2f} GB", flush=True)
        return out.read(), seconds, peak


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--shape", choices=SHAPES, default="1.1b")
    options.add_argument("--layers", type=int, help="fewer layers than the true ones")
    options.add_argument("--no-plan", action="store_true", help="pull, convert and use, and no more")
    options.add_argument("--make", type=Path, metavar="CACHE", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    config = {**COMMON, **SHAPES[chosen.shape]}
    config["num_hidden_layers"] = chosen.layers or config["num_hidden_layers"]
    if chosen.make:
        make(chosen.make, chosen.shape, config)
        return
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: the peak of a child counts what its parent filled when it was started.
        subprocess.run([sys.executable, *sys.argv, "--make", f"{folder}/cache"], check=True)
        measure(Path(folder) / "cache", Path(folder) / "home", IDS[chosen.shape][0], not chosen.no_plan)


def make(cache: Path, shape: str, config: dict[str, Any]) -> None:
    from tinyagent_mlx.lab.small_llama import train_tokenizer, write_tokenizer

    _, id, tokenizer = IDS[shape]
    parameters = write_weights(snapshot(cache, id), config)
    write_tokenizer(snapshot(cache, tokenizer), train_tokenizer(texts(), config["vocab_size"]))
    print(f"{id}: {parameters:.3f}e9 random parameters, {config['num_hidden_layers']} layers", flush=True)


def measure(cache: Path, home: Path, name: str, planning: bool) -> None:
    steps = {
        "pull": run(home, "models", "pull", name, "--from", str(cache)),
        "convert": run(home, "models", "convert", name),
        "use": run(home, "models", "use", name),
    }
    found = planned(home, steps) if planning else {}
    folder = home / "models" / name
    figures = {
        "gb_source": (folder / "source" / "model.safetensors").stat().st_size / 1e9,
        "gb_4": sum(file.stat().st_size for file in (folder / "4bit-g32").glob("*.safetensors")) / 1e9,
        "seconds": {step: round(seconds, 1) for step, (_, seconds, _) in steps.items()},
        "peak_gb": {step: round(peak, 2) for step, (_, _, peak) in steps.items()},
        **found,
    }
    print(json.dumps(figures, indent=1))


def planned(home: Path, steps: dict[str, tuple[str, float, float]]) -> dict[str, Any]:
    """Plan one request with `plan` and the others with `eval`; gives what they say, and adds them to the steps."""
    steps["plan"] = run(home, "plan", REQUESTS[0], "--now", "2026-11-23 09:00", "--json")
    cases = home / "cases.jsonl"
    rows = (
        {"id": str(number), "query": query, "plans": [""], "now": "2026-11-23 09:00:00"}
        for number, query in enumerate(REQUESTS[1:])
    )
    cases.write_text("".join(json.dumps(row) + "\n" for row in rows))
    steps["eval"] = run(home, "eval", "--cases", str(cases), "--json")
    plan, found = json.loads(steps["plan"][0]), json.loads(steps["eval"][0])
    keys = ("prompt_tokens", "generated_tokens", "forward_passes", "seconds")
    return {
        "plan": {key: plan[key] for key in keys},
        **{key: found[key] for key in ("cases", "valid_plans", "seconds_p50")},
    }


if __name__ == "__main__":
    main()
