# ruff: noqa: E501 - pages stand as servers send them
"""WordPress: decided by marks in markup and headers, never by words."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from extractor.models import WordPressFacts
from extractor.page import read_page


def wordpress(body: str, url: str = "https://www.acme.de/", headers: Mapping[str, str] = {}) -> WordPressFacts:
    return read_page(body.encode(), url=url, headers=headers).wordpress


@pytest.mark.parametrize(
    "html",
    [
        '<link rel="stylesheet" href="https://www.acme.de/wp-content/themes/astra/style.css">',
        '<script src="/wp-includes/js/jquery/jquery.min.js?ver=3.7.1"></script>',
        '<img src="wp-content/uploads/2020/01/a.jpg">',
        '<img data-src="https://cdn.acme.de/wp-content/uploads/a.jpg" src="data:image/gif;base64,x">',
        '<img src="https://i0.wp.com/www.acme.de/wp-content/uploads/a.jpg?w=10">',
        '<script src="https://c0.wp.com/c/6.4.3/wp-includes/js/jquery/jquery.min.js"></script>',
        '<link rel="stylesheet" href="https://d1abc.cloudfront.net/wp-content/themes/x/style.css">',
        '<meta name="generator" content="WordPress 6.4.3">',
        "<meta content='WordPress 6.4' name=generator>",
        '<META NAME="Generator" CONTENT="wordpress 6.4.3-beta1"/>',
        '<link rel="https://api.w.org/" href="https://www.acme.de/wp-json/">',
        '<link rel="EditURI" type="application/rsd+xml" href="https://www.acme.de/xmlrpc.php?rsd">',
        '<script>window._wpemojiSettings = {"source":{"concatemoji":"https:\\/\\/www.acme.de\\/wp-includes\\/js\\/wp-emoji-release.min.js?ver=6.4.3"}};</script>',
        '<body class="home page-id-12 wp-custom-logo wp-embed-responsive"><div class="wp-block-group"></div></body>',
    ],
)
def test_each_mark_alone_is_enough(html: str) -> None:
    assert wordpress(f"<html><head>{html}</head></html>").marks


@pytest.mark.parametrize(
    "headers",
    [{"Link": '<https://acme.de/wp-json/>; rel="https://api.w.org/"'}, {"X-Pingback": "https://acme.de/xmlrpc.php"}],
)
def test_a_header_is_enough(headers: dict[str, str]) -> None:
    assert wordpress("<html><body><p>Acme</p></body></html>", headers=headers).marks


@pytest.mark.parametrize(
    "html",
    [
        "<p>We love WordPress, wp-content and wp-includes. Elementor, Divi, WooCommerce, Yoast, WPForms!</p>",
        '<a href="https://wordpress.org/">WordPress</a><a href="/wp-content-guide">x</a>',
        '<a href="https://other.com/wp-content/uploads/a.pdf">PDF</a>',
        '<img src="https://other.com/wp-content/uploads/a.jpg">',
        "<pre>&lt;link href='/wp-content/themes/x/style.css'&gt; &lt;meta name=generator content='WordPress 6'&gt;</pre>",
        "<!-- <link href='/wp-content/themes/x/style.css'> <meta name=generator content='WordPress 6'> -->",
        '<meta name="description" content="WordPress 6.4 agency">',
        '<meta name="generator" content="Joomla! - better than WordPress">',
        '<img src="https://i0.wp.com/other.com/wp-content/uploads/a.jpg">',
        "<body class='elementor home blog'><div class='woocommerce'>x</div></body>",
        '<script>var a = "https://other.com/wp-content/plugins/x/y.js";</script>',
        '<img src="https://blog.acme.de/wp-content/uploads/teaser.jpg">',
        '<img src="https://blog.acme.de/wp-includes/images/smilies/icon_smile.gif">',
        '<img src="/magazine/wp-content/uploads/teaser.jpg">',
        '<img src="https://s2.wp.com/wp-content/themes/vip/other/favicon.png">',
        '<img src="/thumb.php?src=/wp-content/uploads/a.jpg">',
    ],
)
def test_a_page_that_mentions_it_is_not_made_with_it(html: str) -> None:
    facts = wordpress(html)

    assert facts == WordPressFacts()


@pytest.mark.parametrize(
    ("html", "version"),
    [
        ('<meta name="generator" content="WordPress 6.4.3">', "6.4.3"),
        ("<meta content='WordPress 6.5-beta2' name='generator' />", "6.5-beta2"),
        ("<meta name=generator content='WordPress 5.9.10'>", "5.9.10"),
        ('<link rel="stylesheet" href="/wp-includes/css/dist/block-library/style.min.css?ver=6.3.1">', "6.3.1"),
        (
            '<script>window._wpemojiSettings={"source":{"concatemoji":"https:\\/\\/www.acme.de\\/wp-includes\\/js\\/wp-emoji-release.min.js?ver=6.2"}}</script>',
            "6.2",
        ),
        ('<script src="https://c0.wp.com/c/6.1.1/wp-includes/js/x.js"></script>', "6.1.1"),
    ],
)
def test_the_version_is_read_from_whatever_states_it(html: str, version: str) -> None:
    assert next(iter(wordpress(html).version_candidates)) == version


def test_the_version_of_a_theme_or_of_jquery_is_not_the_cores() -> None:
    facts = wordpress(
        '<script src="/wp-includes/js/jquery/jquery.min.js?ver=3.7.1"></script>'
        '<link rel="stylesheet" href="/wp-content/themes/astra/style.css?ver=4.5.2">'
        '<link rel="stylesheet" href="/wp-content/plugins/elementor/assets/css/frontend.min.css?ver=3.18.3">'
    )

    assert facts.version_candidates == {}
    assert facts.themes == {"astra": "4.5.2"}
    assert facts.plugins == {"elementor": "3.18.3"}
    assert (facts.has_elementor, facts.elementor_version) == (True, "3.18.3")


def test_builders_and_plugins_are_seen_in_the_markup() -> None:
    facts = wordpress(
        "<!-- This site is optimized with the Yoast SEO plugin v21.7 - https://yoast.com -->"
        '<link rel="https://api.w.org/" href="/wp-json/"><meta name="generator" content="Elementor 3.18.3; features: x">'
        '<body class="woocommerce-page woocommerce"><div class="et_pb_section et_pb_section_0"></div>'
        '<form class="wpcf7-form init"></form><form class="wpforms-form"></form></body>'
    )

    assert facts.has_elementor
    assert facts.elementor_version == "3.18.3"
    assert facts.has_divi
    assert facts.has_woocommerce
    assert facts.has_contact_form7
    assert facts.has_wpforms
    assert facts.has_yoast_seo
    assert facts.plugins["wordpress-seo"] == "21.7"


def test_the_theme_of_a_hosted_blog_lies_one_folder_deeper() -> None:
    facts = wordpress(
        '<link rel="stylesheet" href="https://s0.wp.com/wp-content/themes/vip/acme-news/style.css">'
        '<link rel="stylesheet" href="https://s1.wp.com/wp-content/themes/h4/global.css">'
        '<script src="https://s1.wp.com/wp-content/themes/vip/plugins/x/y.js"></script>'
    )

    assert list(facts.themes) == ["acme-news"]


def test_a_date_behind_an_asset_of_the_core_is_no_version() -> None:
    facts = wordpress('<script src="/wp-includes/js/comment-reply.js?ver=20090102"></script>')

    assert facts.marks
    assert facts.version_candidates == {}


def test_folders_of_files_are_no_plugins_and_a_theme_of_another_maker_is_no_divi() -> None:
    facts = wordpress(
        '<script src="/wp-content/mu-plugins/js/utils.js"></script>'
        '<link rel="stylesheet" href="/wp-content/themes/extra/style.css">'
        '<link rel="stylesheet" href="/wp-content/themes/Acme%20Blog/style.css">'
    )

    assert facts.plugins == {}
    assert not facts.has_divi
    assert list(facts.themes) == ["extra", "Acme Blog"]


def test_parts_are_read_from_styles_and_from_the_network_that_keeps_the_files_of_a_page_of_wordpress() -> None:
    network = '<link rel="stylesheet" href="https://1493.pressablecdn.com/wp-content/plugins/jetpack/css/jetpack.css">'
    imported = "<style>@import url(https://www.acme.de/wp-content/themes/dark-2.0/style.css);</style>"

    facts = wordpress(network + imported)

    assert (list(facts.themes), list(facts.plugins)) == (["dark-2.0"], ["jetpack"])
    assert wordpress(network) == WordPressFacts()
