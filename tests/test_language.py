"""The language planner: its promise under random weights, and what it costs, with a model that follows a script."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import tinyagent_mlx.device  # noqa: F401  (before MLX)

# isort: split
import pytest
from mlx_lm.tokenizer_utils import TokenizerWrapper
from transformers import PreTrainedTokenizerFast

from tests.models import byte_tokenizer, make_llama
from tests.scripted import Dice, Scripted
from tinyagent_mlx.check import check_plan
from tinyagent_mlx.decoding import Decoder
from tinyagent_mlx.errors import PlannerError
from tinyagent_mlx.language import LanguagePlanner, load
from tinyagent_mlx.plan import END, Plan, Step, parse_plan, print_plan
from tinyagent_mlx.planner import PlanEnd
from tinyagent_mlx.toolbox import Toolbox

NOW = datetime(2026, 11, 23, 9, 5)
MAIL = ("get_email_address", "open_and_get_file_path", "compose_new_email")
REQUESTS = [
    "Set up lunch with Sid on Friday at noon",
    'email ops@example.com about "the $1 broken printer" and cc Zoé',
    "text +1 555 010 0199 that I'm late",
    "",
    "summarize lease.pdf",
    "zoom with Ines for 30 minutes tomorrow at 4pm",
    "東京 🧑‍🚀 \u200b\x00 back\\slash \ud83d",
    '1. send_sms(["1"], "x")\n2. join()<END_OF_PLAN>',
    "walk from the office to Elm Park",
    "note: milk, eggs </s> <s>",
]


@pytest.fixture(scope="module")
def llama(llama_folder: Path) -> LanguagePlanner:
    planner = load(llama_folder)
    planner.max_tokens = 90
    return planner


def planned(planner: LanguagePlanner, text: str, tools: Toolbox, names: tuple[str, ...]) -> tuple[Plan, PlanEnd]:
    *steps, end = planner.plan(text, tools, names, NOW)
    assert isinstance(end, PlanEnd)
    assert all(isinstance(step, Step) for step in steps)
    return Plan(tuple(steps)), end  # type: ignore[arg-type]


def around(model: Scripted | Dice, **limits: int) -> LanguagePlanner:
    """A planner over a stand-in."""
    hugging = PreTrainedTokenizerFast(tokenizer_object=byte_tokenizer(), eos_token="</s>")
    return LanguagePlanner(Decoder(model, TokenizerWrapper(hugging)), **limits)  # type: ignore[arg-type]


def scripted(script: str, asks: str = "", trimmable: bool = True, **limits: int) -> LanguagePlanner:
    """A planner whose model wants to write `script`."""
    return around(Scripted(byte_tokenizer(), script, asks, trimmable), **limits)


def model_of(planner: LanguagePlanner) -> Scripted:
    return planner.decoder.model  # type: ignore[attr-defined]


@pytest.mark.parametrize("names", [MAIL, None], ids=["three tools", "all tools"])
@pytest.mark.parametrize("text", REQUESTS, ids=range(len(REQUESTS)))
def test_random_weights_make_plans_that_check(
    llama: LanguagePlanner, shipped_tools: Toolbox, text: str, names: tuple[str, ...] | None
) -> None:
    plan, end = planned(llama, text, shipped_tools, names or shipped_tools.names)
    check_plan(plan, shipped_tools)
    assert parse_plan(print_plan(plan)) == plan
    assert 0 < end.forward_passes < end.generated_tokens
    assert end.confidence is not None
    assert 0 <= end.confidence <= 1


def test_dice_make_plans_that_check(shipped_tools: Toolbox) -> None:
    """Where any legal token may come, plans are long and call everything."""
    called: set[str] = set()
    for number, tool in enumerate(shipped_tools):
        planner = around(Dice(byte_tokenizer(), number), max_tokens=400)
        others = [shipped_tools.tools[number - back].name for back in (1, 3, 6)]
        request = f"{tool.examples[-1].request} {REQUESTS[number % len(REQUESTS)]}"
        plan, end = planned(planner, request, shipped_tools, (tool.name, *others))
        check_plan(plan, shipped_tools)
        assert parse_plan(print_plan(plan)) == plan
        assert end.generated_tokens < 500
        called |= {step.tool for step in plan.steps}
    assert len(called) >= 12


def test_every_example_can_be_written(shipped_tools: Toolbox) -> None:
    passes = generated = 0
    for example in [example for tool in shipped_tools for example in tool.examples]:
        planner = scripted(print_plan(example.plan, join=True))
        names = tuple({step.tool for step in example.plan.steps})
        plan, end = planned(planner, example.request, shipped_tools, names)
        assert plan == example.plan
        assert end.confidence is not None
        assert end.confidence > 0.9
        passes, generated = passes + end.forward_passes, generated + end.generated_tokens
    assert passes < 0.5 * generated


def test_forced_tokens_are_read_with_the_next_choice(shipped_tools: Toolbox) -> None:
    planner = scripted('1. get_email_address("Ines")\n2. join()<END_OF_PLAN>')
    _, end = planned(planner, "mail of Ines", shipped_tools, ("get_email_address",))
    passes = model_of(planner).passes
    assert end.forward_passes == len(passes)
    assert max(passes[1:]) >= 4  # the end of a line, the next number and what it begins with come in one pass


def test_plan_may_refuse(shipped_tools: Toolbox) -> None:
    plan, end = planned(scripted(f"1. join(){END}"), "sing me a song", shipped_tools, MAIL)
    assert plan.refused
    assert end.confidence == pytest.approx(1, abs=0.05)


THREE_STEPS = """1. get_email_address("Ines")
2. open_and_get_file_path("floor plan")
3. compose_new_email(["$1"], [], "", "", ["$2"])
4. join()<END_OF_PLAN>"""


def test_steps_come_out_while_the_plan_is_written(shipped_tools: Toolbox) -> None:
    planner = scripted(THREE_STEPS)
    passes = [
        len(model_of(planner).passes) for _ in planner.plan("email Ines the floor plan", shipped_tools, MAIL, NOW)
    ]
    assert passes == sorted(set(passes))
    assert len(passes) == 4


@pytest.mark.parametrize("done", [0, 2], ids=["at once", "after two steps"])
def test_plan_goes_on_with_all_tools_when_the_model_asks_for_more(shipped_tools: Toolbox, done: int) -> None:
    lines = THREE_STEPS.splitlines(keepends=True)
    asks = "".join(lines[:done]) + f"{done + 1}. more tools\n"
    planner = scripted(THREE_STEPS, asks=asks)
    plan, end = planned(planner, "email Ines the floor plan", shipped_tools, MAIL[:2])
    few = [prompt for prompt in model_of(planner).prompts if "more tools" in prompt]
    everything = max(model_of(planner).prompts, key=len)
    assert print_plan(plan, join=True) == THREE_STEPS
    assert few
    assert not any("compose_new_email" in prompt for prompt in few)
    assert all(f"{name}(" in everything for name in shipped_tools.names)
    assert end.prompt_tokens > planned(scripted(THREE_STEPS), "", shipped_tools, shipped_tools.names)[1].prompt_tokens


def test_unknown_names_from_a_retriever_give_all_tools(shipped_tools: Toolbox) -> None:
    plan, _ = planned(scripted(THREE_STEPS), "email Ines the floor plan", shipped_tools, ("gone",))
    assert print_plan(plan, join=True) == THREE_STEPS


CUTS: list[tuple[dict[str, Any], str, int]] = [
    ({"max_steps": 2}, THREE_STEPS, 2),
    ({"max_tokens": 45}, THREE_STEPS, 2),
    ({"max_tokens": 1}, THREE_STEPS, 0),
    ({}, '1. open_and_get_file_path("floor")\n2. open_and_get_file_path("floor")\n', 1),
]


@pytest.mark.parametrize(("limits", "script", "left"), CUTS, ids=["steps", "tokens", "one token", "circles"])
def test_plan_that_is_cut_off_is_valid_and_unsure(
    shipped_tools: Toolbox, limits: dict[str, Any], script: str, left: int
) -> None:
    plan, end = planned(scripted(script, **limits), "email Ines the floor plan", shipped_tools, MAIL)
    check_plan(plan, shipped_tools)
    assert len(plan.steps) == left
    assert end.confidence == 0


def test_confidence_is_that_of_the_least_sure_line(shipped_tools: Toolbox) -> None:
    sure = scripted(THREE_STEPS)
    unsure = scripted(THREE_STEPS.split("\n3.")[0] + "\n")  # behind its second line the script has no word to say
    confidences = [
        planned(planner, "email Ines the floor plan", shipped_tools, MAIL)[1].confidence for planner in (sure, unsure)
    ]
    assert confidences[0] > 0.9 > 0.6 > confidences[1]  # type: ignore[operator]


def test_memory_of_the_prompt_changes_no_plan(llama_folder: Path, shipped_tools: Toolbox) -> None:
    planners = [load(llama_folder), load(llama_folder)]
    for planner, reuse in zip(planners, (True, False), strict=True):
        planner.max_tokens = 60
        planner.decoder.reuse = reuse  # type: ignore[attr-defined]
    for text, names in [
        (REQUESTS[0], MAIL),
        (REQUESTS[1], MAIL),
        (REQUESTS[1], shipped_tools.names),
        (REQUESTS[4], MAIL),
    ]:
        with_memory, without = (planned(planner, text, shipped_tools, names) for planner in planners)
        assert with_memory[0] == without[0]
        assert with_memory[1].prompt_tokens == without[1].prompt_tokens


WAYS = [{"together": False}, {"draft": 2}, {"draft": 8}]


@pytest.mark.parametrize("way", WAYS, ids=["one by one", "two guessed", "eight guessed"])
def test_plan_is_the_same_whatever_a_pass_reads(
    llama_folder: Path, shipped_tools: Toolbox, way: dict[str, Any]
) -> None:
    planners = [load(llama_folder), load(llama_folder)]
    vars(planners[1].decoder).update(way)
    for planner in planners:
        planner.max_tokens = 70
    passes = [0, 0]
    for text in (REQUESTS[0], REQUESTS[1], REQUESTS[5]):
        found = [planned(planner, text, shipped_tools, MAIL) for planner in planners]
        assert found[0][0] == found[1][0]
        assert found[0][1].confidence == pytest.approx(found[1][1].confidence, abs=1e-4)
        assert found[0][1].generated_tokens == found[1][1].generated_tokens
        passes = [count + end.forward_passes for count, (_, end) in zip(passes, found, strict=True)]
    assert (passes[1] > 1.5 * passes[0]) if "together" in way else (passes[1] <= passes[0])


@pytest.mark.parametrize("trimmable", [True, False], ids=["trimmed", "cannot be trimmed"])
def test_words_of_the_request_are_guessed(shipped_tools: Toolbox, trimmable: bool) -> None:
    text = "a note called groceries that says buy oat milk, brown bread, red onions and a lemon"
    script = (
        '1. create_note("groceries", "buy oat milk, brown bread, red onions and a lemon", "")\n2. join()<END_OF_PLAN>'
    )
    passes = []
    for draft in (0, 8):
        planner = scripted(script, trimmable=trimmable)
        planner.decoder.draft = draft  # type: ignore[attr-defined]
        plan, end = planned(planner, text, shipped_tools, ("create_note",))
        assert print_plan(plan, join=True) == script
        passes.append(end.forward_passes)
    assert (passes[1] < 0.6 * passes[0]) == trimmable


@pytest.mark.parametrize("trimmable", [True, False], ids=["trimmed", "cannot be trimmed"])
def test_prompt_is_read_from_where_it_differs(shipped_tools: Toolbox, trimmable: bool) -> None:
    planner = scripted(THREE_STEPS, trimmable=trimmable)
    read: list[int] = []
    for text in ("email Ines the floor plan", "please email Ines the floor plan"):
        plan, end = planned(planner, text, shipped_tools, MAIL)
        assert print_plan(plan, join=True) == THREE_STEPS
        read.append(sum(model_of(planner).passes) - sum(read))
    assert (read[1] < 0.5 * read[0]) == trimmable
    assert end.prompt_tokens > 300


def test_two_plans_at_once_do_not_share_memory(shipped_tools: Toolbox) -> None:
    planner = scripted(THREE_STEPS)
    one, two = (
        planner.plan(text, shipped_tools, MAIL, NOW) for text in ("email Ines the floor plan", "Ines floor plan")
    )
    pairs = list(zip(one, two, strict=True))
    assert [step for step, _ in pairs[:3]] == [step for _, step in pairs[:3]] == list(parse_plan(THREE_STEPS).steps)


def test_plans_are_made_in_any_thread(llama: LanguagePlanner, shipped_tools: Toolbox) -> None:
    here = planned(llama, REQUESTS[0], shipped_tools, MAIL)
    with ThreadPoolExecutor(1) as pool:
        there = pool.submit(planned, llama, REQUESTS[0], shipped_tools, MAIL).result()
    assert here[0] == there[0] == planned(llama, REQUESTS[0], shipped_tools, MAIL)[0]


def test_prompt_stands_in_the_chat_template_of_the_tokenizer(tmp_path: Path, shipped_tools: Toolbox) -> None:
    folder = make_llama(tmp_path)
    file = folder / "tokenizer_config.json"
    template = "[user]{{ messages[0]['content'] }}[assistant]"
    file.write_text(json.dumps({**json.loads(file.read_text()), "chat_template": template}))
    planner = load(folder)
    decoder: Decoder = planner.decoder  # type: ignore[assignment]
    assert decoder.text(decoder.encode("plan this", "1. ")) == "[user]plan this[assistant]1. "
    planner.max_tokens = 30
    check_plan(planned(planner, REQUESTS[0], shipped_tools, MAIL)[0], shipped_tools)


BREAKAGES: dict[str, Callable[[Path], Any]] = {
    "empty folder": lambda folder: [file.unlink() for file in folder.iterdir()],  # type: ignore[func-returns-value]
    "no folder": shutil.rmtree,
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "cut weights": lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 100),
    "no tokenizer": lambda folder: [file.unlink() for file in folder.glob("tokenizer*")],  # type: ignore[func-returns-value]
    "config no JSON": lambda folder: (folder / "config.json").write_text("{"),
    "unknown architecture": lambda folder: (folder / "config.json").write_text('{"model_type": "abacus"}'),
    "other shapes": lambda folder: (folder / "config.json").write_text(
        (folder / "config.json").read_text().replace('"hidden_size": 64', '"hidden_size": 32')
    ),
}


@pytest.mark.parametrize("broken", BREAKAGES)
def test_folder_that_is_no_model_is_refused(tmp_path: Path, broken: str) -> None:
    folder = make_llama(tmp_path / "llama")
    BREAKAGES[broken](folder)
    with pytest.raises(PlannerError) as raised:
        load(folder)
    assert str(folder) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_torch_is_not_needed(llama: LanguagePlanner) -> None:
    assert "torch" not in sys.modules


class Named:
    """Chooses the example of one tool, and keeps what it was asked."""

    def __init__(self, name: str):
        self.name, self.asked = name, []  # type: ignore[var-annotated]

    def choose(self, request: str, tools: Toolbox, most: int) -> tuple:
        self.asked.append((request, tools.names, most))
        return tools[self.name].examples[:1] if self.name in tools else ()


def test_examples_are_chosen_for_the_request_among_the_tools_at_hand(shipped_tools: Toolbox) -> None:
    lines = THREE_STEPS.splitlines(keepends=True)
    planner = scripted(THREE_STEPS, asks="".join(lines[:2]) + "3. more tools\n")
    planner.examples = chooser = Named("send_sms")
    planned(planner, "email  Ines the floor plan", shipped_tools, MAIL[:2])
    asked = "email Ines the floor plan"
    assert chooser.asked == [(asked, MAIL[:2], 3), (asked, shipped_tools.names, 3)]
    shown = shipped_tools["send_sms"].examples[0].request
    assert shown in max(model_of(planner).prompts, key=len)


def test_no_example_is_chosen_where_none_is_shown(shipped_tools: Toolbox) -> None:
    planner = scripted(THREE_STEPS)
    planner.profile = replace(planner.profile, examples=0)
    planner.examples = chooser = Named("send_sms")
    planned(planner, "email Ines the floor plan", shipped_tools, MAIL)
    assert chooser.asked == []
