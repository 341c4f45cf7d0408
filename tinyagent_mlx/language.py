"""The planner over any mlx-lm model: a prompt, then one plan line at a time, each under a grammar of valid lines.

Its promise holds for random weights: every step checks, and the plan ends. How text comes out of a model under a
grammar is `decoding.py`'s; this module knows nothing of MLX.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from tinyagent_mlx.check import check_step
from tinyagent_mlx.earlier import Earlier
from tinyagent_mlx.errors import ConfigError, PlannerError
from tinyagent_mlx.grammar import MORE, line_grammar
from tinyagent_mlx.plan import PlanParser, Step
from tinyagent_mlx.planner import PlanEnd
from tinyagent_mlx.profile import Profile, from_data, to_data
from tinyagent_mlx.prompt import (
    PLAIN,
    PROFILES,
    VERDICTS,
    Declared,
    Examples,
    judge_prompt,
    planner_prompt,
    prompt_head,
)
from tinyagent_mlx.toolbox import Toolbox

MAX_STEPS = 24
MAX_TOKENS = 1024
PROMPT_FILE = (
    "prompt.json"  # in a model's folder: {"profile", "examples", "all_tools"}, and "layout" where it is none of ours
)


class Writer(Protocol):
    """Writes line after line behind one prompt; see `decoding.Session`."""

    prompt_tokens: int
    generated_tokens: int
    forward_passes: int

    def write(self, grammar: str, most: int) -> tuple[str, float] | None: ...

    def close(self) -> None: ...


class LineDecoder(Protocol):
    """A model that writes under a grammar; see `decoding.Decoder`."""

    def begin(self, prompt: str, written: str = "", head: str = "") -> Writer: ...


def load(
    folder: Path, profile: Profile | None = None, examples: Examples | None = None, cache: Path | None = None
) -> LanguagePlanner:
    """Load any mlx-lm model folder; nothing is fetched. Raises `PlannerError` when it is none.

    The profile that is not given is the one that the folder was trained with, or else the plain one. `cache` is the folder
    where what prompts begin with is kept.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from tinyagent_mlx.decoding import load_decoder

    profile = profile or trained_profile(folder)
    return LanguagePlanner(load_decoder(folder, profile.chat, cache), profile, examples)


def trained_profile(folder: Path) -> Profile:
    """The layout of the prompts that a folder's model was trained on; the plain one where nothing says."""
    file = folder / PROMPT_FILE
    if not file.is_file():
        return PLAIN
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        name, examples = said["profile"], said["examples"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlannerError(f"{file}: expected the keys 'profile' and 'examples': {error!r}") from error
    if "layout" not in said and name not in PROFILES:
        raise PlannerError(f"{file}: key 'profile': {name!r} is none of {', '.join(PROFILES)}")
    profile = _layout(said["layout"], file, name) if "layout" in said else PROFILES[name]
    if not isinstance(all_tools := said.get("all_tools", profile.all_tools), bool):
        raise PlannerError(f"{file}: key 'all_tools': is {all_tools!r}, expected true or false")
    return replace(profile, examples=_count(examples, file), all_tools=all_tools)


def _count(examples: object, file: Path) -> int:
    if not isinstance(examples, int) or examples < 0:
        raise PlannerError(f"{file}: key 'examples': is {examples!r}, expected a number from 0")
    return examples


def _layout(data: object, file: Path, name: str) -> Profile:
    try:
        return from_data(data, f"{file}: key 'layout'", name)
    except ConfigError as error:
        raise PlannerError(str(error)) from error


def keep_profile(folder: Path, profile: Profile) -> None:
    """Write the layout of a model's prompts beside it; `trained_profile` reads it."""
    own: dict[str, Any] = {"examples": profile.examples, "all_tools": profile.all_tools}
    said: dict[str, object] = {"profile": profile.name, **own}
    if not profile.all_tools:
        del said["all_tools"]
    if replace(PROFILES.get(profile.name, PLAIN), **own) != profile:
        said["layout"] = {key: value for key, value in to_data(profile).items() if key not in ("name", *own)}
    part = folder / f"{PROMPT_FILE}.part"
    part.write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / PROMPT_FILE)


class LanguagePlanner:
    """Plans greedily with the retrieved tools, or with all of them once the model has asked for more.

    The confidence of a plan is that of its least sure line, the closing one included: the mean probability, among the
    legal tokens, of the tokens that were a choice. It is 0 when the plan was cut off: at `max_steps`, at `max_tokens`,
    or before a step that only repeats the one before it; a step that was not finished by then is dropped.
    """

    name = "language"
    ask_below = 0.0

    def __init__(
        self,
        decoder: LineDecoder,
        profile: Profile = PLAIN,
        examples: Examples | None = None,
        max_steps: int = MAX_STEPS,
        max_tokens: int = MAX_TOKENS,
    ):
        self.decoder, self.profile, self.examples = decoder, profile, examples or Declared()
        self.max_steps, self.max_tokens = max_steps, max_tokens
        self.said = ""  # besides the request: what the user always wants, of whose words values may be made too
        self._head: tuple[object, str] = (None, "")

    def plan(self, text: str, tools: Toolbox, retrieved: tuple[str, ...], now: datetime) -> Iterator[Step | PlanEnd]:
        """Yield each step as soon as its line is written. Raises `PlannerError` when the model is broken."""
        return self.go_on(text, tools, retrieved, now, Earlier())

    def go_on(
        self, text: str, tools: Toolbox, retrieved: tuple[str, ...], now: datetime, earlier: Earlier
    ) -> Iterator[Step | PlanEnd]:
        """The same after what was tried: numbered after it, with "$k" for steps that were done."""
        run = _Run(self, _tidy(text), tools, retrieved, now, earlier)
        try:
            while step := run.next_step():
                yield step
        finally:
            run.close()
        yield run.end()

    def wants_more(self, text: str, now: datetime, earlier: Earlier) -> bool:
        """Let the model say whether to plan on; it can give no other answer than Finish or Replan."""
        writer = self.decoder.begin(judge_prompt(_tidy(text), now, earlier, self.profile))
        try:
            answer, _ = writer.write(f"start: {' | '.join(map(json.dumps, VERDICTS))}", self.max_tokens) or ("", 0.0)
        finally:
            writer.close()
        return answer == VERDICTS[1]

    def head(self, tools: Toolbox) -> str:
        """What every prompt for a toolbox begins with."""
        made_for = (tools.fingerprint, tools.rules, self.profile)
        if self._head[0] != made_for:
            self._head = made_for, prompt_head(tools, self.profile)
        return self._head[1]


class _Run:
    """One request being planned."""

    def __init__(
        self, planner: LanguagePlanner, request: str, tools: Toolbox, retrieved: tuple[str, ...], now: datetime,
        earlier: Earlier,
    ):  # fmt: skip
        self.planner, self.request, self.tools, self.now, self.earlier = planner, request, tools, now, earlier
        self.at_hand = tools.subset(retrieved) if set(retrieved) & set(tools.names) else tools
        self.parser = PlanParser(len(earlier.tried) + 1)
        self.written = ""
        self.returns = ["" if one.result is None else tools[one.step.tool].returns for one in earlier.tried]
        self.most = len(earlier.tried) + planner.max_steps
        self.words = f"{request} {_tidy(earlier.note)} {_tidy(planner.said)}".strip()  # that values may be made of
        self.last: Step | None = None
        self.confidence = 1.0
        self.writers: list[Writer] = []
        self._begin()

    def _begin(self) -> None:
        """Read the prompt for the tools at hand, and what is written already."""
        planner, profile = self.planner, self.planner.profile
        shown = planner.examples.choose(self.request, self.at_hand, profile.examples) if profile.examples else ()
        listed = self.tools if profile.all_tools else self.at_hand
        earlier = self.earlier if self.earlier.tried else None
        prompt = planner_prompt(listed, self.request, self.now, self._more, profile, shown, earlier)
        self.writers.append(planner.decoder.begin(prompt, self.written, planner.head(self.tools)))

    @property
    def _more(self) -> bool:
        """Whether there are tools to ask for, and the model is told so."""
        return self.planner.profile.asks_for_more and len(self.at_hand) < len(self.tools)

    def next_step(self) -> Step | None:
        """Write one more line; None when the plan is at its end."""
        line = self._line()
        if line == f"{len(self.returns) + 1}. {MORE}\n":
            self.close()
            self.at_hand = self.tools
            self._begin()
            line = self._line()
        step = next(self.parser.feed(line), None)
        if step is None or self._repeats(step):
            return None
        check_step(step, self.tools, {k: returned for k, returned in enumerate(self.returns, 1) if returned})
        self.returns.append(self.tools[step.tool].returns)
        self.written += line
        self.last = step
        return step

    def _repeats(self, step: Step) -> bool:
        """Whether the model goes round in circles: the same call twice in a row."""
        if self.last is None or (step.tool, step.arguments) != (self.last.tool, self.last.arguments):
            return False
        self.confidence = 0.0
        return True

    def _line(self) -> str:
        """The next line, "" when the plan is cut off."""
        grammar = line_grammar(self.at_hand, self.words, self.returns, self._more)
        left = self.planner.max_tokens - sum(writer.generated_tokens for writer in self.writers)
        written = self.writers[-1].write(grammar, left) if len(self.returns) < self.most else None
        text, probability = written or ("", 0.0)
        self.confidence = min(self.confidence, probability)
        return text

    def close(self) -> None:
        self.writers[-1].close()

    def end(self) -> PlanEnd:
        return PlanEnd(
            sum(writer.prompt_tokens for writer in self.writers),
            sum(writer.generated_tokens for writer in self.writers),
            sum(writer.forward_passes for writer in self.writers),
            self.confidence,
        )


def _tidy(text: str) -> str:
    """A request on one line, and such as UTF-8 can write."""
    return " ".join(text.encode("utf-8", "replace").decode().split())
