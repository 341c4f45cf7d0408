"""What is kept of a prompt's beginning changes no plan, is never taken for another, and does not pile up."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

# isort: split
import mlx.core as mx
import pytest
from mlx_lm.models.cache import KVCache

from tests.models import make_llama
from tests.test_language import MAIL, NOW, REQUESTS, planned
from tinyagent_mlx import decoding
from tinyagent_mlx.language import LanguagePlanner, load
from tinyagent_mlx.prompt import PLAIN, PROFILES, planner_prompt, prompt_head
from tinyagent_mlx.promptcache import Heads
from tinyagent_mlx.toolbox import Toolbox

TOKENS = list(range(100))


def loaded(folder: Path, cache: Path | None, all_tools: bool = False) -> LanguagePlanner:
    planner = load(folder, replace(PLAIN, all_tools=all_tools), cache=cache)
    planner.max_tokens = 60
    return planner


@pytest.fixture(scope="module")
def tools(shipped_tools: Toolbox) -> Toolbox:
    """A few of them: a small model takes long to read them all."""
    return shipped_tools.subset((*MAIL, "send_sms", "open_note"))


def read_by(planner: LanguagePlanner, tools: Toolbox) -> int:
    """Tokens that the network reads for a plan's prompt, the ones that it remembers left out."""
    session = planner.decoder.begin(planner_prompt(tools.subset(MAIL), "x", NOW), head=planner.head(tools))
    return len(session._pending)  # type: ignore[attr-defined]


def test_a_memory_that_cannot_be_trimmed_does_not_hide_what_lies_on_disk(
    llama_folder: Path, tools: Toolbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(loaded(llama_folder, tmp_path).plan(REQUESTS[0], tools, MAIL, NOW))
    planner = loaded(llama_folder, tmp_path)
    list(planner.plan(REQUESTS[0], tools, MAIL, NOW))
    monkeypatch.setattr(decoding, "can_trim_prompt_cache", lambda cache: False)
    prompt = len(planner.decoder.begin(planner_prompt(tools.subset(MAIL), "x", NOW), head=0)._pending)  # type: ignore[attr-defined]
    list(planner.plan(REQUESTS[0], tools, MAIL, NOW))
    assert read_by(planner, tools) < 0.6 * prompt


def memory(value: float = 1.0) -> list[KVCache]:
    cache = KVCache()
    cache.update_and_fetch(mx.full((1, 2, 100, 4), value), mx.full((1, 2, 100, 4), value))
    return [cache]


@pytest.mark.parametrize("all_tools", [False, True], ids=["retrieved", "all tools"])
def test_plans_are_the_same_with_what_another_process_has_read(
    llama_folder: Path, tools: Toolbox, tmp_path: Path, all_tools: bool
) -> None:
    planned(loaded(llama_folder, tmp_path, all_tools), "something else", tools, MAIL[:2])
    assert len(list(tmp_path.glob("*"))) == 1
    for text in REQUESTS[:3]:
        new, bare = loaded(llama_folder, tmp_path, all_tools), loaded(llama_folder, None, all_tools)
        bare.decoder.reuse = False  # type: ignore[attr-defined]
        (plan, end), (other, slower) = (planned(each, text, tools, MAIL) for each in (new, bare))
        assert plan == other
        assert end.prompt_tokens == slower.prompt_tokens
        assert end.confidence == pytest.approx(slower.confidence, abs=1e-4)
    assert len(list(tmp_path.glob("*"))) == 1


def test_logits_are_the_same(llama_folder: Path, tools: Toolbox, tmp_path: Path) -> None:
    prompt, head = planner_prompt(tools, "email Ines", NOW), prompt_head(tools, PLAIN)
    rows = []
    for cache in (tmp_path, tmp_path, None):
        session = loaded(llama_folder, cache).decoder.begin(prompt, head=head)
        rows.append((len(session._pending), session))  # type: ignore[attr-defined]
        session._read([])  # type: ignore[attr-defined]
    assert rows[0][0] == rows[1][0] < rows[2][0]
    logits = [session._rows[0] for _, session in rows]  # type: ignore[attr-defined]
    assert mx.allclose(logits[1], logits[2], atol=1e-5).item()
    assert mx.array_equal(logits[0], logits[1]).item()


CHANGES: dict[str, Callable[[Path], object]] = {
    "weights": lambda folder: make_llama(folder, seed=5),
    "quantization": lambda folder: make_llama(folder, quantized=True),
    "adapter": lambda folder: mx.save_safetensors(str(folder / "adapters.safetensors"), {"a": mx.zeros(1)}),
    "configuration": lambda folder: (folder / "config.json").write_text(
        json.dumps({**json.loads((folder / "config.json").read_text()), "rope_theta": 1e5})
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_another_model_reads_for_itself(tmp_path: Path, tools: Toolbox, what: str) -> None:
    folder, cache = make_llama(tmp_path / "model"), tmp_path / "cache"
    read_by(loaded(folder, cache), tools)
    CHANGES[what](folder)
    read_by(loaded(folder, cache), tools)
    assert len(list(cache.glob("*"))) == 2


def test_another_toolbox_or_layout_reads_for_itself(llama_folder: Path, tools: Toolbox, tmp_path: Path) -> None:
    rules = replace(tools, rules=(*tools.rules, "Be quick."))
    few = tools.subset(MAIL)
    for known, all_tools in ((tools, False), (rules, False), (tools, True), (few, True)):
        planned(loaded(llama_folder, tmp_path, all_tools), "x", known, MAIL)
    assert len(list(tmp_path.glob("*"))) == 4


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-9]),
        lambda file: file.write_bytes(file.read_bytes()[:-1] + b"\xff"),
        lambda file: (file.unlink(), file.mkdir()),
    ],
    ids=["empty", "cut", "one byte", "folder"],
)
def test_damaged_file_is_made_anew(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    heads = Heads(tmp_path, "m")
    heads.write(TOKENS, memory())
    (file,) = tmp_path.glob("*")
    damage(file)
    assert heads.read(TOKENS) is None
    if not file.is_dir():
        assert not file.exists()
        heads.write(TOKENS, memory())
        assert heads.read(TOKENS)[0].offset == 100  # type: ignore[index]


def test_the_oldest_go_when_it_grows_too_large(tmp_path: Path) -> None:
    heads = Heads(tmp_path, "m", most=55_000)  # each is some 16,700 bytes
    for number in range(3):
        heads.write([number], memory())
        for file in tmp_path.glob("*"):
            os.utime(file, (file.stat().st_mtime - 10, file.stat().st_mtime - 10))
    assert heads.read([0])
    heads.write([3], memory())
    assert [bool(heads.read([number])) for number in range(4)] == [True, False, True, True]


def test_folder_that_can_t_be_written_stops_nothing(llama_folder: Path, tools: Toolbox, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    plan, _ = planned(loaded(llama_folder, tmp_path / "file"), REQUESTS[0], tools, MAIL)
    assert plan == planned(loaded(llama_folder, None), REQUESTS[0], tools, MAIL)[0]
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("all_tools", [False, True], ids=["retrieved", "all tools"])
def test_head_is_what_every_prompt_begins_with(shipped_tools: Toolbox, name: str, all_tools: bool) -> None:
    profile = replace(PROFILES[name], all_tools=all_tools)
    head = prompt_head(shipped_tools, profile)
    for number, tool in enumerate(shipped_tools):
        at_hand = shipped_tools if all_tools else shipped_tools.subset((tool.name, *MAIL[: number % 3]))
        moment = datetime(1990 + 7 * number, 1 + number % 12, 1 + number)
        prompt = planner_prompt(at_hand, REQUESTS[number % len(REQUESTS)], moment, number % 2 == 0, profile)
        assert prompt.startswith(head)
    block = "summarize_pdf(" if name != "brief" else "summarize_pdf\n"
    assert (block in head) == all_tools
