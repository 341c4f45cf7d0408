"""Retrieval by nearness: how many tools, which ones, which examples, and that the shipped encoder fits the seam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.models import small_engine
from tests.nearby import SharedWords
from tinyagent_mlx.nearness import TOP, EmbeddingRetriever, NearestExamples
from tinyagent_mlx.plan import Plan, parse_plan
from tinyagent_mlx.sentences import Sentences
from tinyagent_mlx.toolbox import Example, Toolbox

VECTORS = SharedWords()
MAIL = ("get_email_address", "compose_new_email", "forward_email")


@pytest.mark.parametrize("top", [1, 3, TOP, 99])
def test_retriever_gives_the_top_tools_in_order(shipped_tools: Toolbox, top: int) -> None:
    found = EmbeddingRetriever(VECTORS, top).retrieve("text Ines", shipped_tools)
    assert len(found) == min(top, len(shipped_tools))
    assert list(found) == [name for name in shipped_tools.names if name in found]


def test_retriever_finds_the_tool_whose_words_are_said(shipped_tools: Toolbox) -> None:
    for tool in shipped_tools:
        assert EmbeddingRetriever(VECTORS, 1).retrieve(tool.description, shipped_tools) == (tool.name,)


def test_nearest_examples_come_first(shipped_tools: Toolbox) -> None:
    examples = NearestExamples(VECTORS)
    for tool in shipped_tools:
        for example in tool.examples:
            assert examples.choose(example.request, shipped_tools, 3)[0].request == example.request


def test_examples_call_only_tools_at_hand_and_are_at_most_so_many(shipped_tools: Toolbox) -> None:
    tools = shipped_tools.subset(MAIL)
    for most in (0, 1, 2, 9):
        found = NearestExamples(VECTORS).choose("email Ines the floor plan", tools, most)
        assert len(found) <= most
        assert {step.tool for example in found for step in example.plan.steps} <= set(MAIL)


def test_more_examples_stand_beside_those_of_the_tools(shipped_tools: Toolbox) -> None:
    mine = Example("sing me a song about rivers", Plan())
    other = Example("sing me a text", parse_plan('1. send_sms(["555-0100"], "la")'))
    examples = NearestExamples(VECTORS, [mine, other])
    assert examples.choose("sing me a song", shipped_tools, 2) == (mine, other)
    assert examples.choose("sing me a song", shipped_tools.subset(MAIL), 1) == (mine,)
    assert mine not in examples.nearest(VECTORS.vector(mine.request), shipped_tools, 99, leave_out=mine.request)


def test_an_example_is_encoded_once(shipped_tools: Toolbox) -> None:
    class Counting(SharedWords):
        asked = 0

        def vectors(self, texts):
            self.asked += len(texts)
            return super().vectors(texts)

    counting = Counting()
    examples = NearestExamples(counting)
    for number in range(3):
        examples.choose("text Ines", shipped_tools, 3)
        if number == 0:
            first = counting.asked
    assert counting.asked == first + 2  # one more request each


def test_no_example_where_there_is_none(shipped_tools: Toolbox) -> None:
    assert NearestExamples(VECTORS).choose("x", shipped_tools.subset(()), 3) == ()


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Sentences:
    return Sentences(small_engine(tmp_path_factory.mktemp("engine")))


def test_sentences_are_unit_vectors_however_many_are_read(sentences: Sentences, shipped_tools: Toolbox) -> None:
    texts = [f"text {'Ines ' * number}that I'm late" for number in range(70)] + [""]
    vectors, logits = sentences.judge(texts, shipped_tools)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)
    assert vectors == pytest.approx(sentences.vectors(texts), abs=1e-5)
    assert vectors[3] == pytest.approx(sentences.vector(texts[3]), abs=1e-5)
    assert logits.shape == (71, 16)
    assert np.linalg.norm(sentences.tools(shipped_tools), axis=1) == pytest.approx(np.ones(16), abs=1e-5)


def test_the_encoder_s_logits_are_the_retriever_s(sentences: Sentences, shipped_tools: Toolbox) -> None:
    from tinyagent_mlx.pointing import PointerRetriever

    _, logits = sentences.judge(["text Ines", "a longer request about a zoom meeting tomorrow"], shipped_tools)
    scores = PointerRetriever(sentences.engine).scores("text Ines", shipped_tools)
    assert 1 / (1 + np.exp(-logits[0])) == pytest.approx(list(scores.values()), abs=1e-4)


def test_sentences_serve_the_retriever_and_the_examples(
    sentences: Sentences, shipped_tools: Toolbox, tmp_path: Path
) -> None:
    assert len(EmbeddingRetriever(sentences).retrieve("text Ines", shipped_tools)) == TOP
    request = shipped_tools["send_sms"].examples[0].request
    assert NearestExamples(sentences).choose(request, shipped_tools, 1)[0].request == request
