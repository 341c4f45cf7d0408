"""List, show, check, make, import and try tools, switch them off and on, and print what tools.yaml compiles into."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tinyagent_mlx.cli import checking, importing, making, places, setup, trying
from tinyagent_mlx.errors import UsageError
from tinyagent_mlx.plan import print_plan
from tinyagent_mlx.toolbox import Tool, Toolbox
from tinyagent_mlx.toolfile import near


def add_options(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = _action(verbs, "list", "one line a tool")
    listing.add_argument("--json", action="store_true", help="print the JSON schemas")
    show = _action(verbs, "show", "one tool with all that it compiles into")
    show.add_argument("name", metavar="NAME")
    check = _action(verbs, "check", "say what is wrong with the tools files and their scripts")
    check.add_argument("--watch", action="store_true", help="say it again at every save, until Ctrl-C")
    making.add_options(_action(verbs, "new", "make a tool of your own: its entry and a script to go on from"))
    importing.add_options(_action(verbs, "import", "draft tools from an application's scripting dictionary (sdef)"))
    trying.add_options(_action(verbs, "try", "plan a tool's examples and requests of your own; nothing is carried out"))
    for word in ("off", "on"):
        switch = _action(verbs, word, f"switch a tool, or every tool of an app, {word}")
        switch.add_argument("word", metavar="NAME|APP")
    _action(verbs, "schema", "print the JSON Schema of tools.yaml, for editors")
    compiling = _action(verbs, "compile", "print the compiled prompt block, grammar and labels")
    compiling.add_argument("--out", type=Path, metavar="DIR", help="write them as files instead")
    compiling.add_argument("--check", action="store_true", help="compare with the files in DIR; exit 1 if they differ")


def _action(actions: Any, name: str, text: str) -> argparse.ArgumentParser:
    """An action takes the verb's own options too, on either side of its name."""
    made: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    places.add_options(made, again=True)
    return made


def call(options: argparse.Namespace) -> int:
    match options.action:
        case "list":
            return _list(setup.toolbox(options), options.json)
        case "show":
            return _show(_named(setup.toolbox(options).whole, options.name))
        case "check":
            return checking.watch(options) if options.watch else checking.check(options)
        case "new":
            return making.call(options)
        case "import":
            return importing.call(options)
        case "try":
            return trying.call(options, _named(setup.toolbox(options), options.name))
        case "off" | "on":
            return _switch(options)
        case "schema":
            from tinyagent_mlx import ownfile

            print(ownfile.schema_text(), end="")
            return 0
        case _:
            return _compile(setup.toolbox(options), options.out, options.check)


def _named(tools: Toolbox, name: str) -> Tool:
    if name not in tools:
        off = " it is switched off" if name in tools.whole else ""
        raise UsageError(f"no tool is called {name!r}{':' + off if off else near(name, tools.names)}")
    return tools[name]


def _list(tools: Toolbox, as_json: bool) -> int:
    if as_json:
        print(json.dumps([tool.json_schema() for tool in tools], ensure_ascii=False, indent=1))
        return 0
    width, room = (max(len(getattr(tool, key)) for tool in tools.whole) for key in ("name", "app"))
    for tool in tools:
        print(f"{tool.name:<{width}}  {tool.effect:<5}  {tool.app:<{room}}  {tool.description}")
    for tool in tools.off:
        print(f"{tool.name:<{width}}  off    {tool.app:<{room}}  {tool.description}")
    return 0


def _switch(options: argparse.Namespace) -> int:
    """Switch a tool or an app off or on, in the user's own tools file."""
    before = setup.toolbox(options)
    tools = setup.switch(options, options.word, options.action == "on")
    changed = sorted(set(before.names) ^ set(tools.names), key=before.whole.names.index)
    print(f"{setup.own_source(options).file}: switched {options.action}: {', '.join(changed)}")
    return 0


def _show(tool: Tool) -> int:
    print(f"{tool.signature}\n{tool.description}\napp {tool.app}, effect {tool.effect}, time limit {tool.timeout:g} s")
    print(f"declared: {tool.declared}")
    for argument in tool.arguments:
        choices = f", one of {', '.join(map(repr, argument.choices))}" if argument.choices else ""
        source = ", only words of the request" if argument.extractive else ""
        print(f"  {argument.name} ({argument.type.name}{choices}{source}): {argument.description}")
    for rule in tool.rules:
        print(f"  rule: {rule}")
    for example in tool.examples:
        plan = print_plan(example.plan).replace("\n", "\n    ")
        print(f"  example: {example.request}\n    {plan}")
    print(
        f"script: {tool.script.name if tool.script else 'none'}; undone by: {tool.inverse.name if tool.inverse else 'nothing'}"
    )
    print(json.dumps(tool.json_schema(), ensure_ascii=False, indent=1))
    return 0


def compiled(tools: Toolbox) -> dict[str, str]:
    """The texts that a toolbox compiles into, by file name."""
    from tinyagent_mlx import grammar, prompt

    return {
        "prompt.txt": "\n\n".join(prompt.tool_block(tool) for tool in tools) + "\n",
        "grammar.lark": grammar.line_grammar(tools, "", ()) + "\n",
        "labels.txt": "\n".join(tools.names) + "\n",
        "schema.json": json.dumps([tool.json_schema() for tool in tools], ensure_ascii=False, indent=1) + "\n",
        "fingerprint.txt": tools.fingerprint + "\n",
    }


def _compile(tools: Toolbox, folder: Path | None, check: bool) -> int:
    if check and not folder:
        raise UsageError("--check compares with the files in --out DIR: name it")
    texts = compiled(tools)
    if not folder:
        for name, text in texts.items():
            print(f"--- {name}\n{text}", end="")
        return 0
    if not check:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        return 0
    differing = [
        name
        for name, text in texts.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]
    for name in differing:
        print(f"{folder / name}: differs from what tools.yaml compiles into", file=sys.stderr)
    return 1 if differing else 0
