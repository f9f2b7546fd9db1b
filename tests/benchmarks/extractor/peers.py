# ruff: noqa: E501 - tables and recipes are read in columns
"""Other programs on the same pages: what people use for these fields, each as its documentation shows it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import phonenumbers
from bs4 import BeautifulSoup

from extractor.technologies.matching import rules
from tests.corpus.scoring import CorpusPage

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{2,63}){1,4}")
_NETWORKS = {
    "facebook.com": "facebook",
    "twitter.com": "x",
    "x.com": "x",
    "linkedin.com": "linkedin",
    "instagram.com": "instagram",
    "youtube.com": "youtube",
    "tiktok.com": "tiktok",
    "pinterest.com": "pinterest",
    "github.com": "github",
    "xing.com": "xing",
}


def beautiful_soup(page: CorpusPage, parser: str = "lxml") -> dict[str, Any]:
    """The same fields by the usual recipes: select, regular expressions over the text, PhoneNumberMatcher."""
    soup = BeautifulSoup(page.body, parser)
    text = soup.get_text("\n")
    links = [
        (urljoin(page.url, str(anchor["href"])), anchor.get_text(" ", strip=True))
        for anchor in soup.find_all("a", href=True)
    ]
    icon = soup.find("link", rel=lambda value: value is not None and "icon" in value)
    logo = soup.select_one('header img, img[class*="logo"], img[alt*="logo" i]')
    year = re.findall(r"(?:©|Copyright)[^\n]{0,40}?((?:19|20)\d\d)(?:\s?[-–]\s?((?:19|20)\d\d))?", text)
    assets = [str(node.get("src") or node.get("href") or "") for node in soup.find_all(["script", "link", "img"])]
    return {
        "title": soup.title.get_text(" ", strip=True) if soup.title else None,
        "description": _meta(soup, "description") or _meta(soup, "og:description"),
        "language": soup.html.get("lang") if soup.html else None,
        "canonical_url": _link(soup, page.url, "canonical"),
        "favicon_url": urljoin(page.url, str(icon["href"]))
        if icon and icon.get("href")
        else urljoin(page.url, "/favicon.ico"),
        "logo_url": urljoin(page.url, str(logo["src"])) if logo and logo.get("src") else None,
        "email_addresses": _emails(links, text),
        "phone_numbers": _phones(links, text, page.url),
        "social_links": _profiles(links),
        "organization": [_json(node.string or "") for node in soup.find_all("script", type="application/ld+json")],
        "links": [
            (url, name, _place(anchor))
            for (url, name), anchor in zip(links, soup.find_all("a", href=True), strict=True)
        ],
        "physical_addresses": [" ".join(match[0].split()) for match in _ADDRESS.finditer(text)],
        "microdata": [node.get("itemtype") for node in soup.find_all(attrs={"itemscope": True})],
        "robots": _meta(soup, "robots"),
        "feed_urls": [node["href"] for node in soup.find_all("link", rel="alternate", href=True)],
        "site_name": _meta(soup, "og:site_name"),
        "copyright_year": max((int(last or first) for first, last in year), default=None),
        "has_privacy_policy": any(
            re.search("privacy|datenschutz|confidential", f"{url} {name}", re.IGNORECASE) for url, name in links
        ),
        "is_wordpress": any("/wp-content/" in url or "/wp-includes/" in url for url in assets),
        "technologies": [
            name for name in ("jquery", "bootstrap", "shopify", "wix", "typo3") if any(name in url for url in assets)
        ],
    }


_ADDRESS = re.compile(
    r"[A-ZÄÖÜ][\w.ß-]{2,30} \d{1,4}[a-z]?\s*[,\n]\s*\d{4,5} [A-ZÄÖÜ][\w.-]{2,30}|\d{1,5} [A-Z][\w ]{3,30},\s*[A-Z][a-z]+,? [A-Z]{2} \d{5}"
)


def _place(anchor: Any) -> str:
    parent = anchor.find_parent(["header", "nav", "footer"])
    return parent.name if parent else "main"


def _technologies(soup: BeautifulSoup, assets: list[str]) -> list[str]:
    """The substrings of the rule file, looked for one after another."""
    loaded, code = "\n".join(assets), "\n".join(node.get_text() for node in soup.find_all("script"))
    markup = str(soup)
    found = []
    for rule in rules():
        places = ((rule.assets, loaded), (rule.inline, code), (rule.markup, markup), (rule.comments, markup))
        if any(text in value for texts, value in places for text in texts):
            found.append(rule.name)
    return found


def _meta(soup: BeautifulSoup, name: str) -> str | None:
    node = soup.find("meta", attrs={"name": name}) or soup.find("meta", attrs={"property": name})
    return str(node.get("content")) if node else None


def _link(soup: BeautifulSoup, base: str, relation: str) -> str | None:
    node = soup.find("link", rel=relation)
    return urljoin(base, str(node["href"])) if node and node.get("href") else None


def _emails(links: list[tuple[str, str]], text: str) -> list[str]:
    found = [unquote(url[7:].partition("?")[0]) for url, _ in links if url.lower().startswith("mailto:")]
    return list(dict.fromkeys(address.lower() for address in [*found, *_EMAIL.findall(text)] if "@" in address))


def _phones(links: list[tuple[str, str]], text: str, url: str) -> list[str]:
    ending = (urlsplit(url).hostname or "").rpartition(".")[2]
    region = {"uk": "GB", "com": "US", "org": "US"}.get(ending, ending.upper())
    numbers = [match.number for match in phonenumbers.PhoneNumberMatcher(text, region)]
    for link, _ in links:
        if link.startswith("tel:"):
            try:
                numbers.append(phonenumbers.parse(unquote(link[4:]), region))
            except phonenumbers.NumberParseException:
                continue
    return list(
        dict.fromkeys(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) for number in numbers)
    )


def _profiles(links: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for url, _ in links:
        host = (urlsplit(url).hostname or "").removeprefix("www.")
        if host in _NETWORKS:
            found.setdefault(_NETWORKS[host], url)
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def extruct_structured_data(page: CorpusPage) -> Any:
    """Structured data alone: JSON-LD, microdata, Open Graph."""
    import extruct

    text = page.body.decode("utf-8", "replace")
    return extruct.extract(text, base_url=page.url, syntaxes=["json-ld", "microdata", "opengraph"], errors="ignore")


def trafilatura_metadata(page: CorpusPage) -> Any:
    """Title, author, date, site name, description: the fields of an article."""
    import trafilatura

    return trafilatura.extract_metadata(page.body, default_url=page.url)


PEERS: dict[str, tuple[Callable[[CorpusPage], Any], str]] = {
    "BeautifulSoup (lxml), same fields": (beautiful_soup, "the same fields"),
    "extruct": (extruct_structured_data, "structured data only"),
    "trafilatura metadata": (trafilatura_metadata, "metadata only, no contacts"),
}

_METASCRAPER = """
const fs = require('fs');
const read = require('metascraper')([
  require('metascraper-title')(), require('metascraper-description')(), require('metascraper-lang')(),
  require('metascraper-logo')(), require('metascraper-url')(), require('metascraper-publisher')(), require('metascraper-image')(),
]);
(async () => {
  const pages = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
  for (const page of pages) await read({ html: page.html, url: page.url });
  const start = process.cpuUsage();
  for (const page of pages) await read({ html: page.html, url: page.url });
  const used = process.cpuUsage(start);
  console.log(JSON.stringify({ seconds: (used.user + used.system) / 1e6, pages: pages.length }));
})();
"""
_PACKAGES = (
    "metascraper",
    *(f"metascraper-{part}" for part in ["title", "description", "lang", "logo", "url", "publisher", "image"]),
)


def metascraper_seconds(pages: list[CorpusPage]) -> float | None:
    """CPU seconds for one page after a warm-up round, None where Node or its packages cannot be had."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "package.json").write_text("{}")
        (folder / "read.js").write_text(_METASCRAPER)
        (folder / "pages.json").write_text(
            json.dumps([{"html": page.body.decode("utf-8", "replace"), "url": page.url} for page in pages])
        )
        try:
            subprocess.run(
                [npm, "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", *_PACKAGES],
                cwd=folder,
                check=True,
                timeout=300,
                capture_output=True,
            )
            done = subprocess.run(
                [node, "read.js", "pages.json"], cwd=folder, check=True, timeout=600, capture_output=True, text=True
            )
        except (subprocess.SubprocessError, OSError):
            return None
        result = json.loads(done.stdout)
        return float(result["seconds"]) / float(result["pages"])
