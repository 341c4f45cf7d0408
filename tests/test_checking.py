"""`tinyagent tools check --watch`: the findings again at every save, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tinyagent_mlx.cli import checking
from tinyagent_mlx.cli.main import main
from tinyagent_mlx.stamps import stamps


def test_it_acts_at_first_and_then_at_every_change():
    looks = iter([((1,),), ((1,),), ((2,),), ((2,),), ((1,),)])
    acted = []

    def look():
        found = next(looks, None)
        if found is None:
            raise KeyboardInterrupt
        acted.append("look")
        return found

    with pytest.raises(KeyboardInterrupt):
        checking.at_every_change(look, lambda: acted.append("act"), lambda: None)
    assert acted == ["look", "act", "look", "look", "act", "look", "look", "act"]


def test_a_change_of_text_a_new_file_and_a_lost_one_are_seen(tmp_path):
    file, other = tmp_path / "a", tmp_path / "b"
    seen = [stamps([file, other])]
    file.write_text("1")
    seen.append(stamps([file, other]))
    other.write_text("1")
    seen.append(stamps([file, other]))
    os.utime(other, ns=(0, 1))
    seen.append(stamps([file, other]))
    file.unlink()
    seen.append(stamps([file, other]))
    assert len(set(seen)) == 5
    assert stamps([other, file]) == seen[-1]


def test_findings_name_the_file_the_line_and_the_remedy(home, capsys):
    main(["tools", "new", "play_song", "--yes"])
    script = home / "applescripts" / "play_song.applescript"
    script.write_text("on run argv\n\trun script item 1 of argv\nend run\n")
    capsys.readouterr()
    assert main(["tools", "check"]) == 2
    out, error = capsys.readouterr()
    assert f"{script}:2: error: `run script` runs code from outside the script; write the code in the script" in error
    assert "17 tools, 1 errors" in out
    main(["tools", "off", "play_song"])
    assert main(["tools", "check"]) == 2  # what is off is checked too
    assert "16 tools (1 more switched off)" in capsys.readouterr().out


def test_watching_says_it_again_at_every_save_and_ends_cleanly(home):
    main(["tools", "new", "play_song", "--yes"])
    command = [sys.executable, "-m", "tinyagent_mlx.cli.main", "tools", "check", "--watch"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
    reader.start()

    def wait_for(words: str) -> None:
        ends = time.monotonic() + 20
        while not any(words in line for line in lines):
            assert time.monotonic() < ends, lines
            time.sleep(0.02)

    try:
        wait_for("17 tools, 0 errors")
        file = home / "tools.yaml"
        good = file.read_text()
        file.write_text(good.replace("effect: write", "effect: wrote"))
        wait_for(f"{file}:17: tool 'play_song', key 'effect': unknown value 'wrote'; did you mean 'write'?")
        (home / "applescripts" / "play_song.applescript").write_text("on run argv\ndelay 1\nend run\n")
        file.write_text(good)
        wait_for("play_song.applescript:2: warning: `delay`")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        reader.join(10)
    assert lines[-1] == "no longer watching\n"
    assert not [line for line in lines if "Traceback" in line]


OWN = """\
version: 1
tools:
  - name: water_plants
    app: Garden
    description: Waters plants.
    arguments:
      - {name: place, type: text, description: which plants, from: request}
    returns: status
    effect: write
    examples:
      - {request: water the roses, plan: '1. water_plants("the roses")'}
      - {request: sprinkle the ferns, plan: '1. water_plants("the roses on Mars")'}
"""


def test_an_example_that_holds_what_its_request_does_not_say_is_a_warning(home, capsys):
    (home / "tools.yaml").write_text(OWN)
    assert main(["tools", "check"]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "water_plants" in line]
    assert len(lines) == 1
    assert lines[0].startswith(
        f"{home / 'tools.yaml'}:3: warning: water_plants, example 'sprinkle the ferns': step 1 holds place"
    )
    assert "the roses on Mars" in lines[0]
