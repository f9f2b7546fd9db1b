"""The extractor alone, without a database: on a live site, or on a saved page."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import WRONG_USAGE, CommandFailed, JsonOption, explained, load_settings, print_json, quiet_logs

if TYPE_CHECKING:
    from app.settings import Settings
    from extractor.models import SiteReport


def extract(
    domain: Annotated[str | None, typer.Argument(help="The site to read.", show_default=False)] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="A saved page to read instead.", exists=True, dir_okay=False)
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="Where the saved page came from; with --html.")] = None,
    max_pages: Annotated[int, typer.Option(min=1, max=100, help="Most pages to read.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Read a site, or a saved page, and print what it says about itself. Nothing is stored.

    Examples: [dim]scrapersky extract example.com --json[/dim],
    [dim]scrapersky extract --html page.html --url https://example.com/ --json[/dim]
    """
    with explained():
        if (domain is None) == (html is None):
            raise CommandFailed("name a DOMAIN, or a saved page with --html and --url", exit_code=WRONG_USAGE)
        settings = load_settings()
        quiet_logs(settings)
        if html is not None:
            if url is None:
                raise CommandFailed("--html needs --url: relative links are read by it", exit_code=WRONG_USAGE)
            report = read_saved_page(html, url)
        else:
            assert domain is not None  # noqa: S101 - one of the two is given
            report = asyncio.run(_scan(settings, domain, max_pages))
        if as_json:
            print_json(report.model_dump(mode="json"))
        else:
            from app.cli.report import print_report

            print_report(report.model_dump(mode="json"))


def read_saved_page(path: Path, url: str) -> SiteReport:
    """What a saved page says.

    Raises:
        CommandFailed: ``url`` is no http(s) address.
    """
    from urllib.parse import urlsplit

    from extractor.page import read_page
    from extractor.report import build_report

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CommandFailed(
            "--url must be the page's address, beginning with http:// or https://", exit_code=WRONG_USAGE
        )
    facts = read_page(path.read_bytes(), url=url, status=200)
    report = build_report(_domain_of(parts.hostname), 1, [facts])
    report.final_url = url
    report.blocked = facts.blocked
    return report


def _domain_of(host: str) -> str:
    from extractor.address import normalise_domain
    from extractor.errors import AddressError

    try:
        return normalise_domain(host)
    except AddressError:
        return host  # a saved page may come from anywhere, an intranet too


async def _scan(settings: Settings, domain: str, max_pages: int) -> SiteReport:
    from app.fetching import fetch_settings
    from extractor.errors import AddressError, ExtractError
    from extractor.site import Scanner

    try:
        async with Scanner(fetch_settings(settings)) as scanner:
            return (await scanner.scan(domain, max_pages=max_pages)).report
    except AddressError as error:
        raise CommandFailed(f"{domain!r}: {error.message}", exit_code=WRONG_USAGE) from error
    except ExtractError as error:
        raise CommandFailed(f"{error.message} ({error.code})") from error
