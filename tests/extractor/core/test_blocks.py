# ruff: noqa: E501 - pages stand as servers send them
"""Walls, placeholders and false 404s are recognised; ordinary pages are not taken for one."""

from __future__ import annotations

import pytest

from extractor.page import read_page
from extractor.report import build_report

TEXT = "<p>" + "We have made anvils in Ohio since 1949 and ship them to every county of the country. " * 3 + "</p>"


@pytest.mark.parametrize(
    ("html", "kind"),
    [
        ("<title>Just a moment...</title><script>window._cf_chl_opt={}</script>", "cloudflare"),
        ("<title>Attention Required! | Cloudflare</title><div id='cf-wrapper'></div>", "cloudflare"),
        (
            '<title>Access Denied</title><h1>Access Denied</h1>You don\'t have permission to access "/" on this server. Reference #18.5e7b',
            "akamai",
        ),
        ("<title>Pardon Our Interruption</title>", "imperva"),
        ("<iframe src='/_Incapsula_Resource?x'>Request unsuccessful.</iframe>", "imperva"),
        ("<script src='https://ct.captcha-delivery.com/c.js'></script>", "datadome"),
        ("<title>Robot or human?</title>", "perimeterx"),
        ("<title>Robot Check</title>", "captcha"),
        ("<title>403 Forbidden</title><h1>403 Forbidden</h1>", "denied"),
        ("<title>Access denied</title><p>Error 1020</p>", "denied"),
        ("<title>acme.com</title><p>This domain is for sale! Buy this domain.</p>", "parked"),
        ("<script src='https://www.google.com/adsense/domains/caf.js'></script><p>Related searches</p>", "parked"),
        ("<title>acme.com is for sale | HugeDomains</title>", "parked"),
        ("<iframe src='https://dan.com/buy-domain/acme.com'></iframe>", "parked"),
        ("<title>Coming Soon</title>", "coming_soon"),
        ("<title>Acme</title><h1>Unsere Webseite befindet sich im Aufbau</h1>", "coming_soon"),
        ("<title>Site en maintenance</title>", "maintenance"),
        (
            "<title>Welcome to nginx!</title><p>If you see this page, the nginx web server is successfully installed",
            "default_page",
        ),
        ("<title>Apache2 Debian Default Page: It works</title>", "default_page"),
        ("<title>IIS Windows Server</title>", "default_page"),
        ("<title>Index of /</title><h1>Index of /</h1>", "default_page"),
        ("<title>Account Suspended</title>", "suspended"),
    ],
)
def test_a_wall_is_named_and_never_becomes_a_title(html: str, kind: str) -> None:
    facts = read_page(html.encode(), url="https://acme.com/", status=200)
    report = build_report("acme.com", 1, [facts])

    assert facts.blocked == kind
    assert report.blocked == kind
    assert (report.title, report.description, report.is_wordpress) == (None, None, None)


@pytest.mark.parametrize(
    "html",
    [
        f"<title>Acme</title>{TEXT}<script src='/cdn-cgi/scripts/5c5dd728/cloudflare-static/email-decode.min.js'></script>",
        f"<title>Acme</title>{TEXT}<script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script>",
        f"<title>How Cloudflare stops bots</title>{TEXT}<p>Just a moment... is the title of its challenge.</p>",
        "<title>Acme</title><h1>Agents</h1><p>Please ask for your password if you have none. We write to the address that you gave us, on every working day.</p><script src='/_Incapsula_Resource?SWJIYLWA=7'></script>",
        f"<title>Acme</title>{TEXT}<form class='g-recaptcha'><input name='q'></form>",
        f"<title>Acme</title>{TEXT}<p>Our new shop is coming soon.</p>",
        f"<title>Road maintenance in Ohio</title>{TEXT}{TEXT}{TEXT}{TEXT}{TEXT}{TEXT}",
        "<title>Acme</title><p>Short but real.</p>",
        f"<title>Acme parking garages</title>{TEXT}",
        f"<title>Vesta Partners</title>{TEXT}",
        f"<title>Hestia Hotel</title>{TEXT}",
        f"<title>Website Maintenance Services | Acme</title>{TEXT}",
        f"<title>Jordan</title>{TEXT}<img src='https://jordan.com/public/x.png'>",
        "<title>Acme</title><noscript>You need to enable JavaScript to run this app.</noscript><div id='root'></div>",
        f"<title>Houses for sale in Ohio</title>{TEXT}<p>This house is for sale.</p>",
        f"<title>Acme Hosting</title>{TEXT}<p>Error 403? Access denied? We help.</p>" + TEXT * 3,
    ],
)
def test_an_ordinary_page_is_no_wall(html: str) -> None:
    assert read_page(html.encode(), url="https://acme.com/", status=200).blocked is None


@pytest.mark.parametrize(
    "html",
    [
        "<title>404 Not Found | Acme</title>",
        "<title>Page not found – Acme</title>",
        "<title>Acme - 404</title>",
        "<title>404</title>",
        f"<title>404 Error | Acme</title>{TEXT * 9}",
        "<title>Seite nicht gefunden - Acme</title>",
        "<title>Page introuvable</title>",
        "<title>Página no encontrada</title>",
        "<title>Pagina non trovata</title>",
        "<title>Strona nie istnieje</title>",
        "<title>ページが見つかりません</title>",
        "<body class='error404'><title>Acme</title></body>",
        "<title>Acme</title><h1>Oops! That page can’t be found.</h1>".replace("’", "'"),
        "<title>Acme</title><p>Diese Seite existiert leider nicht.</p>",
    ],
)
def test_a_page_that_says_it_is_missing_is_a_soft_404(html: str) -> None:
    assert read_page(html.encode(), url="https://acme.com/x", status=200).soft_404


@pytest.mark.parametrize(
    "title", ["Acme 4040 anvils", "404 Media", "The 404 1,310: a podcast | The 404 Podcast", "Peugeot 404 Coupé"]
)
def test_an_ordinary_page_is_no_soft_404(title: str) -> None:
    html = f"<title>{title}</title>{TEXT}"

    assert not read_page(html.encode(), url="https://acme.com/", status=200).soft_404


def test_a_site_under_construction_still_says_whom_to_write_to() -> None:
    html = b"<title>Coming soon</title><p>hello@acme.com</p>"

    report = build_report("acme.com", 1, [read_page(html, url="https://acme.com/")])

    assert (report.title, report.blocked, report.email_addresses) == (None, "coming_soon", ["hello@acme.com"])
