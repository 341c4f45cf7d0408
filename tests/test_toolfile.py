"""tools.yaml is read strictly: each mistake is one line with file, line, tool and key, and the shipped file is the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyagent_mlx.argtypes import TYPES
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.plan import print_plan
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.toolfile import load_toolbox

MINIMAL = """\
version: 1
rules:
  - Look a person up first.
tools:
  - name: find_person
    app: Contacts
    description: Look a person up.
    arguments:
      - {name: who, type: person, description: who is looked for, from: request}
    returns: email
    effect: read
    script: find.applescript
    timeout: 20
    summary: "Look up {who}"
    rules:
      - One look is enough.
    examples:
      - request: find Ines
        plan: |
          1. find_person("Ines")
    example_result: ines@example.com
  - name: write_letter
    app: Mail
    description: Write a letter.
    arguments:
      - {name: to, type: "list[email]", description: who gets it}
      - name: speed
        type: choice
        description: how fast it goes
        default: slow
        choices: {slow: by ship, fast: by air}
      - {name: copies, type: integer, description: how many, default: 1}
    returns: status
    effect: write
    inverse: tear_up.applescript
"""

# What is edited → what it becomes, where the complaint points (the edited line unless said), tool, words of the complaint.
FIND, WRITE = "find_person", "write_letter"
BROKEN = {
    # the file
    "version missing": ("version: 1\n", "", "rules:", "", ["'version' is missing"]),
    "version of tomorrow": ("version: 1", "version: 2", "", "", ["'version'", "is 2", "expected 1"]),
    "version in words": ("version: 1", "version: one", "", "", ["'version'", "'one'"]),
    "version true": ("version: 1", "version: true", "", "", ["'version'", "True"]),
    "unknown key of the file": ("rules:\n  - Look", "rule:\n  - Look", "", "", ["'rule'", "did you mean 'rules'?"]),
    "rules are no list": ("rules:\n  - Look", "rules:\n  Look", "", "", ["'rules'", "expected a list of texts"]),
    "a rule is a number": ("  - Look a person up first.", "  - 7", "rules:", "", ["'rules'", "[7]"]),
    "key twice": ("    app: Contacts\n", "    app: Contacts\n    app: Mail\n", "app: Mail", "", ["'app' stands twice"]),
    # a tool
    "tool is a text": ("  - name: write_letter", "  - letter\n  - name: write_letter", "- letter", "", ["'letter'", "expected a mapping"]),
    "tool without a name": ("  - name: find_person\n    app", "  - app", "- app", "number 1", ["'name' is missing"]),
    "tool name is a number": ("name: write_letter", "name: 5", "", "number 2", ["'name'", "is 5"]),
    "tool name in capitals": ("name: write_letter", "name: writeLetter", "", "writeLetter", ["'name'", "lower-case"]),
    "tool name begins with a digit": ("name: write_letter", "name: 2nd", "", "2nd", ["'name'", "a letter first"]),
    "tool name ends plans": ("name: write_letter", "name: join", "", "join", ["'name'", "ends a plan"]),
    "tool name twice": ("name: write_letter", "name: find_person", "", FIND, ["'name'", "another tool"]),
    "misspelt key": ("    timeout: 20", "    time_out: 20", "", FIND, ["'time_out'", "did you mean 'timeout'?"]),
    "key nobody knows": ("    timeout: 20", "    zzz: 20", "", FIND, ["unknown key 'zzz'"]),
    "key is a number": ("    timeout: 20", "    20: 20", "", FIND, ["unknown key 20"]),
    "app missing": ("    app: Mail\n", "", "- name: write_letter", WRITE, ["'app' is missing"]),
    "description missing": ("    description: Write a letter.\n", "", "- name: write_letter", WRITE, ["'description' is missing"]),
    "description empty": ("description: Write a letter.", "description:", "description:\n", WRITE, ["'description'", "None", "expected text"]),
    "description read as False": ("description: Write a letter.", "description: no", "", WRITE, ["'description'", "False", "quotes"]),
    "description is blanks": ("description: Write a letter.", 'description: "  "', "", WRITE, ["'description'", "expected text"]),
    "description is a list": ("description: Write a letter.", "description: [a]", "", WRITE, ["'description'", "['a']"]),
    "description is an impossible date": ("description: Write a letter.", "description: 2026-13-45", "", "", ["'2026-13-45'"]),
    "unknown return type": ("returns: email", "returns: emails", "", FIND, ["'returns'", "'emails'", "did you mean 'email'?"]),
    "return type is a list": ("returns: email", "returns: [email]", "", FIND, ["'returns'", "['email']"]),
    "unknown effect": ("effect: write", "effect: writes", "", WRITE, ["'effect'", "did you mean 'write'?"]),
    "script not there": ("find.applescript", "fnd.applescript", "", FIND, ["'script'", "did you mean 'find.applescript'?"]),
    "script in another folder": ("find.applescript", "../find.applescript", "", FIND, ["'script'", "no plain file name"]),
    "script is a folder": ("find.applescript", '".."', "", FIND, ["'script'", "'..'"]),
    "inverse not there": ("tear_up", "tear-up", "", WRITE, ["'inverse'", "did you mean 'tear_up.applescript'?"]),
    "no time": ("timeout: 20", "timeout: 0", "", FIND, ["'timeout'", "is 0"]),
    "endless time": ("timeout: 20", "timeout: .inf", "", FIND, ["'timeout'", "inf"]),
    "time in words": ("timeout: 20", "timeout: 20s", "", FIND, ["'timeout'", "'20s'", "seconds"]),
    "time is true": ("timeout: 20", "timeout: true", "", FIND, ["'timeout'", "True"]),
    "unknown placeholder": ("{who}", "{wo}", "", FIND, ["'summary'", "{wo}", "did you mean 'who'?"]),
    "placeholder without a name": ("{who}", "{}", "", FIND, ["'summary'", "{}"]),
    "placeholder not closed": ("{who}", "{who", "", FIND, ["'summary'", "Look up {who"]),
    "placeholder reaches into a value": ("{who}", "{who.name}", "", FIND, ["'summary'", "{who.name}"]),
    "placeholder with a format": ("{who}", "{who:{width}}", "", FIND, ["'summary'", "{who} has a format"]),
    "tool rules are a text": ("    rules:\n      - One", "    rules:\n      One", "    rules:", FIND, ["'rules'", "list of texts"]),
    "example result is a number": ("example_result: ines@example.com", "example_result: 7", "", FIND, ["'example_result'", "quotes"]),
    # an argument
    "arguments missing": ("    arguments:\n      - {name: who, type: person, description: who is looked for, from: request}\n", "", "- name: find_person", FIND, ["'arguments' is missing"]),
    "arguments are a mapping": ("    arguments:\n      - {name: who,", "    arguments:\n      {name: who,", "    arguments:", FIND, ["'arguments'", "expected a list"]),
    "an argument is a text": ("- {name: to,", "- to\n      - {name: to,", "- to\n", WRITE, ["'arguments'", "'to'", "expected a mapping"]),
    "argument name twice": ("{name: copies,", "{name: to,", "{name: to, type: integer", WRITE, ["'arguments'", "two arguments are called 'to'"]),
    "argument name with a blank": ("{name: copies,", "{name: the copies,", "", WRITE, ["'name'", "'the copies'"]),
    "argument without a type": ("type: integer, ", "", "- {name: copies", WRITE, ["'type' is missing"]),
    "unknown type": ("type: integer", "type: int", "", WRITE, ["'type'", "'int'", "did you mean 'integer'?"]),
    "misspelt type": ("type: person", "type: persons", "", FIND, ["'type'", "did you mean 'person'?"]),
    "list of an unknown type": ('"list[email]"', '"list[emails]"', "", WRITE, ["'type'", "did you mean 'list[email]'?"]),
    "list without quotes": ('"list[email]"', "list[email]", "", "", ["is not YAML"]),
    "argument without a description": (", description: who gets it", "", "- {name: to", WRITE, ["'description' is missing"]),
    "misspelt key of an argument": ("default: 1", "defualt: 1", "", WRITE, ["'defualt'", "did you mean 'default'?"]),
    "filled from elsewhere": ("from: request", "from: requests", "", FIND, ["'from'", "did you mean 'request'?"]),
    "default of another type": ("default: 1", "default: many", "", WRITE, ["'default'", "'copies'", "'many'", "integer"]),
    "default true for a number": ("default: 1", "default: true", "", WRITE, ["'default'", "'copies'", "True"]),
    "default is no choice": ("default: slow", "default: medium", "", WRITE, ["'default'", "'speed'", "'medium'", "'slow', 'fast'"]),
    "choice without a default": ("        default: slow\n", "", "- name: speed", WRITE, ["'default'", "'speed'"]),
    "choice without choices": ("        choices: {slow: by ship, fast: by air}\n", "", "- name: speed", WRITE, ["'choices'", "'speed'"]),
    "choices are a text": ("{slow: by ship, fast: by air}", "slow", "choices: slow", WRITE, ["'choices'", "'slow'"]),
    "a choice read as True": ("{slow: by ship, fast: by air}", "{slow: by ship, yes: by air}", "choices:", WRITE, ["'choices'", "True"]),
    "a choice is a list": ("{slow: by ship, fast: by air}", "[slow, [fast]]", "choices:", WRITE, ["'choices'", "['fast']"]),
    "a choice without a meaning": ("{slow: by ship, fast: by air}", "{slow: by ship, fast: }", "choices:", WRITE, ["'choices'", "meaning of 'fast'"]),
    "nobody can write that": ("{name: copies, type: integer", "{name: copies, written: mail, type: integer", "written: mail", WRITE, ["'written'", "'copies'", "type integer"]),
    "written and of the request": ("type: person, description: who is looked for", "type: text, written: note, description: who is looked for", "written: note", FIND, ["'written'", "'who'", "words of the request"]),
    "unknown kind of writing": ("{name: to,", "{name: body, type: text, description: it, written: mial}\n      - {name: to,", "written: mial", WRITE, ["'written'", "'mial'", "did you mean 'mail'?"]),
    "a summary of what is written": ("    inverse: tear_up.applescript", "    written: summary\n    inverse: tear_up.applescript", "written: summary", WRITE, ["'written'", "reads and returns text"]),
    # an example
    "examples are a text": ("    examples:\n      - request: find Ines\n        plan: |\n          1. find_person(\"Ines\")\n", "    examples: find\n", "", FIND, ["'examples'", "expected a list"]),
    "an example is a text": ("      - request: find Ines\n        plan: |\n          1. find_person(\"Ines\")\n", "      - find Ines\n", "", FIND, ["'examples'", "'find Ines'"]),
    "example without a plan": ("        plan: |\n          1. find_person(\"Ines\")\n", "", "- request", FIND, ["'plan' is missing"]),
    "example without a request": ("      - request: find Ines\n        plan", "      - plan", "- plan", FIND, ["'request' is missing"]),
    "misspelt key of an example": ("- request: find Ines\n", "- request: find Ines\n        plans: x\n", "plans: x", FIND, ["'plans'", "did you mean 'plan'?"]),
    "plan is empty by mistake": ("plan: |\n          1. find_person(\"Ines\")", "plan:", "plan:", FIND, ["'plan'", "expected text"]),
    "plan is prose": ("1. find_person(\"Ines\")", "find her", "plan: |", FIND, ["'plan'", "holds no step"]),
    "plan is not closed": ("find_person(\"Ines\")", "find_person(\"Ines\"", "plan: |", FIND, ["'plan'", "not closed"]),
    "plan with an unknown tool": ("find_person(\"Ines\")", "find_people(\"Ines\")", "plan: |", FIND, ["'plan'", "'find_people'"]),
    "plan with an argument too many": ("find_person(\"Ines\")", "find_person(\"Ines\", 1)", "plan: |", FIND, ["'plan'", "takes 1 arguments, got 2"]),
    "plan with a wrong type": ("find_person(\"Ines\")", "find_person(7)", "plan: |", FIND, ["'plan'", "who is 7"]),
    "plan with a gap": ("1. find_person(\"Ines\")", "2. find_person(\"Ines\")", "plan: |", FIND, ["'plan'", "expected step 1"]),
}  # fmt: skip

# The contract's table: tool, (argument, type) in order, what it returns, effect.
CONTRACT = [
    ("create_calendar_event", "title:text start_date:datetime end_date:datetime location:text invitees:list[email] notes:text calendar:text", "status", "write"),
    ("get_phone_number", "name:person", "phone", "read"),
    ("get_email_address", "name:person", "email", "read"),
    ("open_and_get_file_path", "file_name:text", "file_path", "read"),
    ("summarize_pdf", "pdf_path:file_path", "text", "read"),
    ("compose_new_email", "recipients:list[email] cc:list[email] subject:text context:text attachments:list[file_path]", "status", "write"),
    ("reply_to_email", "cc:list[email] context:text attachments:list[file_path]", "status", "write"),
    ("forward_email", "recipients:list[email] cc:list[email] context:text attachments:list[file_path]", "status", "write"),
    ("maps_open_location", "location:text", "url", "read"),
    ("maps_show_directions", "start_location:text end_location:text transport:choice", "url", "read"),
    ("create_note", "name:text content:text folder:text", "status", "write"),
    ("open_note", "name:text folder:text", "text", "read"),
    ("append_note_content", "name:text content:text folder:text", "status", "write"),
    ("create_reminder", "name:text due_date:datetime notes:text list_name:text priority:integer all_day:boolean", "status", "write"),
    ("send_sms", "recipients:list[phone] message:text", "status", "send"),
    ("get_zoom_meeting_link", "topic:text start_time:datetime duration:integer meeting_invitees:list[email]", "url", "write"),
]  # fmt: skip


def load(folder: Path, text: str) -> Toolbox:
    scripts = folder / "applescripts"
    scripts.mkdir(exist_ok=True)
    for name in ("find.applescript", "tear_up.applescript"):
        (scripts / name).write_text("on run argv\nend run\n")
    file = folder / "tools.yaml"
    file.write_text(text)
    return load_toolbox(file)


def edited(old: str, new: str) -> str:
    assert old in MINIMAL, "the table and the text have come apart"
    return MINIMAL.replace(old, new, 1)


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        load(folder, text)
    return str(error.value)


@pytest.mark.parametrize(("old", "new", "at", "tool", "says"), BROKEN.values(), ids=BROKEN)
def test_a_mistake_is_one_line_with_file_line_tool_and_key(tmp_path, old, new, at, tool, says):
    text = edited(old, new)
    line = text[: text.index(at) if at else MINIMAL.index(old)].count("\n") + 1
    message = complaint(tmp_path, text)
    assert message.startswith(f"{tmp_path / 'tools.yaml'}:{line}: " + (f"tool {tool!r}, " if tool else ""))
    assert [words for words in says if words not in message] == []
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a mapping"),
        ("- a\n", "expected a mapping"),
        ("version: 1\ntools: []\n", "'tools'"),
        ("version: 1\ntools: {a: b}\n", "'tools'"),
        ("version: 1\n", "'tools' is missing"),
        ("version: [\n", "is not YAML"),
    ],
    ids=["empty", "list", "no tools", "tools by name", "tools missing", "not YAML"],
)
def test_a_file_that_is_no_list_of_tools_is_refused(tmp_path, text, says):
    message = complaint(tmp_path, text)
    assert str(tmp_path / "tools.yaml") in message
    assert says in message
    assert "\n" not in message


def test_the_minimal_text_is_read_in_full(tmp_path):
    find, write = load(tmp_path, MINIMAL)
    assert (find.name, find.app, find.returns, find.effect, find.timeout) == (
        "find_person",
        "Contacts",
        "email",
        "read",
        20.0,
    )
    assert find.script == tmp_path / "applescripts" / "find.applescript"
    assert find.rules == ("One look is enough.",)
    assert find.arguments[0].extractive
    assert [(example.request, print_plan(example.plan)) for example in find.examples] == [
        ("find Ines", '1. find_person("Ines")')
    ]
    assert (write.script, write.inverse and write.inverse.name, write.timeout) == (None, "tear_up.applescript", 30.0)
    assert [argument.default for argument in write.arguments] == [(), "slow", 1]
    assert dict(write.arguments[1].choices) == {"slow": "by ship", "fast": "by air"}
    assert not write.arguments[0].extractive


@pytest.mark.parametrize("kind", TYPES)
def test_every_argument_type_can_be_declared_and_has_its_empty_value(tmp_path, kind):
    more = ", choices: [a], default: a" if kind == "choice" else ", choices: [a]" if kind == "list[choice]" else ""
    new = f'{{name: copies, type: "{kind}", description: how many{more}}}'
    tools = load(tmp_path, edited("{name: copies, type: integer, description: how many, default: 1}", new))
    argument = tools["write_letter"].arguments[2]
    assert argument.type is TYPES[kind]
    assert argument.default == ("a" if kind == "choice" else TYPES[kind].empty)


def test_the_schema_of_a_list_of_choices_is_of_each_of_them(tmp_path):
    new = '{name: copies, type: "list[choice]", description: how many, choices: [a, b]}'
    tools = load(tmp_path, edited("{name: copies, type: integer, description: how many, default: 1}", new))
    schema = tools["write_letter"].json_schema()["inputSchema"]["properties"]["copies"]
    assert (schema["items"]["enum"], schema["default"], "enum" in schema) == (["a", "b"], [], False)


def test_whether_an_argument_may_stay_empty_is_in_the_fingerprint_and_said(tmp_path):
    old = "{name: copies, type: integer, description: how many, default: 1}"
    must = load(tmp_path, edited(old, "{name: copies, type: url, description: where}"))
    may = load(tmp_path, edited(old, '{name: copies, type: url, description: where, default: ""}'))
    assert [tools["write_letter"].arguments[2].needed for tools in (must, may)] == [True, False]
    assert must.fingerprint != may.fingerprint


def test_an_example_may_show_a_request_to_refuse(tmp_path):
    tools = load(tmp_path, edited('plan: |\n          1. find_person("Ines")', 'plan: ""'))
    assert tools["find_person"].examples[0].plan.refused


def test_an_example_may_call_tools_that_are_declared_later(tmp_path):
    call = '1. find_person("Ines")\n          2. write_letter(["$1"], "fast", 2)'
    tools = load(tmp_path, edited('1. find_person("Ines")', call))
    assert [step.tool for step in tools["find_person"].examples[0].plan.steps] == ["find_person", "write_letter"]


def test_scripts_may_lie_in_another_folder(tmp_path):
    load(tmp_path, MINIMAL)
    (tmp_path / "applescripts").rename(tmp_path / "elsewhere")
    tools = load_toolbox(tmp_path / "tools.yaml", tmp_path / "elsewhere")
    assert tools["find_person"].script == tmp_path / "elsewhere" / "find.applescript"


CHANGES = {
    "description": ("Write a letter.", "Write a long letter.", True),
    "name of a tool": ("write_letter", "write_a_letter", True),
    "name of an argument": ("{name: copies", "{name: prints", True),
    "type of an argument": ("type: person", "type: text", True),
    "description of an argument": ("how many", "how many pages", True),
    "default": ("default: 1", "default: 2", True),
    "meaning of a choice": ("by ship", "by boat", True),
    "what it returns": ("returns: email", "returns: text", True),
    "effect": ("effect: write", "effect: send", True),
    "request of an example": ("find Ines", "find her", True),
    "plan of an example": ('find_person("Ines")', 'find_person("Tom")', True),
    "time limit": ("timeout: 20", "timeout: 21", False),
    "summary": ("Look up {who}", "See {who}", False),
    "script": ("    script: find.applescript\n", "", False),
    "comment": ("version: 1", "version: 1  # one", False),
}


@pytest.mark.parametrize(("old", "new", "changes"), CHANGES.values(), ids=CHANGES)
def test_the_fingerprint_changes_with_what_a_planner_learns_and_only_then(tmp_path, old, new, changes):
    before = load(tmp_path, MINIMAL).fingerprint
    assert (load(tmp_path, edited(old, new)).fingerprint != before) == changes


def test_the_fingerprint_knows_the_order_of_tools(tmp_path):
    tools = load(tmp_path, MINIMAL)
    assert Toolbox(tools.tools[::-1], tools.rules).fingerprint != tools.fingerprint


def test_the_shipped_tools_are_those_of_the_contract(shipped_tools):
    found = [
        (tool.name, " ".join(f"{a.name}:{a.type.name}" for a in tool.arguments), tool.returns, tool.effect)
        for tool in shipped_tools
    ]
    assert found == CONTRACT


def test_the_shipped_tools_have_the_empty_values_of_the_contract(shipped_tools):
    defaults = {(tool.name, a.name): a.default for tool in shipped_tools for a in tool.arguments}
    empty = {key: value for key, value in defaults.items() if value in ("", (), 0, False)}
    assert {key: defaults[key] for key in defaults.keys() - empty.keys()} == {
        ("maps_show_directions", "transport"): "d",
        ("get_zoom_meeting_link", "duration"): 60,
    }
    assert list(shipped_tools["maps_show_directions"].arguments[2].choices) == ["d", "w", "r"]
    assert list(shipped_tools["create_reminder"].arguments[4].choices) == [0, 1, 5, 9]


@pytest.mark.parametrize("name", [row[0] for row in CONTRACT])
def test_each_shipped_tool_is_complete(shipped_tools, name):
    tool = shipped_tools[name]
    assert (tool.script is None) == (name == "get_zoom_meeting_link")
    assert tool.summary
    assert tool.example_result
    assert any(step.tool == name for example in tool.examples for step in example.plan.steps)
    assert all(argument.description for argument in tool.arguments)


def test_every_shipped_write_but_zoom_has_an_inverse(shipped_tools):
    lacking = [tool.name for tool in shipped_tools if tool.effect == "write" and not tool.inverse]
    assert lacking == ["get_zoom_meeting_link"]


def test_a_subset_keeps_the_declared_order_and_the_rules(shipped_tools):
    some = shipped_tools.subset(["send_sms", "get_phone_number", "no_such_tool"])
    assert some.names == ("get_phone_number", "send_sms")
    assert some.rules == shipped_tools.rules
    assert "open_note" not in some
    assert len(some) == 2
