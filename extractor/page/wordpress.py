# ruff: noqa: E501 - patterns and word lists are read by their members, not by their width
"""Whether a page is made by WordPress, and what with: decided by marks in markup and headers, never by words.

A mark is something only WordPress writes about the page's own site. Pictures from another site's /wp-content/, links to
wordpress.org and articles about WordPress are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote, urlsplit

from extractor.models import WordPressFacts
from extractor.page.document import Document, host_of, registrable
from extractor.words import TAG_WORDS

_PATH = re.compile(r"/wp-(?:content|includes)/")
#: wordpress.com keeps its themes one folder deeper, and code that is no theme beside them.
_THEME = re.compile(
    r"/wp-content/themes/(?:(?:pub|premium|vip)/)?(?!(?:pub|premium|vip|a8c|h4|plugins)/)([A-Za-z0-9_.%-]{1,80})/"
)
_PLUGIN = re.compile(
    r"/wp-content/(?:mu-)?plugins/(?!(?:js|css|images?|img|assets|includes?|lib)/)([A-Za-z0-9_.-]{1,80})/"
)
_CORE_VERSION = re.compile(r"\d\.\d")
_QUERY_VERSION = re.compile(r"[?&]ver=(\d+(?:\.\d+){0,3}(?:-[A-Za-z0-9.]{1,12})?)(?=&|$|#)")
_GENERATOR = re.compile(r"\s*WordPress(?:\.com)?(?:\s+(\d+(?:\.\d+){1,3}(?:-[A-Za-z0-9.]{1,20})?))?", re.IGNORECASE)
_ELEMENTOR = re.compile(r"Elementor\s+(\d+(?:\.\d+){1,3}(?:-[A-Za-z0-9.]{1,20})?)", re.IGNORECASE)
_DIVI = re.compile(r"Divi\s+v\.?\s?(\d+(?:\.\d+){1,3})", re.IGNORECASE)
_WOOCOMMERCE = re.compile(r"WooCommerce\s+(\d+(?:\.\d+){1,3})", re.IGNORECASE)
_YOAST = re.compile(
    r"optimized with the Yoast SEO (?:Premium )?plugin(?: v(\d+(?:\.\d+){0,3}))?|/ Yoast SEO (?:Premium )?plugin\.",
    re.IGNORECASE,
)
#: Assets of the core whose ``ver`` is the core's own version.
_CORE_ASSETS: Final = (
    "/wp-includes/js/wp-emoji-release.min.js", "/wp-includes/css/dist/block-library/style", "/wp-includes/css/dashicons",
    "/wp-includes/js/wp-embed", "/wp-includes/css/admin-bar", "/wp-includes/js/comment-reply", "/wp-includes/css/dist/block-library/theme",
)  # fmt: skip
_EMOJI_SETTINGS = re.compile(r"wp-emoji-release\.min\.js\?ver=(\d+(?:\.\d+){1,3}(?:-[A-Za-z0-9.]{1,20})?)")
_EMOJI_HOST = re.compile(r"\"concatemoji\":\"(https?:[^\"]{1,300})\"")
_ASSET_IN_SCRIPT = re.compile(
    r"https?:(?:\\?/){2}[A-Za-z0-9.\-]{1,200}(?:\\?/[\w.%-]{1,80}){0,6}\\?/wp-(?:content|includes|json|admin)\\?/[^\"'\s<>]{0,200}"
)
_API_HEADER = re.compile(r"rel\s{0,3}=\s{0,3}\"?https?://api\.w\.org/?", re.IGNORECASE)
_BODY_MARKS: Final = frozenset(
    [
        "wp-singular",
        "wp-custom-logo",
        "wp-embed-responsive",
        "page-template-default",
        "single-post",
        "wp-child-theme",
        "logged-in",
        "customize-support",
    ]
)
_BODY_PATTERNS = re.compile(r"(?:page-id|postid|wp-theme|wp-child-theme|parent-pageid)-[\w-]+")
_BODY_WORDS: Final = frozenset(["home", "page", "blog", "archive", "single", "page-template-default", "error404"])
#: Content delivery networks that carry the files of one site under another name, the site's host in the path or not.
_CDN_HOSTS = re.compile(
    r"(?:^|\.)(?:wp\.com|cloudfront\.net|b-cdn\.net|kxcdn\.com|netdna-ssl\.com|netdna-cdn\.com|stackpathcdn\.com|cdn77\.org|rocketcdn\.me|shortpixel\.ai|optimole\.com|fastly\.net|wpengine\.com|kinstacdn\.com|exactdn\.com|wpenginepowered\.com|bunnycdn\.com|edgecastcdn\.net|jetpack\.com|akamaized\.net|azureedge\.net|imgix\.net|gcdn\.co)$"
)
_UNIT_CLASSES = "wpcf7", "wpforms-form", "et_pb_section", "elementor", "woocommerce"


def read_wordpress(document: Document) -> WordPressFacts:
    """The marks of WordPress on a page, each with where it was seen, and the parts it shows."""
    facts = WordPressFacts()
    assets = list(own_assets(document))
    _mark_assets(facts, assets)
    _mark_head(facts, document)
    _mark_scripts(facts, document)
    _mark_styles(facts, document)
    _mark_body(facts, document)
    if not facts.marks:
        return WordPressFacts()
    _add_parts_from_networks(facts, document)
    _read_builders(facts, document, assets)
    return facts


def own_assets(document: Document) -> Iterable[str]:
    """The addresses of scripts, styles, images and frames that belong to the page's own site."""
    urls = asset_urls(document)
    images: set[str] = document.__dict__["_image_urls"]
    for url in urls:
        path = url if "/_static/??" in url else url.partition("?")[0]
        if "/wp-" in path and _is_own(document, url) and (url not in images or _is_of_page(document, url)):
            yield url


_FILE_HOST = re.compile(r"(?:cdn|static|media|img|images?|assets?|files|uploads|i|s)\d{0,2}\.")


def _is_of_page(document: Document, image: str) -> bool:
    """Whether a picture is kept by what made the page: teasers show pictures of the blog beside a shop's own pages."""
    host = host_of(image)
    is_part = "/uploads/" not in image
    if registrable(host) != document.site:
        return document.site in image or (is_part and not host.endswith(".wp.com"))
    if host != document.host and not _FILE_HOST.match(host):
        return False
    if is_part:
        return True
    folder = urlsplit(image).path.partition("/wp-")[0]
    return urlsplit(document.url).path.startswith(folder)


def asset_urls(document: Document) -> list[str]:
    """The addresses the page loads: scripts, link elements, images, frames."""
    cached: list[str] | None = document.__dict__.get("_asset_urls")
    if cached is None:
        urls = list(document.script_sources)
        images: set[str] = set()
        for relations, attributes in document.link_elements:
            if relations & _LOADING and (url := document.absolute(attributes.get("href"))):
                urls.append(url)
        frames = [("iframe", node.attributes) for node in document.elements((("<iframe", "iframe"),), 50)]
        sources = [("source", node.attributes) for node in document.elements((("<source", "source[src]"),), 50)]
        for kind, attributes in (*(("img", attributes) for _, attributes in document.images), *sources, *frames):
            for name in ("src", "data-src", "data-lazy-src"):
                if (
                    (value := attributes.get(name))
                    and not value.startswith("data:")
                    and (url := document.absolute(value))
                ):
                    urls.append(url)
                    if kind != "iframe":
                        images.add(url)
        document.__dict__["_image_urls"] = images
        cached = document.__dict__["_asset_urls"] = urls
    return cached


def technology_assets(document: Document) -> list[str]:
    """The addresses the page loads, images of other sites cut to their host and first segment.

    A picture borrowed from a site says nothing about the borrower, but the host of a picture service does.
    """
    asset_urls(document)
    images: set[str] = document.__dict__["_image_urls"]
    return [
        _without_path(url) if url in images and registrable(host_of(url)) != document.site else url
        for url in asset_urls(document)
    ]


def _without_path(url: str) -> str:
    return "/".join(url.split("/", 4)[:4]) + ("/" if url.count("/") > 3 else "")


_LOADING = frozenset(
    [
        "stylesheet",
        "preload",
        "prefetch",
        "icon",
        "modulepreload",
        "shortcut",
        "apple-touch-icon",
        "dns-prefetch",
        "preconnect",
    ]
)


def _is_own(document: Document, url: str) -> bool:
    host = host_of(url)
    if host == document.host or registrable(host) == document.site:
        return True
    if host == "c0.wp.com":
        return "/c/" in url
    if _CDN_HOSTS.search(host):
        # i0.wp.com/acme.com/wp-content/...: the path names the site; d1234.cloudfront.net/wp-content/...: it begins there.
        path = urlsplit(url).path
        first = path.lstrip("/").partition("/")[0].removeprefix("www.")
        if "." in first:
            return registrable(first) == document.site
        return path.startswith(("/wp-content/", "/wp-includes/"))
    return False


def _mark_assets(facts: WordPressFacts, assets: list[str]) -> None:
    for url in assets:
        if not _PATH.search(url):
            if "c0.wp.com/c/" in url:
                facts.marks.setdefault("asset", url[:300])
                version = re.search(r"c0\.wp\.com/c/(\d+(?:\.\d+){1,3})/", url)
                if version:
                    facts.version_candidates.setdefault(version[1], "version in the path of a core asset")
            continue
        facts.marks.setdefault("asset", url[:300])
        version = _QUERY_VERSION.search(url)
        if version and _CORE_VERSION.match(version[1]) and any(part in url for part in _CORE_ASSETS):
            facts.version_candidates.setdefault(version[1], "ver of a core asset")
        core = re.search(r"c0\.wp\.com/c/(\d+(?:\.\d+){1,3})/", url)
        if core:
            facts.version_candidates.setdefault(core[1], "version in the path of a core asset")
        if theme := _THEME.search(url):
            _add_theme(facts, theme[1], version[1] if version and "style" in url.rpartition("/")[2] else None)
        if plugin := _PLUGIN.search(url):
            known = facts.plugins.get(plugin[1])
            facts.plugins[plugin[1]] = known or (version[1] if version else "")


def _add_theme(facts: WordPressFacts, theme: str, version: str | None) -> None:
    theme = unquote(theme)
    facts.themes[theme] = facts.themes.get(theme) or version or ""


def _mark_head(facts: WordPressFacts, document: Document) -> None:
    for content in document.meta.get("generator", ()):
        if found := _GENERATOR.match(content):
            facts.marks["generator"] = content[:100]
            if found[1]:
                facts.version_candidates = {found[1]: "meta generator"} | facts.version_candidates
    for relations, attributes in document.link_elements:
        href = attributes.get("href") or ""
        if "https://api.w.org/" in relations or "http://api.w.org/" in relations:
            facts.marks["api link"] = href[:300]
        elif "edituri" in relations and "xmlrpc.php?rsd" in href:
            facts.marks["rsd link"] = href[:300]
        elif "wlwmanifest" in relations and "wp-includes" in href:
            facts.marks["wlwmanifest link"] = href[:300]
        elif (
            "alternate" in relations and "/wp-json/oembed/" in href and _is_own(document, document.absolute(href) or "")
        ):
            facts.marks["oembed link"] = href[:300]
    if _API_HEADER.search(document.headers.get("link", "")):
        facts.marks["api header"] = document.headers["link"][:300]
    if "xmlrpc.php" in document.headers.get("x-pingback", ""):
        facts.marks["pingback header"] = document.headers["x-pingback"][:300]
    if "wordpress" in document.headers.get("x-powered-by", "").lower():
        facts.marks["powered-by header"] = document.headers["x-powered-by"][:100]


def _mark_scripts(facts: WordPressFacts, document: Document) -> None:
    for script in document.markup.scripts:
        text = script.text
        if "wp-" not in text:
            continue
        if "_wpemojiSettings" in text or '"concatemoji"' in text:
            facts.marks["emoji settings"] = "inline script"
            if version := _EMOJI_SETTINGS.search(text):
                facts.version_candidates.setdefault(version[1], "emoji settings")
        for match in _ASSET_IN_SCRIPT.finditer(text[:100_000]):
            url = match[0].replace("\\/", "/")
            if host_of(url) == document.host:
                facts.marks.setdefault("address in a script", url[:300])
                _mark_from_script(facts, url)
        if '"\\/*"' in text and "wp-admin" in text and "speculationrules" in script.attributes:
            facts.marks["speculation rules"] = "inline script"


def _mark_styles(facts: WordPressFacts, document: Document) -> None:
    """Files that the page's own styles load: @import url(.../wp-content/themes/acme/style.css)."""
    styles = document.markup.styles
    for match in _ASSET_IN_SCRIPT.finditer(styles[:100_000]) if "/wp-" in styles else ():
        if host_of(match[0]) == document.host and ("/themes/" in match[0] or "/plugins/" in match[0]):
            facts.marks.setdefault("address in a style", match[0][:300])
            _mark_from_script(facts, match[0].partition(")")[0])


def _add_parts_from_networks(facts: WordPressFacts, document: Document) -> None:
    """The parts whose files a page of WordPress loads from another host: its own, kept by a delivery network."""
    urls = asset_urls(document)
    images: set[str] = document.__dict__["_image_urls"]
    for url in urls:
        if "/wp-content/" in url and url not in images and not host_of(url).endswith("wp.com"):
            _mark_from_script(facts, url)


def _mark_from_script(facts: WordPressFacts, url: str) -> None:
    if theme := _THEME.search(url):
        _add_theme(facts, theme[1], None)
    if plugin := _PLUGIN.search(url):
        facts.plugins.setdefault(plugin[1], "")


_TAG_MARKS: Final = TAG_WORDS.add(
    'class="wp-block-', "wp-post-image", "wp-image-", 'id="wpadminbar"', "wp-caption", "menu-item-type-"
)
TAG_WORDS.add("data-elementor-type=", "data-elementor-id=", "et_pb_section", "wpcf7", "wpforms")


def _mark_body(facts: WordPressFacts, document: Document) -> None:
    """Classes and style ids that WordPress writes; enough only where several agree."""
    body = document.tree.body
    classes = set((body.attributes.get("class") or "").split()) if body is not None else set()
    agreeing = len(classes & _BODY_MARKS) + sum(bool(_BODY_PATTERNS.fullmatch(name)) for name in classes)
    agreeing += len(document.tag_words.intersection(_TAG_MARKS))
    agreeing += "--wp--preset--" in document.markup.styles
    if agreeing >= 3 or "--wp--preset--" in document.markup.styles:
        facts.marks["classes of the page"] = " ".join(sorted(classes))[:200]
    for name in classes:
        if name.startswith("wp-theme-"):
            _add_theme(facts, name.removeprefix("wp-theme-"), None)
        elif name.startswith("wp-child-theme-"):
            facts.child_theme = name.removeprefix("wp-child-theme-")


def _read_builders(facts: WordPressFacts, document: Document, assets: list[str]) -> None:
    generators = document.meta.get("generator", [])
    words = document.tag_words
    tree = document.tree
    body_class = (tree.body.attributes.get("class") or "") if tree.body is not None else ""
    elementor = next((found for content in generators if (found := _ELEMENTOR.match(content.strip()))), None)
    facts.has_elementor = bool(
        elementor or facts.plugins.keys() & {"elementor", "elementor-pro"} or re.search(r"\belementor-(?:page|default|kit-)", body_class)
        or ("data-elementor-type=" in words and "data-elementor-id=" in words)
    )  # fmt: skip
    facts.elementor_version = elementor[1] if elementor else _elementor_version(assets)
    facts.has_divi = bool(
        {name.lower() for name in facts.themes} & {"divi", "divi-child"} or "Extra" in facts.themes or "divi-builder" in facts.plugins or "et_pb_section" in words
        or "et_divi_theme" in body_class or any(_DIVI.match(content) for content in generators)
    )  # fmt: skip
    facts.has_woocommerce = bool(
        "woocommerce" in facts.plugins or any(_WOOCOMMERCE.match(content) for content in generators)
        or re.search(r"(?<![\w-])woocommerce(?:-page|-js|-no-js)?(?![\w-])", body_class)
    )  # fmt: skip
    facts.has_contact_form7 = "contact-form-7" in facts.plugins or bool(
        document.elements((("wpcf7", "form.wpcf7-form, div.wpcf7"),), 1)
    )
    facts.has_wpforms = bool(facts.plugins.keys() & {"wpforms", "wpforms-lite"}) or bool(
        document.elements((("wpforms", "form.wpforms-form, div.wpforms-container"),), 1)
    )
    yoast = _YOAST.search(document.markup.comments)
    facts.has_yoast_seo = bool(
        yoast or facts.plugins.keys() & {"wordpress-seo", "wordpress-seo-premium"}
        or any("yoast-schema-graph" in script.attributes for script in document.markup.scripts)
    )  # fmt: skip
    _complete_plugins(facts, yoast[1] if yoast else None)


def _elementor_version(assets: list[str]) -> str | None:
    for url in assets:
        if "/plugins/elementor/assets/" in url and (version := _QUERY_VERSION.search(url)):
            return version[1]
    return None


def _complete_plugins(facts: WordPressFacts, yoast_version: str | None) -> None:
    """A plugin seen by its markup is a plugin, although its files were packed into one."""
    seen = {
        "elementor": facts.has_elementor and not facts.plugins.keys() & {"elementor", "elementor-pro"},
        "woocommerce": facts.has_woocommerce,
        "contact-form-7": facts.has_contact_form7,
        "wordpress-seo": facts.has_yoast_seo and "wordpress-seo-premium" not in facts.plugins,
        "wpforms-lite": facts.has_wpforms and "wpforms" not in facts.plugins,
    }
    for slug, is_there in seen.items():
        if is_there:
            facts.plugins.setdefault(slug, "")
    if yoast_version and "wordpress-seo" in facts.plugins:
        facts.plugins["wordpress-seo"] = yoast_version
