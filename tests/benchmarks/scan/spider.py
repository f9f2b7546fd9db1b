"""Scrapy's side of the benchmark: ``python -m tests.benchmarks.scan.spider PORT SITES CONCURRENCY READER``.

READER ``libraries`` reads pages as is usual with Scrapy: parsel for markup, extruct for structured data, phonenumbers
for numbers, patterns for the rest. READER ``ours`` calls our page reader in the spider's process, which leaves the two
ways of fetching to compare. Both store the fields of our report, five pages a site, robots.txt obeyed.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import defaultdict
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
    "facebook": "facebook.com", "x": "x.com", "linkedin": "linkedin.com", "instagram": "instagram.com",
    "youtube": "youtube.com", "tiktok": "tiktok.com", "pinterest": "pinterest.com", "github": "github.com",
}  # fmt: skip
TECHNOLOGIES = {
    "WordPress": r"/wp-(?:content|includes)/",
    "WooCommerce": r"woocommerce",
    "Elementor": r"elementor",
    "Divi": r"et_pb_",
    "Shopify": r"cdn\.shopify\.com",
    "Wix": r"static\.wixstatic\.com",
    "Squarespace": r"squarespace\.com",
    "jQuery": r"jquery[.\-\d]*(?:min)?\.js",
    "Bootstrap": r"bootstrap[.\-\d]*(?:min)?\.(?:js|css)",
    "React": r"react(?:-dom)?",
    "Google Analytics": r"google-analytics\.com|gtag\(",
    "Google Tag Manager": r"googletagmanager\.com",
    "Yoast": r"yoast",
    "Contact Form 7": r"wpcf7",
    "WPForms": r"wpforms",
    "Cloudflare": r"cloudflare",
    "Matomo": r"matomo\.js",
}
PATTERNS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in TECHNOLOGIES.items()}


class LocalResolver(CachingThreadedResolver):
    """Every name is served from this machine."""

    def getHostByName(self, name: str, timeout: Any = None) -> Any:
        return defer.succeed("127.0.0.1")


def read_with_libraries(response: HtmlResponse) -> dict[str, Any]:
    """The fields of our report, by the usual libraries."""
    data = extruct.extract(
        response.text, base_url=response.url, syntaxes=["json-ld", "microdata", "opengraph"], uniform=True
    )
    text = " ".join(response.xpath("//body//text()[not(parent::script) and not(parent::style)]").getall())
    links = [(response.urljoin(a.attrib.get("href", "")), a.xpath("string()").get("")) for a in response.css("a[href]")]
    phones = [link[4:] for link, _ in links if link.startswith("tel:")]
    phones += [m.raw_string for m in phonenumbers.PhoneNumberMatcher(text, "US")]
    socials = {
        name: link
        for link, _ in links
        for name, host in SOCIAL.items()
        if (urlsplit(link).hostname or "").endswith(host)
    }
    return {
        "title": response.css("head > title::text").get(),
        "description": response.css('meta[name="description"]::attr(content)').get(),
        "language": response.css("html::attr(lang)").get(),
        "canonical": response.css('link[rel="canonical"]::attr(href)').get(),
        "favicon": response.css('link[rel~="icon"]::attr(href)').get(),
        "logo": response.css('img[class*="logo"]::attr(src), img[id*="logo"]::attr(src)').get(),
        "generator": response.css('meta[name="generator"]::attr(content)').get(),
        "feeds": response.css('link[type="application/rss+xml"]::attr(href)').getall(),
        "emails": sorted({*EMAIL.findall(text), *(link[7:] for link, _ in links if link.startswith("mailto:"))}),
        "phones": phones,
        "socials": socials,
        "structured": data,
        "technologies": [name for name, pattern in PATTERNS.items() if pattern.search(response.text)],
        "copyright": re.findall(r"(?:©|\(c\))\s*(\d{4})", text),
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
