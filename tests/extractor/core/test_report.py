# ruff: noqa: E501 - pages stand as servers send them
"""The report of a site: the best of its pages, each value with its evidence, unknown where nothing was read."""

from __future__ import annotations

from extractor.models import PageFacts, SiteReport
from extractor.page import read_page
from extractor.report import build_report

HOME = """<html lang="de"><head><title>Acme GmbH</title><meta name="generator" content="WordPress 6.4.3">
<link rel="icon" href="/icon.png"></head><body><header><img class="logo" src="/logo.png"></header>
<p>privacy@acme.de</p><p>Tel. 030 23125600</p><footer>© 2020 <a href="https://www.facebook.com/acme">f</a></footer></body></html>"""
CONTACT = """<html lang="de"><head><title>Kontakt</title><meta name="description" content="So erreichen Sie uns"></head><body>
<p><a href="mailto:info@acme.de">info@acme.de</a>, noreply@acme.de, acme@gmail.com, partner@other.com, a.meier@acme.de</p>
<p>Acme GmbH<br>Hauptstraße 5<br>10115 Berlin</p><a href="tel:+493023125600">030 23125600</a><p>© 2024</p>
<script type="application/ld+json">{"@type":"Organization","name":"Acme GmbH","url":"https://acme.de","vatID":"DE1"}</script></body></html>"""


def facts(html: str, path: str = "/", status: int = 200) -> PageFacts:
    return read_page(html.encode(), url=f"https://www.acme.de{path}", status=status)


def report(*pages: PageFacts) -> SiteReport:
    return build_report("acme.de", 5, list(pages))


def test_the_home_page_names_the_site_and_other_pages_add_what_it_lacks() -> None:
    site = report(facts(HOME), facts(CONTACT, "/kontakt"))

    assert site.title == "Acme GmbH"
    assert site.description is None
    assert site.physical_addresses == ["Hauptstraße 5, 10115 Berlin"]
    assert site.copyright_year == 2024
    assert site.organization is not None
    assert site.organization.vat_id == "DE1"


def test_addresses_are_ordered_by_whom_to_write_to() -> None:
    site = report(facts(HOME), facts(CONTACT, "/kontakt"))

    assert site.email_addresses == [
        "info@acme.de",
        "a.meier@acme.de",
        "privacy@acme.de",
        "acme@gmail.com",
        "partner@other.com",
        "noreply@acme.de",
    ]


def test_every_value_has_its_evidence() -> None:
    site = report(facts(HOME), facts(CONTACT, "/kontakt"))

    assert site.evidence["title"].url == "https://www.acme.de/"
    assert site.evidence["email_addresses:info@acme.de"].how == "mailto link"
    assert site.evidence["phone_numbers:+493023125600"].url == "https://www.acme.de/kontakt"
    for name in (
        "favicon_url",
        "logo_url",
        "language",
        "is_wordpress",
        "wordpress_version",
        "organization",
        "copyright_year",
    ):
        assert name in site.evidence
    for field in ("email_addresses", "phone_numbers", "physical_addresses"):
        for value in getattr(site, field):
            assert f"{field}:{value}" in site.evidence
    for network in site.social_links:
        assert f"social_links:{network}" in site.evidence
    for technology in site.technologies:
        assert f"technologies:{technology.name}" in site.evidence


def test_yes_or_no_is_no_where_pages_were_read_and_unknown_where_none_was() -> None:
    read = report(facts("<html><title>Acme</title><p>Anvils</p></html>"))
    walled = report(facts("<title>Just a moment...</title><script>window._cf_chl_opt={}</script>", status=503))
    nothing = report()

    assert (read.is_wordpress, read.has_woocommerce, read.has_cookie_notice) == (False, False, False)
    for site in (walled, nothing):
        assert (site.is_wordpress, site.has_woocommerce, site.has_cookie_notice) == (None, None, None)
    assert walled.blocked == "cloudflare"
    assert nothing.blocked is None


def test_a_missing_page_and_a_wall_before_one_page_add_nothing() -> None:
    site = report(
        facts(HOME),
        facts("<title>404 Seite nicht gefunden</title><p>webmaster@acme.de</p>", "/x"),
        facts("<title>Robot Check</title><p>bot@acme.de</p>", "/y"),
    )

    assert site.blocked is None
    assert site.title == "Acme GmbH"
    assert site.email_addresses == ["privacy@acme.de"]


def test_wordpress_and_its_parts_are_among_the_technologies_with_their_versions() -> None:
    site = report(facts(HOME))

    versions = {technology.name: technology.version for technology in site.technologies}
    assert versions["WordPress"] == "6.4.3"
    assert (site.is_wordpress, site.wordpress_version) == (True, "6.4.3")


def test_the_report_can_be_stored_and_read_again() -> None:
    site = report(facts(HOME), facts(CONTACT, "/kontakt"))

    assert SiteReport.model_validate_json(site.model_dump_json()) == site


def test_one_of_a_list_of_hotels_is_not_who_is_behind_the_site() -> None:
    hotels = "".join(
        f'<div itemscope itemtype="http://schema.org/Hotel"><b itemprop="name">Hotel {name}</b></div>'
        for name in "abcd"
    )

    assert report(facts(hotels)).organization is None


def test_a_body_without_a_name_completes_the_one_that_has_it() -> None:
    named = '<script type="application/ld+json">{"@type":"Organization","name":"Acme"}</script>'
    logo = '<div itemscope itemtype="http://schema.org/Organization"><a itemprop="url" href="/"><img itemprop="logo" src="/l.png"></a></div>'

    organization = report(facts(named + logo)).organization

    assert organization is not None
    assert (organization.name, organization.logo) == ("Acme", "https://www.acme.de/l.png")
