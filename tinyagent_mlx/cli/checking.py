"""`tinyagent tools check`: what is wrong with the tools and their scripts, once or again at every save."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from tinyagent_mlx.cli import setup
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.stamps import Stamps, stamps
from tinyagent_mlx.toolbox import Toolbox

POLL = 0.3  # seconds between two looks at the files


def check(options: argparse.Namespace) -> int:
    """Check once; 2 when something is wrong."""
    return report(setup.toolbox(options))


def report(tools: Toolbox) -> int:
    """Print what the linter finds in the scripts, tools that are off too, what examples say wrong, and a line with the figures."""
    from tinyagent_mlx.scripts import lint

    errors = warnings = 0
    for file in dict.fromkeys(file for tool in tools.whole for file in (tool.script, tool.inverse) if file):
        for finding in lint(file.read_text(encoding="utf-8")):
            errors += finding.severity == "error"
            warnings += finding.severity != "error"
            print(f"{file}:{finding.line}: {finding.severity}: {finding.message}; {finding.remedy}", file=sys.stderr)
    for line in _examples(tools):
        warnings += 1
        print(line, file=sys.stderr)
    off = f" ({len(tools.off)} more switched off)" if tools.off else ""
    print(f"{len(tools)} tools{off}, {errors} errors, {warnings} warnings, fingerprint {tools.fingerprint}", flush=True)
    return 2 if errors else 0


def _examples(tools: Toolbox) -> Iterator[str]:
    """A line for each example whose plan holds what its request does not say: no planner that points can learn it."""
    from tinyagent_mlx.lab.dataset import unsaid
    from tinyagent_mlx.plan import print_value

    for tool in tools.whole:
        for example in tool.examples:
            if found := unsaid(example.request, example.plan, tools.whole):
                step, name, value = found
                yield (
                    f"{tool.declared}: warning: {tool.name}, example {example.request!r}: step {step} holds {name} = "
                    f"{print_value(value, step)}, which the request does not say; say it there, or leave 'from: request' out"
                )


def watch(options: argparse.Namespace) -> int:
    """Check again at every save, until Ctrl-C."""

    def say() -> None:
        print(f"--- {datetime.now():%H:%M:%S}", flush=True)
        try:
            check(options)
        except ConfigError as error:
            print(error, file=sys.stderr, flush=True)
        except (OSError, UnicodeDecodeError) as error:  # a script that is being saved
            print(
                f"{getattr(error, 'filename', None) or 'a script'}: cannot be read: {error}",
                file=sys.stderr,
                flush=True,
            )

    stopping = threading.Event()

    def wait() -> None:
        if stopping.wait(POLL):
            raise KeyboardInterrupt

    print(f"watching {', '.join(map(str, setup.tool_files(options)))}; Ctrl-C ends", flush=True)
    # Python loses the exception that Ctrl-C raises where an object is just being cleared away; it does not lose an event.
    before = signal.signal(signal.SIGINT, lambda *_: stopping.set())
    try:
        at_every_change(lambda: stamps(files(options)), say, wait)
    except KeyboardInterrupt:
        print("no longer watching")
    finally:
        signal.signal(signal.SIGINT, before)
    return 0


def at_every_change(look: Callable[[], Stamps], act: Callable[[], None], wait: Callable[[], None]) -> None:
    """Act now and whenever a look is other than the last one, without end."""
    seen: Stamps | None = None
    while True:
        now = look()
        if now != seen:
            seen = now
            act()
        wait()


def files(options: argparse.Namespace) -> Iterator[Path]:
    """The tools files, there or not, and every script beside them."""
    for file in setup.tool_files(options):
        yield file
        yield from (file.parent / "applescripts").glob("*.applescript")
