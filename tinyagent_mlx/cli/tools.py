"""List, show and check the tools in tools.yaml, and print what they compile into."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tinyagent_mlx.cli import setup
from tinyagent_mlx.errors import UsageError
from tinyagent_mlx.plan import print_plan
from tinyagent_mlx.toolbox import Tool, Toolbox


def add_options(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = verbs.add_parser("list", help="one line a tool")
    listing.add_argument("--json", action="store_true", help="print the JSON schemas")
    show = verbs.add_parser("show", help="one tool with all that it compiles into")
    show.add_argument("name", metavar="NAME")
    verbs.add_parser("check", help="say what is wrong with tools.yaml and its scripts")
    compiling = verbs.add_parser("compile", help="print the compiled prompt block, grammar and labels")
    compiling.add_argument("--out", type=Path, metavar="DIR", help="write them as files instead")
    compiling.add_argument("--check", action="store_true", help="compare with the files in DIR; exit 1 if they differ")


def call(options: argparse.Namespace) -> int:
    tools = setup.toolbox(options)
    match options.action:
        case "list":
            return _list(tools, options.json)
        case "show":
            return _show(_named(tools, options.name))
        case "check":
            return _check(tools)
        case _:
            return _compile(tools, options.out, options.check)


def _named(tools: Toolbox, name: str) -> Tool:
    if name not in tools:
        import difflib

        near = difflib.get_close_matches(name, tools.names, 1, 0.4)
        raise UsageError(f"no tool is called {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return tools[name]


def _list(tools: Toolbox, as_json: bool) -> int:
    if as_json:
        print(json.dumps([tool.json_schema() for tool in tools], ensure_ascii=False, indent=1))
        return 0
    width = max(len(tool.name) for tool in tools)
    for tool in tools:
        print(f"{tool.name:<{width}}  {tool.effect:<5}  {tool.app:<9}  {tool.description}")
    return 0


def _show(tool: Tool) -> int:
    print(f"{tool.signature}\n{tool.description}\napp {tool.app}, effect {tool.effect}, time limit {tool.timeout:g} s")
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


def _check(tools: Toolbox) -> int:
    from tinyagent_mlx.scripts import lint

    errors = warnings = 0
    for tool in tools:
        for file in (tool.script, tool.inverse):
            for finding in lint(file.read_text(encoding="utf-8")) if file else ():
                errors += finding.severity == "error"
                warnings += finding.severity != "error"
                print(
                    f"{file}:{finding.line}: {finding.severity}: {finding.message}; {finding.remedy}", file=sys.stderr
                )
    print(f"{len(tools)} tools, {errors} errors, {warnings} warnings, fingerprint {tools.fingerprint}")
    return 2 if errors else 0


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
