"""Which pages are read first."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from extractor.crawl import CONTACT_VALUE, Frontier, common_paths, folded, link_value, page_key
from extractor.models import Link

HOME = URL("https://www.example.com/")


def order(*links: Link) -> list[str]:
    frontier = Frontier(HOME)
    frontier.add_links(links)
    taken = []
    while (url := frontier.take()) is not None:
        taken.append(url.raw_path)
    return taken


def link(path: str, text: str = "", place: str = "main") -> Link:
    url = path if "://" in path else f"https://www.example.com{path}"
    return Link(url=url, text=text, place=place)  # type: ignore[arg-type]


CONTACT_PAGES = [
    ("/contact", "Contact"),
    ("/contact-us/", ""),
    ("/x", "Contact us"),
    ("/kontakt", ""),
    ("/x", "Kontaktieren Sie uns"),
    ("/contacto", ""),
    ("/contatti", ""),
    ("/contactez-nous", ""),
    ("/contato", ""),
    ("/x", "Neem contact op"),
    ("/yhteystiedot", ""),
    ("/kapcsolat", ""),
    ("/iletisim", "İletişim"),
    ("/x", "Επικοινωνία"),
    ("/x", "Контакты"),
    ("/x", "お問い合わせ"),
    ("/x", "联系我们"),
    ("/x", "문의하기"),
    ("/impressum", ""),
    ("/imprint", ""),
    ("/mentions-legales", ""),
    ("/x", "Mentions légales"),
    ("/aviso-legal", ""),
    ("/note-legali", ""),
    ("/about", ""),
    ("/%C3%BCber-uns", ""),
    ("/ueber-uns", ""),
    ("/x", "Über uns"),
    ("/quienes-somos", ""),
    ("/x", "Qui sommes-nous ?"),
    ("/chi-siamo", ""),
    ("/over-ons", ""),
    ("/o-nas", ""),
    ("/x", "O nás"),
    ("/om-oss", ""),
    ("/om-os", ""),
    ("/x", "Quem somos"),
    ("/x", "Hakkımızda"),
    ("/x", "Rólunk"),
    ("/x", "Despre noi"),
    ("/x", "О компании"),
    ("/x", "会社概要"),
    ("/x", "회사소개"),
    ("/team", ""),
    ("/unser-team", ""),
    ("/our-locations", ""),
    ("/standorte", ""),
    ("/contact.html", ""),
    ("/kontakt.php", ""),
    ("/en/contact", ""),
    ("/company/contact.aspx", ""),
]


@pytest.mark.parametrize(("path", "text"), CONTACT_PAGES)
def test_a_contact_page_is_known_in_many_languages(path: str, text: str) -> None:
    assert link_value(f"https://example.com{path}", text, "nav") >= CONTACT_VALUE


@pytest.mark.parametrize(
    "path",
    [
        "/logout",
        "/wp-login.php",
        "/login?next=/contact",
        "/cart",
        "/warenkorb",
        "/checkout/contact",
        "/contact.pdf",
        "/kontakt.jpg",
        "/feed/",
        "/wp-json/contact",
        "/cdn-cgi/l/email-protection",
        "/my-account",
        "/unsubscribe",
    ],
)
def test_what_changes_something_or_is_no_page_is_never_read(path: str) -> None:
    assert link_value(f"https://example.com{path}", "Contact", "footer") < 0


@pytest.mark.parametrize(
    "host", ["www.kartenkasse.de", "cartographers.com", "login-systems.com", "register-offices.org"]
)
def test_a_sites_name_says_nothing_about_its_pages(host: str) -> None:
    assert link_value(f"https://{host}/contact", "Contact", "nav") >= CONTACT_VALUE


def test_contact_pages_come_first_and_articles_about_contact_do_not() -> None:
    assert order(
        link("/blog/2026/contact-your-customers-with-these-ten-brilliant-newsletter-ideas"),
        link("/products"),
        link("/privacy"),
        link("/about"),
        link("/contact"),
    )[:3] == ["/contact", "/about", "/privacy"]


def test_links_in_footer_and_navigation_go_before_those_in_the_text() -> None:
    assert order(link("/kontakt-a", place="main"), link("/kontakt-b", place="footer")) == ["/kontakt-b", "/kontakt-a"]


def test_pages_without_a_query_go_before_those_with_one() -> None:
    assert order(link("/contact?lang=en"), link("/contact-us"))[0] == "/contact-us"


def test_each_page_is_read_once_however_it_is_written() -> None:
    assert order(
        link("/contact"),
        link("/contact/"),
        link("http://example.com/contact"),
        link("/contact/index.html"),
        link("https://www.example.com/"),
        link("/index.php"),
    ) == ["/contact"]


def test_other_sites_are_not_read() -> None:
    assert order(
        link("https://shop.example.com/contact"),
        link("https://notexample.com/contact"),
        link("https://example.com.evil.com/contact"),
        link("https://example.org/contact"),
        link("http://127.0.0.1/contact"),
    ) == ["/contact"]


def test_neighbours_under_a_private_suffix_are_other_sites() -> None:
    frontier = Frontier(URL("https://one.github.io/"))
    frontier.add_links([link("https://two.github.io/contact"), link("https://one.github.io/contact")])

    assert str(frontier.take()) == "https://one.github.io/contact"
    assert frontier.take() is None


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com:8080/contact",
        "https://user@example.com/contact",
        "https://example.com\\@evil.com/contact",
        "https://example.com/" + "a" * 3_000,
    ],
)
def test_addresses_that_may_not_be_requested_are_passed_over(url: str) -> None:
    assert order(link(url)) == []


def test_words_are_compared_without_accents_and_separators() -> None:
    assert folded(" Über_uns ") == folded("uber-uns") == "uber-uns"
    assert folded("Straße/Łódź") == "strasse-lodz"


def test_the_usual_places_depend_on_the_ending() -> None:
    assert common_paths(URL("https://firma.de/"))[0] == "/impressum"
    assert common_paths(URL("https://example.com/"))[0] == "/contact"


def test_twenty_thousand_links_are_looked_at_quickly() -> None:
    links = [link(f"/contact/{n}?q={n}", f"Contact us about {n}") for n in range(20_000)]
    started = time.process_time()
    frontier = Frontier(HOME)
    frontier.add_links(links)

    assert time.process_time() - started < 2.0
    assert len(frontier) == 3_000


@given(st.text(max_size=200), st.text(max_size=80))
def test_any_link_has_a_value_and_a_key(url: str, text: str) -> None:
    link_value(url, text, "main")
    page_key(url)
    frontier = Frontier(HOME)
    frontier.add_urls([url, f"https://www.example.com/{url}"])
    taken = frontier.take()

    assert taken is None or taken.host == "www.example.com"
