"""How a dataset tells what was tried, learnt from prompts in sentences of our own."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.published_prompts import Layout, write
from tinyagent_mlx.lab.learnt import learn
from tinyagent_mlx.lab.learnt_again import learn_again

RESULTS = ("555-0100", "two\nlines", "Mistake: nobody of that name", "ada@example.com", "", "a: b", "Mist")
THOUGHTS = ("the name was wrong", "it can be mended", "once more", "ask for Bo instead: he knows")


def context(rng: random.Random) -> str:
    calls = [f"{number}. get_phone_number('{rng.choice(THOUGHTS)}')\nCame back: {rng.choice(RESULTS)}\n"
             for number in range(1, rng.randint(2, 4))]  # fmt: skip
    return "\nTried before:\n\n" + "\n".join(calls) + f"\n\nMusing: {rng.choice(THOUGHTS)}\n\nNow on:\n\n\n"


def dataset(folder: Path, tells: bool = True) -> Path:
    """Rows in the published layout, some of them planned again."""
    file, rng = write(folder / "data.json", 60), random.Random(1)
    entries = json.loads(file.read_text())
    for entry in list(entries.values())[:25]:
        user = f"Asked: {entry['input']}" + (
            context(rng) if tells else f"\n{rng.random()}\n1. f({rng.random()})\n{rng.random()}"
        )
        told = [{"role": "system", "content": "other words"}, {"role": "user", "content": user}]
        entry["output"].append({"type": "replan", "raw_input": str(told), "raw_output": "3. join()\n"})
    file.write_text(json.dumps(entries))
    return file


def test_what_was_tried_is_told_as_the_dataset_does(tmp_path: Path) -> None:
    again = learn(dataset(tmp_path), "walker").profile.again
    assert again == {
        "user": "Asked: {request}\nTried before:\n\n{tried}{note}\n\nNow on:\n\n\n",
        "done": "{step}\nCame back: {result}\n\n",
        "not_done": "{step}\nCame back: {why}\n\n",
        "note": "\nMusing: {note}",
    }


def test_a_dataset_without_such_prompts_has_no_words_for_it(tmp_path: Path) -> None:
    assert learn(write(tmp_path / "data.json", 60), "walker").profile.again == {}


def test_what_does_not_come_out_again_is_not_learnt(tmp_path: Path) -> None:
    file = dataset(tmp_path, tells=False)
    assert learn_again(file, "Asked: ", "") == {}
    assert learn_again(write(tmp_path / "other.json", 20, layout=Layout(begins="Q> ")), "Asked: ", "") == {}
