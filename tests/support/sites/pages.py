"""The pages of the well-behaved fixture sites, with what is to be found on them."""

from __future__ import annotations

PLAIN_PATHS = ("/", "/contact", "/about", "/impressum", "/services")


def page(title: str, body: str, *, head: str = "", language: str = "en") -> str:
    """A whole document."""
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>{head}</head>'
        f"<body>{body}</body></html>"
    )


WORDPRESS_HEAD = """
<meta name="generator" content="WordPress 6.8.2">
<meta name="description" content="Fresh bread from a wood-fired oven, baked every morning in Bristol.">
<meta property="og:site_name" content="Oak Street Bakery">
<link rel="canonical" href="https://wordpress-fixture.com/">
<link rel="icon" href="/wp-content/uploads/favicon-32x32.png" sizes="32x32">
<link rel="alternate" type="application/rss+xml" href="/feed/">
<link rel="https://api.w.org/" href="/wp-json/">
<link rel="stylesheet" href="/wp-content/themes/astra/style.css?ver=4.6.8">
<link rel="stylesheet" href="/wp-content/plugins/elementor/assets/css/frontend.min.css?ver=3.21.4">
<script src="/wp-content/plugins/contact-form-7/includes/js/index.js?ver=5.9"></script>
<script src="/wp-includes/js/jquery/jquery.min.js?ver=3.7.1"></script>
<script type="application/ld+json">{"@context":"https://schema.org","@type":"Bakery","name":"Oak Street Bakery",
"url":"https://wordpress-fixture.com/","telephone":"+44 117 496 0123","email":"hello@wordpress-fixture.com",
"address":{"@type":"PostalAddress","streetAddress":"12 Oak Street","addressLocality":"Bristol",
"postalCode":"BS1 4ST","addressCountry":"GB"},"sameAs":["https://www.instagram.com/oakstreetbakery"]}</script>
"""
_WORDPRESS_NAV = (
    '<header><img class="custom-logo" src="/wp-content/uploads/logo.svg" alt="Oak Street Bakery">'
    '<nav><a href="/">Home</a> <a href="/shop/">Shop</a> <a href="/about-us/">About us</a>'
    ' <a href="/contact/">Contact</a> <a href="/cart/">Cart</a> <a href="/menu.pdf">Menu</a></nav></header>'
)
_WORDPRESS_FOOTER = (
    '<footer><a href="https://www.facebook.com/oakstreetbakery">Facebook</a> <a href="/privacy-policy/">Privacy</a>'
    " © 2026 Oak Street Bakery</footer>"
)

WORDPRESS = {
    "/": page(
        "Oak Street Bakery",
        _WORDPRESS_NAV + '<main class="elementor elementor-2"><h1>Bread, every morning</h1></main>' + _WORDPRESS_FOOTER,
        head=WORDPRESS_HEAD,
    ),
    "/contact/": page(
        "Contact - Oak Street Bakery",
        _WORDPRESS_NAV
        + '<main><p>Write to <a href="mailto:orders@wordpress-fixture.com">orders@wordpress-fixture.com</a></p>'
        + '<p>Call <a href="tel:+441174960124">0117 496 0124</a></p></main>'
        + _WORDPRESS_FOOTER,
    ),
    "/about-us/": page("About us - Oak Street Bakery", _WORDPRESS_NAV + "<p>Since 1998.</p>" + _WORDPRESS_FOOTER),
    "/shop/": page("Shop - Oak Street Bakery", _WORDPRESS_NAV + "<p>Bread.</p>" + _WORDPRESS_FOOTER),
    "/privacy-policy/": page("Privacy", _WORDPRESS_NAV + "<p>privacy@wordpress-fixture.com</p>" + _WORDPRESS_FOOTER),
}

_GERMAN_FOOTER = '<footer><a href="/impressum">Impressum</a> <a href="/datenschutz">Datenschutz</a></footer>'
GERMAN = {
    "/": page(
        "Tischlerei Müller – Möbel nach Maß",
        '<nav><a href="/leistungen">Leistungen</a> <a href="/ueber-uns">Über uns</a>'
        ' <a href="/kontakt">Kontakt</a></nav><h1>Willkommen</h1>' + _GERMAN_FOOTER,
        head='<meta name="description" content="Möbel nach Maß aus München.">',
        language="de",
    ),
    "/impressum": page(
        "Impressum",
        "<h1>Impressum</h1><p>Tischlerei Müller GmbH<br>Sendlinger Straße 5<br>80331 München</p>"
        "<p>Telefon: 089 12345678<br>E-Mail: info [at] impressum-fixture [dot] de</p>"
        "<p>USt-IdNr.: DE123456789</p>" + _GERMAN_FOOTER,
        language="de",
    ),
    "/kontakt": page(
        "Kontakt", '<a href="mailto:kontakt@impressum-fixture.de">Schreiben Sie uns</a>' + _GERMAN_FOOTER, language="de"
    ),
    "/ueber-uns": page("Über uns", "<p>Seit 1962.</p>" + _GERMAN_FOOTER, language="de"),
    "/leistungen": page("Leistungen", "<p>Tische.</p>" + _GERMAN_FOOTER, language="de"),
    "/datenschutz": page("Datenschutz", "<p>datenschutz@impressum-fixture.de</p>" + _GERMAN_FOOTER, language="de"),
}

CLOUDFLARE_CHALLENGE = (
    '<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title>'
    '<meta name="robots" content="noindex,nofollow"></head><body><div class="main-wrapper" role="main">'
    '<h1 class="zone-name-title">blocked-fixture.com</h1><p>Checking if the site connection is secure</p>'
    "<script>window._cf_chl_opt={cvId:'3'};</script>"
    '<script src="/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page/v1"></script></div></body></html>'
)
SOFT_404 = page("Page not found", "<h1>404</h1><p>Sorry, the page you are looking for could not be found.</p>")


def plain_page(host: str, path: str, *, sections: int = 60) -> str | None:
    """One of the five pages of a plain site, of 150 bytes a section; None where there is no such page."""
    name = host.partition(".")[0].removesuffix("-fixture").replace("-", " ").title()
    number = sum(host.encode()) % 9_000 + 1_000
    nav = '<nav><a href="/contact">Contact</a> <a href="/about">About</a> <a href="/services">Services</a></nav>'
    footer = f'<footer><a href="/impressum">Imprint</a> <a href="https://x.com/{number}co">X</a> © 2026 {name}</footer>'
    filler = "".join(
        f"<section><h2>Offer {n}</h2><p>We make, mend and deliver things, on time, since 19{50 + n % 50}.</p>"
        f'<img src="/images/{n}.webp" alt="Thing {n}"></section>'
        for n in range(sections)
    )
    bodies = {
        "/": f"<h1>{name}</h1>{filler}",
        "/contact": f'<p><a href="mailto:info@{host}">info@{host}</a></p>'
        f'<p><a href="tel:+12125550{number % 900 + 100}">Call</a></p>',
        "/about": f"<p>{name} was founded in 1999.</p>{filler}",
        "/services": filler,
        "/impressum": f"<p>{name} Ltd<br>1 Main Street<br>New York, NY 10001<br>office@{host}</p>",
    }
    if path not in bodies:
        return None
    head = f'<meta name="description" content="{name}: things made well."><link rel="icon" href="/favicon.ico">'
    title = name if path == "/" else f"{path[1:].title()} - {name}"
    return page(title, nav + bodies[path] + footer, head=head)
