# ruff: noqa: E501 - pages stand as servers send them
"""One-line facts of a page: title, description, language, names, icons, logo, encodings, small marks."""

from __future__ import annotations

import json

import pytest

from extractor.models import PageFacts
from extractor.page import read_page


def page(html: str, url: str = "https://www.acme.de/", **headers: str) -> PageFacts:
    return read_page(html.encode(), url=url, headers={name.replace("_", "-"): value for name, value in headers.items()})


def first(found: list) -> str | None:  # type: ignore[type-arg]
    return found[0].value if found else None


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title>\n  Acme &amp;\n\tSons  </title>", "Acme & Sons"),
        ("<svg><title>Icon</title></svg><title>Acme</title>", "Acme"),
        ("<body><svg><title>Icon</title></svg></body>", None),
        ("<title></title><meta property='og:title' content='Acme'>", "Acme"),
        ("<title> </title><meta name='twitter:title' content='Acme'>", "Acme"),
        ("<TITLE>Acme</TITLE>", "Acme"),
        ("<title>A &lt;b&gt; &#8211; C</title>", "A <b> – C"),
        ("<title>A <b>bold</b> word</title>", "A <b>bold</b> word"),
        ("<title>Tom &amp;amp; Jerry</title>", "Tom & Jerry"),
        ("<title>Ac\u00adme\u202e \u200b</title>", "Acme"),
        ("<title>One</title><title>Two</title>", "One"),
        ("<!-- <title>No</title> --><title>Acme</title>", "Acme"),
        ("<script>var t='<title>No</title>'</script><title>Acme</title>", "Acme"),
        ("<body><h1>Acme <em>GmbH</em></h1></body>", "Acme GmbH"),
    ],
)
def test_the_title_is_the_pages_own(html: str, title: str | None) -> None:
    assert first(page(html).titles) == title


def test_a_title_of_ten_million_characters_is_cut() -> None:
    facts = page(f"<title>{'x' * 10_000_000}</title>")

    assert len(facts.titles[0].value) <= 300


@pytest.mark.parametrize(
    ("html", "description"),
    [
        ('<meta name="Description" content="Good bread">', "Good bread"),
        ('<META NAME="DESCRIPTION" CONTENT="Good bread">', "Good bread"),
        ("<meta content='Good\nbread' name=description>", "Good bread"),
        ('<meta name="description" content=""><meta property="og:description" content="Good bread">', "Good bread"),
        ('<meta name="og:description" content="Good bread">', "Good bread"),
        ('<meta name="twitter:description" content="Good bread">', "Good bread"),
        ("<p>none</p>", None),
    ],
)
def test_the_description_is_found_whatever_its_spelling(html: str, description: str | None) -> None:
    assert first(page(html).descriptions) == description


@pytest.mark.parametrize(
    ("html", "headers", "language"),
    [
        ('<html lang="de_DE">', {}, "de-DE"),
        ('<html lang="EN-us">', {}, "en-US"),
        ('<html lang="zh-hant-tw">', {}, "zh-Hant-TW"),
        ('<html xml:lang="fr">', {}, "fr"),
        ("<html>", {"Content_Language": "nl-NL, en"}, "nl-NL"),
        ('<meta http-equiv="content-language" content="it">', {}, "it"),
        ('<meta property="og:locale" content="pt_BR">', {}, "pt-BR"),
        ('<html lang="">', {}, None),
        ('<html lang="{{lang}}">', {}, None),
        (
            "<p>" + "Wir beraten Sie gerne und nehmen uns Zeit für Ihr Anliegen, denn das ist uns wichtig. " * 3,
            {},
            "de",
        ),
        (
            "<p>" + "The quality of our work is what you can see and what we are proud of, with all of this. " * 3,
            {},
            "en",
        ),
        ("<p>" + "当社は四十年以上にわたり品質と信頼を大切にしてまいりました。", {}, "ja"),
        ("<p>" + "Более сорока лет наше семейное предприятие означает качество.", {}, "ru"),
        (
            "<p>"
            + "Търся работа в големия град, където въздухът е чист и хората са добри. Обява за къща и кът за отдих, въпроси. "
            * 2,
            {},
            "bg",
        ),
        (
            "<p>" + "Hledáme pro vás to nejlepší a naše zboží je na skladě, které jsme do obchodu dovezli z hor. " * 2,
            {},
            "cs",
        ),
        (
            "<p>" + "Hľadáme pre vás to najlepšie a naša ponuka je na sklade, ktoré sú do obchodu dovezené z hôr. " * 2,
            {},
            "sk",
        ),
        (
            "<p>"
            + "Mes esame su jumis ir jūsų namuose, kad būtų gera, tai yra už kalną arba prie upės per žiemą. " * 2,
            {},
            "lt",
        ),
        ("<p>" + "فروش پارچه و چادر و گل در شهر ما با قیمت مناسب برای همه مشتریان گرامی ژاله " * 3, {}, "fa"),
        (
            "<p>"
            + "Anvils Hammers Tongs Steel Iron Copper Forge Bellows Gift cards " * 10
            + "the of and for you in your with our from",
            {},
            "en",
        ),
    ],
)
def test_the_language_is_declared_or_read_from_the_text(
    html: str, headers: dict[str, str], language: str | None
) -> None:
    assert first(page(html, **headers).languages) == language


@pytest.mark.parametrize(
    ("html", "icon"),
    [
        ('<link rel="shortcut icon" href="/a.ico">', "https://www.acme.de/a.ico"),
        (
            '<link rel="ICON" href="a.png" sizes="16x16"><link rel="icon" href="b.png" sizes="192x192">',
            "https://www.acme.de/b.png",
        ),
        (
            '<link rel="icon" href="a.png" sizes="32x32"><link rel="icon" href="b.svg" type="image/svg+xml">',
            "https://www.acme.de/b.svg",
        ),
        (
            '<link rel="apple-touch-icon" href="/touch.png" sizes="180x180"><link rel="icon" href="/a.ico">',
            "https://www.acme.de/a.ico",
        ),
        ('<link rel="apple-touch-icon" href="/touch.png">', "https://www.acme.de/touch.png"),
        (
            '<link rel="mask-icon" href="/m.svg"><link rel="apple-touch-icon" href="/t.png">',
            "https://www.acme.de/t.png",
        ),
        ('<link rel="icon" href="data:image/png;base64,AAAA">', "https://www.acme.de/favicon.ico"),
        ('<base href="https://cdn.acme.de/x/"><link rel="icon" href="a.png">', "https://cdn.acme.de/x/a.png"),
        ("<p>none</p>", "https://www.acme.de/favicon.ico"),
    ],
)
def test_the_best_declared_icon_wins_and_the_default_place_is_last(html: str, icon: str) -> None:
    assert first(page(html).favicons) == icon


@pytest.mark.parametrize(
    ("html", "logo"),
    [
        (
            '<script type="application/ld+json">{"@type":"Organization","name":"A","logo":{"@type":"ImageObject","url":"/ld.png"}}</script><header><img class="logo" src="/h.png"></header>',
            "/ld.png",
        ),
        (
            '<header><a href="/"><img src="/h.png" alt="Acme Logo"></a></header><meta property="og:image" content="/og.jpg">',
            "/h.png",
        ),
        ('<img class="custom-logo" src="/c.png">', "/c.png"),
        ('<div class="site-logo"><img src="/s.svg"></div>', "/s.svg"),
        ('<header><a href="https://www.acme.de/"><img src="/x.png"></a></header>', "/x.png"),
        ('<header><img class="logo" src="data:image/gif;base64,R0" data-src="/lazy.png"></header>', "/lazy.png"),
        (
            '<section class="partners"><img src="/partner-logo.png" alt="Logo"></section><meta property="og:image" content="/og.jpg">',
            "/og.jpg",
        ),
        ('<div id="logo"><a href="/"><img src="/i.png"></a></div>', "/i.png"),
        ('<p><img src="/wired-logo.png"></p><p><img src="/acme_logo.png"></p>', "/acme_logo.png"),
        ('<p><img src="/flash_logo.gif"></p><p><a href="/"><img src="/logo.gif"></a></p>', "/logo.gif"),
        (
            '<p><img src="/logowanie.png"><img src="/logout.gif"><img src="/blogo.gif"></p><meta property="og:image" content="/og.jpg">',
            "/og.jpg",
        ),
    ],
)
def test_the_logo_is_the_sites_own(html: str, logo: str) -> None:
    assert first(page(html).logos) == f"https://www.acme.de{logo}"


def test_the_site_name_is_declared_or_the_part_of_the_title_that_is_the_domain() -> None:
    assert (
        first(page("<title>Home | Bäckerei Krume</title>", "https://baeckerei-krume.de/").site_names)
        == "Bäckerei Krume"
    )
    assert first(page('<meta property="og:site_name" content="Acme"><title>x | Y</title>').site_names) == "Acme"
    assert first(page("<title>Anvils at Iron-Works.com: buy them</title>", "https://ironworks.com/").site_names) == (
        "Iron-Works.com"
    )
    assert first(page("<title>Iron Works Endowment for Peace</title>", "https://ironworks.com/").site_names) == (
        "Iron Works"
    )
    assert page("<title>Iron and Works</title>", "https://ironworks.com/").site_names == []


def test_the_canonical_address_is_made_absolute() -> None:
    assert first(page('<link rel="canonical" href="/de/">').canonical_urls) == "https://www.acme.de/de/"
    assert first(page("<p>x</p>", Link='<https://acme.de/>; rel="canonical"').canonical_urls) == "https://acme.de/"


@pytest.mark.parametrize(
    ("html", "year"),
    [
        ("<p>© 2018–2024 Acme</p>", 2024),
        ("<p>Copyright (c) 2009 by Acme</p>", 2009),
        ("<p>&copy; Acme 2023. All rights reserved.</p>", 2023),
        ("<p>2021 © Acme</p>", 2021),
        ("<p>Seit 1978. Preis 2024 EUR.</p>", None),
        ("<p>© 2019-23 Acme</p>", 2023),
    ],
)
def test_the_copyright_year_is_the_newest_next_to_the_sign(html: str, year: int | None) -> None:
    assert page(html).copyright_year == year


def test_measurement_ids_are_read_from_tags_and_not_from_words() -> None:
    facts = page(
        '<script async src="https://www.googletagmanager.com/gtag/js?id=G-ABC1234567"></script>'
        "<script>gtag('config','UA-1234567-1');gtag('config','AW-123456789');</script>"
        '<noscript><iframe src="https://www.googletagmanager.com/ns.html?id=GTM-ABC123"></iframe></noscript>'
        "<p>G-XYZ9876543 and GTM-ZZZ999 in words</p>"
    )

    assert facts.google_analytics_ids == ["G-ABC1234567", "UA-1234567-1"]
    assert facts.google_tag_manager_ids == ["GTM-ABC123"]


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://consent.cookiebot.com/uc.js"></script>',
        '<div id="cookie-notice" class="x">x</div>',
        "<div class='cmplz-cookiebanner'></div>",
        "<p>Diese Website verwendet Cookies.</p>",
        "<p>We use cookies to improve.</p>",
    ],
)
def test_a_cookie_notice_is_seen(html: str) -> None:
    assert page(html).has_cookie_notice


def test_a_bakers_cookies_are_no_cookie_notice() -> None:
    assert not page(
        "<h1>Cookies &amp; cakes</h1><p>Our cookies are baked daily.</p><a href='/cookies'>Cookies</a>"
    ).has_cookie_notice


@pytest.mark.parametrize(
    "text",
    [
        "Datenschutzerklärung",
        "Privacy Policy",
        "Politique de confidentialité",
        "Política de privacidad",
        "プライバシーポリシー",
        "KVKK",
    ],
)
def test_a_privacy_policy_is_known_in_many_languages(text: str) -> None:
    assert page(f'<a href="/x">{text}</a>').has_privacy_policy


def test_links_are_absolute_unique_and_know_their_place() -> None:
    facts = page(
        '<base href="https://www.acme.de/de/"><header><nav><a href="kontakt#form"> Kontakt\n</a></nav></header>'
        '<a href="javascript:void(0)">x</a><a href="mailto:a@acme.de">x</a><a href="tel:1">x</a><a href="#top">x</a>'
        '<a href="//cdn.acme.de/a.pdf" title="PDF"></a><footer><a href="/impressum">Impressum</a><a href="kontakt">K</a></footer>'
    )

    assert [(link.url, link.text, link.place) for link in facts.links] == [
        ("https://www.acme.de/de/kontakt", "Kontakt", "nav"),
        ("https://cdn.acme.de/a.pdf", "PDF", "main"),
        ("https://www.acme.de/impressum", "Impressum", "footer"),
    ]


def test_feeds_are_announced_and_those_of_comments_come_last() -> None:
    facts = page(
        '<link rel="alternate" type="application/rss+xml" href="/comments/feed/"><link rel="alternate" type="application/rss+xml" href="/feed/">'
        '<link rel="alternate" hreflang="en" href="/en/">'
    )

    assert facts.feed_urls == ["https://www.acme.de/feed/", "https://www.acme.de/comments/feed/"]


@pytest.mark.parametrize(
    ("body", "header", "charset", "title"),
    [
        ("<title>Müller</title>".encode(), "", "utf-8", "Müller"),
        ("<title>Müller</title>".encode("latin-1"), "text/html; charset=ISO-8859-1", "windows-1252", "Müller"),
        (
            "<meta charset=iso-8859-1><title>Müller – ok</title>".encode("cp1252"),
            "text/html",
            "windows-1252",
            "Müller – ok",
        ),
        ("<meta charset=iso-8859-1><title>Müller</title>".encode(), "", "utf-8", "Müller"),
        (
            "<meta charset=utf-8><title>Müller</title>".encode("latin-1"),
            "text/html; charset=latin1",
            "windows-1252",
            "Müller",
        ),
        (b"\xef\xbb\xbf" + "<title>Müller</title>".encode(), "text/html; charset=latin1", "utf-8", "Müller"),
        (b"\xff\xfe" + "<title>Müller</title>".encode("utf-16-le"), "", "utf-16le", "Müller"),
        (
            '<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS"><title>日本語</title>'.encode(
                "cp932"
            ),
            "",
            "shift_jis",
            "日本語",
        ),
        ("<meta charset=windows-1251><title>Привет</title>".encode("cp1251"), "", "windows-1251", "Привет"),
        ("<meta charset=gb2312><title>中文网站</title>".encode("gb18030"), "", "gbk", "中文网站"),
        (
            "<meta charset=gb2312><title>未名空间海外华人第一门户网站</title>".encode(),
            "",
            "utf-8",
            "未名空间海外华人第一门户网站",
        ),
        (b"<meta charset=unicode_escape><title>a\\x41b</title>", "text/html; charset=punycode", "utf-8", "a\\x41b"),
    ],
)
def test_the_encoding_is_found_as_browsers_find_it(body: bytes, header: str, charset: str, title: str) -> None:
    facts = read_page(body, url="https://acme.de/", headers={"Content-Type": header} if header else {})

    assert facts.charset == charset
    assert first(facts.titles) == title


def test_an_undeclared_old_encoding_is_detected() -> None:
    text = (
        "<html><title>Добро пожаловать</title><p>"
        + "Мы рады приветствовать вас на нашем сайте, здесь вы найдете всё о строительстве домов. " * 5
    )

    assert first(read_page(text.encode("cp1251"), url="https://acme.ru/").titles) == "Добро пожаловать"


def test_organisations_are_read_from_damaged_structured_data() -> None:
    data = (
        '/* <![CDATA[ */ {"@context":"https://schema.org","@graph":[{"@type":["Dentist"],"name":"Hill &amp; Top","telephone":"(503) 226-6700",'
        '"address":{"@type":"PostalAddress","streetAddress":"1 A St","addressLocality":"Portland","addressRegion":"OR","postalCode":"97205","addressCountry":"US",},},]} /* ]]> */'
    )

    [organization] = page(f'<script type="application/ld+json">{data}</script>').organizations

    assert organization.type == "Dentist"
    assert organization.name == "Hill & Top"
    assert organization.telephone == "+15032266700"
    assert organization.address is not None
    assert organization.address.text == "1 A St, Portland, OR 97205, US"


def test_microdata_rdfa_and_hcard_are_read_into_the_same_shape() -> None:
    microdata = '<div itemscope itemtype="http://schema.org/Bakery"><b itemprop="name">Krume</b><div itemprop="address" itemscope itemtype="http://schema.org/PostalAddress"><i itemprop="streetAddress">Weg 1</i><i itemprop="postalCode">10115</i><i itemprop="addressLocality">Berlin</i></div></div>'
    rdfa = '<div vocab="https://schema.org/" typeof="Bakery"><b property="name">Krume</b><div property="address" typeof="PostalAddress"><i property="streetAddress">Weg 1</i><i property="postalCode">10115</i><i property="addressLocality">Berlin</i></div></div>'
    hcard = '<div class="vcard"><b class="fn org">Krume</b><div class="adr"><i class="street-address">Weg 1</i><i class="postal-code">10115</i><i class="locality">Berlin</i></div></div>'

    for html in (microdata, rdfa, hcard):
        [organization] = page(html).organizations
        assert organization.name == "Krume"
        assert organization.address is not None
        assert organization.address.text == "Weg 1, 10115 Berlin"


@pytest.mark.parametrize(
    ("html", "url", "address"),
    [
        ("<p>Acme GmbH<br>Hauptstraße 5a<br>10115 Berlin</p>", "https://acme.de/", "Hauptstraße 5a, 10115 Berlin"),
        (
            "<p>Acme, Am Markt 3, 79117 Freiburg im Breisgau</p>",
            "https://acme.de/",
            "Am Markt 3, 79117 Freiburg im Breisgau",
        ),
        (
            "<address>Acme Ltd<br>12 Canal Road<br>Leeds<br>LS12 2TU<br>Tel: 0113 496 0000</address>",
            "https://acme.co.uk/",
            "Acme Ltd, 12 Canal Road, Leeds, LS12 2TU",
        ),
        (
            "<p>1250 W Broad St, Suite 200<br>Columbus, OH 43222</p>",
            "https://acme.com/",
            "1250 W Broad St, Suite 200, Columbus, OH 43222",
        ),
        (
            "<p>12 bis rue de la République<br>69002 Lyon</p>",
            "https://acme.fr/",
            "12 bis rue de la République, 69002 Lyon",
        ),
        ("<p>350 Fifth Avenue<br>New York, NY 10118</p>", "https://acme.com/", "350 Fifth Avenue, New York, NY 10118"),
        ("<p>10, rue de Rivoli 75004 Paris</p>", "https://acme.fr/", "10, rue de Rivoli, 75004 Paris"),
        ("<p>Oudegracht 158<br>3511 AZ Utrecht</p>", "https://acme.nl/", "Oudegracht 158, 3511 AZ Utrecht"),
        (
            "<p>Call (866) 687-5415<br>Left Right<br>2101 16th St NW<br>Washington, DC 20009-2103</p>",
            "https://acme.com/",
            "2101 16th St NW, Washington, DC 20009-2103",
        ),
        (
            "<p>© 2013 Acme College<br>765 Newman Springs Road<br>Lincroft, NJ 07738</p>",
            "https://acme.com/",
            "765 Newman Springs Road, Lincroft, NJ 07738",
        ),
        (
            "<address>Acme LLC<br>Okemos, MI 48864<br>(517) 618-1944</address>",
            "https://acme.com/",
            "Acme LLC, Okemos, MI 48864",
        ),
        ("<p>Via Roma, 81 16147 Genova T (+39) 010 1</p>", "https://acme.it/", "Via Roma, 81, 16147 Genova"),
        (
            "<p>1500 Rose Ave. Vaughan, ON L4K 3W1</p>",
            "https://acme.ca/",
            "1500 Rose Ave. Vaughan, ON L4K 3W1",
        ),
        (
            "<p>© 2015 Acme.com, All Rights Reserved. 2140 Merritt Dr | Garland, TX 75041</p>",
            "https://acme.com/",
            "2140 Merritt Dr, Garland, TX 75041",
        ),
        (
            "<p>750 University Avenue | Suite 200 | Los Gatos, CA 95032</p>",
            "https://acme.com/",
            "750 University Avenue, Suite 200, Los Gatos, CA 95032",
        ),
        (
            "<p>Registered office and place of the management: 1st Floor, Mill House, Speke Road, Liverpool L70 1AB.</p>",
            "https://acme.co.uk/",
            "1st Floor, Mill House, Speke Road, Liverpool, L70 1AB",
        ),
        (
            "<p>Acme Versand mbH Lübecker Straße 9 D-49124 Georgsmarienhütte</p>",
            "https://acme.de/",
            "Lübecker Straße 9, D-49124 Georgsmarienhütte",
        ),
        (
            "<p>© Acme GmbH + Co. KG W.-C.-Röntgen-Str. 2, 04509 Delitzsch</p>",
            "https://acme.de/",
            "W.-C.-Röntgen-Str. 2, 04509 Delitzsch",
        ),
        ("<p>Landstrasser Gürtel 3, 1030 Wien</p>", "https://acme.at/", "Landstrasser Gürtel 3, 1030 Wien"),
    ],
)
def test_postal_addresses_are_one_line(html: str, url: str, address: str) -> None:
    assert [found.value for found in page(html, url).addresses] == [address]


@pytest.mark.parametrize(
    "html",
    [
        "<address>© 2014 Acme Global. All rights reserved.</address>",
        "<address>Apache/2.4.7 (Ubuntu) Server at acme.com Port 80</address>",
        "<p>C. Raja Mohan January 26<br>2016 Indian Express</p>",
        "<p>Quarterly Study Q3 2014, 2015 Social Marketing Guide in Berg 3, 1010 WINS</p>",
        "<p>Sat. Dec 06, 1200 TC Sheet Sets</p>",
    ],
)
def test_what_only_has_digits_before_a_name_is_no_address(html: str) -> None:
    assert page(html, "https://acme.com/").addresses == []


def test_years_prices_and_names_are_no_addresses() -> None:
    assert (
        page(
            "<p>Im Jahr 2019 haben wir 12500 Kunden. Seite 5<br>1978 Gründung</p><address>By Jane Doe</address>"
        ).addresses
        == []
    )


def test_what_is_not_html_is_not_read() -> None:
    assert not read_page(b"%PDF-1.7 info@acme.de", url="https://acme.de/a.pdf").is_html
    assert not read_page(
        json.dumps({"email": "info@acme.de"}).encode(),
        url="https://acme.de/",
        headers={"Content-Type": "application/json"},
    ).is_html
    assert read_page(b"<p>info@acme.de</p>", url="https://acme.de/").is_html


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title>Home Page</title>", "Home Page"),
        ("<title>Home Page</title><h1>Acme</h1>", "Acme"),
    ],
)
def test_a_title_that_says_little_is_better_than_none(html: str, title: str) -> None:
    assert first(page(html).titles) == title


def test_a_body_without_a_name_is_kept_where_its_address_is_the_sites() -> None:
    def body(url: str) -> str:
        return (
            f'<div itemscope itemtype="http://schema.org/Organization"><a itemprop="url" href="{url}">'
            '<img itemprop="logo" src="/logo.png"></a></div>'
        )

    (own,) = page(body("/")).organizations

    assert (own.name, own.url, own.logo) == (None, "https://www.acme.de/", "https://www.acme.de/logo.png")
    assert page(body("https://other.de/")).organizations == []


@pytest.mark.parametrize(
    ("html", "name"),
    [
        ('<a itemprop="name" href="https://www.acme.de/">Acme Ltd</a>', "Acme Ltd"),
        ('<b itemprop="name">Copyright © 2005-2014 Acme Ltd</b>', "Acme Ltd"),
        ('<b itemprop="name">| Acme Ltd</b>', "Acme Ltd"),
    ],
)
def test_the_name_of_a_body_is_what_people_read(html: str, name: str) -> None:
    (body,) = page(f'<div itemscope itemtype="http://schema.org/Organization">{html}</div>').organizations

    assert body.name == name


def test_a_page_kept_by_an_archive_is_read_as_the_page_it_was() -> None:
    kept = "https://web.archive.org/web/20210916140120"
    html = (
        '<html><head><script src="/_static/js/bundle-playback.js"></script><title>Acme</title>'
        f'<link rel="canonical" href="{kept}/https://www.acme.de/"><link rel="icon" href="/web/20210916140120im_/https://www.acme.de/i.png">'
        f'</head><body><!-- BEGIN WAYBACK TOOLBAR INSERT --><a href="https://twitter.com/archive">x</a><!-- END WAYBACK TOOLBAR INSERT -->'
        f'<a href="{kept}/https://www.facebook.com/acme">f</a></body></html>'
    )

    facts = page(html, f"{kept}/https://www.acme.de/")

    assert first(facts.canonical_urls) == "https://www.acme.de/"
    assert first(facts.favicons) == "https://www.acme.de/i.png"
    assert {network: first(found) for network, found in facts.social_links.items()} == {
        "facebook": "https://www.facebook.com/acme"
    }
    assert (
        first(page(f'<link rel="canonical" href="{kept}/https://other.de/">').canonical_urls)
        == f"{kept}/https://other.de/"
    )
