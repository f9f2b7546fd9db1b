"""The rules read from rules.toml, and how a page is held against them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from extractor.models import Technology


@dataclass(slots=True)
class Surface:
    """What of a page rules may look at. Texts are searched for plain substrings, so that a hundred rules stay cheap."""

    headers: Mapping[str, str] = field(default_factory=dict)  #: names in lower case
    cookies: Iterable[str] = ()  #: names only
    meta: Mapping[str, list[str]] = field(default_factory=dict)  #: names in lower case
    assets: str = ""  #: addresses the page loads, one a line
    inline: str = ""  #: inline scripts
    markup: str = ""  #: markup without scripts, styles and comments
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


def detect(surface: Surface) -> list[Technology]:
    """The technologies of a page, by name, each with its version where one can be read."""
    found: dict[str, str | None] = {}
    cookies = tuple(surface.cookies)
    for rule in rules():
        version = _match(rule, surface, cookies)
        if version is not None:
            found[rule.name] = version or _version(rule, surface)
    _add_implied(found)
    known = {rule.name: rule for rule in rules()}
    return [
        Technology(name=name, version=found[name], categories=list(known[name].categories) if name in known else [])
        for name in sorted(found, key=str.lower)
    ]


def _match(rule: Rule, surface: Surface, cookies: tuple[str, ...]) -> str | None:
    """None without a mark; else the version a header or meta element states, or ''."""
    for texts, value in ((rule.assets, surface.assets), (rule.markup, surface.markup), (rule.inline, surface.inline)):
        for text in texts:
            if text in value:
                return _stated(rule, surface) or ""
    stated = _stated(rule, surface)
    if stated is not None:
        return stated
    if any(cookie.startswith(name) for name in rule.cookies for cookie in cookies):
        return ""
    return "" if any(text in surface.comments for text in rule.comments) else None


def _stated(rule: Rule, surface: Surface) -> str | None:
    """The version in a header or meta element, '' where one matches without a version, None where none does."""
    matches = list(_pattern_matches(rule, surface))
    if not matches:
        return None
    return next((match["version"] for match in matches if match.groupdict().get("version")), "")


def _pattern_matches(rule: Rule, surface: Surface) -> Iterator[re.Match[str]]:
    for name, pattern in rule.headers:
        if name in surface.headers and (match := pattern.search(surface.headers[name])):
            yield match
    for name, pattern in rule.meta:
        for content in surface.meta.get(name, ()):
            if match := pattern.search(content[:300]):
                yield match


def _version(rule: Rule, surface: Surface) -> str | None:
    for pattern in rule.versions:
        for text in (surface.assets, surface.markup, surface.inline, surface.comments):
            if match := pattern.search(text):
                return match["version"]
    return None


def _add_implied(found: dict[str, str | None]) -> None:
    by_name = {rule.name: rule for rule in rules()}
    waiting = list(found)
    while waiting:
        rule = by_name.get(waiting.pop())
        for name in rule.implies if rule else ():
            if name not in found:
                found[name] = None
                waiting.append(name)
