"""Scrapy's side of the benchmark: ``python -m tests.benchmarks.scan.spider PORT SITES CONCURRENCY READER``.

READER ``libraries`` reads pages as is usual with Scrapy: parsel for markup, extruct for structured data, phonenumbers
for numbers, our technology rules applied the straightforward way, patterns for the rest. READER ``ours`` calls our page
reader in the spider's process, which leaves the two ways of fetching to compare. Both store the fields of our report,
five pages a site, robots.txt obeyed.
"""

from __future__ import annotations

import json
import re
import sys
import time
import tomllib
from collections import defaultdict
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import extruct
import phonenumbers
import psutil
from scrapy import Request, Spider
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse, Response
from scrapy.resolver import CachingThreadedResolver
from twisted.internet import defer

from tests.benchmarks.scan.names import site_names

EMAIL = re.compile(r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9.\-]{1,190}\.[A-Za-z]{2,24}")
CONTACT = re.compile(r"contact|kontakt|impressum|imprint|about|team|legal|service", re.IGNORECASE)
SOCIAL = {
    "facebook": "facebook.com",
    "x": "x.com",
    "linkedin": "linkedin.com",
    "instagram": "instagram.com",
    "youtube": "youtube.com",
    "tiktok": "tiktok.com",
    "pinterest": "pinterest.com",
    "github": "github.com",
}
HIDDEN_EMAIL = re.compile(
    r"([\w.+\-]{1,64})\s?[\[(]\s?at\s?[\])]\s?([\w.\-]{1,100})\s?[\[(]\s?dot\s?[\])]\s?(\w{2,20})", re.IGNORECASE
)
STREET = re.compile(
    r"[A-Z][^\n,]{3,60}\s\d{1,4}[a-z]?[,\s]{1,3}\d{5}\s[A-Z]\w+|\d{1,5}\s[A-Z][^\n,]{3,60},?\s[^\n]{2,40}\s\d{5}"
)
COPYRIGHT = re.compile(r"(?:©|\(c\)|copyright)\s{0,5}(\d{4})", re.IGNORECASE)
IDS = {
    name: re.compile(p) for name, p in {"analytics": r"\b(?:UA-\d+-\d+|G-[A-Z0-9]{6,12})", "tags": r"\bGTM-\w+"}.items()
}
WORDPRESS = {
    name: re.compile(pattern)
    for name, pattern in {
        "core": r"/wp-(?:content|includes)/",
        "theme": r"/wp-content/themes/([\w\-]+)/",
        "plugin": r"/wp-content/plugins/([\w\-]+)/",
        "version": r'content="WordPress ([\d.]+)',
    }.items()
}
RULES = tomllib.loads(resources.files("extractor.technologies").joinpath("rules.toml").read_text("utf-8"))
HEADER_RULES = {
    (name, kind, field): re.compile(pattern, re.IGNORECASE)
    for name, rule in RULES.items()
    for kind in ("headers", "meta")
    for field, pattern in rule.get(kind, {}).items()
}
MARKS = {
    name: {kind: rule.get(kind, []) for kind in ("assets", "inline", "markup", "comments")}
    for name, rule in RULES.items()
}


class LocalResolver(CachingThreadedResolver):
    """Every name is served from this machine."""

    def getHostByName(self, name: str, timeout: Any = None) -> Any:
        return defer.succeed("127.0.0.1")


def technologies(response: HtmlResponse) -> list[str]:
    """By the rules that our reader has, applied the straightforward way."""
    texts = {
        "assets": "\n".join(response.css("script::attr(src), link::attr(href), img::attr(src)").getall()),
        "inline": "\n".join(response.xpath("//script/text()").getall()),
        "markup": response.text,
        "comments": "\n".join(response.xpath("//comment()").getall()),
    }
    found = {n for n, marks in MARKS.items() if any(m in texts[kind] for kind in texts for m in marks[kind])}
    meta = {m.attrib.get("name", "").lower(): m.attrib.get("content", "") for m in response.css("meta[name]")}
    for (name, kind, field), pattern in HEADER_RULES.items():
        value = meta.get(field, "") if kind == "meta" else (response.headers.get(field) or b"").decode("latin-1")
        if value and pattern.search(value):
            found.add(name)
    return sorted(found)


def emails(response: HtmlResponse, text: str, links: list[tuple[str, str]]) -> list[str]:
    """From text, mailto links, and the two common disguises."""
    found = {*EMAIL.findall(text), *(link[7:].partition("?")[0] for link, _ in links if link.startswith("mailto:"))}
    found |= {f"{name}@{host}.{ending}" for name, host, ending in HIDDEN_EMAIL.findall(text)}
    for code in response.css("[data-cfemail]::attr(data-cfemail)").getall():
        data = bytes.fromhex(code)
        found.add("".join(chr(byte ^ data[0]) for byte in data[1:]))
    return sorted(found)


def read_with_libraries(response: HtmlResponse) -> dict[str, Any]:
    """The fields of our report, by the usual libraries."""
    data = extruct.extract(
        response.text, base_url=response.url, syntaxes=["json-ld", "microdata", "opengraph"], uniform=True
    )
    text = " ".join(response.xpath("//body//text()[not(parent::script) and not(parent::style)]").getall())
    links = [(response.urljoin(a.attrib.get("href", "")), a.xpath("string()").get("")) for a in response.css("a[href]")]
    phones = [link[4:] for link, _ in links if link.startswith("tel:")]
    phones += [
        phonenumbers.format_number(m.number, phonenumbers.PhoneNumberFormat.E164)
        for m in phonenumbers.PhoneNumberMatcher(text, "US")
    ]
    hosts = [(urlsplit(link).hostname or "", link) for link, _ in links]
    return {
        "title": response.css("head > title::text").get(),
        "description": response.css('meta[name="description"]::attr(content)').get(),
        "language": response.css("html::attr(lang)").get(),
        "canonical": response.css('link[rel="canonical"]::attr(href)').get(),
        "favicon": response.css('link[rel~="icon"]::attr(href)').get(),
        "logo": response.css('img[class*="logo"]::attr(src), img[id*="logo"]::attr(src)').get(),
        "generator": response.css('meta[name="generator"]::attr(content)').get(),
        "feeds": response.css('link[type="application/rss+xml"]::attr(href)').getall(),
        "emails": emails(response, text, links),
        "phones": phones,
        "addresses": [*response.xpath("//address").xpath("string()").getall(), *STREET.findall(text)],
        "socials": {name: link for host, link in hosts for name, ending in SOCIAL.items() if host.endswith(ending)},
        "structured": data,
        "technologies": technologies(response),
        "wordpress": {name: sorted(set(pattern.findall(response.text))) for name, pattern in WORDPRESS.items()},
        "ids": {name: sorted(set(pattern.findall(response.text))) for name, pattern in IDS.items()},
        "copyright": COPYRIGHT.findall(text),
        "notices": [word for word in ("cookie", "privacy", "datenschutz") if word in text.lower()],
        "links": links,
    }


def read_with_ours(response: HtmlResponse) -> dict[str, Any]:
    """The facts of our own reader, in this process."""
    from extractor.page import read_page

    headers = {k.decode().lower(): v[0].decode("latin-1") for k, v in response.headers.items()}
    facts = read_page(response.body, url=response.url, status=response.status, headers=headers)
    return {"facts": facts, "links": [(link.url, link.text) for link in facts.links]}


class SiteSpider(Spider):
    """Home page, then up to four more pages, the likely contact pages first."""

    name = "sites"

    def __init__(self, port: int, count: int, reader: str) -> None:
        super().__init__()
        self.port = port
        self.count = count
        self.read = read_with_ours if reader == "ours" else read_with_libraries
        self.reader = reader
        self.sites: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.complete = 0

    async def start(self) -> Any:
        for name in site_names(self.count):
            yield Request(f"http://{name}:{self.port}/", self.parse_home, cb_kwargs={"site": name})

    def parse_home(self, response: Response, site: str) -> Any:
        page = self._keep(response, site)
        wanted = {
            link: bool(CONTACT.search(link + text))
            for link, text in page["links"]
            if urlsplit(link).hostname == site and urlsplit(link).path not in ("", "/")
        }
        for link in sorted(wanted, key=lambda link: not wanted[link])[:4]:
            yield Request(link, self.parse_page, cb_kwargs={"site": site})

    def parse_page(self, response: Response, site: str) -> None:
        self._keep(response, site)

    def _keep(self, response: Response, site: str) -> dict[str, Any]:
        assert isinstance(response, HtmlResponse)
        page = self.read(response)
        self.sites[site].append(page)
        if len(self.sites[site]) == 5:
            self._merge(site)
        return page

    def _merge(self, site: str) -> None:
        pages = self.sites[site]
        if self.reader == "ours":
            from extractor.report import build_report

            report = build_report(site, 5, [page["facts"] for page in pages])
            self.complete += bool(report.title and report.email_addresses)
        else:
            merged = {key: [page[key] for page in pages if page[key]] for key in pages[0]}
            self.complete += bool(merged["title"] and merged["emails"])


def main(port: int, count: int, concurrency: int, reader: str) -> None:
    process = CrawlerProcess(
        {
            "DNS_RESOLVER": "tests.benchmarks.scan.spider.LocalResolver",
            "ROBOTSTXT_OBEY": True,
            "CONCURRENT_REQUESTS": concurrency * 2,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 2,
            "DOWNLOAD_DELAY": 0,
            "COOKIES_ENABLED": False,
            "TELNETCONSOLE_ENABLED": False,
            "LOG_LEVEL": "ERROR",
            "RETRY_ENABLED": False,
        }
    )
    crawler = process.create_crawler(SiteSpider)
    started = time.perf_counter()
    before = psutil.Process().cpu_times()
    process.crawl(crawler, port=port, count=count, reader=reader)
    process.start()
    seconds = time.perf_counter() - started
    after = psutil.Process().cpu_times()
    spider = crawler.spider
    assert isinstance(spider, SiteSpider)
    cpu = after.user + after.system - before.user - before.system
    rss = psutil.Process().memory_info().rss
    done = sum(len(pages) == 5 for pages in spider.sites.values())
    document = {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "sites": done,
        "complete": spider.complete,
        "memory": [[rss, 0]],
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:4]), sys.argv[4])
