"""From the settings to what whoever fetches is told: the workers, the command line, and the pictures of the pages."""

from __future__ import annotations

from importlib.metadata import version

from app.settings import Settings
from extractor.fetch import FetchSettings
from extractor.fetch.settings import LadderSettings

PACKAGE = "scrapersky"


def program_version() -> str:
    """The version of the installed package."""
    return version(PACKAGE)


def user_agent(settings: Settings) -> str:
    """What sites are told of who reads them: the operator's words, or this program and the operator's contact."""
    if settings.fetch_user_agent:
        return settings.fetch_user_agent
    contact = f"; +{settings.fetch_contact}" if settings.fetch_contact else ""
    return f"Mozilla/5.0 (compatible; {PACKAGE}/{program_version()}{contact})"


def fetch_settings(settings: Settings) -> FetchSettings:
    """What the extractor is told."""
    key = settings.scraper_api_key
    return FetchSettings(
        user_agent=user_agent(settings),
        timeout_seconds=settings.fetch_timeout_seconds,
        max_bytes=settings.fetch_max_bytes,
        respect_robots=settings.fetch_respect_robots,
        allow_networks=settings.fetch_allow_networks,
        hosts_file=settings.fetch_hosts_file,
        authorities_file=settings.ssl_cert_file,
        ladder=LadderSettings(
            key=key.get_secret_value() if key is not None else None,
            url=settings.scraper_api_url,
            max_tier=settings.scraper_api_max_tier,
            max_credits_per_scan=settings.scraper_api_max_credits_per_scan,
            max_credits_per_day=settings.scraper_api_max_credits_per_day,
        ),
    )
