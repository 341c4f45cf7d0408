"""Say what works on this machine and what does not, and what to do about it."""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from tinyagent_mlx import paths
from tinyagent_mlx.cli import hearing, setup
from tinyagent_mlx.errors import TinyAgentError


@dataclass(frozen=True)
class Check:
    """`state` is ok, slow (works, could be better), or missing; `remedy` is what to do."""

    subject: str
    state: str
    finding: str
    remedy: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    setup.add_desktop_option(parser)
    hearing.add_model_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def checks(options: argparse.Namespace) -> list[Check]:
    """Look at everything once; loads MLX."""
    return [*_device(), *_tools(options), *_weights(options), *_desktop(options), *_voice(options)]


def call(options: argparse.Namespace) -> int:
    found = checks(options)
    if options.json:
        print(json.dumps({"checks": [asdict(check) for check in found]}, ensure_ascii=False))
    else:
        for check in found:
            remedy = f"\n{'':<12} → {check.remedy}" if check.remedy else ""
            print(f"{check.state:<8} {check.subject:<12} {check.finding}{remedy}")
    return 1 if any(check.state == "missing" and check.subject in ("weights", "tools") for check in found) else 0


def _device() -> Iterator[Check]:
    from tinyagent_mlx import device

    yield Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    if device.on_gpu():
        yield Check("device", "ok", "MLX computes on the GPU")
    elif device.blas() == "reference":
        remedy = "install libopenblas0-pthread (Debian) or your system's OpenBLAS"
        yield Check("device", "slow", "MLX computes on the CPU with the reference BLAS", remedy)
    else:
        yield Check("device", "ok", f"MLX computes on the CPU with {device.blas()}")


def _tools(options: argparse.Namespace) -> Iterator[Check]:
    try:
        tools = setup.toolbox(options)
        yield Check("tools", "ok", f"{len(tools)} tools, fingerprint {tools.fingerprint}")
    except TinyAgentError as error:
        yield Check("tools", "missing", str(error), "mend that line, then run tinyagent tools check")


def _weights(options: argparse.Namespace) -> Iterator[Check]:
    folder = paths.shipped("weights") / "planner"
    try:
        from tinyagent_mlx import weights

        _, manifest = weights.load(folder)
        size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
        yield Check("weights", "ok", f"shipped planner, {size:.1f} MB, {manifest['steps']} training steps")
        if manifest["toolbox"] != setup.toolbox(options).fingerprint:
            remedy = "they work with it all the same; fine-tuning on it makes them surer"
            yield Check("weights", "slow", "the weights were trained on another tools.yaml", remedy)
    except TinyAgentError as error:
        yield Check("weights", "missing", str(error), "check out weights/ again")


def _desktop(options: argparse.Namespace) -> Iterator[Check]:
    if sys.platform == "darwin" and not shutil.which("osascript"):
        yield Check("desktop", "missing", "osascript is not on PATH", "it lies in /usr/bin on every Mac")
        return
    try:
        yield Check("desktop", "ok", setup.desktop(options).name)
    except TinyAgentError as error:
        yield Check("desktop", "missing", str(error))


def _voice(options: argparse.Namespace) -> Iterator[Check]:
    """What speaking to it needs; everything else works without."""
    from tinyagent_mlx.voice.sound import INSTALL

    if not importlib.util.find_spec("mlx_whisper"):
        yield Check("voice", "missing", "mlx-whisper is not installed", INSTALL)
        return
    from tinyagent_mlx.voice.whisper import DEFAULT, folder_of

    yield _found("voice", lambda: f"speech model in {folder_of(options.voice or DEFAULT)}")
    yield _found("microphone", _microphone)
    if shutil.which("ffmpeg"):
        yield Check("sound files", "ok", "ffmpeg is there for any format")
    else:
        yield Check("sound files", "slow", "WAV only: ffmpeg is not installed", "install it to use other formats")


def _microphone() -> str:
    microphone = hearing.microphone()
    microphone.find()
    return f"{microphone.name}, {microphone.rate} samples a second"


def _found(subject: str, look: Callable[[], str]) -> Check:
    """What a look finds, or its error: what is missing, then what to do."""
    try:
        return Check(subject, "ok", look())
    except TinyAgentError as error:
        finding, _, remedy = str(error).partition(": ")
        return Check(subject, "missing", finding, remedy)
