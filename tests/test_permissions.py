"""What `doctor` says of a Mac's permissions, against a recording osascript; which app they are given to; the microphone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from tests.test_osascript import FAKE, Recorder
from tests.test_zoom import CREDENTIALS, Ring
from tinyagent_mlx.cli import doctor
from tinyagent_mlx.cli.main import main
from tinyagent_mlx.desktop import permissions
from tinyagent_mlx.desktop.keychain import Keychain
from tinyagent_mlx.desktop.osascript import PROGRAM, TROUBLES, OsascriptDesktop
from tinyagent_mlx.errors import VoiceError
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.scripts import lint

PROBES = shipped("applescripts") / "doctor"
ASKED = ["Calendar", "Contacts", "Finder", "Mail", "Notes", "Reminders", "Messages"]
DENIED = "/x/mail.applescript:9:8: execution error: Not authorised to send Apple events to {}. ({})\n"
EMPTY = Keychain(lambda: Ring())


@pytest.fixture
def recorder(tmp_path) -> Recorder:
    return Recorder(tmp_path)


def checks(recorder, tools, keychain=EMPTY, **told) -> dict[str, doctor.Check]:
    recorder.does(**told)
    desktop = OsascriptDesktop(str(recorder.folder), grace=0.2, program="Ghostty")
    return {check.subject: check for check in doctor.mac_permissions(tools, desktop, keychain)}


def test_every_app_that_a_script_drives_is_asked_once(recorder, shipped_tools):
    found = checks(recorder, shipped_tools, out="\n3\n")
    assert {subject for subject, check in found.items() if check.state == "ok"} == {
        "permissions",
        "Maps",
        "PDF",
        *ASKED,
    }
    assert "needs no permission" in found["Maps"].finding
    asked = sorted(call["argv"] for call in recorder.calls())
    assert asked == sorted([str((PROBES / f"{app.lower()}.applescript").resolve())] for app in ASKED)


@pytest.mark.parametrize("number", [*TROUBLES, -9999])
def test_each_error_number_becomes_a_line_with_advice(recorder, shipped_tools, number):
    found = checks(recorder, shipped_tools.subset(["compose_new_email"]), status=1, err=DENIED.format("Mail", number))
    mail, trouble = found["Mail"], TROUBLES.get(number)
    assert mail.state == "missing"
    assert "\n" not in mail.finding + mail.remedy
    assert "{" not in mail.finding + mail.remedy
    if trouble and trouble.advice and number != 20002:
        assert mail.remedy == trouble.advice.format(app="Mail", program="Ghostty")


def test_a_denial_names_the_app_and_what_the_grant_goes_to(recorder, shipped_tools):
    found = checks(recorder, shipped_tools, status=1, err=DENIED.format("it", -1743))
    for app in ASKED:
        assert found[app].finding == f"the system does not let this program control {app}"
        assert found[app].remedy.startswith(f"System Settings, Privacy & Security, Automation: allow {app} for Ghostty")
    assert "then Calendars there, if Ghostty is listed" in found["Calendar"].remedy
    assert "then Contacts there" in found["Contacts"].remedy
    assert ";" not in found["Mail"].remedy


def test_a_step_that_is_denied_names_the_same_app(recorder, shipped_tools):
    """What doctor says and what a failed step says come of one table."""
    import asyncio

    from tinyagent_mlx.errors import NotAuthorised

    recorder.does(status=1, err=DENIED.format("Contacts", -1743))
    for program, said in ((PROGRAM, "the terminal or editor"), ("Ghostty", "for Ghostty")):
        desktop = OsascriptDesktop(str(recorder.folder), program=program)
        with pytest.raises(NotAuthorised) as caught:
            asyncio.run(desktop.call(shipped_tools["get_phone_number"], {"name": "Ines"}, None))
        assert said in caught.value.advice


def test_an_app_that_does_not_answer_holds_nothing_up(recorder, shipped_tools):
    desktop = recorder.does(sleep=30)
    (mail,) = permissions.ask(shipped_tools.subset(["compose_new_email"]), PROBES, desktop, seconds=0.3)
    assert not mail.granted
    assert "stopped after 0.5 seconds" in mail.text
    assert "permission prompt" in mail.advice


def test_an_app_of_ones_own_is_told_of_and_not_asked(recorder, shipped_tools):
    from dataclasses import replace

    from tinyagent_mlx.toolbox import Toolbox

    own = replace(shipped_tools["create_note"], app="../Music")
    (found,) = permissions.ask(Toolbox((own,)), PROBES, recorder.does())
    assert (found.granted, "not asked" in found.text) == (True, True)
    assert recorder.calls() == []


@pytest.mark.parametrize("app", ASKED)
def test_what_is_asked_is_harmless_and_lints(app):
    text = (PROBES / f"{app.lower()}.applescript").read_text(encoding="utf-8")
    assert lint(text) == []
    (line,) = [line for line in text.split("\n") if "tell application" in line]
    assert f'tell application "{app}" to set theAnswer to ' in line
    assert line.rpartition(" to ")[2].split(" ")[0] in ("count", "name")


def test_each_script_that_asks_is_of_an_app_that_is_driven(shipped_tools):
    apps = {tool.app.lower() for tool in shipped_tools if tool.script}
    assert {file.stem for file in PROBES.glob("*.applescript")} == apps - {app.lower() for app in permissions.FREE}


@pytest.mark.parametrize(
    ("ring", "state", "words"),
    [
        (Ring(), "missing", "no login"),
        (Ring(CREDENTIALS.text()), "ok", "in the keychain"),
        (Ring("spoilt"), "missing", "can't be read"),
        (Ring(fails=OSError("x")), "missing", "keychain can't be read"),
    ],
    ids=["none", "kept", "spoilt", "shut"],
)
def test_the_login_of_zoom_is_looked_for(recorder, shipped_tools, ring, state, words):
    zoom = checks(recorder, shipped_tools, Keychain(lambda: ring))["Zoom"]
    assert zoom.state == state
    assert words in zoom.finding
    assert (state == "ok") == (zoom.remedy == "")


def test_zoom_is_not_spoken_of_where_it_is_switched_off(recorder, shipped_tools):
    assert "Zoom" not in checks(recorder, shipped_tools.subset(["create_note"]))


def test_on_the_portable_desktop_it_says_what_does_not_apply(capsys, tmp_path):
    assert main(["doctor", "--json", "--desktop", str(tmp_path / "d"), "--home", str(tmp_path)]) == 0
    found = {check["subject"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert (found["permissions"]["state"], found["Zoom"]["state"]) == ("ok", "ok")
    assert "do not apply" in found["permissions"]["finding"]
    assert "does not apply" in found["Zoom"]["finding"]
    assert "Mail" not in found


def test_the_verb_asks_and_the_screen_does_not(tmp_path, monkeypatch, home):
    (tmp_path / "calls").mkdir()
    (tmp_path / "osascript").write_text(FAKE.format(python=sys.executable))
    (tmp_path / "osascript").chmod(0o755)
    (tmp_path / "do.json").write_text("{}")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    options = Namespace(desktop="macos", home=home, tools_file=None, voice=None)
    shown = list(doctor._permissions(options, asks=False))
    assert [check.subject for check in shown] == ["permissions"]
    assert "tinyagent doctor" in shown[0].finding
    assert list((tmp_path / "calls").iterdir()) == []
    assert {check.subject for check in doctor._permissions(options, asks=True)} > set(ASKED)
    assert len(list((tmp_path / "calls").iterdir())) == len(ASKED)


# Which app the permissions go to.

TERMINAL = ["-zsh", "login", "/System/Applications/Utilities/Terminal.app/Contents/MacOS/Terminal", "/sbin/launchd"]
CODE = "/Applications/Visual Studio Code.app/Contents/Frameworks/Code Helper (Plugin).app/Contents/MacOS/Code Helper"
PYTHON = "/Library/Frameworks/Python.framework/Versions/3.12/Resources/Python.app/Contents/MacOS/Python"


@pytest.mark.parametrize(
    ("environment", "parents", "named"),
    [
        ({"TERM_PROGRAM": "Apple_Terminal"}, TERMINAL, "Terminal"),
        ({}, TERMINAL, "Terminal"),
        ({"TERM_PROGRAM": "vscode"}, ["/bin/zsh", CODE], "Visual Studio Code"),
        ({"TERM_PROGRAM": "vscode"}, ["zsh", "/Applications/Cursor.app/Contents/MacOS/Cursor"], "Cursor"),
        ({}, [PYTHON, *TERMINAL], "Terminal"),
        ({"TERM_PROGRAM": "iTerm.app"}, [], "iTerm"),
        ({"TERM_PROGRAM": "WezTerm"}, ["zsh"], "WezTerm"),
        ({"TERM_PROGRAM": "tmux"}, ["-zsh", "tmux", "/sbin/launchd"], "the terminal app that tmux was started from"),
        ({"TERM_PROGRAM": "iTerm.app"}, ["zsh", "/usr/bin/screen"], "the terminal app that screen was started from"),
        ({"TERMINAL_EMULATOR": "JetBrains-JediTerm"}, [], "the JetBrains editor that this terminal is in"),
        ({"SSH_CONNECTION": "1 2 3 4", "TERM_PROGRAM": "Apple_Terminal"}, ["zsh"], "sshd-keygen-wrapper"),
        ({}, ["zsh", "/usr/libexec/sshd-session"], "sshd-keygen-wrapper"),
        ({}, ["zsh", "/home/an.app.of/x"], PROGRAM),
        ({}, [], PROGRAM),
    ],
)  # fmt: skip
def test_the_app_that_is_given_permissions_is_named(environment, parents, named):
    assert permissions.program(environment, parents).startswith(named)


def test_the_parents_of_a_process_are_those_that_the_system_tells_of():
    code = "import os\nfrom tinyagent_mlx.desktop.permissions import parents\nprint(*parents(os.getpid()), sep='\\n')"
    own = Path(f"/proc/{os.getpid()}/comm")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    found = done.stdout.split("\n")
    expected = own.read_text().strip() if own.exists() else "ython"
    assert expected[:12] in found[0]


@pytest.mark.parametrize(
    ("listing", "found"),
    [
        ("    1     0 /sbin/launchd\n   20     1 /A B.app/x y\n  300    20 -zsh\n 4000   300 python\n",
         ["-zsh", "/A B.app/x y", "/sbin/launchd"]),
        (" 4000   300 python\n  300  4000 ring\n", ["ring"]),
        ("noise\n", []),
        ("", []),
    ],
    ids=["a chain", "a ring", "noise", "nothing"],
)  # fmt: skip
def test_parents_are_read_nearest_first(listing, found):
    def run(*given, **options):
        return subprocess.CompletedProcess(given, 0, stdout=listing)

    assert permissions.parents(4000, run) == found


@pytest.mark.parametrize("error", [FileNotFoundError("ps"), subprocess.TimeoutExpired("ps", 10)], ids=["no ps", "slow"])
def test_without_ps_there_are_no_parents(error):
    def run(*given, **options):
        raise error

    assert permissions.parents(1, run) == []


# The microphone.


class Ear:
    """A microphone that gives the same samples for ever."""

    name, rate = "Built-in", 48_000

    def __init__(self, samples):
        self.samples, self.steps = np.array(samples, np.float32), []

    def find(self):
        self.steps.append("find")

    def start(self):
        self.steps.append("start")

    def take(self):
        return self.samples

    def stop(self):
        self.steps.append("stop")


def test_a_microphone_that_hears_is_named():
    ear = Ear([0, 0.001])
    assert doctor.heard_by(ear, "Terminal", "darwin", 0.0) == "Built-in, 48000 samples a second, and it hears"
    assert ear.steps == ["find", "start", "stop"]


@pytest.mark.parametrize("samples", [[0.0, 0.0], []], ids=["zeros", "nothing"])
def test_pure_silence_on_a_mac_names_the_app_to_allow_it_for(samples):
    ear = Ear(samples)
    with pytest.raises(VoiceError, match="pure silence: allow it for Ghostty under System Settings"):
        doctor.heard_by(ear, "Ghostty", "darwin", 0.0)
    assert ear.steps[-1] == "stop"


def test_elsewhere_the_microphone_is_not_opened():
    ear = Ear([0.0])
    doctor.heard_by(ear, "x", "linux", 0.0)
    assert ear.steps == ["find"]
