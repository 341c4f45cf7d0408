from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from tinyagent_mlx.desktop.osascript import TROUBLES
from tinyagent_mlx.scripts import lint
from tinyagent_mlx.toolfile import load_toolbox

ROOT = Path(__file__).parent.parent
TOOLBOX = load_toolbox(ROOT / "tools.yaml")
SHIPPED = sorted((ROOT / "applescripts").glob("*.applescript"))
ASKING = sorted((ROOT / "applescripts" / "doctor").glob("*.applescript"))
INVERSES = sorted({tool.inverse for tool in TOOLBOX if tool.inverse})


def run(*lines: str) -> str:
    return "\n".join(["on run argv", *lines, "end run", ""])


def rules(text: str) -> list[str]:
    return [finding.rule for finding in lint(text)]


CODE_FROM_VALUES = {
    "run script": ("run-script", "run script (item 1 of argv)"),
    "run script in a tell": ("run-script", 'tell me to run script "beep"'),
    "load script": ("run-script", "set theLibrary to load script (POSIX file (item 1 of argv))"),
    "a task": ("run-script", "current application's NSTask's launchedTaskWithLaunchPath:p arguments:a"),
    "NSAppleScript": ("run-script", "set s to current application's NSAppleScript's alloc()'s initWithSource:t"),
    "a value as command": ("shell", "do shell script item 1 of argv"),
    "a value in a command": ("shell", 'do shell script "echo " & item 1 of argv'),
    "a variable as command": ("shell", "do shell script theCommand"),
    "a bare value after a quoted one": ("shell", 'do shell script "ls " & quoted form of a & " " & b'),
    "a bare value in brackets": ("shell", 'set x to (do shell script ("ls " & quoted form of a & (" " & b)))'),
    "a value after a comment": ("shell", 'do shell script "ls " & (* quoted form of *) a'),
    "a bare value on the next line": ("shell", 'do shell script "ls " & ¬\n b'),
    "a hand-made quotation": ("shell", 'do shell script "echo \'" & a & "\'"'),
    "quoted inside single quotes": ("shell-quotes", 'do shell script "echo \'" & quoted form of a & "\'"'),
    "quoted inside double quotes": ("shell-quotes", 'do shell script "echo \\"" & quoted form of a & "\\""'),
    "single quotes after a backslash": ("shell-quotes", "do shell script \"echo 'a\\\\' 'b\" & quoted form of a"),
    "a value names the program": ("shell-command", "do shell script quoted form of a"),
    "a value names the second program": ("shell-command", 'do shell script "true; " & quoted form of a'),
    "a value names the piped program": ("shell-command", 'do shell script "date | " & quoted form of a'),
    "sh -c": ("interpreter", 'do shell script "/bin/sh -c " & quoted form of a'),
    "bash -lc": ("interpreter", 'do shell script "bash -lc " & quoted form of a'),
    "eval": ("interpreter", 'do shell script "eval " & quoted form of a'),
    "python -c": ("interpreter", 'do shell script "/usr/bin/python3 -c " & quoted form of a'),
    "perl -e": ("interpreter", 'do shell script "perl -ne " & quoted form of a & " file"'),
    "a script named by a value": ("interpreter", 'do shell script "sh " & quoted form of a'),
    "sudo": ("interpreter", 'do shell script "sudo " & quoted form of a'),
    "awk": ("interpreter", 'do shell script "awk " & quoted form of a & " file"'),
    "a pipe into sh": ("interpreter", 'do shell script "echo " & quoted form of a & " | sh"'),
    "a here-document": ("interpreter", 'do shell script "cat <<END\n" & quoted form of a & "\nEND"'),
    "osascript -e": ("interpreter", 'do shell script "osascript -e " & quoted form of a'),
    "a command for Terminal": ("shell", 'tell application "Terminal" to do script (item 1 of argv)'),
    "JavaScript": ("javascript", 'tell application "Safari" to do JavaScript theCode in document 1'),
    "JavaScript of parts": ("javascript", 'tell application "Safari" to do JavaScript "f(" & a & ")" in document 1'),
    "an application from a value": ("application", "tell application (item 1 of argv) to quit"),
    "an application in a variable": ("application", "tell application theName\nactivate\nend tell"),
    "an application's id from a value": ("application", "tell application id theId to quit"),
    "app for application": ("application", "tell app (item 1 of argv) to quit"),
    "an application in brackets": ("application", "tell (application (item 1 of argv)) to quit"),
    "an application kept for later": ("application", "set a to app theName"),
    "an application in a list": ("application", "set a to {application theName}"),
    "an application given to a handler": ("application", "beep(application theName)"),
    "an application that is started": ("application", "activate application theName"),
    "an application named s": ("application", "tell application s to quit"),
    "an application by its name in words": ("application", "tell application named theName to quit"),
    "an application's name built of parts": ("application", 'tell application ("Fin" & x) to quit'),
    "an application's name built without brackets": ("application", 'tell application "Fin" & x to quit'),
    "a text made an application": ("application", "tell (theName as application) to quit"),
    "terms of a value": ("application", "using terms from application theName\nend using terms from"),
    "windows in a value": ("application", "set w to every window in application theName"),
    "a command by its code": ("raw-event", "«event sysoexec» theCommand"),
    "text for a shell in iTerm": ("shell", "tell current session of current window to write text theText"),
    "a window that runs a value": ("shell", "create window with default profile command theCommand"),
    "JavaScript in a URL": ("javascript", 'set URL of document 1 to "javascript:" & a'),
    "JavaScript in a URL that is opened": ("javascript", 'open location "JavaScript:" & a'),
    "a predicate of a value": ("format", "set p to current application's NSPredicate's predicateWithFormat:theText"),
    "an expression of a value": (
        "format",
        "set e to current application's NSExpression's expressionWithFormat_(theText)",
    ),
    "another language": ("run-script", "set l to current application's OSALanguage"),
    "ssh": ("interpreter", 'do shell script "ssh host ls " & quoted form of a'),
    "su": ("interpreter", 'do shell script "/usr/bin/su -c " & quoted form of a & " me"'),
    "sqlite": ("interpreter", 'do shell script "sqlite3 notes.db " & quoted form of a'),
    "swift": ("interpreter", 'do shell script "swift -e " & quoted form of a'),
    "fish": ("interpreter", 'do shell script "fish -c " & quoted form of a'),
    "a new line names the program": ("shell-command", 'do shell script "cd /tmp\n" & quoted form of a'),
    "after then": ("shell-command", 'do shell script "if true; then " & quoted form of a & "; fi"'),
    "after an assignment": ("shell-command", 'do shell script "FOO=1 " & quoted form of a'),
    "after time": ("interpreter", 'do shell script "time " & quoted form of a'),
    "after nice": ("interpreter", 'do shell script "nice -n 5 " & quoted form of a'),
    "negated": ("shell-command", 'do shell script "! " & quoted form of a'),
    "in a group": ("shell-command", 'do shell script "{ " & quoted form of a & "; }"'),
    "substituted": ("shell-command", 'do shell script "echo $(" & quoted form of a & ")"'),
    "a part of the program's name": ("shell-command", 'do shell script "/usr/bin/" & quoted form of a'),
    "bash with an option of its own": ("interpreter", 'do shell script "bash -o pipefail -c " & quoted form of a'),
    "perl with an option of its own": ("interpreter", 'do shell script "perl -I lib -e " & quoted form of a'),
    "python with an option of its own": ("interpreter", 'do shell script "python3 -W ignore -c " & quoted form of a'),
    "awk with an option of its own": ("interpreter", 'do shell script "awk -F , " & quoted form of a & " file"'),
    "sed's second script": ("interpreter", 'do shell script "sed s/a/b/ -e " & quoted form of a'),
    "a variable that is run": ("shell-command", 'do shell script "x=" & quoted form of a & "; $x"'),
    "a loop's variable": ("shell-command", 'do shell script "for x in " & quoted form of a & "; do $x; done"'),
    "find -exec": ("interpreter", 'do shell script "find . -exec " & quoted form of a & " {} +"'),
    "an alias": ("shell-command", 'do shell script "alias ls=" & quoted form of a & "; ls"'),
    "a trap": ("shell-command", 'do shell script "trap " & quoted form of a & " EXIT"'),
    "quotes cut off": ("shell", 'do shell script "echo " & text 2 thru -2 of a\'s quoted form'),
    "a command inside for sh -c": ("interpreter", 'do shell script "sh -c $(echo " & quoted form of a & ")"'),
    "a command inside for perl": ("interpreter", 'do shell script "perl -e `cat " & quoted form of a & "`"'),
    "a command inside for ssh": ("interpreter", 'do shell script "ssh host $(echo " & quoted form of a & ")"'),
    "nice and sh": ("interpreter", 'do shell script "nice -n 5 sh -c $(echo " & quoted form of a & ")"'),
    "a function": ("interpreter", 'do shell script "f() { sh -c \\"$1\\"; }; f " & quoted form of a & ""'),
    "a constant": ("shell-command", 'do shell script "readonly x=" & quoted form of a & "; sh -c \\"$x\\""'),
    "env sh": ("interpreter", 'do shell script "echo " & quoted form of a & " | env sh"'),
    "xargs sh": ("interpreter", 'do shell script "echo " & quoted form of a & " | xargs -0 sh -c"'),
    "xargs names the program": ("interpreter", 'do shell script "echo " & quoted form of a & " | xargs -I {} {}"'),
    "a group that is a shell": ("interpreter", 'do shell script "echo " & quoted form of a & " | { sh; }"'),
    "a subshell that is a shell": ("interpreter", 'do shell script "echo " & quoted form of a & " | (sh)"'),
    "sh with errors redirected": ("interpreter", 'do shell script "echo " & quoted form of a & " | sh 2>&1"'),
    "sh of its input by name": ("interpreter", 'do shell script "echo " & quoted form of a & " | sh -"'),
    "sh reads a file": ("interpreter", 'do shell script "sh < " & quoted form of a & ""'),
    "sh behind a redirection": ("interpreter", 'do shell script "sh 2>/dev/null " & quoted form of a & ""'),
    "sh behind another": ("interpreter", 'do shell script "sh 2>&1 " & quoted form of a & ""'),
    "sh +x": ("interpreter", 'do shell script "sh +x " & quoted form of a & ""'),
    "a process as a file": ("interpreter", 'do shell script "sh <(echo " & quoted form of a & ")"'),
    "arithmetic": ("interpreter", 'do shell script "[[ " & quoted form of a & " -gt 5 ]] && echo yes"'),
    "let": ("interpreter", 'do shell script "let x=" & quoted form of a & ""'),
    "a test that counts": ("interpreter", 'do shell script "[ " & quoted form of a & " -gt 5 ]"'),
    "awk of a command inside": ("interpreter", 'do shell script "awk $(echo " & quoted form of a & ")"'),
    "sudo sh": ("interpreter", 'do shell script "echo " & quoted form of a & " | sudo sh"'),
    "arch": ("interpreter", 'do shell script "arch -arm64 " & quoted form of a & ""'),
    "script": ("interpreter", 'do shell script "script -q /dev/null " & quoted form of a & ""'),
    "sudo as somebody": ("interpreter", 'do shell script "sudo -u root ls " & quoted form of a & ""'),
    "bc": ("interpreter", 'do shell script "echo " & quoted form of a & " | bc"'),
    "an application opened by a value": ("interpreter", 'do shell script "open -n -a " & quoted form of a'),
    "windows of a value": ("application", "set w to every window of application theName"),
}

BROKEN = {
    "tell not closed": ("blocks", 'tell application "Finder"\nactivate'),
    "if not closed": ("blocks", "if a then\nbeep"),
    "repeat not closed": ("blocks", "repeat 3 times\nbeep"),
    "try not closed": ("blocks", "try\nbeep"),
    "wrong end": ("blocks", "if a then\nbeep\nend repeat"),
    "end too many": ("blocks", "beep\nend if"),
    "crossed": ("blocks", "if a then\nrepeat 3 times\nend if\nend repeat"),
    "else alone": ("blocks", "else\nbeep"),
    "on error alone": ("blocks", "on error\nbeep"),
    "exit repeat alone": ("blocks", "exit repeat"),
    "handler inside": ("blocks", "if a then\nend run\non other()\nbeep\nend other\non again()"),
    "string not closed": ("syntax", 'set x to "abc'),
    "comment not closed": ("syntax", "(* abc (* def *)"),
    "brackets": ("syntax", 'error ("x" number 1'),
    "line not continued": ("syntax", "set x to {1,\n2}"),
    "set without to": ("syntax", "set x = 5"),
    "elseif": ("syntax", "if a then\nbeep\nelseif b then\nend if"),
    "==": ("syntax", "if a == b then beep"),
    "&&": ("syntax", "if a && b then beep"),
    "curly quotes": ("syntax", "display dialog “x”"),
    "C comment": ("syntax", "beep // now"),
    "repeat with nothing": ("syntax", "repeat with i\nbeep\nend repeat"),
    "a class as variable": ("syntax", "repeat with item in argv\nbeep\nend repeat"),
}

RISKS = {
    "a date of text": ("date", 'set d to date "1 May 2026"'),
    "a date of a variable": ("date", "set d to date someText"),
    "a date of an argument": ("date", "set d to (date (item 1 of argv))"),
    "a date in a record": ("date", "set r to {due date:date theText}"),
    "as date": ("date", "set d to (item 1 of argv) as date"),
    "delay": ("delay", "delay 2"),
    "delay after then": ("delay", "if a then delay 2"),
    "key down": ("ui", 'tell application "System Events" to key down shift'),
    "an action": ("ui", 'tell application "System Events" to perform action "AXPress" of button 1 of window 1'),
    "a field": ("ui", 'tell application "System Events" to set value of text field 1 of window 1 to a'),
    "no timeout for an app": ("timeout", 'tell app "Mail"\nactivate\nend tell'),
    "no timeout by id": ("timeout", 'tell application id "com.apple.mail" to activate'),
    "no timeout without a tell": ("timeout", 'set n to name of front window of application "Mail"'),
    "no timeout for a start": ("timeout", 'activate application "Mail"'),
    "keystroke": ("ui", 'tell application "System Events" to keystroke "v" using command down'),
    "key code": ("ui", "key code 36"),
    "click": (
        "ui",
        'with timeout of 5 seconds\ntell application "System Events"\nclick menu item 1\nend tell\nend timeout',
    ),
    "no timeout": ("timeout", 'tell application "Mail"\nactivate\nend tell'),
    "no timeout in a line": ("timeout", 'tell application "Mail" to activate'),
    "no timeout in two tells": ("timeout", 'tell application "Mail" to tell viewer 1\nactivate\nend tell'),
    "timeout after": ("timeout", 'tell application "Mail"\nend tell\nwith timeout of 5 seconds\nbeep\nend timeout'),
    "whose": ("whose", "set n to first note whose name is a"),
    "location": ("location", "open location (item 1 of argv)"),
    "comparison": ("comparison", "x = 5"),
    "an account by its name": ("name", 'set a to account "iCloud"'),
    "a mailbox by its name": ("name", 'set m to every message of mailbox "Drafts" of a'),
    "a calendar by its name": ("name", 'set c to calendar ¬\n"Home"'),
    "a folder by its name": ("name", 'set f to folder "Documents" of home'),
    "a list by its name": ("name", 'set l to list "Reminders"'),
    "a menu item by its name": ("name", 'set m to menu item "Save" of x'),
    "an error by its text": ("message", 'try\nbeep\non error t number n\nif t contains "Can\'t" then beep\nend try'),
    "an error by its whole text": ("message", 'try\nbeep\non error theText\nif theText is "x" then beep\nend try'),
}

FINE = {
    "quoted parts": 'do shell script "/bin/ls -l " & quoted form of a & " | /usr/bin/head -n " & "3"',
    "quoted parts, continued": 'do shell script ("ls " & ¬\n quoted form of (item 1 of argv)) without altering line endings',
    "quoted by possessive": 'do shell script "ls " & theName\'s quoted form',
    "quoted in brackets": 'do shell script ("ls ") & (a)\'s quoted form & (" " & quoted form of (b))',
    "quoted, compared": 'if (do shell script "ls " & quoted form of a) contains "x" then beep',
    "a script of one's own": 'do shell script "/usr/bin/python3 /opt/count.py " & quoted form of a',
    "administrator": 'do shell script "id" user name u password p with administrator privileges',
    "constant JavaScript": 'with timeout of 5 seconds\ntell application "Safari" to do JavaScript "f()" in document 1\nend timeout',
    "words in strings": 'log "run script; do shell script x; tell application y; end if; == && whose delay"',
    "words in comments": "-- run script x\n# do shell script y\n(* end if (* == *) *)\nbeep",
    "dates that are properties": "set due date of r to d\nset x to {start date:d, end date:e}\nset t to date received of m",
    "dates that are compared": "if due date equals d then beep",
    "today": "set d to (current date) + 86400\nset d to date string of (current date)",
    "else if": "if a then\nbeep\nelse if b then\nbeep\nelse\nbeep\nend if",
    "one-line forms": "if a then return\nif a then set b to 1\ntell me to beep",
    "bare ends": "repeat\nif a\nexit repeat\nend\nend",
    "try": "try\nbeep\non error m number n\nbeep\nend try\ntry\nbeep\nend",
    "considering": "considering case\nbeep\nend considering\nignoring case and diacriticals\nbeep\nend ignoring",
    "two tells in a line": (
        'with timeout of 5 seconds\ntell application "Mail" to tell viewer 1\nactivate\nend tell\nend timeout'
    ),
    "application by id": 'with timeout of 5 seconds\ntell application id "com.apple.mail" to activate\nend timeout',
    "timeout inside": 'tell application "Mail"\nwith timeout of 5 seconds\nactivate\nend timeout\nend tell',
    "to recipients": "tell m to make new to recipient at end of to recipients with properties {address:a}",
    "end of": "set end of theList to a",
    "application processes": "set n to count of application processes\nset f to path to application support",
    "an application that may run": 'if application "Music" is running then beep',
    "a property that asks nothing": 'set i to id of application "Mail"\nset p to path to application "Mail"',
    "the application itself": "tell current application to beep\nset f to current application's NSFont",
    "terms": 'using terms from application "Mail"\nend using terms from',
    "a class by its code": "set f to (POSIX file p) as «class furl»",
    "text that is written to a file": "write (a as text) to f as «class utf8»\nwrite text 1 of a to f",
    "a constant for iTerm": 'tell current session of current window to write text "ls"',
    "a format with arguments": "set p to current application's NSPredicate's predicateWithFormat:\"a = %@\" argumentArray:{x}",
    "after a test": 'do shell script "if [ -e " & quoted form of a & " ]; then echo yes; fi"',
    "a program in the home": 'do shell script "~/bin/tool " & quoted form of a & ""',
    "a program in $HOME": 'do shell script "$HOME/bin/tool " & quoted form of a & ""',
    "a program with a blank in its name": 'do shell script "\'/Applications/Google Chrome.app/Contents/MacOS/Google Chrome\' " & quoted form of a & ""',
    "a path of one's own": 'do shell script "PATH=/opt/homebrew/bin:$PATH; ffmpeg -i " & quoted form of a & ""',
    "a variable for one command": 'do shell script "LC_ALL=C grep x " & quoted form of a & ""',
    "env with a variable": 'do shell script "env LANG=C sort " & quoted form of a & ""',
    "awk's separator": 'do shell script "awk -F, \'{print $2}\' " & quoted form of a & ""',
    "awk's separator by itself": 'do shell script "awk -F , \'{print $2}\' " & quoted form of a & ""',
    "sed in place": 'do shell script "sed -i \'\' s/a/b/ " & quoted form of a & ""',
    "sed -e": 'do shell script "sed -e s/a/b/ " & quoted form of a & ""',
    "find -exec with literal text": 'do shell script "find " & quoted form of a & " -type f -exec md5 {} +"',
    "names that begin like a reader's": 'do shell script "subl " & quoted form of a & " && sum " & quoted form of a & ""',
    "a script without buffers": 'do shell script "python3 -u /opt/x.py " & quoted form of a & ""',
    "errors thrown away": 'do shell script "ls " & quoted form of a & " 2>/dev/null || true"',
    "written to a file": 'do shell script "echo " & quoted form of a & " >> ~/log.txt 2>&1"',
    "nicely": 'do shell script "nice -n 5 ls " & quoted form of a & ""',
    "arguments by xargs": 'do shell script "/bin/ls " & quoted form of a & " | xargs -n 1 basename"',
    "an option's value": 'do shell script "/usr/bin/mdfind -name=" & quoted form of a',
    "after cd": 'do shell script "cd /tmp && ls -l " & quoted form of a & " | /usr/bin/head -n 1"',
    "files of a filter": 'do shell script "sed -n s/a/b/p " & quoted form of a & " | awk \'{print $1}\'"',
    "with the rights of another": 'do shell script "sudo /bin/ls " & quoted form of a',
    "a line after another": 'do shell script "cd /tmp\nls " & quoted form of a',
    "a shell's own file": 'do shell script "/usr/bin/ssh-keygen -lf " & quoted form of a',
    "a file that is opened": 'do shell script "open -R " & quoted form of a',
    "things by the names that are given": "set c to calendar theName\nset f to folder k\nset m to drafts mailbox",
    "no name": 'if calendar is "" or (name of calendar i is calendarName) then beep',
    "an error by its number": "try\nbeep\non error t number n\nif n is -1712 then error t number n\nend try",
    "a list of texts": 'set l to {"a", "b"}\nset text item delimiters to "x"',
    "literal location": 'open location ("maps://?q=" & q)',
    "bars": "set |set| to theDocument's |string|()",
}


@pytest.mark.parametrize(("rule", "body"), CODE_FROM_VALUES.values(), ids=CODE_FROM_VALUES)
def test_what_makes_code_of_a_value_is_refused(rule, body):
    assert (rule, "error") in {(finding.rule, finding.severity) for finding in lint(run(body))}


@pytest.mark.parametrize(("rule", "body"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_compile_is_refused(rule, body):
    assert (rule, "error") in {(finding.rule, finding.severity) for finding in lint(run(body))}


@pytest.mark.parametrize(("rule", "body"), RISKS.values(), ids=RISKS)
def test_what_is_risky_is_warned_of_and_not_refused(rule, body):
    found = lint(run(body))
    assert rule in {finding.rule for finding in found}
    assert "error" not in {finding.severity for finding in found}


@pytest.mark.parametrize("body", FINE.values(), ids=FINE)
def test_what_is_fine_is_left_alone(body):
    assert lint(run(body)) == []


@pytest.mark.parametrize("text", ["", "beep\n", "on run\nbeep\nend run\n", "on open argv\nbeep\nend open\n"])
def test_a_script_without_run_argv_is_refused(text):
    assert "run-argv" in rules(text)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_findings_name_their_line(line_end):
    text = run('log "two', 'lines"', "(* three", "lines *)", "beep ¬", "2", "delay 1").replace("\n", line_end)
    assert [(finding.line, finding.rule) for finding in lint(text)] == [(8, "delay")]


def test_an_end_that_is_missing_is_said_once_and_where():
    found = lint("on run argv\nif a then\nbeep\non other()\nbeep\nend other\n")
    assert [(finding.line, finding.rule) for finding in found] == [(2, "blocks")]


@pytest.mark.parametrize(("rule", "body"), [*CODE_FROM_VALUES.values(), *BROKEN.values(), *RISKS.values()])
def test_each_finding_names_its_line_and_says_what_to_do(rule, body):
    above = 'log "one"\n-- two\n'
    found, moved = lint(run(body)), lint(run(above + body))
    assert all(finding.message and finding.remedy for finding in found)
    assert [finding.line + 2 for finding in found if finding.line > 1] == [f.line for f in moved if f.line > 1]


@pytest.mark.parametrize("line", ["tell x", "if x then", "repeat", "try", "with timeout of 5 seconds", "on other()"])
def test_a_shipped_script_with_one_more_opener_is_refused(line):
    text = (ROOT / "applescripts" / "create_reminder.applescript").read_text()
    assert "blocks" in rules(text.replace("\twith timeout", f"\t{line}\n\twith timeout", 1))


@pytest.mark.parametrize("script", SHIPPED, ids=lambda script: script.stem)
def test_a_shipped_script_without_one_of_its_ends_is_refused(script):
    lines = script.read_text().split("\n")
    ends = [number for number, line in enumerate(lines) if line.strip().startswith("end")]
    assert ends
    for number in ends:
        assert "blocks" in rules("\n".join(lines[:number] + lines[number + 1 :])), lines[number]


@pytest.mark.parametrize("script", SHIPPED, ids=lambda script: script.stem)
def test_the_linter_reads_any_text(script):
    generator, text = random.Random(7), script.read_text()
    for _ in range(20):
        start = generator.randrange(len(text))
        damaged = (
            text[:start]
            + generator.choice(['"', "(*", "(", "}", "end", "tell", "¬\n", "&", ""])
            + text[start + generator.randrange(30) :]
        )
        assert all(finding.line >= 1 for finding in lint(damaged))


@pytest.mark.parametrize("script", SHIPPED, ids=lambda script: script.stem)
def test_shipped_scripts_have_no_error(script):
    waits = {"compose_new_email", "forward_email", "reply_to_email"}  # Mail saves and attaches in the background
    found = {finding.rule for finding in lint(script.read_text(encoding="utf-8"))}
    assert found == ({"delay"} if script.stem in waits else set())


DEPENDENT = (
    # what would make a script depend on a language, a region or an account
    r"\bdate \"", r"\bas date\b", r"\bas real\b", r"(?:date|time) string", r"current date\)? as (?:text|string)",
    r"\b(?:weekday|month) of \w+ (?:as|is) ", r"\b(?:first|account|inbox|drafts|sent|trash) mailbox \"",
    r"\baccount 1\b", r"\bmenu\b", r"System Events", r"localized", r"displayed name", r"\busers? name\b", r"/Users/",
)  # fmt: skip


@pytest.mark.parametrize("script", [*SHIPPED, *ASKING], ids=lambda script: script.stem)
def test_shipped_scripts_depend_on_no_language_and_no_account(script):
    code = re.sub(r"--.*", "", script.read_text(encoding="utf-8"))
    assert [pattern for pattern in DEPENDENT if re.search(pattern, code)] == []
    dates = re.findall(r"set (day|year|month|time) of theDate to", code)
    assert dates in ([], ["day", "year", "month", "day", "time", "time"])
    assert code.count("current date") == bool(dates), "a date is built from numbers"


@pytest.mark.parametrize("script", SHIPPED, ids=lambda script: script.stem)
def test_shipped_scripts_hold_to_their_own_rules(script):
    text = script.read_text(encoding="utf-8")
    assert text.startswith("--")
    assert 'iCloud"' not in text  # no account by name
    assert "Can't" not in re.sub(r"--.*", "", text)  # no matching of English error texts
    assert set(re.findall(r"[^\x00-\x7f]", text)) <= {"¬"}
    assert {int(number) for number in re.findall(r"number (2\d{4})\b", text)} <= set(TROUBLES)
    documented = set(re.findall(r"\b2\d{4}\b", text.partition("\n\n")[0]))
    assert set(re.findall(r"number (2\d{4})\b", text)) == documented


@pytest.mark.parametrize("tool", [tool for tool in TOOLBOX if tool.script], ids=lambda tool: tool.name)
def test_shipped_scripts_read_their_arguments_as_the_tool_declares_them(tool):
    main = tool.script.read_text(encoding="utf-8").partition("on run argv\n")[2].partition("\nend run")[0]
    reads = re.findall(r"next(Text|List|Moment)\(\)|item (\d+) of argv", main)
    form = {"datetime": "Moment"}
    expected = ["List" if a.type.is_list else form.get(a.type.name, "Text") for a in tool.arguments]
    if "argv" in set(re.findall(r"of (argv)", main)):
        assert [int(number) for _, number in reads] == list(range(1, len(tool.arguments) + 1))
        assert set(expected) == {"Text"}
    else:
        assert [kind for kind, _ in reads] == expected


@pytest.mark.parametrize("tool", [tool for tool in TOOLBOX if tool.inverse], ids=lambda tool: tool.name)
def test_tools_with_an_inverse_print_a_handle(tool):
    text = tool.script.read_text(encoding="utf-8")
    returned = re.findall(
        r"^\treturn (.*)$", text.partition("on run argv\n")[2].partition("\nend run")[0], re.MULTILINE
    )
    assert len(returned) == 1
    assert re.match(r"(theHandle|handleOf\(.*\)) & linefeed & ", returned[0])


@pytest.mark.parametrize("script", INVERSES, ids=lambda script: script.stem)
def test_inverses_take_one_argument(script):
    assert set(re.findall(r"item (\d+) of argv", script.read_text(encoding="utf-8"))) == {"1"}


@pytest.mark.parametrize("tool", TOOLBOX, ids=lambda tool: tool.name)
def test_scripts_give_up_before_their_tool_does(tool):
    for script in filter(None, (tool.script, tool.inverse)):
        inner = re.findall(r"with timeout of (\d+) seconds", script.read_text(encoding="utf-8"))
        assert all(int(seconds) < tool.timeout for seconds in inner)


def test_every_shipped_script_is_some_tools():
    assert {script.name for script in SHIPPED} == {s.name for tool in TOOLBOX for s in (tool.script, tool.inverse) if s}
