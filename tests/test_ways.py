"""Other ways to say a request: a group's wordings take each other's place, and what they are about stays."""

from __future__ import annotations

import random

import pytest

from tinyagent_mlx.lab import ways
from tinyagent_mlx.lab.ways import Way, Ways

PLAY = (Way("play X", True), Way("put X on", True), Way("I'd like to hear X", False))
DIM = (Way("dim X to Y", True), Way("turn X down to Y", True))
DOWN = (Way("turn X down", True), Way("make X quieter", True))
WORDS = (("photo", "picture", "snap"), ("album", "collection"))


def others(text: str, times: int = 60, **words) -> set[tuple[str, bool]]:
    rng, some = random.Random(0), Ways([PLAY, DIM, DOWN], WORDS, **words)
    return {some.other(text, rng) for _ in range(times)}


@pytest.mark.parametrize("text", ["play {text}", "Play {text}!", "could you play {text}, please?", "put {text} on"])
def test_each_wording_of_the_group_may_stand_for_another(text):
    assert others(text) == {("play {text}", True), ("put {text} on", True), ("I'd like to hear {text}", False)}


def test_what_no_group_knows_stays_and_questions_are_not_asked_twice():
    assert others("please frobnicate {text}") == {("frobnicate {text}", True)}
    assert others("where's the photo of {text}?") == {("where's the photo of {text}", False)}
    assert others("") == {("", True)}


def test_the_wording_that_says_most_is_taken():
    assert others("turn {text} down to 20") == {("dim {text} to 20", True), ("turn {text} down to 20", True)}


def test_clauses_are_said_another_way_one_by_one_or_together():
    found = {text for text, _ in others("play {text} and dim {lamp} to 3", times=300)}
    second = ("dim {lamp} to 3", "turn {lamp} down to 3")
    firsts = ("play {text}", "put {text} on", "I'd like to hear {text}")
    assert found == {f"{one} and {two}" for one in firsts for two in second}
    assert others("play {text} and put {file} on") == {
        (f"{one} and {two} {{file}}{on}", asked)
        for one, asked in (("play {text}", True), ("put {text} on", True), ("I'd like to hear {text}", False))
        for two, on in (("play", ""), ("put", " on"))
    }


def test_where_clauses_are_taken_for_one_nothing_follows_the_second():
    rng, some = random.Random(0), Ways([PLAY], ())
    found = {some._other("play {text}, {text2}; more", rng)[0] for _ in range(50)}
    assert found == {"play {text}, {text2}; more", "I'd like to hear {text}, {text2}; more"}


def test_words_change_but_no_slots_no_first_word_and_nothing_that_tells_plans_apart():
    def said(text: str, **words) -> set[str]:
        rng, some = random.Random(0), Ways([], WORDS, **words)
        return {some.words(text, rng) for _ in range(80)}

    assert said("find the photo of {photo}") == {f"find the {word} of {{photo}}" for word in WORDS[0]}
    assert said("photo please") == {"photo please"}
    assert said("the photo album", kept=["album"]) == {f"the {word} album" for word in WORDS[0]}
    assert said("the photo album", taken=["snap", "collection"]) == {"the photo album", "the picture album"}
    assert said("make a album") == {"make an album", "make a collection"}


def test_the_shipped_groups_are_whole():
    for group in ways.groups():
        about = {
            frozenset(
                word
                for word in ("X", "Y")
                if word in way.text.replace(",", " ").replace("?", " ").replace("'", " ").split()
            )
            for way in group
        }
        assert len(about) == 1, group[0]
        assert len({way.text for way in group}) == len(group) > 1
    for alike in ways.words():
        assert len(set(alike)) == len(alike) > 1
    some, rng = Ways(ways.groups(), ways.words()), random.Random(0)
    assert {some.other("play {text}", rng)[0] for _ in range(40)} >= {"put {text} on", "let me hear {text}"}
