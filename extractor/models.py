"""The documents of the extractor: what one page says (PageFacts), and what a site says (SiteReport).

Absent is None or an empty list, never a guess, and every value has its evidence.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Document(BaseModel):
    """Base: unknown keys are errors, so that a typing slip cannot lose a field."""

    model_config = ConfigDict(extra="forbid")


class Evidence(Document):
    """Where a value was found."""

    url: str = Field(description="The page it was read from.")
    how: str = Field(
        description="The rule it came from, for instance 'mailto link' or 'JSON-LD Organization.telephone'."
    )


class Technology(Document):
    """A product the site runs on."""

    name: str
    version: str | None = None
    categories: list[str] = Field(default_factory=list, description="For instance CMS, Ecommerce, Analytics, CDN.")


class PostalAddress(Document):
    """A postal address as the site writes it, in parts where it is marked up."""

    text: str = Field(description="The address on one line.")
    street: str | None = None
    postal_code: str | None = None
    locality: str | None = None
    region: str | None = None
    country: str | None = Field(default=None, description="ISO 3166 code where known, else as written.")


class Organization(Document):
    """Who is behind the site, from JSON-LD, microdata and Open Graph."""

    type: str | None = Field(default=None, description="The schema.org type, for instance Organization or Restaurant.")
    name: str | None = None
    legal_name: str | None = None
    description: str | None = None
    url: str | None = None
    logo: str | None = None
    telephone: str | None = Field(default=None, description="E.164 where it can be read as a number.")
    email: str | None = None
    address: PostalAddress | None = None
    same_as: list[str] = Field(default_factory=list)
    vat_id: str | None = None
    founding_date: str | None = None
    opening_hours: list[str] = Field(default_factory=list)


class PageRead(Document):
    """One page that was fetched."""

    url: str
    status: int | None = Field(description="The HTTP status, None if no answer came.")
    title: str | None = None
    bytes: int = Field(ge=0, description="Decoded size of the body.")
    ms: int = Field(ge=0, description="From the request to the last byte.")


class Robots(Document):
    """What robots.txt says to this program."""

    allowed: bool = True
    crawl_delay: float | None = Field(default=None, description="Seconds between requests.")


class HttpFacts(Document):
    """What the home page's response headers say."""

    server: str | None = None
    powered_by: str | None = None
    content_type: str | None = None
    protocol: str | None = Field(default=None, description="For instance HTTP/1.1.")
    hsts: bool = False


class TlsFacts(Document):
    """The certificate of the home page's connection."""

    issuer: str | None = None
    expires_at: datetime | None = None


class SiteReport(Document):
    """What a site says about itself: the result document, stored in ``domains.domain_metadata``."""

    domain: str
    final_url: str | None = None
    http_status: int | None = None
    max_pages: int
    pages: list[PageRead] = Field(default_factory=list)
    scanned_at: datetime | None = None
    duration_ms: int | None = None
    fetch_tier: Literal["direct", "standard", "render", "premium", "ultra_premium"] | None = None
    fetch_credits: int = Field(default=0, ge=0, description="What the paid service charged for this scan.")

    title: str | None = None
    description: str | None = None
    language: str | None = Field(default=None, description="BCP 47, for instance de or pt-BR.")
    site_name: str | None = None
    canonical_url: str | None = None
    favicon_url: str | None = None
    logo_url: str | None = None

    email_addresses: list[str] = Field(default_factory=list, description="Best first: same domain, then by likely use.")
    phone_numbers: list[str] = Field(default_factory=list, description="E.164, best first.")
    physical_addresses: list[str] = Field(default_factory=list, description="Postal addresses, each on one line.")
    social_links: dict[str, str] = Field(
        default_factory=dict, description="One profile for each network: facebook, x, linkedin, ..."
    )
    organization: Organization | None = None

    is_wordpress: bool | None = None
    wordpress_version: str | None = None
    wordpress_theme: str | None = None
    wordpress_plugins: list[str] = Field(default_factory=list)
    has_elementor: bool | None = None
    elementor_version: str | None = None
    has_divi: bool | None = None
    has_woocommerce: bool | None = None
    has_contact_form7: bool | None = None
    has_yoast_seo: bool | None = None
    has_wpforms: bool | None = None

    technologies: list[Technology] = Field(default_factory=list)
    sitemap_urls: list[str] = Field(default_factory=list)
    feed_urls: list[str] = Field(default_factory=list)
    robots: Robots | None = None
    copyright_year: int | None = None
    has_cookie_notice: bool | None = None
    has_privacy_policy: bool | None = None
    google_analytics_ids: list[str] = Field(default_factory=list)
    google_tag_manager_ids: list[str] = Field(default_factory=list)

    http: HttpFacts | None = None
    tls: TlsFacts | None = None
    evidence: dict[str, Evidence] = Field(
        default_factory=dict,
        description="By field; for members of a list or map by 'field:value': 'email_addresses:info@example.com'.",
    )
    blocked: str | None = Field(default=None, description="Why the site refused us (cloudflare, captcha, parked, ...).")


class Link(Document):
    """A link to follow: absolute http(s), without fragment."""

    url: str
    text: str = Field(description="Its visible text, else its title or aria-label; folded and capped.")
    place: Literal["header", "nav", "main", "footer", "head"] = "main"


class Found(Document):
    """One value on one page and the rule that found it; ``rank`` orders rules, 0 is the most trusted."""

    value: str
    how: str
    rank: int = 0


class WordPressFacts(Document):
    """The marks of WordPress on one page; without a mark everything is empty."""

    marks: dict[str, str] = Field(default_factory=dict, description="Mark of WordPress, to where it was seen.")
    version_candidates: dict[str, str] = Field(
        default_factory=dict, description="Version, to the rule that read it; the most trusted first."
    )
    themes: dict[str, str] = Field(default_factory=dict, description="Slug of a theme, to its version or ''.")
    child_theme: str | None = None
    plugins: dict[str, str] = Field(default_factory=dict, description="Slug of a plugin, to its version or ''.")
    has_elementor: bool = False
    elementor_version: str | None = None
    has_divi: bool = False
    has_woocommerce: bool = False
    has_contact_form7: bool = False
    has_yoast_seo: bool = False
    has_wpforms: bool = False


class PageFacts(Document):
    """What one page says. Plain data: it crosses a process border as JSON.

    Every scalar is a list of candidates, so that the best of all pages can be chosen when they are put together.
    """

    url: str
    status: int | None = None
    is_html: bool = True
    charset: str | None = None
    base_url: str | None = None
    links: list[Link] = Field(default_factory=list)
    noindex: bool = False
    soft_404: bool = False
    blocked: str | None = Field(
        default=None, description="The kind of block, login, parking or maintenance page it is."
    )

    titles: list[Found] = Field(default_factory=list)
    descriptions: list[Found] = Field(default_factory=list)
    languages: list[Found] = Field(default_factory=list)
    site_names: list[Found] = Field(default_factory=list)
    canonical_urls: list[Found] = Field(default_factory=list)
    favicons: list[Found] = Field(default_factory=list)
    logos: list[Found] = Field(default_factory=list)
    emails: list[Found] = Field(default_factory=list)
    phones: list[Found] = Field(default_factory=list)
    addresses: list[Found] = Field(default_factory=list)
    social_links: dict[str, list[Found]] = Field(default_factory=dict)
    organizations: list[Organization] = Field(default_factory=list)
    technologies: list[Technology] = Field(default_factory=list)
    feed_urls: list[str] = Field(default_factory=list)
    sitemap_urls: list[str] = Field(default_factory=list)
    google_analytics_ids: list[str] = Field(default_factory=list)
    google_tag_manager_ids: list[str] = Field(default_factory=list)
    copyright_year: int | None = None
    has_cookie_notice: bool = False
    has_privacy_policy: bool = False
    wordpress: WordPressFacts = Field(default_factory=WordPressFacts)
    truncated: bool = Field(default=False, description="The markup was cut at a bound before it was read.")
