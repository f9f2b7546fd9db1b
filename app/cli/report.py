"""A result document as a person reads it."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import typer

from app.cli.context import console, plain, reader_may_leave

Document = dict[str, Any]

#: The fields in reading order: heading, key in the document.
PLAIN_FIELDS = (
    ("Title", "title"),
    ("Description", "description"),
    ("Name", "site_name"),
    ("Language", "language"),
    ("Final address", "final_url"),
    ("Logo", "logo_url"),
    ("Icon", "favicon_url"),
)

MANY = ("Plugins", "Runs on")


@reader_may_leave()
def print_report(document: Document) -> None:
    """Print who they are, how to reach them and what they run on, with the page each contact came from.

    In a pipe: a line for each value, tab-separated, beginning with the domain.
    """
    if not sys.stdout.isatty():
        from app.log import one_line

        if document.get("blocked"):
            typer.echo("\t".join((document["domain"], "Blocked", one_line(str(document["blocked"])), "")))
        for row in report_rows(document):
            typer.echo("\t".join((document["domain"], *map(one_line, row))))
        return
    from rich.table import Table

    out = console()
    out.print(f"[bold]{plain(document['domain'])}[/bold]")
    if document.get("blocked"):
        out.print(f"[yellow]The site refused to be read:[/yellow] {plain(document['blocked'])}")
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(style="dim", overflow="fold")
    for heading, value, source in _for_a_screen(report_rows(document)):
        table.add_row(heading, plain(value), plain(_short(source, document["domain"])))
    out.print(table)


def _for_a_screen(rows: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
    """The rows, those of what there may be dozens of in one."""
    for heading, group in itertools.groupby(rows, key=lambda row: row[0]):
        if heading in MANY:
            yield heading, ", ".join(value for _, value, _ in group), ""
        else:
            yield from group


def _short(url: str, domain: str) -> str:
    """The path alone of a page of the site itself: a terminal is narrow."""
    parts = urlsplit(url)
    return parts.path or "/" if parts.hostname in (domain, f"www.{domain}") else url


def report_rows(document: Document) -> Iterator[tuple[str, str, str]]:
    """(heading, value, where it was found), in reading order; what is absent is left out."""
    for heading, key in PLAIN_FIELDS:
        if document.get(key):
            yield heading, str(document[key]), ""
    for heading, key in (("E-mail", "email_addresses"), ("Phone", "phone_numbers"), ("Address", "physical_addresses")):
        for value in document.get(key) or []:
            yield heading, str(value), source_of(document, key, value)
    for network, url in (document.get("social_links") or {}).items():
        yield network.capitalize(), url, source_of(document, "social_links", network)
    yield from _platform_rows(document)
    pages = document.get("pages") or []
    if pages:
        yield "Pages read", str(sum(page.get("status") == 200 for page in pages)), ""
    if document.get("fetch_credits"):
        yield "Credits spent", str(document["fetch_credits"]), ""


def _platform_rows(document: Document) -> Iterator[tuple[str, str, str]]:
    if document.get("is_wordpress"):
        parts = [
            document.get("wordpress_version") or "",
            f"theme {document['wordpress_theme']}" if document.get("wordpress_theme") else "",
        ]
        yield "WordPress", ", ".join(part for part in parts if part) or "yes", source_of(document, "is_wordpress", None)
    elif document.get("is_wordpress") is False:
        yield "WordPress", "no", ""
    for plugin in document.get("wordpress_plugins") or []:
        yield "Plugins", plugin, source_of(document, "wordpress_plugins", plugin)
    for item in document.get("technologies") or []:
        name = f"{item['name']} {item['version'] or ''}".strip()
        yield "Runs on", name, source_of(document, "technologies", item["name"])


def source_of(document: Document, key: str, value: object) -> str:
    """The page a value was found on, as its evidence says."""
    evidence = document.get("evidence") or {}
    found = evidence.get(f"{key}:{value}") or evidence.get(key) or {}
    return str(found.get("url", ""))
