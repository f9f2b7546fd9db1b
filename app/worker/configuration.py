"""From the settings to what the queue and the extractor are told."""

from __future__ import annotations

import os
import socket

from app.dsn import parse_dsn
from app.fetching import program_version
from app.settings import Settings
from domain_queue import WorkerConfig

#: Fields of the result document, besides the columns, whose changes from scan to scan are kept.
WATCHED_METADATA = (
    "final_url",
    "site_name",
    "physical_addresses",
    "social_links",
    "wordpress_theme",
    "wordpress_plugins",
    "technologies",
    "copyright_year",
)


def worker_config(settings: Settings, *, concurrency: int | None = None, drain: bool = False) -> WorkerConfig:
    """What the queue's worker is told.

    Raises:
        ValueError: DATABASE_URL is not set, or a connection string cannot be read.
    """
    if settings.database_url is None:
        raise ValueError("DATABASE_URL is not set")
    dsn = parse_dsn(settings.database_url.get_secret_value())
    listen = parse_dsn((settings.listen_database_url or settings.database_url).get_secret_value())
    return WorkerConfig(
        conninfo=dsn.conninfo,
        listen_conninfo=listen.conninfo,
        name=f"{socket.gethostname()}:{os.getpid()}",
        version=program_version(),
        concurrency=concurrency or settings.worker_concurrency,
        batch_size=settings.domain_processing_batch_size,
        poll_seconds=settings.domain_processing_interval_minutes * 60,
        lease_seconds=settings.worker_lease_seconds,
        shutdown_seconds=settings.worker_shutdown_seconds,
        prepared_statements=dsn.prepared_statements,
        watched_metadata=WATCHED_METADATA,
        drain=drain,
    )
