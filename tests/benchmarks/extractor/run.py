# ruff: noqa: E501 - tables and recipes are read in columns
"""Pages per second on one core beside other programs on the same pages, and what is found: ``main([])`` prints both."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from extractor.page import document, phones, read_page
from extractor.page.charset import decode
from extractor.page.markup import bound_markup
from tests.benchmarks.extractor.peers import PEERS, beautiful_soup, metascraper_seconds
from tests.corpus.scoring import CorpusPage, corpus, score, table

ROUNDS = 5
AIM = 5.0


def forget() -> None:
    """Empty what is remembered between pages: every round reads as if it saw the pages for the first time."""
    for remembered in (phones._parsed, document.registrable, document.host_of):
        remembered.cache_clear()


def ours(page: CorpusPage) -> Any:
    return read_page(page.body, url=page.url)


def seconds_a_page(read: Callable[[CorpusPage], Any], pages: list[CorpusPage], rounds: int = ROUNDS) -> float:
    """CPU seconds of this thread for one page: the best of ``rounds``, after one round that is not counted."""
    best = float("inf")
    for number in range(rounds + 1):
        forget()
        gc.collect()
        start = time.thread_time()
        for page in pages:
            read(page)
        if number:
            best = min(best, (time.thread_time() - start) / len(pages))
    return best


def cost_of_bounding(pages: list[CorpusPage]) -> str:
    """What the protection against hostile markup costs on ordinary pages."""
    texts = [decode(page.body)[0] for page in pages]
    best = {"bound": float("inf"), "bounded tree": float("inf"), "tree as it came": float("inf")}
    for _ in range(ROUNDS):
        for name, work in (("bound", bound_markup), ("tree as it came", LexborHTMLParser)):
            start = time.thread_time()
            for text in texts:
                work(text)
            best[name] = min(best[name], time.thread_time() - start)
        bounded = [bound_markup(text).html for text in texts]
        start = time.thread_time()
        for html in bounded:
            LexborHTMLParser(html)
        best["bounded tree"] = min(best["bounded tree"], time.thread_time() - start)
    each = {name: seconds / len(texts) * 1_000 for name, seconds in best.items()}
    return (
        f"bounding the markup and reading its text {each['bound']:.2f} ms a page; the tree then {each['bounded tree']:.2f} ms,"
        f" {each['tree as it came']:.2f} ms without"
    )


def main(arguments: list[str]) -> int:
    """Print the comparison; 1 where the aim against the fastest program with comparable fields is missed."""
    pages = [page for page in corpus() if "blocked" not in page.expected]
    size = sum(len(page.body) for page in pages) / len(pages)
    print(f"extractor core: {len(pages)} pages of {size / 1_000:.0f} kB, CPU time of one core, best of {ROUNDS} rounds")
    own = seconds_a_page(ours, pages)
    print(f"  {'ScraperSky':36} {1 / own:8.0f} pages/s {own * 1_000:8.2f} ms")
    comparable = float("inf")
    for name, (read, what) in PEERS.items():
        seconds = seconds_a_page(read, pages)
        comparable = min(comparable, seconds) if what == "the same fields" else comparable
        print(f"  {name:36} {1 / seconds:8.0f} pages/s {seconds * 1_000:8.2f} ms {seconds / own:6.1f} x ours   {what}")
    node = None if "--no-node" in arguments else metascraper_seconds(pages)
    if node is None:
        print("  metascraper: left out, Node or its packages cannot be had here")
    else:
        print(
            f"  {'metascraper (Node)':36} {1 / node:8.0f} pages/s {node * 1_000:8.2f} ms {node / own:6.1f} x ours   metadata only, no contacts"
        )
    print(f"  {cost_of_bounding(pages)}")
    ratio = comparable / own
    print(f"  ratio to the fastest with comparable fields: {ratio:.1f} (aim {AIM:.0f})")
    print("\nwhat is found on the corpus, ScraperSky:")
    print(table(score(corpus())))
    print("\nthe same, BeautifulSoup with the usual recipes (fields it has):")
    print(table(score(pages, beautiful_soup)))
    return 0 if ratio >= AIM else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
