"""Say what works on this machine and what does not, and what to do about it."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tinyagent_mlx import paths
from tinyagent_mlx.cli import hearing, setup
from tinyagent_mlx.errors import TinyAgentError, VoiceError

if TYPE_CHECKING:
    from tinyagent_mlx.desktop.keychain import Keychain
    from tinyagent_mlx.desktop.osascript import OsascriptDesktop
    from tinyagent_mlx.toolbox import Toolbox
    from tinyagent_mlx.voice.microphone import SystemMicrophone

ESSENTIAL = ("tools", "weights", "settings", "planner")  # without these nothing is planned


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


def checks(options: argparse.Namespace, asks: bool = False) -> Iterator[Check]:
    """Look at everything once, one thing after another; loads MLX. `asks` the apps of a Mac too, which starts them."""
    yield from _device()
    yield from _tools(options)
    yield from _weights(options)
    settings = list(_settings(options))
    yield from settings
    if any(check.state == "missing" for check in settings):
        return  # what follows depends on them
    yield from _planner(options)
    yield from _writer(options)
    yield from _desktop(options)
    yield from _permissions(options, asks)
    yield from _voice(options)


def call(options: argparse.Namespace) -> int:
    found = []
    for check in checks(options, asks=True):
        found.append(check)
        if not options.json:  # at once: an app may take its time to answer
            remedy = f"\n{'':<12} → {check.remedy}" if check.remedy else ""
            print(f"{check.state:<8} {check.subject:<12} {check.finding}{remedy}", flush=True)
    if options.json:
        print(json.dumps({"checks": [asdict(check) for check in found]}, ensure_ascii=False))
    return int(any(check.state == "missing" and check.subject in ESSENTIAL for check in found))


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


def _settings(options: argparse.Namespace) -> Iterator[Check]:
    """Whether settings.yaml can be read, and whether the tools that it names are there."""
    file = setup.settings_file(options)
    try:
        settings = setup.settings(options)
    except TinyAgentError as error:
        yield Check(
            "settings", "missing", str(error), "mend that line: until then nothing that it sets can be looked at"
        )
        return
    yield Check("settings", "ok", str(file) if file.is_file() else "none chosen: everything as shipped")
    try:
        tools = setup.toolbox(options)
    except TinyAgentError:
        return  # said already
    for where, names in (
        ("allow", settings.allow),
        ("allow_sends", settings.allow_sends),
        ("mcp: allow", settings.mcp.allow),
    ):
        for name in names:
            if name not in tools.whole:
                yield Check(
                    "settings", "slow", f"{file}: {where}: no tool is called {name!r}", "correct it, or take it out"
                )


def _planner(options: argparse.Namespace) -> Iterator[Check]:
    """What plans and what chooses tools, where that is not the shipped planner."""
    chosen = argparse.Namespace(**{**vars(options), "model": "", "retrieval": ""})  # doctor's --model is a speech model
    try:
        folder, retrieval = setup.model_folder(chosen), setup.retrieval_name(chosen)
        if folder != paths.shipped("weights") / "planner" or retrieval != "classifier":
            yield Check("planner", "ok", f"{folder}, tools chosen by {retrieval}")
    except TinyAgentError as error:
        yield Check("planner", "missing", str(error), "tinyagent models list shows what is here")


def _writer(options: argparse.Namespace) -> Iterator[Check]:
    """Who writes, and what is always wanted."""
    try:
        folder, instructions = setup.writer_folder(options), setup.settings(options).instructions
        yield Check(
            "writer", "ok", f"{folder}" if folder else "nobody: the request's own words, and summaries of own sentences"
        )
        if instructions:
            from tinyagent_mlx.instructions import concerned

            for said, tools in (concerned(one, setup.toolbox(options)) for one in instructions):
                fit = ", ".join(sorted(tools))
                remedy = (
                    "" if fit else "name an app before it, such as 'Mail: …', if it concerns more than what is written"
                )
                yield Check("instruction", "ok", f"{said!r} concerns {fit or 'no tool by its words'}", remedy)
    except TinyAgentError as error:
        yield Check("writer", "missing", str(error), "tinyagent models use NAME --as writer, or 'writer: \"\"'")


def _desktop(options: argparse.Namespace) -> Iterator[Check]:
    if sys.platform == "darwin" and not shutil.which("osascript"):
        yield Check("desktop", "missing", "osascript is not on PATH", "it lies in /usr/bin on every Mac")
        return
    try:
        yield Check("desktop", "ok", setup.desktop(options).name)
    except TinyAgentError as error:
        yield Check("desktop", "missing", str(error))


def _permissions(options: argparse.Namespace, asks: bool) -> Iterator[Check]:
    """What macOS has to allow, app by app; elsewhere nothing has to be allowed."""
    if setup.desktop_place(options) != "macos":
        yield Check("permissions", "ok", "do not apply: the portable desktop uses no app, and only macOS asks")
        yield Check("Zoom", "ok", "does not apply: the portable desktop gives a placeholder, and no meeting is made")
        return
    if sys.platform != "darwin" and not shutil.which("osascript"):
        yield Check("permissions", "missing", "this is no Mac: there is no osascript", "leave --desktop macos out")
        return
    if not asks:
        yield Check(
            "permissions", "ok", "not looked at here, for it starts each app: run tinyagent doctor in a terminal"
        )
        return
    try:
        yield from mac_permissions(setup.toolbox(options), setup.mac(setup.settings(options).files.roots))
    except TinyAgentError as error:
        yield Check("permissions", "missing", str(error))


def mac_permissions(tools: Toolbox, desktop: OsascriptDesktop, keychain: Keychain | None = None) -> Iterator[Check]:
    """Ask each app, then look for the login of Zoom; `missing` where a step of that app would fail."""
    from tinyagent_mlx.desktop import permissions, zoom
    from tinyagent_mlx.desktop.keychain import Keychain

    yield Check("permissions", "ok", f"macOS gives them to {desktop.program}; each app is asked, answer what appears")
    for found in permissions.ask(tools, paths.shipped("applescripts") / "doctor", desktop):
        yield Check(found.app, "ok" if found.granted else "missing", found.text, found.advice)
    if any(tool.name == zoom.TOOL for tool in tools):
        kept = _found("Zoom", lambda: "a login is in the keychain" if zoom.saved(keychain or Keychain()) else "")
        yield kept if kept.finding else Check("Zoom", "missing", "no login is in the keychain", zoom.LOGIN)


def _voice(options: argparse.Namespace) -> Iterator[Check]:
    """What speaking to it needs; everything else works without."""
    from tinyagent_mlx.voice.sound import INSTALL

    if importlib.util.find_spec("mlx_whisper"):
        from tinyagent_mlx.voice.whisper import folder_of

        def model() -> str:
            name, _, where = hearing.speech(options)
            return f"speech model in {folder_of(name, where=where)}"

        yield _found("voice", model)
    else:
        yield Check("voice", "missing", "mlx-whisper is not installed", INSTALL)
    yield _found("microphone", lambda: heard_by(hearing.microphone(), _program()))
    if shutil.which("ffmpeg"):
        yield Check("sound files", "ok", "ffmpeg is there for any format")
    else:
        yield Check("sound files", "slow", "WAV only: ffmpeg is not installed", "install it to use other formats")


def _program() -> str:
    """What macOS gives permissions to."""
    from tinyagent_mlx.desktop import permissions

    return permissions.program(os.environ, permissions.parents(os.getpid()))


def heard_by(microphone: SystemMicrophone, program: str, platform: str = sys.platform, seconds: float = 0.4) -> str:
    """Find the microphone; on a Mac also listen for a moment: where macOS does not allow it, it gives pure silence."""
    microphone.find()
    found = f"{microphone.name}, {microphone.rate} samples a second"
    if platform != "darwin":
        return found
    microphone.start()
    try:
        time.sleep(seconds)
        samples = microphone.take()
    finally:
        microphone.stop()
    if not samples.any():
        from tinyagent_mlx.voice.microphone import advice

        raise VoiceError(f"{found}; it gives pure silence: {advice(platform, program)}")
    return f"{found}, and it hears"


def _found(subject: str, look: Callable[[], str]) -> Check:
    """What a look finds, or its error: what is missing, then what to do."""
    try:
        return Check(subject, "ok", look())
    except TinyAgentError as error:
        finding, _, remedy = str(error).partition(": ")
        return Check(subject, "missing", finding, remedy)
