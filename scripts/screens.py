"""Write a picture of each screen into docs/screens, at 80×24 and 140×40: `python scripts/screens.py [NAME …]`.

With the shipped planner and a sample desktop, at a fixed time; the fine-tuning, the checks and the voice that it shows
are samples. A second run gives the same bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
OUT = ROOT / "docs" / "screens"
PLACE = Path("/tmp/demo")  # results show where files lie, so it is always the same folder


async def shoot(name: str, size: tuple[int, int]) -> None:
    """Take one picture in `PLACE`, on a desktop and with a history of its own."""
    from tests import shots
    from tests.tui_fakes import FakeTranscriber, make_app
    from tinyagent_mlx.agent import Agent
    from tinyagent_mlx.cli import setup
    from tinyagent_mlx.cli.main import screen_options
    from tinyagent_mlx.desktop import sample
    from tinyagent_mlx.desktop.portable import PortableDesktop
    from tinyagent_mlx.history import History
    from tui.choices import Choices
    from tui.trail import Trail
    from tui.voice import Ears

    sample.seed(PLACE / "desktop")
    options, desktop = screen_options(["--home", str(PLACE / "home")]), PortableDesktop(PLACE / "desktop")

    def agent() -> Agent:
        tools = setup.toolbox(options)
        return Agent(tools, *setup.planner_and_retriever(options, tools), desktop)

    trail = Trail(lambda: History(PLACE / "history.sqlite3", shots.moment), "portable", lambda place: desktop)
    app = make_app(
        make_agent=agent,
        trail=trail,
        ears=Ears(shots.speaker, FakeTranscriber),
        checks=shots.sample_checks,
        tuner=shots.sample_tuner(),
        cases=PLACE / "cases.jsonl",
        choices=Choices(PLACE / "home" / "settings.yaml"),
    )
    async with app.run_test(size=size) as pilot:
        await shots.FLOWS[name](pilot)
        await shots.settled(pilot)
        (OUT / f"{name}-{size[0]}x{size[1]}.svg").write_text(shots.svg(app), encoding="utf-8")
    trail.close()


def main() -> None:
    from tests.shots import FLOWS, SIZES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of {', '.join(FLOWS)}")
    names = parser.parse_args().names or list(FLOWS)
    if strangers := set(names) - set(FLOWS):
        parser.error(f"no such screen: {', '.join(sorted(strangers))}")
    if PLACE.exists():
        parser.error(f"{PLACE} is there already: move it away")
    OUT.mkdir(parents=True, exist_ok=True)
    for name in names:
        for size in SIZES:
            PLACE.mkdir()
            try:
                asyncio.run(shoot(name, size))
            finally:
                shutil.rmtree(PLACE)
            print(f"{name} {size[0]}x{size[1]}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
