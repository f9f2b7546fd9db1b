"""The normaliser: what a person pastes in, and everything that only looks like a name."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractor.address import SENTENCES, is_same_site, normalise_domain, registrable_domain
from extractor.errors import AddressError

ACCEPTED = {
    "example.com": "example.com",
    "EXAMPLE.Com": "example.com",
    "  example.com\t": "example.com",
    "example.com.": "example.com",
    "www.example.com": "example.com",
    "WWW.example.com": "example.com",
    "www.www.example.com": "example.com",
    "www.com": "www.com",
    "https://www.com/": "www.com",
    "www.co.uk": "www.co.uk",
    "www.gov.uk": "www.gov.uk",
    "https://www.co.uk.": "www.co.uk",
    "shop.example.co.uk": "shop.example.co.uk",
    "http://example.com": "example.com",
    "HTTPS://WWW.Example.COM:443/a/b?c=d#e": "example.com",
    "http://example.com:80": "example.com",
    "example.com:443": "example.com",
    "example.com:": "example.com",
    "//example.com/path": "example.com",
    "example.com/path": "example.com",
    "example.com?x=1": "example.com",
    "example.com#top": "example.com",
    "example.com/a b": "example.com",
    "example.com/100%": "example.com",
    "medium.com/@somebody": "medium.com",
    "foo--bar.com": "foo--bar.com",
    "r3---sn-4g5e6nz7.googlevideo.com": "r3---sn-4g5e6nz7.googlevideo.com",
    "xn--mnchen-3ya.de": "xn--mnchen-3ya.de",
    "münchen.de": "xn--mnchen-3ya.de",
    "MÜNCHEN.DE": "xn--mnchen-3ya.de",
    "mu\u0308nchen.de": "xn--mnchen-3ya.de",
    "faß.de": "xn--fa-hia.de",
    "例え.jp": "xn--r8jz45g.jp",
    "example\u3002com": "example.com",
    "ｅｘａｍｐｌｅ.com": "example.com",
    "пример.рф": "xn--e1afmkfd.xn--p1ai",
    "3m.com": "3m.com",
    "1and1.1and1.de": "1and1.1and1.de",
    "github.io": "github.io",
    "www.github.io": "github.io",
    "somebody.github.io": "somebody.github.io",
    "example.org": "example.org",
    "mailing.com": "mailing.com",
    "localhost.com": "localhost.com",
    "a." * 124 + "a.com": "a." * 124 + "a.com",
    "a" * 63 + ".com": "a" * 63 + ".com",
    "new.brandnewending": "new.brandnewending",
}

REFUSED = {
    "": "empty",
    " \n ": "empty",
    "a" * 3000: "too_long",
    "exam\nple.com": "control_character",
    "a.com\nb.com": "control_character",
    "example.com/\x07": "control_character",
    "127.0.0.1\0.example.com": "control_character",
    "loc\u00adalhost": "control_character",
    "exam\u200bple.com": "control_character",
    "\u202eexample.com": "control_character",
    "exam\ud800ple.com": "control_character",
    "example .com": "space",
    "example com": "space",
    "evil.com\\@example.com": "backslash",
    "evil.com\\example.com": "backslash",
    "http:\\\\example.com": "backslash",
    "ex%61mple.com": "percent",
    "127.0.0.1%2f.example.com": "percent",
    "ftp://example.com": "scheme",
    "file:///etc/passwd": "scheme",
    "gopher://example.com": "scheme",
    "javascript:alert(1)": "scheme",
    "data:text/html,x": "scheme",
    "javascript://example.com/%0aalert(1)": "scheme",
    "http:/example.com": "malformed_url",
    "http:example.com": "malformed_url",
    "http:///example.com": "malformed_url",
    "http://": "malformed_url",
    "://example.com": "malformed_url",
    "/example.com": "malformed_url",
    "http://user:secret@example.com": "userinfo",
    "http://user@example.com": "userinfo",
    "user:secret@example.com": "userinfo",
    "http://example.com@127.0.0.1": "userinfo",
    "info@example.com": "email_address",
    "mailto:info@example.com": "email_address",
    "example.com:8080": "port",
    "http://example.com:22": "port",
    "example.com:0": "port",
    "example.com:99999": "port",
    "example.com:http": "port",
    "example.com:80:80": "port",
    "example.com:８０": "port",
    "127.0.0.1": "ip_address",
    "http://127.0.0.1/": "ip_address",
    "127.0.0.1:80": "ip_address",
    "8.8.8.8": "ip_address",
    "127.1": "ip_address",
    "0": "ip_address",
    "2130706433": "ip_address",
    "0x7f000001": "ip_address",
    "0X7F.0.0.1": "ip_address",
    "0177.0.0.1": "ip_address",
    "017700000001": "ip_address",
    "127.0.0.1.": "ip_address",
    "１２７.０.０.１": "ip_address",
    "①②⑦.⓪.⓪.①": "ip_address",
    "127\u30020\u30020\u30021": "ip_address",
    "[::1]": "ip_address",
    "http://[::1]:80/": "ip_address",
    "::1": "ip_address",
    "::ffff:127.0.0.1": "ip_address",
    "[::ffff:7f00:1]": "ip_address",
    "fe80::1%lo": "percent",
    "2001:db8::1": "ip_address",
    "999.999.999.999": "ip_address",
    "example.123": "ip_address",
    "example.0x1f": "ip_address",
    "localhost": "special_use_name",
    "LOCALHOST": "special_use_name",
    "localhost:80": "special_use_name",
    "localhost.": "special_use_name",
    "foo.localhost": "special_use_name",
    "localhost.localdomain": "special_use_name",
    "ip6-localhost": "special_use_name",
    "ⅼocalhost": "special_use_name",
    "ｌｏｃａｌｈｏｓｔ": "special_use_name",
    "printer.local": "special_use_name",
    "metadata.google.internal": "special_use_name",
    "kubernetes.default.svc.cluster.local": "special_use_name",
    "foo.test": "special_use_name",
    "foo.invalid": "special_use_name",
    "foo.example": "special_use_name",
    "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion": "special_use_name",
    "router.home.arpa": "special_use_name",
    "1.0.0.127.in-addr.arpa": "special_use_name",
    "nas.lan": "special_use_name",
    "intranet.corp": "special_use_name",
    "nas.home": "special_use_name",
    "wiki.intranet": "special_use_name",
    "foo.alt": "special_use_name",
    "intranet": "special_use_name",
    "intraweb": "single_label",
    "com": "single_label",
    "co.uk": "public_suffix",
    "gov.uk": "public_suffix",
    "a" * 64 + ".com": "label_too_long",
    "ü" * 70 + ".de": "label_too_long",
    "a." * 125 + "aa.com": "name_too_long",
    ".example.com": "invalid_name",
    "example..com": "invalid_name",
    "example.com..": "invalid_name",
    "-example.com": "invalid_name",
    "example-.com": "invalid_name",
    "*.example.com": "invalid_name",
    "_dmarc.example.com": "invalid_name",
    "exa_mple.com": "invalid_name",
    "example,com": "invalid_name",
    "<example.com>": "invalid_name",
    "℀.com": "invalid_name",
    "xn--zzzzzz.com": "invalid_idn",
    "xn--a.com": "invalid_idn",
    "\u0301bc.com": "invalid_idn",
}


@pytest.mark.parametrize(("text", "host"), ACCEPTED.items())
def test_what_people_paste_becomes_the_canonical_host(text: str, host: str) -> None:
    assert normalise_domain(text) == host
    assert normalise_domain(host) == host


@pytest.mark.parametrize(("text", "code"), REFUSED.items())
def test_what_is_no_public_name_is_refused_with_its_own_code(text: str, code: str) -> None:
    with pytest.raises(AddressError) as refused:
        normalise_domain(text)

    assert refused.value.code == code
    assert refused.value.message == SENTENCES[code]


@pytest.mark.parametrize("value", [None, 7, b"example.com", ["example.com"]])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(AddressError) as refused:
        normalise_domain(value)  # type: ignore[arg-type]

    assert refused.value.code == "not_text"


def test_every_code_has_a_test_and_a_sentence() -> None:
    assert set(REFUSED.values()) | {"not_text"} == set(SENTENCES)
    assert all(sentence.endswith(".") and len(sentence) > 20 for sentence in SENTENCES.values())


@given(st.text(max_size=300) | st.text(st.sampled_from("abcAZ019.-:/@[]\\%?#。١xn ﹒ü\u200d"), max_size=60))
def test_any_text_gives_a_canonical_name_or_an_address_error(text: str) -> None:
    try:
        host = normalise_domain(text)
    except AddressError:
        return
    assert normalise_domain(host) == host
    assert host.isascii()
    assert host == host.lower()
    assert len(host) <= 253
    assert all(1 <= len(label) <= 63 for label in host.split("."))
    assert not host.split(".")[-1].isdigit()


@pytest.mark.parametrize("text", ["ü" * 2048, "a.ü" * 600, "xn--" + "a" * 2000 + ".com", "￿" * 2000, "１." * 1000])
def test_long_hostile_names_are_decided_quickly(text: str) -> None:
    started = time.process_time()
    with pytest.raises(AddressError):
        normalise_domain(text)

    assert time.process_time() - started < 1.0


def test_the_registered_name_is_found_by_public_suffix() -> None:
    assert registrable_domain("a.b.example.co.uk") == "example.co.uk"
    assert registrable_domain("somebody.github.io") == "somebody.github.io"
    assert is_same_site("www.example.com", "shop.example.com")
    assert not is_same_site("one.github.io", "two.github.io")
    assert not is_same_site("example.com", "notexample.com")
    assert not is_same_site("example.co.uk", "other.co.uk")
