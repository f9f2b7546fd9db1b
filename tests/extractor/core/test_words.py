"""Many words looked for at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractor import words
from extractor.words import Words

PIECES = st.sampled_from(["ab", "b", "abc", "é", "€", "\U0001f600", "\ud800", "x", " "])
WANTED = ["ab", "abc", "bé", "é€", "\U0001f600a", "never"]


@pytest.mark.parametrize("piece", [words.PIECE, 5])
@given(text=st.lists(PIECES, max_size=40).map("".join))
def test_what_is_found_is_what_a_plain_search_finds_also_across_pieces(piece: int, text: str) -> None:
    looked_for = Words(WANTED, piece=piece)
    present = {word for word in WANTED if word in text}
    assert looked_for.among(text) == present
    assert looked_for.among(text.encode("utf-8", "replace")) == present
    starts = {word: [start for start in range(len(text)) if text.startswith(word, start)] for word in present}
    assert looked_for.places_in(text) == starts


def test_words_can_be_added_after_a_search() -> None:
    looked_for = Words(["one"])
    assert looked_for.among("one two") == {"one"}
    assert looked_for.places_in("one two") == {"one": [0]}
    assert looked_for.add("two") == ("two",)
    assert looked_for.among("one two") == {"one", "two"}
    assert looked_for.places_in("one two") == {"one": [0], "two": [4]}


def test_a_text_of_nothing_but_matches_keeps_few_places() -> None:
    places = Words(["a", "aa"]).places_in("a" * 300_000)
    assert {word: len(found) for word, found in places.items()} == {"a": words.MAX_PLACES, "aa": words.MAX_PLACES}


def test_nothing_is_found_in_nothing() -> None:
    assert Words(["a"]).among("") == set()
    assert Words(["a"]).places_in("") == {}
