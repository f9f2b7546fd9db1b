"""Several numbers behind one another."""

from __future__ import annotations

import pytest

from extractor.page import read_page


@pytest.mark.parametrize(
    ("language", "text", "numbers"),
    [
        (
            "en-GB",
            "Phone: 020 7219 3000 / 07911 123456 / 0800 123 4567",
            ["+442072193000", "+447911123456", "+448001234567"],
        ),
        ("fr", "04 78 12 34 56 / 06 12 34 56 78", ["+33478123456", "+33612345678"]),
        ("de", "Tel. 0221/123456 / 0171/1234567", ["+49221123456", "+491711234567"]),
        ("de", "Tel. 0221 / 12 34 56-0", ["+492211234560"]),
        ("de", "+49 (0) 221 / 123 456 78", ["+4922112345678"]),
    ],
)
def test_numbers_with_a_slash_between_them_are_each_read_and_one_with_a_slash_in_it_once(
    language: str, text: str, numbers: list[str]
) -> None:
    facts = read_page(f"<html lang={language}><p>{text}</p>".encode(), url="https://example.com/")

    assert [found.value for found in facts.phones] == numbers


def test_a_small_page_of_a_real_site_that_speaks_of_denied_access_is_no_wall() -> None:
    page = b"<title>Smith &amp; Co</title><p>Access denied? <a href='mailto:help@smithco.co.uk'>Write to us</a></p>"

    assert read_page(page, url="https://smithco.co.uk/", status=200).blocked is None
    assert read_page(b"<title>Smith</title><p>Access denied.</p>", url="https://smithco.co.uk/", status=200).blocked
