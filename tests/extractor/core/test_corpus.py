"""The written pages, read: what the program finds of what people wrote on them."""

from __future__ import annotations

import pytest

from tests.corpus.scoring import Score, corpus, score


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    return score(corpus())


def test_the_corpus_has_pages_of_many_languages_and_makers() -> None:
    pages = corpus()

    assert len(pages) >= 60
    assert len({str(page.expected.get("language", ""))[:2] for page in pages}) >= 14


@pytest.mark.parametrize(
    "field",
    ["email_addresses", "phone_numbers", "social_links", "is_wordpress", "physical_addresses", "title", "blocked"],
)
def test_what_is_found_is_right_and_little_is_missed(scores: dict[str, Score], field: str) -> None:
    found = scores[field]

    assert found.precision >= 0.98, found.notes
    assert found.recall >= 0.95, found.notes


def test_every_other_field_holds_the_same_bar(scores: dict[str, Score]) -> None:
    below = {name: one.notes for name, one in scores.items() if one.precision < 0.98 or one.recall < 0.95}

    assert below == {}
