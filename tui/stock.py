"""What there is to choose from on this machine: planners and speech models, each with its size and whether it is here."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.choose import Choice

GB = 1e9


def planners(options: argparse.Namespace) -> list[Choice]:
    """The shipped planner, and the models of `tinyagent models` that can plan, every size of each."""
    from tinyagent_mlx import installed
    from tinyagent_mlx.cli import setup

    found = [("", "the shipped planner")]
    for model in setup.models(options).all():
        if model.kind == "retriever":
            continue
        for place in model.folders:
            size = f"{installed.size(place) / GB:.2f} GB"
            found.append((f"{model.name}/{place.name}", f"{model.name}/{place.name}  {size}  {model.id}"))
    return found


def speech() -> list[Choice]:
    """The published speech models; each with the repository to fetch it from."""
    from tinyagent_mlx.cli.listen import speech_models

    found = []
    for model in speech_models():
        here, default = "here" if model["folder"] else "not here", ", the default" if model["default"] else ""
        line = f"{model['name']:<7} {model['size']:>8}  {here:<8}  {model['repository']}{default}"
        found.append((model["name"], line))
    return found
