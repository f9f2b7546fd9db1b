"""What a site says, put together from what its pages say: the best value of each field, each with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from extractor.models import Evidence, Found, Organization, PageFacts, SiteReport, Technology
from extractor.page import mailboxes
from extractor.page.document import host_of, registrable

MAX_EMAILS = 50
MAX_PHONES = 20
MAX_ADDRESSES = 20
MAX_TECHNOLOGIES = 100

_PLUGIN_FLAGS: Final = (
    "has_elementor",
    "has_divi",
    "has_woocommerce",
    "has_contact_form7",
    "has_yoast_seo",
    "has_wpforms",
)
#: Rules of phones that state a number on purpose: a link, structured data, a label.
_DELIBERATE_RANK = 3


def build_report(domain: str, max_pages: int, facts: Sequence[PageFacts]) -> SiteReport:
    """The report of a site from its pages in the order they were read, the home page first.

    Fields that only a fetch can know (pages, times, http, tls, robots) are left for the caller. Without a page that
    could be read, yes-or-no fields are None: unknown is not no.
    """
    report = SiteReport(domain=domain, max_pages=max_pages)
    _read_state(report, facts)
    pages = [
        page
        for page in facts
        if page.is_html and not page.soft_404 and page.blocked in (None, "coming_soon", "maintenance", "login")
    ]
    readable = [page for page in pages if page.blocked is None]
    if pages:
        _merge_contacts(report, pages)
        _merge_technologies(report, pages)
    if readable:
        _merge_head(report, readable)
        _merge_marks(report, readable)
        _merge_wordpress(report, readable)
    return report


def _read_state(report: SiteReport, facts: Sequence[PageFacts]) -> None:
    if not facts:
        return
    report.final_url = facts[0].url or None
    report.http_status = facts[0].status
    # A wall before one page of many is that page's; the site is blocked where nothing got through.
    if all(page.blocked for page in facts if page.is_html):
        report.blocked = next((page.blocked for page in facts if page.blocked), None)


# One value of many


def _merge_head(report: SiteReport, pages: list[PageFacts]) -> None:
    """The home page speaks for the site; other pages only where it is silent, and never with their own title."""
    home = pages[0]
    for field, candidates in (
        ("title", home.titles),
        ("description", home.descriptions),
        ("canonical_url", home.canonical_urls),
    ):
        _set_best(report, field, [(home, candidates)])
    for field, attribute in (
        ("language", "languages"),
        ("site_name", "site_names"),
        ("favicon_url", "favicons"),
        ("logo_url", "logos"),
    ):
        _set_best(report, field, [(page, getattr(page, attribute)) for page in pages])


def _set_best(report: SiteReport, field: str, candidates: Iterable[tuple[PageFacts, list[Found]]]) -> None:
    """The candidate of the most trusted rule; among equals the earliest page's."""
    best: tuple[int, int, PageFacts, Found] | None = None
    for position, (page, found) in enumerate(candidates):
        for value in found:
            if best is None or (value.rank, position) < best[:2]:
                best = (value.rank, position, page, value)
    if best:
        _, _, page, value = best
        setattr(report, field, value.value)
        report.evidence[field] = Evidence(url=page.url, how=value.how)


# Lists


def _merge_contacts(report: SiteReport, pages: list[PageFacts]) -> None:
    site = registrable(report.domain) if report.domain else ""
    emails = _by_value(pages, lambda page: page.emails)
    ordered = sorted(emails, key=lambda address: (*mailboxes.order(address, site), emails[address][1].rank))
    report.email_addresses = _with_evidence(report, "email_addresses", ordered[:MAX_EMAILS], emails)
    phones = _by_value(pages, lambda page: page.phones)
    counts = {number: sum(any(found.value == number for found in page.phones) for page in pages) for number in phones}
    ordered = sorted(
        phones, key=lambda number: (phones[number][1].rank >= _DELIBERATE_RANK, phones[number][1].rank, -counts[number])
    )
    report.phone_numbers = _with_evidence(report, "phone_numbers", ordered[:MAX_PHONES], phones)
    addresses = _by_value(pages, lambda page: page.addresses)
    report.physical_addresses = _with_evidence(report, "physical_addresses", _distinct(addresses), addresses)
    _merge_social(report, pages)
    _merge_organization(report, pages)


_Places = dict[str, tuple[PageFacts, Found]]


def _by_value(pages: list[PageFacts], read: Callable[[PageFacts], list[Found]]) -> _Places:
    """Each value with the page and rule that vouch best for it."""
    places: _Places = {}
    for page in pages:
        for found in read(page):
            if found.value not in places or found.rank < places[found.value][1].rank:
                places[found.value] = (page, found)
    return places


def _with_evidence(report: SiteReport, field: str, values: list[str], places: _Places) -> list[str]:
    for value in values:
        page, found = places[value]
        report.evidence[f"{field}:{value}"] = Evidence(url=page.url, how=found.how)
    return values


def _distinct(addresses: _Places) -> list[str]:
    """Addresses without those that only repeat a part of a better one."""
    kept: list[str] = []
    for text in sorted(addresses, key=lambda value: addresses[value][1].rank):
        key = _letters(text)
        if not any(key in _letters(known) or _letters(known) in key for known in kept):
            kept.append(text)
    return kept[:MAX_ADDRESSES]


def _letters(text: str) -> str:
    return "".join(
        character
        for character in text.lower().replace("straße", "str").replace("strasse", "str")
        if character.isalnum()
    )


def _merge_social(report: SiteReport, pages: list[PageFacts]) -> None:
    for network in sorted({name for page in pages for name in page.social_links}):
        places = _by_value(pages, lambda page, name=network: page.social_links.get(name, []))  # type: ignore[misc]
        counts = {
            value: sum(any(found.value == value for found in page.social_links.get(network, [])) for page in pages)
            for value in places
        }
        best = min(places, key=lambda value: (places[value][1].rank, -counts[value]))
        report.social_links[network] = best
        page, found = places[best]
        report.evidence[f"social_links:{network}"] = Evidence(url=page.url, how=found.how)


def _merge_organization(report: SiteReport, pages: list[PageFacts]) -> None:
    """The fullest description of the site's own body, its gaps filled from others of the same name."""
    found = [(page, organization) for page in pages for organization in page.organizations]
    if not found:
        return
    site = registrable(report.domain) if report.domain else ""
    page, best = max(found, key=lambda pair: _weight(pair[1], site))
    if _is_list_of_others([organization for _, organization in found], best):
        return
    merged = best.model_copy(deep=True)
    for _, other in found:
        is_same = (other.name or "").lower() == (best.name or "").lower() or (
            other.name is None and _is_own(other, site)
        )
        if other is not best and is_same:
            _fill_gaps(merged, other)
    report.organization = merged
    report.evidence["organization"] = Evidence(url=page.url, how=f"structured data {merged.type or 'Organization'}")


def _is_list_of_others(organizations: list[Organization], best: Organization) -> bool:
    """Whether the best of many bodies of one type is only one of a list: hotels to book, shops to visit."""
    return best.url is None and len({other.name for other in organizations if other.type == best.type}) >= _LIST


_LIST: Final = 4


def _weight(organization: Organization, site: str) -> tuple[bool, bool, int]:
    members = organization.model_dump(exclude={"type"}).values()
    is_likely = organization.url is None or _is_own(organization, site)
    return is_likely, organization.name is not None, sum(bool(value) for value in members)


def _is_own(organization: Organization, site: str) -> bool:
    """Whether its address is the site's."""
    return bool(site and organization.url) and registrable(host_of(organization.url or "")) == site


def _fill_gaps(organization: Organization, other: Organization) -> None:
    for field in Organization.model_fields:
        if not getattr(organization, field):
            setattr(organization, field, getattr(other, field))


# Technologies


def _merge_technologies(report: SiteReport, pages: list[PageFacts]) -> None:
    found: dict[str, tuple[PageFacts, Technology]] = {}
    for page in pages:
        for technology in page.technologies:
            known = found.get(technology.name)
            if known is None or (known[1].version is None and technology.version):
                found[technology.name] = (page, technology)
    for name in sorted(found, key=str.lower)[:MAX_TECHNOLOGIES]:
        page, technology = found[name]
        report.technologies.append(technology)
        report.evidence[f"technologies:{name}"] = Evidence(url=page.url, how="rule of technologies")


def _merge_marks(report: SiteReport, pages: list[PageFacts]) -> None:
    for field in ("feed_urls", "sitemap_urls", "google_analytics_ids", "google_tag_manager_ids"):
        for page in pages:
            for value in getattr(page, field):
                if value not in getattr(report, field):
                    getattr(report, field).append(value)
                    report.evidence[f"{field}:{value}"] = Evidence(url=page.url, how="markup")
    years = [(page.copyright_year, page) for page in pages if page.copyright_year]
    if years:
        year, page = max(years, key=lambda pair: pair[0])
        report.copyright_year = year
        report.evidence["copyright_year"] = Evidence(url=page.url, how="year next to a copyright sign")
    for field, how in (("has_cookie_notice", "cookie notice"), ("has_privacy_policy", "link to a privacy policy")):
        page_with = next((page for page in pages if getattr(page, field)), None)
        setattr(report, field, page_with is not None)
        if page_with:
            report.evidence[field] = Evidence(url=page_with.url, how=how)


def _merge_wordpress(report: SiteReport, pages: list[PageFacts]) -> None:
    marked = [page for page in pages if page.wordpress.marks]
    report.is_wordpress = bool(marked)
    for flag in _PLUGIN_FLAGS:
        page_with = next((page for page in marked if getattr(page.wordpress, flag)), None)
        setattr(report, flag, page_with is not None)
        if page_with:
            report.evidence[flag] = Evidence(url=page_with.url, how="markup of the plugin or theme")
    if not marked:
        return
    mark, seen = next(iter(marked[0].wordpress.marks.items()))
    report.evidence["is_wordpress"] = Evidence(url=marked[0].url, how=f"{mark}: {seen}"[:300])
    _set_first(
        report,
        "wordpress_version",
        ((page, how, version) for page in marked for version, how in page.wordpress.version_candidates.items()),
    )
    _set_first(
        report,
        "wordpress_theme",
        ((page, "path of a theme's file", theme) for page in marked for theme in _themes(page)),
    )
    _set_first(
        report, "elementor_version", ((page, "generator or asset", page.wordpress.elementor_version) for page in marked)
    )
    for page in marked:
        for plugin in page.wordpress.plugins:
            report.evidence.setdefault(
                f"wordpress_plugins:{plugin}", Evidence(url=page.url, how="path or markup of the plugin")
            )
    report.wordpress_plugins = sorted({plugin for page in marked for plugin in page.wordpress.plugins})
    _add_wordpress_technologies(report, marked)


def _themes(page: PageFacts) -> list[str]:
    """The child theme is the one in use; its parent is loaded too."""
    child = page.wordpress.child_theme
    themes = list(page.wordpress.themes)
    children = [theme for theme in themes if theme.endswith("-child") or "child" in theme.lower()]
    return [child] if child else children or themes


def _set_first(report: SiteReport, field: str, candidates: Iterable[tuple[PageFacts, str, str | None]]) -> None:
    for page, how, value in candidates:
        if value:
            setattr(report, field, value)
            report.evidence[field] = Evidence(url=page.url, how=how)
            return


def _add_wordpress_technologies(report: SiteReport, marked: list[PageFacts]) -> None:
    """WordPress and its builders belong among the technologies too, with the versions read here."""
    names = {technology.name: technology for technology in report.technologies}
    wanted: list[tuple[str, str | None, list[str], bool]] = [
        ("WordPress", report.wordpress_version, ["CMS", "Blog"], True),
        ("Elementor", report.elementor_version, ["Page builder"], bool(report.has_elementor)),
        ("Divi", None, ["Page builder"], bool(report.has_divi)),
        ("WooCommerce", _plugin_version(marked, "woocommerce"), ["Ecommerce"], bool(report.has_woocommerce)),
        ("Contact Form 7", _plugin_version(marked, "contact-form-7"), ["Form"], bool(report.has_contact_form7)),
        ("Yoast SEO", _plugin_version(marked, "wordpress-seo"), ["SEO"], bool(report.has_yoast_seo)),
        ("WPForms", _plugin_version(marked, "wpforms-lite"), ["Form"], bool(report.has_wpforms)),
        ("PHP", None, ["Programming language"], True),
    ]
    for name, version, categories, is_there in wanted:
        if not is_there:
            continue
        if name in names:
            names[name].version = names[name].version or version
        else:
            report.technologies.append(Technology(name=name, version=version, categories=categories))
            report.evidence[f"technologies:{name}"] = Evidence(url=marked[0].url, how="mark of WordPress")
    report.technologies.sort(key=lambda technology: technology.name.lower())


def _plugin_version(marked: list[PageFacts], slug: str) -> str | None:
    return next((version for page in marked if (version := page.wordpress.plugins.get(slug))), None)
