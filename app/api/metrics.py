"""Gauges that are read from the database when somebody asks for the metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge
from psycopg import Error as PostgresError
from psycopg_pool import PoolTimeout

from app.api.services import Services
from domain_queue import oldest_pending, queue_depths, workers_alive


class QueueGauges:
    """Depth, age and workers, for all tenants together."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._up = Gauge("scrapersky_database_up", "1 while the database answers.", registry=registry)
        self._depth = Gauge("scrapersky_queue_domains", "Domains by status.", ["status"], registry=registry)
        self._age = Gauge(
            "scrapersky_queue_oldest_pending_seconds", "Age of the oldest due domain, 0 if none.", registry=registry
        )
        self._workers = Gauge("scrapersky_workers_alive", "Workers whose lease runs.", registry=registry)
        self._watchers = Gauge("scrapersky_watchers", "Requests that wait for a job.", registry=registry)
        self._listening = Gauge(
            "scrapersky_web_listening", "1 while notifications are proven to arrive.", registry=registry
        )

    async def refresh(self, services: Services) -> None:
        """Read them anew; while the database is away they keep their last values, and say so by ``up``."""
        self._watchers.set(services.hub.watcher_count)
        self._listening.set(services.listener.proven)
        try:
            async with (
                services.database.pool.connection(timeout=2.0) as conn,
                conn.transaction(),
            ):
                await conn.execute("SELECT set_config('statement_timeout', '5000', true)")
                depths, oldest = await queue_depths(conn), await oldest_pending(conn)
                workers = await workers_alive(conn)
        except (PostgresError, PoolTimeout, OSError):
            self._up.set(0)
            return
        self._up.set(1)
        for status, count in depths.items():
            self._depth.labels(status.value).set(count)
        self._age.set(0 if oldest is None else oldest.age_seconds)
        self._workers.set(len(workers))
