"""Layouts learnt from prompts in the published layout, on sentences of our own: every prompt comes out byte for byte."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from tests.published_prompts import BLOCKS, EXAMPLES, ORDER, USUAL, Layout, entries, example, system, write
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab.learnt import Learnt, learn, moments
from tinyagent_mlx.lab.told import dates_in, messages
from tinyagent_mlx.language import LanguagePlanner, keep_profile, trained_profile
from tinyagent_mlx.plan import END, Plan
from tinyagent_mlx.prompt import FRAMES, PLAIN, planner_prompt
from tinyagent_mlx.toolbox import Example

LAYOUTS = {
    "plain": Layout(),
    "a rule for two tools at once": Layout(both=True),
    "no join in the list": Layout(join=False),
    "other words, no date": Layout(begins="Q> ", dated=False),
}


def learnt(folder: Path, layout: Layout = USUAL, rows: int = 120, frame: str = "alpaca") -> Learnt:
    return learn(write(folder / "data.json", rows, layout=layout), "walker", frame)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_prompt_is_written_again_byte_for_byte(tmp_path: Path, layout: Layout) -> None:
    found = learnt(tmp_path, layout)
    assert (found.rows, found.reproduced, found.missed, dict(found.unread)) == (120, 120, (), {})


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_prompts_that_were_not_learnt_from_come_out_too(tmp_path: Path, shipped_tools, layout: Layout) -> None:
    """Through the planner's own path: other tools together, another moment, another request."""
    profile = learnt(tmp_path, layout).profile
    for names in (ORDER[:1], ORDER[1:], ORDER[2:4], (ORDER[0], ORDER[5]), ORDER):
        now = datetime(2027, 3, 9, 23, 7)
        shown = [(request, plan) for used, request, plan in EXAMPLES if set(names).issuperset(used)]
        wanted = FRAMES["alpaca"].replace("{system}", system(names, now, shown, layout))
        wanted = wanted.replace("{user}", f"{layout.begins}a new one")
        ours = [Example(" ".join(request.split()), Plan(())) for request, _ in shown]
        assert planner_prompt(shipped_tools.subset(names), "a new one", now, True, profile, ours) == wanted


def test_what_was_learnt(tmp_path: Path) -> None:
    found = learnt(tmp_path)
    profile = found.profile
    assert profile.blocks == BLOCKS
    assert [ORDER.index(name) for name in profile.order if name in ORDER[:3]] == [0, 1, 2]
    assert (profile.user, profile.stop, profile.frame) == ("Asked: {request}", "<END_OF_PLAN>", FRAMES["alpaca"])
    assert "There are {entries} kinds of step, never 10" in profile.system[0].text
    assert any("It is {now:%A %Y-%m-%d %H:%M} now" in piece.text for piece in profile.system)
    conditions = {piece.text: set(piece.any) for piece in profile.system if piece.any}
    assert conditions[" * Know the address before a mail.\n"] == {"get_email_address", "compose_new_email"}
    assert profile.shown["Show my seed list"] == example(EXAMPLES[1][1], EXAMPLES[1][2], Layout())
    assert (found.examples, found.as_printed) == (
        4,
        2,
    )  # one with a blank too many, one with a thought and other quotes


def test_tools_in_any_order_are_written_in_the_order_of_each_prompt(tmp_path: Path) -> None:
    found = learnt(tmp_path, Layout(shuffled=True))
    assert (found.rows, found.reproduced) == (120, 120)
    assert found.profile.order == ()


def test_it_is_kept_beside_the_model_and_read_again(tmp_path: Path) -> None:
    profile = learnt(tmp_path).profile
    keep_profile(tmp_path, profile)
    assert trained_profile(tmp_path) == profile


def test_odd_prompts_are_named_and_do_not_spoil_the_others(tmp_path: Path) -> None:
    rows = entries(200)
    raw = rows["7"]["output"][0]
    raw["raw_input"] = raw["raw_input"].replace("Keep to the kinds above", "Keep off")
    rows["9"]["output"][0]["raw_input"] = "None"
    rows["11"]["output"][0]["raw_input"] = str(
        [{"role": "system", "content": "no list"}, {"role": "user", "content": "Asked: x"}]
    )
    rows["13"] = {"input": "x", "output": []}
    file = tmp_path / "data.json"
    file.write_text(json.dumps(rows))
    found = learn(file, "walker")
    assert (found.rows, found.reproduced) == (197, 196)
    assert found.missed[0].startswith("row 8: system message, character ")
    assert dict(found.unread) == {
        "not one system and one user message": 1, "no numbered list of tools": 1, "no plan's prompt": 1,
    }  # fmt: skip


def test_a_single_prompt_in_a_text_file_will_do(tmp_path: Path, shipped_tools) -> None:
    text = (
        system(ORDER, datetime(2026, 5, 4, 3, 2), [EXAMPLES[1][1:], EXAMPLES[2][1:]], Layout())
        + "\n\nAsked: the first one\n"
    )
    file = tmp_path / "prompt.txt"
    file.write_text(text)
    found = learn(file, "walker", "text")
    assert (found.rows, found.reproduced) == (1, 1)
    ours = [Example(" ".join(request.split()), Plan(())) for _, request, _ in EXAMPLES[1:3]]
    again = planner_prompt(
        shipped_tools.subset(ORDER), "the first one", datetime(2026, 5, 4, 3, 2), True, found.profile, ours
    )
    assert again + "\n" == text


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("data.json", "[]", "expected '{'"),
        ("data.json", "{}", "holds no prompt to learn from"),
        (
            "data.json",
            '{"a": {"input": "x", "output": [{"type": "plan", "raw_input": "[f(]"}]}}',
            "1 rows: not one system",
        ),
        ("prompt.txt", "one paragraph", "is no prompt"),
    ],
    ids=["no object", "empty", "no literal", "no prompt"],
)
def test_what_nothing_can_be_learnt_from_is_told(tmp_path: Path, name: str, text: str, told: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(ConfigError, match=name) as error:
        learn(file, "walker")
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("[{'role': 'system', 'content': 'a\\n\"b'}, {'role': 'user', 'content': \"c'd\"}]", [("system", 'a\n"b'), ("user", "c'd")]),
        ("[SystemMessage(content='a'), HumanMessage(content='b', additional_kwargs={})]", [("system", "a"), ("user", "b")]),
        ("[[{'role': 'user', 'content': 'b'}]]", [("user", "b")]),
        ("[__import__('os').system('true')]", []),
        ("[{'role': 'user', 'content': f'{1}'}]", []),
        ("nothing", []),
        ("(" * 300, []),
    ],
    ids=["dictionaries", "calls", "a batch", "a program", "a computed text", "a name", "deep"],
)  # fmt: skip
def test_messages_are_read_and_nothing_is_run(raw: str, found: list[tuple[str, str]]) -> None:
    assert messages(raw) == found


@pytest.mark.parametrize(
    ("line", "layouts"),
    [
        ("Monday 2026-11-23 09:05", ["%A %Y-%m-%d %H:%M"]),
        ("Sunday 2026-11-23 09:05", []),  # it was a Monday
        ("2026-11-23 and Monday, November 23, 2026.", ["%Y-%m-%d", "%A, %B %d, %Y"]),
        ("2026-02-30, 1-2026-11-23, 2026-11-23 10:00:00", ["%Y-%m-%d %H:%M:%S"]),
        ("YYYY-MM-DD", []),
    ],
    ids=["usual", "another day", "two", "no such day", "a pattern"],
)
def test_dates_are_found_in_a_line(line: str, layouts: list[str]) -> None:
    assert [layout for _, layout, _, _ in dates_in(line)] == layouts


class Recorder:
    """A decoder that ends every plan at once, and keeps what it was given."""

    prompt_tokens = generated_tokens = forward_passes = 0

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.grammars: list[str] = []

    def begin(self, prompt: str, written: str = "", head: str = "") -> Recorder:
        self.prompts.append(prompt)
        return self

    def write(self, grammar: str, most: int) -> tuple[str, float]:
        self.grammars.append(grammar)
        return f"1. join(){END}", 1.0

    def close(self) -> None:
        pass


@pytest.mark.parametrize("told", [False, True], ids=["learnt", "ours"])
def test_more_tools_are_offered_only_to_a_model_that_was_told_of_them(
    tmp_path: Path, shipped_tools, told: bool
) -> None:
    decoder = Recorder()
    planner = LanguagePlanner(decoder, PLAIN if told else learnt(tmp_path).profile)
    list(planner.plan("open my list", shipped_tools, ("open_note",), datetime(2026, 11, 23)))
    assert ("more tools" in decoder.grammars[0]) == told
    assert ("more tools" in decoder.prompts[0]) == told


def test_a_prompt_says_when_its_request_was_asked(tmp_path: Path) -> None:
    file = write(tmp_path / "data.json", 20)
    found = moments(file)
    assert len(found) == 20
    for entry in json.loads(file.read_text()).values():
        said = found[" ".join(entry["input"].split())]
        assert f"{said:%Y-%m-%d %H:%M} now" in entry["output"][0]["raw_input"]
    undated = write(tmp_path / "undated.json", 20, layout=Layout(dated=False))
    assert moments(undated) == {}
    (tmp_path / "none.json").write_text('{"1": {"input": "x", "output": []}}')
    assert moments(tmp_path / "none.json") == {}
