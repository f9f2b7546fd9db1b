"""The gauges of this process beside those that are read from the database."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from app import metrics
from app.api.services import Services


class QueueGauges:
    """Read anew when somebody asks for the metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._database = metrics.QueueGauges(registry)
        self._watchers = Gauge("scrapersky_watchers", "Requests that wait for a job.", registry=registry)
        self._listening = Gauge(
            "scrapersky_web_listening", "1 while notifications are proven to arrive.", registry=registry
        )

    async def refresh(self, services: Services) -> None:
        """While the database is away its values stay as they were, and ``scrapersky_database_up`` is 0."""
        self._watchers.set(services.hub.watcher_count)
        self._listening.set(services.listener.proven)
        await self._database.refresh(services.database)
