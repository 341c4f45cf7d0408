"""The paper's Table 2 at the true shape: a model of TinyAgent-1.1B's shape in 16 and 4 bits, with random weights.

    python scripts/true_pace.py --read 12 --written 2 --rounds 1    # minutes on a CPU; --layers 4 for a first look

On a CPU each size is run in two ways: as it is stored (bfloat16 and quantized products), and expanded to 32 bits at load, as
planning does. Each way has a process of its own, for its peak memory; processes take turns, so that other work on the machine
is fair to all. Random weights: nothing here says what a plan is worth.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from true_shape import COMMON, SHAPES, texts, write_weights

SIZES = ("16 bits", "4 bits")
PAPER = "The paper's TinyAgent-1.1B on a MacBook, whole plans: 16 bits 2.2 GB, 3.9 s; 4 bits 0.68 GB, 2.9 s."


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--layers", type=int, help="fewer layers than the true ones")
    options.add_argument("--read", type=int, default=64, metavar="N", help="tokens of the prompt (default: 64)")
    options.add_argument("--written", type=int, default=8, metavar="N", help="tokens written (default: 8)")
    options.add_argument("--rounds", type=int, default=2, metavar="N", help="turns of each way (default: 2)")
    options.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--time", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--expand", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.make:
        make(chosen.make, chosen.layers)
    elif chosen.time:
        print(json.dumps(timed(chosen.time, chosen.expand, chosen.read, chosen.written)))
    else:
        with tempfile.TemporaryDirectory() as place:
            child("--make", place, *(["--layers", str(chosen.layers)] if chosen.layers else []))
            table(Path(place), chosen.read, chosen.written, chosen.rounds)


def child(*arguments: str) -> tuple[str, float]:
    """This script in a process of its own; gives what it printed, and its peak memory in GB."""
    command = [sys.executable, __file__, *arguments]
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(arguments)}: exit status {process.returncode}")
        out.seek(0)
        return out.read(), used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def make(place: Path, layers: int | None) -> None:
    """The model in both sizes, with a tokenizer that is trained here."""
    from tinyagent_mlx.conversion import convert
    from tinyagent_mlx.lab.small_llama import train_tokenizer, write_tokenizer

    config: dict[str, Any] = {**COMMON, **SHAPES["1.1b"]}
    config["num_hidden_layers"] = layers or config["num_hidden_layers"]
    source = place / SIZES[0]
    source.mkdir()
    parameters = write_weights(source, config)
    write_tokenizer(source, train_tokenizer(texts(), config["vocab_size"]))
    convert(source, place / SIZES[1], 4, 32)
    print(f"{parameters:.3f}e9 random parameters, {config['num_hidden_layers']} layers", file=sys.stderr)


def timed(folder: Path, expand: bool, read: int, written: int) -> dict[str, float]:
    """Load one size in one way, and measure it."""
    from tinyagent_mlx import bench
    from tinyagent_mlx.decoding import load_decoder

    began = time.perf_counter()
    decoder = load_decoder(folder, expand=expand)
    loaded = time.perf_counter() - began
    bench.pace(decoder.model, [1, 2], 1)
    prefill, decode = bench.pace(decoder.model, list(range(100, 100 + read)), written)
    return {"load": loaded, "prefill": prefill, "decode": decode}


def table(place: Path, read: int, written: int, rounds: int) -> None:
    """Take turns, and print the medians with what each way is worth beside the first."""
    from tinyagent_mlx import device

    ways = (False,) if device.on_gpu() else (False, True)
    found: dict[tuple[str, bool], list[dict[str, float]]] = {(size, way): [] for way in ways for size in SIZES}
    for number in range(rounds):
        for (size, expand), measured in found.items():
            arguments = ["--time", str(place / size), "--read", str(read), "--written", str(written)]
            said, peak = child(*arguments, *(["--expand"] if expand else []))
            measured.append({**json.loads(said), "peak": peak})
            print(f"round {number + 1}: {size}{', expanded' * expand}: {measured[-1]}", file=sys.stderr, flush=True)
    print("| weights | on disk | peak memory | load | reads | writes |\n|---|---|---|---|---|---|")
    for (size, expand), measured in found.items():
        load, peak, prefill, decode = (
            statistics.median(one[key] for one in measured) for key in ("load", "peak", "prefill", "decode")
        )
        disk = sum(file.stat().st_size for file in (place / size).glob("*.safetensors")) / 1e9
        how = "expanded to 32 bits" if expand else "as stored"
        print(
            f"| {size}, {how} | {disk:.2f} GB | {peak:.2f} GB | {load:.1f} s | {prefill:.3g} tokens/s | {decode:.3g} tokens/s |"
        )
    print(f"\n{read} tokens read, {written} written, {rounds} turns each. {PAPER}")
    for way in ways:
        half, four = (found[size, way] for size in SIZES)
        for key in ("prefill", "decode"):
            ratio = statistics.median(b[key] / a[key] for a, b in zip(half, four, strict=True))
            print(f"4 bits to 16, {'expanded' if way else 'as stored'}, {key}: x{ratio:.2f}")


if __name__ == "__main__":
    main()
