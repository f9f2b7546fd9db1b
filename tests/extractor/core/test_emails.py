# ruff: noqa: E501 - pages stand as servers send them
"""Addresses of e-mail: where they hide, and what only looks like one."""

from __future__ import annotations

import pytest

from extractor.page import read_page


def emails(body: str, url: str = "https://www.acme.de/") -> set[str]:
    html = f"<!doctype html><html lang=de><head><title>Acme</title></head><body>{body}</body></html>"
    return {found.value for found in read_page(html.encode(), url=url).emails}


def cloudflare(address: str, key: int = 0x2A) -> str:
    return f"{key:02x}" + "".join(f"{byte ^ key:02x}" for byte in address.encode())


ALPHABET = "b65hE04-@J.FdCUstR7QSOLVfrGeojkucNpnPKYvgA1z3BwmqXMai+ZDWl2Ty_8Hx9I"


def hidden(address: str) -> str:
    ordered = "".join(sorted(ALPHABET))
    return "".join(ALPHABET[ordered.index(letter)] for letter in address)


def typo3(address: str, offset: int) -> str:
    moved = ""
    for character in f"mailto:{address}":
        point = ord(character)
        for low, high in ((0x2B, 0x3A), (0x40, 0x5A), (0x61, 0x7A)):
            if low <= point <= high:
                point = low + (point - low + offset) % (high - low + 1)
                break
        moved += chr(point)
    return moved


@pytest.mark.parametrize(
    "body",
    [
        '<a href="mailto:info@acme.de">Mail</a>',
        '<a href="MAILTO:Info@ACME.de">Mail</a>',
        '<a href="mailto:info%40acme.de?subject=Hi&body=x">Mail</a>',
        '<a href="mailto: info@acme.de ">Mail</a>',
        '<a href="mailto://info@acme.de">Mail</a>',
        '<a href="mailto:Acme%20GmbH%20%3Cinfo@acme.de%3E">Mail</a>',
        '<a href="mailto:?to=info@acme.de">Mail</a>',
        '<a href="http://info@acme.de">Mail</a>',
        '<a href="info@acme.de">Mail</a>',
        "<p>Schreiben Sie an info@acme.de.</p>",
        "<p>E-Mail:info@acme.de</p>",
        "<p>&quot;info@acme.de&quot;</p>",
        "<p><b>info</b>@acme.de</p>",
        "<p>info<!-- x -->@<!-- y -->acme.de</p>",
        "<p>info<span>@</span>acme.de</p>",
        "<p>info@<wbr>acme.de</p>",
        "<p>in\u00adfo@ac\u200bme.de</p>",
        "<p>info<span style='display: none'>NOSPAM</span>@acme.de</p>",
        "<p>&#105;&#110;&#102;&#111;&#64;&#97;&#99;&#109;&#101;&#46;&#100;&#101;</p>",
        "<p>&#x69;nfo&#x40;acme&period;de</p>",
        "<p>info&commat;acme.de</p>",
        "<p>info [at] acme [dot] de</p>",
        "<p>info(at)acme.de</p>",
        "<p>info (at) acme (dot) de</p>",
        "<p>info{at}acme{dot}de</p>",
        "<p>info &lt;at&gt; acme.de</p>",
        "<p>info [ät] acme [punkt] de</p>",
        "<p>info(arobase)acme(point)de</p>",
        "<p>info arroba acme punto de</p>",
        "<p>info chiocciola acme punto de</p>",
        "<p>info[@]acme.de</p>",
        "<p>info @ acme.de</p>",
        "<p>info at acme dot de</p>",
        "<p>info_at_acme.de info (ät) acme.de</p>",
        f'<span data-cfemail="{cloudflare("info@acme.de")}">[email&#160;protected]</span>',
        f'<a href="/cdn-cgi/l/email-protection#{cloudflare("info@acme.de?subject=x")}">Mail</a>',
        f"<a href=\"javascript:linkTo_UnCryptMailto('{typo3('info@acme.de', 2)}');\">Mail</a>",
        f'<a href="#" data-mailto-token="{typo3("info@acme.de", -3)}" data-mailto-vector="-3">Mail</a>',
        '<a data-email="info@acme.de">Mail</a>',
        '<a data-user="info" data-domain="acme.de">Mail</a>',
        '<a data-name="info" data-domain="acme" data-tld="de">Mail</a>',
        '<a data-enc-email="vasb[at]npzr.qr">Mail</a>',
        '<a data-email="aW5mb0BhY21lLmRl">Mail</a>',
        '<span style="unicode-bidi:bidi-override; direction: rtl">ed.emca@ofni</span>',
        '<style>.r{direction:rtl;unicode-bidi:bidi-override}</style><span class="r">ed.emca@ofni</span>',
        '<bdo dir="rtl">ed.emca@ofni</bdo>',
        "<script>document.write('info' + '@' + 'acme.de')</script>",
        "<script>var u = 'info', d = 'acme.de'; document.write('<a href=\"mailto:' + u + '@' + d + '\">')</script>",
        "<script>var a='inf&#111;'+'&#64;';a=a+'acme'+'&#46;'+'de';document.getElementById('x').innerHTML=a</script>",
        "<script>location.href='mailto:'+String.fromCharCode(105,110,102,111,64,97,99,109,101,46,100,101)</script>",
        "<script>document.write(unescape('%69%6e%66%6f%40%61%63%6d%65%2e%64%65'))</script>",
        "<script>document.write('ed.emca@ofni'.split('').reverse().join(''))</script>",
        '<script>document.write("\\x69nfo\\u0040acme.de" + "")</script>',
        "<a href=\"#\" onclick=\"location.href='mailto:'+'info'+'@'+'acme.de'\">Mail</a>",
        '<script type="application/ld+json">{"@type":"Organization","name":"A","email":"mailto:info@acme.de"}</script>',
        '<div itemscope itemtype="https://schema.org/Store"><span itemprop="email">info@acme.de</span></div>',
        "<p>info@acme.deTelefon 030 1234567</p>",
        "<p>u003einfo@acme.de</p>",
        '<a href="mailto:%20info@acme.de">x</a>',
        "<noscript>info@acme.de</noscript>",
        '<script id="__NEXT_DATA__" type="application/json">{"props":{"contact":{"email":"info@acme.de","by":"dev@agency.io"}}}</script>',
        '<script>window.__STATE__ = "{\\"contactEmail\\":\\"info@acme.de\\"}"</script>',
        "<script>var pins = ['Phone: 1<br/><a href=\"mailto:info@acme.de\">Mail</a>']</script>",
        f'<script>eval("var a=\\"{ALPHABET}\\";var b=a.split(\\"\\").sort().join(\\"\\");var c=\\"{hidden("info@acme.de")}\\";document.getElementById(1).innerHTML=d")</script>',
        f'<script>eval("var a=\\"{ALPHABET}\\";var b=a.split(\\"\\").sort().join(\\"\\");var c=\\"{hidden("info@acme.de")}~\\";document.getElementById(1).innerHTML=d")</script>',
        '<meta http-equiv="Reply-To" content="info@acme.de"><p>x</p>',
        '<meta name="email" content="info@acme.de">',
        '<meta name="owner" content="info@acme.de">',
        '<link rel="author" href="mailto:info@acme.de?subject=x">',
        '<form><input type="hidden" name="recipient" value="info@acme.de"></form>',
        '<a href="/contact?mailto=info@acme.de&from=x">Mail</a>',
        "<p>Write to sales/info@acme.de</p>",
    ],
)
def test_an_address_is_found_in_whatever_spelling(body: str) -> None:
    assert emails(body) == {"info@acme.de"}


@pytest.mark.parametrize(
    "body",
    [
        '<img src="/img/logo@2x.png"><img srcset="a@3x.webp 3x"><p>logo@2x.png team@3x.jpg</p>',
        '<script>Sentry.init({dsn:"https://8d9a7c6b5e4f4a3b2c1d0e9f8a7b6c5d@o1234.ingest.sentry.io/5"})</script>',
        "<p>8d9a7c6b5e4f4a3b2c1d0e9f8a7b6c5d@sentry.io 605a7baede844d278b89dc95ae0a9123@sentry-next.wixpress.com</p>",
        "<p>user@example.com name@domain.com your@email.com john@doe.com email@address.com</p>",
        "<p>youremail@acme.de vorname.nachname@acme.de firstname.lastname@acme.de john.doe@gmail.com</p>",
        "<p>max.mustermann@acme.de, beispiel@acme.de, prenom.nom@acme.de</p>",
        "<p>npm i react@18.2.0 lodash@4.17.21 @acme/core@1.2.3</p>",
        '<input type="email" placeholder="you@acme.de"><input value="" placeholder="name@company.com">',
        '<a href="mailto:?subject=Look&body=https://www.acme.de">Share</a>',
        "<script>/*! library v1 | author@library.com | MIT */ var x = 1;</script>",
        "<script>var config = {user: 'a', host: 'db@internal.local'}</script>",
        "<p>git clone git@github.com:acme/site.git</p>",
        "<p>Look at acme dot com. We met at noon. Follow us @ acme</p>",
        "<p>a@b @@ foo@ @bar foo@bar foo@bar.invalidtld foo@1.2.3.4 x@-.de</p>",
        "<p>Twitter: @acme, Medium: medium.com/@acme</p>",
        '<link rel="stylesheet" href="https://fonts.googleapis.com/css2?family=Inter:wght@400;700&display=swap">',
        "<style>@media print{a:after{content:'x@y.de'}}</style>",
        "<!-- template by dev@agency.com -->",
        "<select><option>support@vendor.com</option></select><textarea>me@x.de</textarea>",
        "<p>Enter your address, e.g. john@agency.gov or (z. B. eva@firma-eins.de)</p>",
        "<p>see https://www.mail-archive.com/talk@lists.org/msg60447.html</p>",
        "<p>sent by mhei***@gmail.com, anon@anon.org, www.example@yahoo.com, yourfriend@gmail.com</p>",
        "<p>What she said at another point in the talk: no dot in it.</p>",
        '<form><input type="hidden" name="theme" value="dev@agency.io"></form><meta name="author" content="dev@agency.io">',
        '<a href="https://pay.example/profile?m=dev@agency.io">x</a>',
    ],
)
def test_what_only_looks_like_an_address_is_none(body: str) -> None:
    assert emails(body) == set()


def test_several_recipients_of_one_link_are_several_addresses() -> None:
    assert emails('<a href="mailto:a.meier@acme.de,b.kurz@acme.de;c.lang@acme.de?cc=x@acme.de">x</a>') == {
        "a.meier@acme.de",
        "b.kurz@acme.de",
        "c.lang@acme.de",
    }


def test_the_domain_is_kept_in_lower_case_and_as_it_is_written_in_mail_headers() -> None:
    assert emails("<p>Info@MÜLLER.de</p>") == {"info@xn--mller-kva.de"}


def test_a_site_whose_own_domain_serves_as_an_example_elsewhere_is_taken_for_real() -> None:
    assert emails("<p>info@example.com user@example.com</p>", "https://example.com/") >= {"info@example.com"}
    assert emails("<p>info@shop.test</p>", "https://www.shop.test/") == {"info@shop.test"}
