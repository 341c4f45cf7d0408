"""JSON Schema for tools.yaml, so that editors complete and check it; made from the tables that its reader uses.

A schema sees one value at a time: names that stand twice, scripts that are not there and plans that do not check are for
`tinyagent tools check` to find.
"""

from __future__ import annotations

from typing import Any

from tinyagent_mlx.argtypes import RETURNS, TYPES, ArgType
from tinyagent_mlx.plan import JOIN
from tinyagent_mlx.toolbox import EFFECTS, SUMMARY, WRITINGS
from tinyagent_mlx.toolfile import (
    ARGUMENT_KEYS,
    EXAMPLE_KEYS,
    FILE_KEYS,
    LONGEST_TIMEOUT,
    NAME,
    REQUIRED_ARGUMENT_KEYS,
    REQUIRED_TOOL_KEYS,
    TIMEOUT,
    TOOL_KEYS,
    VERSION,
)  # fmt: skip

FILE_NAME = "tools.schema.json"

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string", "pattern": r"\S"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_FILE: Schema = {"type": "string", "pattern": r"^[^/\\]*[^/\\.][^/\\]*$"}


def schema() -> Schema:
    """The schema of a tools file: the shipped one, or a user's own."""
    keys = {
        "version": {"const": VERSION, "description": "the version of this format"},
        "rules": {**_TEXTS, "description": "hints for the planner that hold for every plan"},
        "off": {**_TEXTS, "description": "names and apps of tools that are switched off, shipped ones too"},
        "tools": {"type": "array", "items": {"$ref": "#/$defs/tool"}, "description": "the tools, in order"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tools.yaml of tinyagent",
        **_mapping(keys, FILE_KEYS, ("version",)),
        "anyOf": [{"required": [key]} for key in FILE_KEYS if key != "version"],
        "$defs": {"tool": _tool(), "argument": _argument(), "example": _example()},
    }


def _mapping(properties: Schema, keys: tuple[str, ...], required: tuple[str, ...]) -> Schema:
    """A mapping with these keys and no others; the reader's table says which there are and in which order."""
    missing = set(properties) ^ set(keys)
    assert not missing, f"the schema and the reader differ in {missing}"
    ordered = {key: properties[key] for key in keys}
    return {"type": "object", "properties": ordered, "required": list(required), "additionalProperties": False}


def _tool() -> Schema:
    keys = {
        "name": {**_name(), "not": {"const": JOIN}, "description": "what a plan calls it"},
        "app": {**_TEXT, "description": "the program it drives: steps of one app run one after another"},
        "description": {**_TEXT, "description": "what it does, in a sentence: the planner finds the tool by it"},
        "arguments": {
            "type": "array", "items": {"$ref": "#/$defs/argument"}, "description": "in the order of a call",
        },
        "returns": {"enum": list(RETURNS), "description": 'what "$k" stands for in later steps'},
        "effect": {"enum": list(EFFECTS), "description": "read runs at once, write asks first, send leaves the machine"},
        "script": {**_FILE, "description": "the AppleScript, a file in applescripts/ beside this file"},
        "inverse": {**_FILE, "description": "the script that undoes a step"},
        "timeout": {
            "type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_TIMEOUT, "default": TIMEOUT,
            "description": "seconds",
        },
        "summary": {**_TEXT, "description": "the step in words, with {argument} placeholders"},
        "rules": {**_TEXTS, "description": "hints for the planner"},
        "examples": {
            "type": "array", "items": {"$ref": "#/$defs/example"}, "description": "requests with their plans",
        },
        "example_result": {**_TEXT, "description": "what a dry run shows as the step's result"},
        "written": {"const": SUMMARY, "description": "a writer may summarize the text that the tool reads"},
    }  # fmt: skip
    reads = {"properties": {"returns": {"const": "text"}, "effect": {"const": "read"}}}
    return _mapping(keys, TOOL_KEYS, REQUIRED_TOOL_KEYS) | {"if": {"required": ["written"]}, "then": reads}


def _name() -> Schema:
    return {"type": "string", "pattern": f"^{NAME}$"}


def _argument() -> Schema:
    constants: Schema = {"type": ["string", "integer"]}
    keys = {
        "name": {**_name(), "description": "the argument's name"},
        "type": {"enum": list(TYPES), "description": "what its values are"},
        "description": {**_TEXT, "description": "what it is for: the planner reads this"},
        "default": {"description": "what stands when nothing is said; the type's empty value unless given"},
        "choices": {
            "description": "allowed constants and what each means",
            "oneOf": [
                {"type": "object", "additionalProperties": {"type": "string"}},
                {"type": "array", "items": constants},
            ],
        },
        "from": {"enum": ["request"], "description": "only words of the request, constants and references may fill it"},
        "written": {"enum": list(WRITINGS), "description": "a writer may write this text, if the user names one"},
    }
    branches = [
        {
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": {
                "properties": {"default": _default(kind)},
                **({"required": more} if (more := _more(kind)) else {}),
            },
        }
        for name, kind in TYPES.items()
    ]
    free: Schema = {
        "if": {"required": ["written"]},
        "then": {"properties": {"type": {"const": "text"}, "choices": False, "from": False}},
    }
    return {**_mapping(keys, ARGUMENT_KEYS, REQUIRED_ARGUMENT_KEYS), "allOf": [*branches, free]}


def _default(kind: ArgType) -> Schema:
    """What a default may be: a literal of the type, or nothing where its empty value is a text."""
    plain = {key: value for key, value in kind.item.json_schema().items() if key != "format"}
    if kind.is_list:
        return {"type": "array", "items": plain}
    return {"type": [plain["type"], "null"]} if kind.empty == "" else plain


def _more(kind: ArgType) -> list[str]:
    """What an argument of this type must say beside what every one says."""
    if kind.item.name != "choice":
        return []
    return ["choices"] if kind.is_list else ["choices", "default"]


def _example() -> Schema:
    keys = {
        "request": {**_TEXT, "description": "as a user would say it"},
        "plan": {
            "type": "string",
            "description": 'its plan, a call a line: 1. name("words of the request"); "" refuses',
        },
    }
    return _mapping(keys, EXAMPLE_KEYS, EXAMPLE_KEYS)
