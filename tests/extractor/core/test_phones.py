"""Telephone numbers: E.164 with the right country, and not every run of digits."""

from __future__ import annotations

import pytest

from extractor.page import read_page


def phones(body: str, url: str = "https://www.acme.de/", lang: str = "de") -> set[str]:
    html = f"<!doctype html><html lang={lang}><head><title>Acme</title></head><body>{body}</body></html>"
    return {found.value for found in read_page(html.encode(), url=url).phones}


@pytest.mark.parametrize(
    ("body", "url", "lang", "number"),
    [
        ('<a href="tel:+49 (0) 30 23125600">x</a>', "https://acme.com/", "en", "+493023125600"),
        ('<a href="tel:030%2F23125600">x</a>', "https://acme.de/", "de", "+493023125600"),
        ('<a href="tel:+1-614-224-0198;ext=12">x</a>', "https://acme.com/", "en", "+16142240198"),
        ('<a href="tel:6142240198">Call</a>', "https://acme.com/", "en-US", "+16142240198"),
        ('<a href="callto:004930 23125600">x</a>', "https://acme.com/", "en", "+493023125600"),
        ("<p>Tel. +49 (0)30 / 23 12 56-00</p>", "https://acme.com/", "en", "+493023125600"),
        ("<p>Tel. 0049 30 23125600</p>", "https://acme.com/", "en", "+493023125600"),
        ("<p>Telefon: 030 23125600</p>", "https://acme.de/", "de", "+493023125600"),
        ("<p>Telefon: 01 5134567</p>", "https://acme.at/", "de", "+4315134567"),
        ("<p>Telefon 044 215 30 40</p>", "https://acme.com/", "de-CH", "+41442153040"),
        ("<dl><dt>Telefon</dt><dd>030 23125600</dd></dl>", "https://acme.de/", "de", "+493023125600"),
        ("<p>Call (614) 224-0198 today</p>", "https://acme.com/", "en-US", "+16142240198"),
        ("<p>614.224.0198</p>", "https://acme.com/", "en", "+16142240198"),
        ("<p>Phone: 614-224-0198 x22</p><p>Columbus, OH 43222</p>", "https://acme.net/", "en", "+16142240198"),
        ("<p>1-800-FLOWERS</p>", "https://acme.com/", "en-US", "+18003569377"),
        ("<p>Tel: 0113 496 0000</p>", "https://acme.co.uk/", "en", "+441134960000"),
        ("<p>Tél. : 04 78 37 12 34</p>", "https://acme.fr/", "fr", "+33478371234"),
        ("<p>914 35 12 34</p>", "https://acme.es/", "es", "+34914351234"),
        ("<p>Tel 06 6880 1234</p>", "https://acme.it/", "it", "+390668801234"),
        ("<p>TEL：03-3212-1234</p>", "https://acme.co.jp/", "ja", "+81332121234"),
        ("<p>Тел.: 8 (495) 123-45-67</p>", "https://acme.ru/", "ru", "+74951234567"),
        ("<p>Звоните нам: (383) 258-29-73</p>", "https://acme.ru/", "ru", "+73832582973"),
        ("<p>Мы работаем (383) 258-29-73</p>", "https://acme.ru/", "ru", "+73832582973"),
        ("<p>Serviço cliente 308 802 547</p>", "https://acme.pt/", "pt", "+351308802547"),
        ("<p>通話無料 0120537024</p>", "https://acme.com/", "ja", "+81120537024"),
        ("<p>Order now 0113 496 0000</p>", "https://acme.co.uk/", "en", "+441134960000"),
        ("<p>Health service (215-746-3535), open</p>", "https://portal.acme.edu/", "en", "+12157463535"),
        ("<p>call us at 1 800 277 7255</p>", "https://acme.com/", "en", "+18002777255"),
        ("<p>Tél. : 04 78 37 12 34</p><p>RCS Lyon 504 891 234</p>", "https://acme.com/", "en", "+33478371234"),
        ("<p>Call us on 01256 464744</p><p>£5 £10 £12</p>", "https://acme.com/", "en", "+441256464744"),
        ("<p>(066) 580-09-09</p><p>10 грн, 20 грн, 30 грн</p>", "https://acme.com/", "ru", "+380665800909"),
        ("<p>T 919-951-0052 F 919-928-5516</p>", "https://acme.com/", "en-US", "+19199510052"),
        ("<p>Tel/Fax: 030 23125600</p>", "https://acme.de/", "de", "+493023125600"),
        ("<p>Tel. 030 2312560/61</p>", "https://acme.de/", "de", "+49302312560"),
        ('<a href="https://wa.me/4915112345678">x</a>', "https://acme.com/", "en", "+4915112345678"),
        (
            '<a href="https://api.whatsapp.com/send?text=a&phone=4915112345678">x</a>',
            "https://acme.com/",
            "en",
            "+4915112345678",
        ),
        (
            '<script type="application/ld+json">{"@type":"Store","name":"A","telephone":"614-224-0198",'
            '"address":{"@type":"PostalAddress","addressCountry":"US","streetAddress":"1 A St"}}</script>',
            "https://acme.io/",
            "en",
            "+16142240198",
        ),
    ],
)
def test_a_number_is_found_with_its_country(body: str, url: str, lang: str, number: str) -> None:
    assert phones(body, url, lang) == {number}


@pytest.mark.parametrize(
    "body",
    [
        "<p>Am 12.05.2023 um 08:00 - 18:00 Uhr, 2019-2023, 2019 - 2023, 01.01.2020-31.12.2021, 2023-05-12</p>",
        "<p>Mo-Fr 09.00 - 18.00, 8-12, 14-18 Uhr</p>",
        "<p>1.299,00 EUR, 12.500 Stück, 1 234 567 Euro, $1,250,000</p>",
        "<p>USt-IdNr.: DE 136695976, HRB 123456, Steuernummer 143/123/45678</p>",
        "<p>IBAN DE89 3704 0044 0532 0130 00, BIC COBADEFFXXX, Konto 0532013000, BLZ 37040044</p>",
        "<p>ISBN 978-3-16-148410-0, EAN 4006381333931, Art.-Nr. 030 1234567</p>",
        "<p>52.520008, 13.404954 und 48.1371079, 11.5753822</p>",
        "<p>Bestellnummer 0301234567, Kundennummer 030 2345678</p>",
        "<p>Timestamp 1699999999990, id 5f1d7f3b2e1c4a0017b1a2c3, 1234567890</p>",
        "<p>Seite 1 2 3 4 5 6 7 8 9 10</p>",
        "<p>Fax: 030 23125699</p>",
        "<p>Telefax 030 23125699</p>",
        '<p>Fax: <a href="tel:03023125699">030 23125699</a></p>',
        '<script>var id="030 23125600";</script><img src="/030-23125600.jpg"><a href="/a/03023125600">x</a>',
        "<p>192.168.100.200, 10.0.0.1</p>",
        "<p>+49 123 456 7890, 0123 4567890, 000 000000</p>",
    ],
)
def test_digits_that_are_no_telephone_are_left_alone(body: str) -> None:
    assert phones(body) == set()


def test_sizes_that_count_up_are_no_telephone() -> None:
    assert phones("<p>Str.: 36 / 37 / 38 / 39 og 40 / 41 / 43 / 45</p>", "https://acme.dk/", "da") == set()


@pytest.mark.parametrize("body", ["<p>SIRET 123 456 789 00012, RCS Lyon B 412 345 678, TVA FR 12 412345678</p>"])
def test_french_registers_are_no_telephones(body: str) -> None:
    assert phones(body, "https://acme.fr/", "fr") == set()


@pytest.mark.parametrize(
    "body", ["<p>EIN 31-1234567, License 614-224-0198</p>", "<p>Case no. 614-224-0198</p>", "<p>(555) 555-0123</p>"]
)
def test_american_registers_and_invented_numbers_are_no_telephones(body: str) -> None:
    assert phones(body, "https://acme.com/", "en-US") == set()


def test_a_fax_beside_a_telephone_is_left_out_and_the_telephone_stays() -> None:
    assert phones("<p>Tel. 030 23125600, Fax 030 23125699</p>") == {"+493023125600"}


@pytest.mark.parametrize(
    ("body", "url", "lang", "numbers"),
    [
        ("<p>Tel: 020 7946 0018 / 0800 123 4567</p>", "https://acme.co.uk/", "en", {"+442079460018", "+448001234567"}),
        ("<p>Sydney NSW 2000 (02) 9374 4000</p>", "https://acme.com.au/", "en", {"+61293744000"}),
        (
            "<p>Appelez le 01.42.68.53.00 ou le 0 800 123 456</p>",
            "https://acme.fr/",
            "fr",
            {"+33142685300", "+33800123456"},
        ),
        (
            "<p>Tel. +49 30 23125600 oder +49 171 2345678</p>",
            "https://acme.de/",
            "de",
            {"+493023125600", "+491712345678"},
        ),
    ],
)
def test_numbers_side_by_side_are_told_apart(body: str, url: str, lang: str, numbers: set[str]) -> None:
    assert phones(body, url, lang) == numbers


def test_links_come_before_structured_data_before_labelled_text() -> None:
    html = (
        '<p>Tel. 030 23125601</p><a href="tel:+493023125602">x</a><script type="application/ld+json">'
        '{"@type":"Store","name":"A","telephone":"+49 30 23125603"}</script><p>030 23125604</p>'
    )

    found = read_page(html.encode(), url="https://acme.de/").phones

    assert [phone.value[-2:] for phone in found] == ["02", "03", "01", "04"]
