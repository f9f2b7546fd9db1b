"""The rules read from rules.toml, and how a page is held against them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from extractor.models import Technology
from extractor.words import Words


@dataclass(slots=True)
class Surface:
    """What of a page rules may look at. Texts are searched for plain substrings, so that a hundred rules stay cheap."""

    headers: Mapping[str, str] = field(default_factory=dict)  #: names in lower case
    cookies: Iterable[str] = ()  #: names only
    meta: Mapping[str, list[str]] = field(default_factory=dict)  #: names in lower case
    assets: str = ""  #: addresses the page loads, one a line
    inline: str = ""  #: inline scripts
    markup: str = ""  #: start tags, without those of scripts and styles
    comments: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: any of its marks is enough."""

    name: str
    categories: tuple[str, ...]
    headers: tuple[tuple[str, re.Pattern[str]], ...]
    cookies: tuple[str, ...]
    meta: tuple[tuple[str, re.Pattern[str]], ...]
    assets: tuple[str, ...]
    inline: tuple[str, ...]
    markup: tuple[str, ...]
    comments: tuple[str, ...]
    versions: tuple[re.Pattern[str], ...]
    implies: tuple[str, ...]


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule of rules.toml, in its order."""
    source = resources.files(__package__).joinpath("rules.toml").read_text("utf-8")
    return tuple(_rule(name, entry) for name, entry in tomllib.loads(source).items())


def _rule(name: str, entry: dict[str, object]) -> Rule:
    def strings(key: str) -> tuple[str, ...]:
        value = entry.pop(key, [])
        return tuple(str(member) for member in (value if isinstance(value, list) else [value]))

    def patterns(key: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
        value = entry.pop(key, {})
        members = value.items() if isinstance(value, dict) else ()
        return tuple((str(field).lower(), re.compile(str(pattern), re.IGNORECASE)) for field, pattern in members)

    rule = Rule(
        name=name,
        categories=strings("categories"),
        headers=patterns("headers"),
        cookies=strings("cookies"),
        meta=patterns("meta"),
        assets=strings("assets"),
        inline=strings("inline"),
        markup=strings("markup"),
        comments=strings("comments"),
        versions=tuple(re.compile(pattern) for pattern in strings("versions")),
        implies=strings("implies"),
    )
    if entry:
        raise ValueError(f"unknown keys in the rule for {name}: {', '.join(entry)}")
    return rule


@dataclass(frozen=True, slots=True)
class _Index:
    """The rules turned round: from what a page has to the rules that ask for it."""

    marks: Mapping[str, _Marks]  #: by field of Surface
    hosts: Mapping[str, list[tuple[str, Rule]]]  #: substrings of assets that begin with a host, by that host
    headers: Mapping[str, list[tuple[re.Pattern[str], Rule]]]
    meta: Mapping[str, list[tuple[re.Pattern[str], Rule]]]
    cookies: tuple[tuple[str, Rule], ...]
    by_name: Mapping[str, Rule]


@dataclass(frozen=True, slots=True)
class _Marks:
    """The substrings that rules look for in one field of Surface."""

    words: Words
    rules: Mapping[str, list[Rule]]  #: by substring

    def found_in(self, text: str) -> list[Rule]:
        """The rules that have a substring of the text."""
        return [rule for word in self.words.among(text) for rule in self.rules[word]]


def _marks(members: Iterable[tuple[str, Rule]]) -> _Marks:
    by_word: dict[str, list[Rule]] = {}
    for word, rule in members:
        by_word.setdefault(word, []).append(rule)
    return _Marks(Words(by_word), by_word)


_HOST_FIRST = re.compile(r"(?://|\.)?([a-z0-9-]+(?:\.[a-z0-9-]+)+)/")
_ASSET_HOST = re.compile(r"//([a-z0-9.-]+)")


@cache
def _index() -> _Index:
    headers: dict[str, list[tuple[re.Pattern[str], Rule]]] = {}
    meta: dict[str, list[tuple[re.Pattern[str], Rule]]] = {}
    for rule in rules():
        for patterns, by_field in ((rule.headers, headers), (rule.meta, meta)):
            for name, pattern in patterns:
                by_field.setdefault(name, []).append((pattern, rule))
    hosts: dict[str, list[tuple[str, Rule]]] = {}
    anywhere: list[tuple[str, Rule]] = []
    for rule in rules():
        for text in rule.assets:
            host = _HOST_FIRST.match(text)
            (hosts.setdefault(host[1], []) if host else anywhere).append((text, rule))
    fields = ("markup", "inline", "comments")
    return _Index(
        marks={
            "assets": _marks(anywhere),
            **{name: _marks((text, rule) for rule in rules() for text in getattr(rule, name)) for name in fields},
        },
        hosts=hosts,
        headers=headers,
        meta=meta,
        cookies=tuple((name, rule) for rule in rules() for name in rule.cookies),
        by_name={rule.name: rule for rule in rules()},
    )


def detect(surface: Surface) -> list[Technology]:
    """The technologies of a page, by name, each with its version where one can be read."""
    index = _index()
    found: dict[str, str | None] = {}
    for rule in _marked(surface, index):
        found.setdefault(rule.name, None)
    for rule, version in _stated(surface, index):
        found[rule.name] = found.get(rule.name) or version
    for name, version in found.items():
        found[name] = version or _version(index.by_name[name], surface)
    _add_implied(found, index)
    return [
        Technology(name=name, version=found[name], categories=list(index.by_name[name].categories))
        for name in sorted(found, key=str.lower)
    ]


def _marked(surface: Surface, index: _Index) -> Iterator[Rule]:
    """The rules with a mark that states no version."""
    for name, marks in index.marks.items():
        yield from marks.found_in(getattr(surface, name))
    for host in _host_endings(surface.assets) & index.hosts.keys():
        yield from [rule for text, rule in index.hosts[host] if text in surface.assets]
    for cookie in surface.cookies:
        yield from [rule for beginning, rule in index.cookies if cookie.startswith(beginning)]


def _host_endings(assets: str) -> set[str]:
    """The hosts of the assets with all the names above them: a.b.c, b.c."""
    endings: set[str] = set()
    for host in set(_ASSET_HOST.findall(assets)):
        labels = host.split(".")
        endings.update(".".join(labels[start:]) for start in range(len(labels) - 1))
    return endings


def _stated(surface: Surface, index: _Index) -> Iterator[tuple[Rule, str | None]]:
    """The rules that a header or meta element matches, with the version it states."""
    values = [(index.headers[name], value) for name, value in surface.headers.items() if name in index.headers]
    values += [
        (index.meta[name], content[:300])
        for name, contents in surface.meta.items()
        if name in index.meta
        for content in contents
    ]
    for patterns, value in values:
        for pattern, rule in patterns:
            if match := pattern.search(value):
                yield rule, match.groupdict().get("version")


def _version(rule: Rule, surface: Surface) -> str | None:
    """A version read where the rule has marks; nowhere else, because a search costs as much as all of its marks."""
    for name in ("assets", "markup", "comments") if rule.versions else ():
        if getattr(rule, name):
            for pattern in rule.versions:
                if match := pattern.search(getattr(surface, name)):
                    return match["version"]
    return None


def _add_implied(found: dict[str, str | None], index: _Index) -> None:
    waiting = list(found)
    while waiting:
        for name in index.by_name[waiting.pop()].implies:
            if name not in found:
                found[name] = None
                waiting.append(name)
