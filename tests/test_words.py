"""A request in words: nothing is lost, addresses and file names stay whole, and outer forms are told apart."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyagent_mlx.words import MAX_WORDS, SHAPES, Word, shape, split_words

quick = settings(max_examples=150, deadline=None)

SPLIT = {
    "plain": ("text Sid", ["text", "Sid"]),
    "marks": ("hi, Sid!", ["hi", ",", "Sid", "!"]),
    "contraction": ("don't we'll", ["don't", "we'll"]),
    "typographic contraction": ("don’t", ["don’t"]),
    "possessive": ("Sid's number", ["Sid", "'s", "number"]),
    "typographic possessive": ("Sid’s number", ["Sid", "’s", "number"]),
    "name with an apostrophe": ("O'Neil", ["O'Neil"]),
    "address": ("a.b+c@d-e.co.uk now", ["a.b+c@d-e.co.uk", "now"]),
    "address before a full stop": ("write to a@b.com.", ["write", "to", "a@b.com", "."]),
    "address in brackets": ("<a@b.com>", ["<", "a@b.com", ">"]),
    "file name": ("open budget_v2.xlsx", ["open", "budget_v2.xlsx"]),
    "file name with two endings": ("data.tar.gz", ["data.tar.gz"]),
    "clock": ("at 3:30pm", ["at", "3:30", "pm"]),
    "date": ("on 11/27/2026", ["on", "11/27/2026"]),
    "fraction": ("1.5 hours", ["1.5", "hours"]),
    "end of a sentence": ("at 3. Then", ["at", "3", ".", "Then"]),
    "hyphen": ("follow-up", ["follow", "-", "up"]),
    "phone number": ("+1 (555) 010-0199", ["+", "1", "(", "555", ")", "010", "-", "0199"]),
    "money": ("costs $15", ["costs", "$", "15"]),
    "quotes": ('"a b"', ['"', "a", "b", '"']),
    "other alphabets": ("Zürich 你好 мама", ["Zürich", "你好", "мама"]),
    "emoji": ("ok 🙂🙂", ["ok", "🙂", "🙂"]),
    "line ends": ("a\n\nb\tc", ["a", "b", "c"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), SPLIT.values(), ids=SPLIT)
def test_a_request_is_split_into_words(text, words):
    assert [word.text for word in split_words(text)] == words


TEXTS = st.text(max_size=60) | st.lists(
    st.sampled_from(["a@b.com", "it's", "3:30", "f.pdf", ".", "'s", " ", "🙂", "\n", "é", "$1"])
).map("".join)


@quick
@given(TEXTS)
def test_words_are_the_text_at_their_spans_and_only_blanks_lie_between(text):
    words, end = split_words(text, limit=10_000), 0
    for word in words:
        assert text[end : word.start].strip() == ""
        assert word.text == text[word.start : word.end]
        end = word.end
    assert text[end:].strip() == ""


@pytest.mark.parametrize("text", ["", "   ", "\n"], ids=repr)
def test_a_text_without_words_is_one_empty_word(text):
    assert split_words(text) == [Word("", 0, 0)]


def test_a_long_text_is_cut_at_the_limit():
    text = " ".join(str(number) for number in range(500))
    assert len(split_words(text)) == MAX_WORDS
    assert [word.text for word in split_words(text, 3)] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("text", "lower"),
        ("don't", "lower"),
        ("Sid", "capital"),
        ("I", "capital"),
        ("Élodie", "capital"),
        ("O'Neil", "mixed"),
        ("iPhone", "mixed"),
        ("USA", "upper"),
        ("15", "number"),
        ("3:30pm", "number"),
        ("Q3", "number"),
        (",", "mark"),
        ("🙂", "mark"),
        ("", "mark"),
        ("a@b.com", "address"),
        ("lease.pdf", "address"),
        ("LEASE.PDF", "address"),
        ("budget_v2", "address"),
    ],
    ids=lambda value: value or "empty",
)
def test_the_outer_form_of_a_word_is_told(word, name):
    assert SHAPES[shape(word)] == name


@quick
@given(TEXTS)
def test_every_word_has_a_form(text):
    assert all(0 <= shape(word.text) < len(SHAPES) for word in split_words(text))
