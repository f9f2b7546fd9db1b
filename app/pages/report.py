"""The result document as a person reads it: sections of labelled values, each with where it was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NETWORK_NAMES = {
    "x": "X",
    "linkedin": "LinkedIn",
    "youtube": "YouTube",
    "tiktok": "TikTok",
    "github": "GitHub",
    "whatsapp": "WhatsApp",
}
PLUGIN_MARKS = {
    "has_elementor": "Elementor",
    "has_divi": "Divi",
    "has_woocommerce": "WooCommerce",
    "has_contact_form7": "Contact Form 7",
    "has_yoast_seo": "Yoast SEO",
    "has_wpforms": "WPForms",
}
BLOCKED_WORDS = {
    "parked": "The domain is parked: there is no site behind it yet.",
    "maintenance": "The site shows a maintenance page instead of its content.",
    "login": "The site asks for a sign-in before it shows anything.",
}
GENERAL_BLOCK = (
    "The site answers browsers but turned this program away, so nothing was read from it. "
    "Look at it by hand, or turn on the paid fetch service."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value, how to show it, and where it comes from."""

    text: str
    kind: str = "text"  #: text, email, phone, url
    label: str | None = None
    url: str | None = None  #: the page that it was found on
    how: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A labelled line; it is left out where it has no values."""

    label: str
    values: list[Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A card."""

    id: str
    title: str
    entries: list[Entry]
    empty: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that the page shows of a result."""

    blocked: str | None
    sections: list[Section]
    pages: list[Mapping[str, Any]]
    facts: list[tuple[str, str]] = field(default_factory=list)


def describe(metadata: Mapping[str, Any]) -> Report:
    """Put a result document into words. Takes any document: a key that is missing or of another type is passed over."""
    reader = _Reader(metadata)
    return Report(
        blocked=_blocked(metadata.get("blocked")),
        sections=[_who(reader), _contact(reader), _technology(reader)],
        pages=[page for page in _list(metadata.get("pages")) if isinstance(page, dict)],
        facts=_facts(metadata),
    )


class _Reader:
    """Takes values out of a document, with their evidence."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self.metadata = metadata
        evidence = metadata.get("evidence")
        self._evidence: Mapping[str, Any] = evidence if isinstance(evidence, dict) else {}

    def value(self, text: Any, *keys: str, kind: str = "text", label: str | None = None) -> Value:
        found: Mapping[str, Any] = next(
            (self._evidence[key] for key in keys if isinstance(self._evidence.get(key), dict)), {}
        )
        return Value(text=str(text), kind=kind, label=label, url=found.get("url"), how=found.get("how"))

    def one(self, label: str, name: str, *, kind: str = "text") -> Entry:
        text = self.metadata.get(name)
        is_there = isinstance(text, str | int | float) and not isinstance(text, bool) and text != ""
        return Entry(label=label, values=[self.value(text, name, kind=kind)] if is_there else [])

    def many(self, label: str, name: str, *, kind: str = "text") -> Entry:
        texts = [text for text in _list(self.metadata.get(name)) if isinstance(text, str)]
        return Entry(label=label, values=[self.value(text, f"{name}:{text}", name, kind=kind) for text in texts])


def _who(reader: _Reader) -> Section:
    organization = reader.metadata.get("organization")
    organization = organization if isinstance(organization, dict) else {}
    names = [organization.get("legal_name"), organization.get("name")]
    name = next((text for text in names if isinstance(text, str) and text), None)
    founded = organization.get("founding_date")
    vat = organization.get("vat_id")
    entries = [
        reader.one("Title", "title"),
        reader.one("Description", "description"),
        Entry(label="Organisation", values=[reader.value(name, "organization")] if name else []),
        reader.one("Site name", "site_name"),
        reader.one("Language", "language"),
        Entry(label="VAT number", values=[reader.value(vat, "organization")] if isinstance(vat, str) else []),
        Entry(label="Founded", values=[reader.value(founded, "organization")] if isinstance(founded, str) else []),
        reader.one("Copyright year", "copyright_year"),
        reader.one("Address of the site", "final_url", kind="url"),
        reader.one("Logo", "logo_url", kind="url"),
        reader.one("Icon", "favicon_url", kind="url"),
    ]
    return _section("who", "Who they are", entries, "The pages say nothing about who is behind them.")


def _contact(reader: _Reader) -> Section:
    social = reader.metadata.get("social_links")
    profiles = [
        reader.value(
            url,
            f"social_links:{network}",
            f"social_links:{url}",
            "social_links",
            kind="url",
            label=network_name(network),
        )
        for network, url in (social if isinstance(social, dict) else {}).items()
        if isinstance(url, str)
    ]
    entries = [
        reader.many("E-mail", "email_addresses", kind="email"),
        reader.many("Phone", "phone_numbers", kind="phone"),
        reader.many("Address", "physical_addresses"),
        Entry(label="Profiles", values=profiles),
    ]
    return _section("contact", "How to reach them", entries, "No contact details were found on the pages read.")


def _technology(reader: _Reader) -> Section:
    metadata = reader.metadata
    wordpress = []
    if metadata.get("is_wordpress") is True:
        version = metadata.get("wordpress_version")
        wordpress = [reader.value(f"WordPress {version}" if version else "WordPress", "is_wordpress")]
    marks = [reader.value(name, key) for key, name in PLUGIN_MARKS.items() if metadata.get(key) is True]
    technologies = [
        reader.value(_technology_text(item), f"technologies:{item.get('name')}", "technologies")
        for item in _list(metadata.get("technologies"))
        if isinstance(item, dict) and item.get("name") and item.get("name") != "WordPress"
    ]
    entries = [
        Entry(label="System", values=wordpress),
        reader.one("Theme", "wordpress_theme"),
        reader.many("Plugins", "wordpress_plugins"),
        Entry(label="Built with", values=marks),
        Entry(label="Technologies", values=technologies),
        reader.many("Google Analytics", "google_analytics_ids"),
        reader.many("Google Tag Manager", "google_tag_manager_ids"),
    ]
    return _section("technology", "What they run on", entries, "No known technology was recognised.")


def _technology_text(item: Mapping[str, Any]) -> str:
    return " ".join(str(item[key]) for key in ("name", "version") if item.get(key))


def network_name(network: str) -> str:
    """A social network's name as it writes itself."""
    return NETWORK_NAMES.get(network, network.capitalize())


def _section(name: str, title: str, entries: list[Entry], empty: str) -> Section:
    return Section(id=name, title=title, entries=[entry for entry in entries if entry.values], empty=empty)


def _facts(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Small facts about the answer itself."""
    http, tls, robots = (_dict(metadata.get(key)) for key in ("http", "tls", "robots"))
    delay = robots.get("crawl_delay")
    may = {True: "may be read", False: "asks not to be read"}.get(robots.get("allowed"))  # type: ignore[arg-type]
    pairs = [
        ("Server", http.get("server")),
        ("Powered by", http.get("powered_by")),
        ("Status", metadata.get("http_status")),
        ("Certificate by", tls.get("issuer")),
        ("Certificate until", str(tls.get("expires_at") or "")[:10]),
        ("robots.txt", f"{may}, {delay:g} s between requests" if may and isinstance(delay, int | float) else may),
        ("Sitemaps", ", ".join(str(url) for url in _list(metadata.get("sitemap_urls"))[:3])),
        ("Feeds", ", ".join(str(url) for url in _list(metadata.get("feed_urls"))[:3])),
        ("Cookie notice", _yes(metadata.get("has_cookie_notice"))),
        ("Privacy policy", _yes(metadata.get("has_privacy_policy"))),
        ("Fetched", metadata.get("fetch_tier")),
        ("Credits spent", metadata.get("fetch_credits")),
        ("Time taken", f"{metadata['duration_ms'] / 1000:.1f} s" if _is_number(metadata.get("duration_ms")) else None),
    ]
    return [(label, str(text)) for label, text in pairs if text]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _yes(value: Any) -> str | None:
    return "yes" if value is True else None


def _blocked(kind: Any) -> str | None:
    return BLOCKED_WORDS.get(kind, GENERAL_BLOCK) if isinstance(kind, str) and kind else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
