"""`tinyagent bench`: what is measured is what was planned, in every way the same plan, and what did better is kept."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from tests.models import make_llama
from tinyagent_mlx import bench
from tinyagent_mlx.agent import Planned
from tinyagent_mlx.bench import REQUESTS, USED, Turn, better_listing, figures, ratio
from tinyagent_mlx.check import check_plan
from tinyagent_mlx.cli.main import main
from tinyagent_mlx.language import trained_profile
from tinyagent_mlx.plan import Plan, parse_plan
from tinyagent_mlx.planner import PlanEnd
from tinyagent_mlx.toolbox import Toolbox
from tinyagent_mlx.when import resolve_plan

WAYS = [USED, "the first request of a process", "no prompt cache", "a pass for every token", "guessing 8 tokens"]
LISTING = "all tools in the prompt"


@pytest.mark.parametrize(("query", "text"), REQUESTS, ids=range(len(REQUESTS)))
def test_right_plans_are_plans(shipped_tools: Toolbox, query: str, text: str) -> None:
    plan = parse_plan(text)
    check_plan(resolve_plan(plan, shipped_tools, bench.NOW), shipped_tools)
    words = [value for step in plan.steps for value in step.arguments if isinstance(value, str) and value[:1] != "$"]
    assert all(word in query for word in words)


def test_the_first_request_takes_three_steps() -> None:
    assert len(parse_plan(REQUESTS[0][1]).steps) == 3


def turn(title: str, way: str, order: int, seconds: float, plan: Plan) -> Turn:
    return Turn(title, way, order % 2, order, seconds, plan, PlanEnd(100, 20, 10, 1.0))


def test_ways_and_models_are_compared_turn_by_turn() -> None:
    right = [parse_plan(text) for _, text in REQUESTS[:2]]
    turns = []
    for order, slow in enumerate((1, 10, 1, 2)):  # a machine that is ten times as slow for a while
        turns += [
            turn("a", USED, order, 0.1 * slow, right[order % 2]),
            turn("a", "other", order, 0.15 * slow, Plan(()) if order == 1 else right[order % 2]),
            turn("b", USED, order, 0.4 * slow, Plan(())),
        ]
    found = figures(turns, "a")
    assert found["ways"][USED] | {"p50": 0, "p95": 0} == {
        "p50": 0, "p95": 0, "ratio": 1.0, "right": 1.0, "same_plans": 1.0, "prompt_tokens": 100,
        "generated_tokens": 20, "forward_passes": 10,
    }  # fmt: skip
    assert (found["ways"]["other"]["ratio"], found["ways"]["other"]["same_plans"]) == (1.5, 0.75)
    assert found["ways"]["other"]["right"] == 0.75
    assert found["three_steps"] == {"p50": 0.1, "p95": 0.1}
    assert ratio(turns, "b", "a") == 4.0


@pytest.mark.parametrize(
    ("right", "took", "all_tools"),
    [(0.5, 0.8, True), (0.5, 1.2, False), (0.6, 1.2, True), (0.4, 0.8, False)],
    ids=["quicker", "slower", "slower and more right", "quicker and less right"],
)
def test_listing_is_chosen_by_right_plans_then_by_speed(right: float, took: float, all_tools: bool) -> None:
    ways = {USED: {"right": 0.5, "ratio": 1.0}, LISTING: {"right": right, "ratio": took}}
    assert better_listing(False, ways) == all_tools
    assert better_listing(True, ways) != all_tools


def test_shipped_planner_is_measured_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--rounds", "1", "--requests", "2"]) == 0
    said = capsys.readouterr().out
    assert "shipped: 4 bits, 0.018 GB on disk" in said
    assert "a request of three steps: " in said
    assert "16 bits 2.2 GB, 3.9 s; 4 bits 0.68 GB, 2.9 s" in said


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("sizes")
    return make_llama(place / "half"), make_llama(place / "four", quantized=True)


def test_sizes_of_a_model_are_measured_side_by_side(
    sizes: tuple[Path, Path], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [word for folder in sizes for word in ("--model", str(folder))]
    began = datetime.now()
    tools = ["--tools", str(Path(__file__).parent / "scenarios" / "lights" / "tools.yaml")]
    given = ["bench", *models, *tools, "--tokens", "20", "--requests", "2", "--json", "--choose"]
    assert main(given) == 0
    spent = (datetime.now() - began).total_seconds()
    told = json.loads(capsys.readouterr().out)
    half, four = told["models"]
    assert (half["bits"], four["bits"]) == (16, 4)
    assert half["size_gb"] > 2 * four["size_gb"]
    assert set(told["ratios"]) == {f"{sizes[1]} to {sizes[0]}"}
    for found in (half, four):
        assert set(found["ways"]) == {*WAYS, LISTING}
        assert all(found["ways"][way]["same_plans"] == 1 for way in WAYS)
        passes = [found["ways"][way]["forward_passes"] for way in WAYS]
        assert passes[3] > passes[0]
        assert min(found["prefill_tokens_s"], found["decode_tokens_s"], found["peak_gb"]) > 0
    assert len(told["turns"]) == 2 * 2 * 6
    assert sum(row["seconds"] for row in told["turns"]) < spent
    assert len(list((home / "cache" / "prompts").iterdir())) >= 2
    for folder, found in zip(sizes, (half, four), strict=True):
        assert trained_profile(folder).all_tools == better_listing(False, found["ways"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--rounds", "0"], "--rounds 0: expected 1 or more"),
        (["--requests", "1"], "--requests 1: expected 2 or more"),
        (["--model", "shipped", "--model", "shipped"], "--model shipped: is named twice"),
        (["--model", "gone"], "--model: 'gone' is no model folder, and no model of that name is here; here are: none"),
    ],
    ids=["rounds", "requests", "twice", "gone"],
)
def test_what_makes_no_sense_is_told(given: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *given]) == 2
    assert told in capsys.readouterr().err


def test_folder_without_weights_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text("[]")
    assert main(["bench", "--model", str(tmp_path)]) != 0
    said = capsys.readouterr().err
    assert str(tmp_path) in said
    assert "Traceback" not in said


class Watched:
    """Stands in for an agent: plans nothing, and tells who was asked."""

    planner = retriever = None

    def __init__(self, name: str, asked: list[str]):
        self.name, self.asked = name, asked

    def plan(self, query: str, now: datetime) -> Planned:
        self.asked.append(self.name)
        return Planned(query, Plan(()), (), PlanEnd(1, 1, 1), 0.5)


def test_nobody_is_always_the_first() -> None:
    asked: list[str] = []
    agents = {way: Watched(way, asked) for way in (USED, "b", "c")}
    turns = bench.measure([bench.Subject("a", Path(), agents, 0.0, 0)], 2, 2)  # type: ignore[arg-type]
    assert [asked[start : start + 3] for start in range(0, 12, 3)] == [
        [USED, "b", "c"], ["b", "c", USED], ["c", USED, "b"], [USED, "b", "c"],
    ]  # fmt: skip
    assert [turn.request for turn in turns[::3]] == [0, 1, 0, 1]
    assert figures(turns, "a")["ways"]["b"]["ratio"] == 1.0
