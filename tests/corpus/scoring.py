"""The written pages, what they say, and how much of it a program finds: precision and recall for each field."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from extractor.page import read_page
from extractor.report import build_report

FOLDER = Path(__file__).parent
LISTS = ("email_addresses", "phone_numbers", "physical_addresses", "wordpress_plugins")


@dataclass(frozen=True)
class CorpusPage:
    """A page as the server sent it, and what a person found on it."""

    name: str
    body: bytes
    expected: Mapping[str, Any]

    @property
    def url(self) -> str:
        return str(self.expected["url"])


@dataclass
class Score:
    """Counts of one field over many pages."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


def corpus() -> list[CorpusPage]:
    """Every page, by name."""
    expected = tomllib.loads((FOLDER / "expected.toml").read_text("utf-8"))
    return [
        CorpusPage(name, (FOLDER / "pages" / f"{name}.html").read_bytes(), values) for name, values in expected.items()
    ]


def read(page: CorpusPage) -> dict[str, Any]:
    """The report of a page alone, as a document."""
    host = page.url.split("/")[2].removeprefix("www.")
    facts = read_page(page.body, url=page.url, status=page.expected.get("status", 200))
    return build_report(host, 1, [facts]).model_dump()


def score(pages: Iterable[CorpusPage], reader: Callable[[CorpusPage], Mapping[str, Any]] = read) -> dict[str, Score]:
    """The score of every field that the pages expect something of."""
    scores: dict[str, Score] = defaultdict(Score)
    for page in pages:
        found = reader(page)
        for name, expected in page.expected.items():
            if name not in ("url", "status") and name in found:
                _count(scores[name], page.name, _members(name, expected), _members(name, found[name]), name)
    return dict(scores)


def _members(name: str, value: Any) -> set[str]:
    if name == "social_links":
        return {f"{network} {_plain(url)}" for network, url in (value or {}).items()}
    if name in LISTS:
        return set(value or [])
    return set() if value is None else {str(value)}


def _plain(url: str) -> str:
    return re.sub(r"^https?://(?:www\.)?", "", url).rstrip("/").replace("x.com/", "twitter.com/")


def _count(score: Score, page: str, expected: set[str], found: set[str], name: str) -> None:
    if name == "physical_addresses":
        expected, found = _matched_addresses(expected, found)
    score.right += len(expected & found)
    score.wrong += len(found - expected)
    score.missed += len(expected - found)
    if expected != found:
        score.notes.append(f"{page}: missed {sorted(expected - found)}, wrong {sorted(found - expected)}")


def _matched_addresses(expected: set[str], found: set[str]) -> tuple[set[str], set[str]]:
    """An address is found where one spelling holds the other: a name before it or a country behind it is no error."""

    def letters(text: str) -> str:
        return re.sub(r"\W", "", text.lower())

    def same(text: str) -> str:
        return next((one for one in expected if letters(one) in letters(text)), text)

    return expected, {same(text) for text in found}


def table(scores: Mapping[str, Score]) -> str:
    """The scores as lines for people."""
    lines = [f"{'field':24} {'precision':>9} {'recall':>7} {'right':>6} {'wrong':>6} {'missed':>7}"]
    for name, one in scores.items():
        lines.append(f"{name:24} {one.precision:9.3f} {one.recall:7.3f} {one.right:6} {one.wrong:6} {one.missed:7}")
    return "\n".join(lines)
