"""An argument as the text of a form's field, and back. Knows nothing of widgets.

Lists are written with commas between the items; an item that holds a comma stands in double quotes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from tinyagent_mlx.check import argument_problem
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.toolbox import Argument
from tinyagent_mlx.values import Scalar, Value, parse_text, print_text


def to_text(value: Value, step: int) -> str:
    """Write a value for editing; references as "$k"."""
    if isinstance(value, tuple):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow([_scalar_text(item, step) for item in value])
        return (
            line.getvalue().replace(",", ", ")
            if not any("," in _scalar_text(v, step) for v in value)
            else line.getvalue()
        )
    return _scalar_text(value, step)


def _scalar_text(value: Scalar, step: int) -> str:
    return str(value) if isinstance(value, (bool, int)) else print_text(value, step)


def from_text(text: str, argument: Argument, step: int) -> Value:
    """Read a field of step number `step`. Raises `PlanError` when it can be no value of the argument's type."""
    kind = argument.type
    if kind.is_list:
        rows = list(csv.reader([text], skipinitialspace=True)) if text.strip() else [[]]
        items = [item.strip() for item in rows[0]]
        return tuple(_scalar(item, kind.item.python, step) for item in items if item)
    return _scalar(text, kind.python, step)


def _scalar(text: str, python: type, step: int) -> Scalar:
    if python is bool:
        answers = {"true": True, "yes": True, "false": False, "no": False, "": False}
        if text.strip().lower() not in answers:
            raise PlanError(f"is {text!r}, expected True or False")
        return answers[text.strip().lower()]
    if python is int:
        try:
            return int(text.strip() or "0")
        except ValueError as error:
            raise PlanError(f"is {text!r}, expected a whole number") from error
    return parse_text(text, step)


def problem(argument: Argument, value: Value, returns: Mapping[int, str]) -> str:
    """Say what is wrong with a value in a plan whose earlier steps return `returns`, or ""."""
    return argument_problem(argument, value, returns) or ""
