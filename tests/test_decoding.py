"""Text under a grammar: what a session writes, what it costs, and how sure it says it is."""

from __future__ import annotations

import re
from pathlib import Path

from tinyagent_mlx import device  # before MLX

# isort: split
import mlx.core as mx
import mlx.nn as nn
import mlx_lm
import pytest

from tests.models import make_llama
from tests.scripted import ReadTokens
from tinyagent_mlx.decoding import Decoder, load_decoder
from tinyagent_mlx.errors import PlannerError
from tinyagent_mlx.grammar import line_grammar
from tinyagent_mlx.toolbox import Toolbox


class Even(nn.Module):
    """Finds every token as good as another. It has fewer tokens than the tokenizer, or more."""

    layers = ()

    def __init__(self, tokens: int):
        super().__init__()
        self.tokens = tokens

    def __call__(self, tokens: mx.array, cache: list) -> mx.array:
        return mx.zeros((1, tokens.shape[1], self.tokens), mx.bfloat16)


WRITTEN = [
    ('start: "abc"', "abc", 1.0, 0),
    ('start: "a" | "b"', "a|b", 0.5, 1),
    ('start: ("a" | "b" | "c" | "d") ", then " ("x" | "y")', "[a-d], then [xy]", 0.375, 2),
]


@pytest.mark.parametrize("tokens", [650, 704, 2000], ids=["fewer", "padded", "more"])
@pytest.mark.parametrize(("grammar", "text", "chance", "passes"), WRITTEN, ids=["forced", "one", "two"])
def test_line_costs_a_pass_for_each_choice(
    llama_folder: Path, tokens: int, grammar: str, text: str, chance: float, passes: int
) -> None:
    decoder = Decoder(Even(tokens), load_decoder(llama_folder).tokenizer)
    session = decoder.begin("prompt")
    line = session.write(grammar, 99)
    assert line is not None
    assert re.fullmatch(text, line[0])
    assert line[1] == pytest.approx(chance, rel=1e-2)
    assert session.forward_passes == passes


def test_line_that_grows_too_long_is_given_up(llama_folder: Path) -> None:
    session = load_decoder(llama_folder).begin("prompt")
    assert session.write("start: /[a-z ]{200}/", 20) is None
    assert 20 <= session.generated_tokens < 30


def test_grammar_that_does_not_compile_is_refused(llama_folder: Path) -> None:
    with pytest.raises(PlannerError, match="grammar"):
        load_decoder(llama_folder).begin("prompt").write("start: nothing", 9)


class Afresh(nn.Module):
    """Reads everything anew in each pass."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def make_cache(self) -> list[ReadTokens]:
        return [ReadTokens(trimmable=False)]

    def __call__(self, tokens: mx.array, cache: list[ReadTokens]) -> mx.array:
        cache[0].tokens += tokens[0].tolist()  # type: ignore[arg-type]
        return self.model(mx.array([cache[0].tokens]))[:, -tokens.shape[1] :]


def test_passes_over_several_tokens_choose_as_reading_all_afresh(llama_folder: Path, shipped_tools: Toolbox) -> None:
    model, tokenizer = mlx_lm.load(str(llama_folder))[:2]
    tools = shipped_tools.subset(("maps_show_directions", "create_reminder"))
    written = []
    for each in (model, Afresh(model)):
        session = Decoder(each, tokenizer).begin("walk from the office to Elm Park\n")
        grammars = [line_grammar(tools, "walk from the office to Elm Park", ["status"] * k) for k in range(3)]
        written.append([session.write(grammar, 80) for grammar in grammars])
    assert [line and line[0] for line in written[0]] == [line and line[0] for line in written[1]]
    chances = [[line[1] for line in lines if line] for lines in written]  # a random model may come to no end
    assert chances[0]
    assert chances[0] == pytest.approx(chances[1], abs=1e-4)
    assert 0 < min(chances[0]) < 1


@pytest.mark.parametrize("quantized", [False, True])
def test_weights_are_dequantized_where_there_is_no_gpu(tmp_path: Path, quantized: bool) -> None:
    model = load_decoder(make_llama(tmp_path, quantized=quantized)).model
    layers = [type(layer).__name__ for layer in model.leaf_modules()["model"]["layers"][0]["mlp"].values()]
    assert any("Quantized" in name for name in layers) == (quantized and device.on_gpu())


def test_request_brings_no_special_tokens(llama_folder: Path) -> None:
    decoder = load_decoder(llama_folder)
    assert 1 in decoder.tokenizer.encode("a </s> b")
    assert 1 not in decoder.encode("a </s> b")


class Broken(nn.Module):
    """Gives no numbers."""

    layers = ()

    def __call__(self, tokens: mx.array, cache: list) -> mx.array:
        return mx.full((1, tokens.shape[1], 704), mx.nan)


def test_model_without_numbers_is_refused(llama_folder: Path) -> None:
    decoder = load_decoder(llama_folder)
    decoder.model = Broken()
    with pytest.raises(PlannerError, match="no numbers"):
        decoder.begin("x").write('start: "a" | "b"', 9)
