"""Rows for language models: prompts are those of run time, plans can be written under the grammar, mistakes are mixed in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

# isort: split
import pytest
from llguidance import LLMatcher, LLTokenizer

from tests.models import byte_tokenizer
from tests.nearby import SharedWords
from tests.test_shards import order
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.grammar import MORE, line_grammar
from tinyagent_mlx.lab.recipes import RowsRecipe
from tinyagent_mlx.lab.requests import from_corpus
from tinyagent_mlx.lab.rows import AtHand, Made, Writer, find_rows, profile_of, read_rows, write_rows
from tinyagent_mlx.language import LanguagePlanner, trained_profile
from tinyagent_mlx.nearness import NearestExamples
from tinyagent_mlx.plan import print_plan
from tinyagent_mlx.prompt import BRIEF, PLAIN, PROFILES
from tinyagent_mlx.toolbox import Toolbox

RECIPE = RowsRecipe(rows=150, held=20, workers=1, shown=2, everything=0.1, missing=0.2)
PROFILE = replace(BRIEF, examples=2)


@pytest.fixture(scope="module")
def made(shipped_tools: Toolbox) -> list[Made]:
    asked = list(from_corpus(order(), shipped_tools, RECIPE.rows, 1))
    return list(Writer(shipped_tools, PROFILE, SharedWords(), RECIPE).rows(asked, "train"))


class Prompts:
    """A decoder that keeps the prompt and writes no line."""

    prompt_tokens = generated_tokens = forward_passes = 0

    def begin(self, prompt: str, written: str = "", head: str = "") -> Prompts:
        self.prompt = prompt
        return self

    def write(self, grammar: str, most: int) -> None:
        return None

    def close(self) -> None:
        pass


def test_prompts_are_those_that_the_planner_feeds(made: list[Made], shipped_tools: Toolbox) -> None:
    decoder = Prompts()
    planner = LanguagePlanner(decoder, PROFILE, NearestExamples(SharedWords()))
    for one, row in made:
        list(planner.plan(one.query, shipped_tools, row.tools, one.now))
        if one.query not in {e.request for tool in shipped_tools for e in tool.examples}:
            assert decoder.prompt == row.prompt


def test_every_plan_can_be_written_under_the_grammar(made: list[Made], shipped_tools: Toolbox) -> None:
    tokens = LLTokenizer(byte_tokenizer().to_str(), eos_token=1)
    written = 0
    for one, row in made[:60]:
        returns: list[str] = []
        at_hand = shipped_tools.subset(row.tools)
        for line, step in zip(row.completion.splitlines(keepends=True), [*one.plan.steps, None], strict=False):
            more = len(at_hand) < len(shipped_tools)
            grammar = line_grammar(at_hand, " ".join(one.query.split()), returns, more)
            matcher = LLMatcher(tokens, LLMatcher.grammar_from_lark(grammar))
            spelled = tokens.tokenize_str(line)
            assert matcher.validate_tokens(spelled) == len(spelled), (one.query, line)
            written += 1
            if step and not line.endswith(f"{MORE}\n"):
                returns.append(shipped_tools[step.tool].returns)
    assert written > 100


def test_a_plan_asks_for_more_where_a_tool_is_missing(made: list[Made], shipped_tools: Toolbox) -> None:
    asked = 0
    for one, row in made:
        missing = {step.tool for step in one.plan.steps} - set(row.tools)
        assert row.completion.endswith(f". {MORE}\n") == bool(missing)
        assert len(missing) <= 1
        assert row.tools
        if not missing:
            assert row.completion == print_plan(one.plan, join=True)
        asked += bool(missing)
    assert 0 < asked < 0.3 * len(made)


def test_some_prompts_show_everything_and_most_show_likely_tools(made: list[Made], shipped_tools: Toolbox) -> None:
    whole = [row for _, row in made if len(row.tools) == len(shipped_tools)]
    assert 0 < len(whole) < 0.25 * len(made)
    judge, ranks = SharedWords(), []
    for one, row in made:
        needed = {step.tool for step in one.plan.steps}
        logits = dict(zip(shipped_tools.names, judge.judge([one.query], shipped_tools)[1][0], strict=True))
        if len(row.tools) < len(shipped_tools) and max(logits.values()) > 1:
            others = [name for name in shipped_tools.names if name not in needed]
            ranks += [sum(logits[o] > logits[name] for o in others) / len(others) for name in set(row.tools) - needed]
    assert sum(ranks) / len(ranks) < 0.45  # by chance it would be near a half


def test_without_examples_nobody_reads_the_requests(shipped_tools: Toolbox, made: list[Made]) -> None:
    class Tools(SharedWords):
        def judge(self, texts, tools):
            raise AssertionError("requests are read")

    asked = [one for one, _ in made]
    rows = list(Writer(shipped_tools, replace(BRIEF, examples=0), Tools(), RECIPE).rows(asked, "train"))
    assert all(row.prompt.count("Plan:\n") == 1 for _, row in rows)
    judge, ranks = SharedWords(), []
    near = judge.tools(shipped_tools) @ judge.tools(shipped_tools).T
    for one, row in rows:
        needed = {shipped_tools.names.index(step.tool) for step in one.plan.steps}
        if needed and len(row.tools) < len(shipped_tools):
            likely = near[sorted(needed)].max(axis=0)
            others = [n for n in range(len(shipped_tools)) if n not in needed]
            extra = {shipped_tools.names.index(name) for name in row.tools} - needed
            ranks += [sum(likely[o] > likely[n] for o in others) / len(others) for n in extra]
    assert sum(ranks) / len(ranks) < 0.45


def test_the_request_is_never_its_own_example(made: list[Made]) -> None:
    for one, row in made:
        assert row.prompt.count(f"Request: {' '.join(one.query.split())}\nPlan:\n") == 1
    assert any(row.prompt.count("Plan:\n") == 3 for _, row in made)


def test_the_same_seed_gives_the_same_rows(made: list[Made], shipped_tools: Toolbox) -> None:
    asked = [one for one, _ in made]
    again = Writer(shipped_tools, PROFILE, SharedWords(), RECIPE).rows(asked, "train")
    other = Writer(shipped_tools, PROFILE, SharedWords(), replace(RECIPE, seed=1)).rows(asked, "train")
    assert list(again) == made
    assert list(other) != made


def test_a_folder_of_rows_is_read_as_it_was_written(tmp_path: Path) -> None:
    small = replace(RECIPE, rows=30, held=10)
    write_rows(tmp_path, order(), SharedWords(), PROFILE, small)
    assert len(read_rows(tmp_path)) == 30
    assert len(read_rows(tmp_path, "valid")) == 10
    assert trained_profile(tmp_path) == PROFILE
    at_hand = AtHand(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "cases.jsonl").read_text().splitlines()]
    assert [list(at_hand.retrieve(case.query, Toolbox(()))) for case in at_hand.cases] == [
        row["tools"] for row in lines
    ]
    before = (tmp_path / "train.jsonl").stat().st_mtime_ns
    write_rows(tmp_path, order(), SharedWords(), PROFILE, small)
    assert (tmp_path / "train.jsonl").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("text", "told"),
    [(None, "can't be read"), ("{", ":1: expected the keys"), ('{"prompt": "x"}', ":1: expected"), ("", "no rows")],
    ids=["no file", "no JSON", "no completion", "empty"],
)
def test_a_file_that_holds_no_rows_is_refused(tmp_path: Path, text: str | None, told: str) -> None:
    if text is not None:
        (tmp_path / "train.jsonl").write_text(text)
    with pytest.raises(ConfigError, match=r"train\.jsonl") as raised:
        read_rows(tmp_path)
    assert told in str(raised.value)


def test_a_folder_without_a_layout_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--data: .*prompt\.json"):
        find_rows(RowsRecipe(data=str(tmp_path)), tmp_path)
    assert find_rows(RowsRecipe(), tmp_path) == tmp_path / "data"


def test_the_layout_is_the_named_one_or_the_model_s(tmp_path: Path) -> None:
    assert profile_of(RowsRecipe(profile="plain", shown=1), BRIEF) == replace(PLAIN, examples=1)
    assert profile_of(RowsRecipe(profile="", shown=3), BRIEF).name == "brief"
    with pytest.raises(ConfigError, match="--profile: 'grand' is none of"):
        profile_of(RowsRecipe(profile="grand"), BRIEF)
    assert set(PROFILES) == {"plain", "alpaca", "brief"}
