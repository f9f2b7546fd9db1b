"""What is read from the database when somebody asks for the metrics: at most once in five seconds for all who ask."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from psycopg import Error as PostgresError
from psycopg.rows import dict_row
from psycopg_pool import PoolTimeout

from app.database import Connection, Database
from domain_queue import DomainStatus, oldest_pending, queue_depths

CACHE_SECONDS = 5.0
CONNECT_SECONDS = 2.0
STATEMENT_SECONDS = 5.0
#: Beyond so many rows only what is queued is counted, by its partial indexes; the rest is an estimate.
MOST_ROWS_COUNTED = 2_000_000

SELECT_ESTIMATE = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass('domains')"

COUNT_QUEUED = """
    SELECT
        (SELECT count(*) FROM domains WHERE status = 'pending')    AS pending,
        (SELECT count(*) FROM domains WHERE status = 'processing') AS processing
"""

# One pass over small things; xmin of every backend, whoever it serves, because each holds back vacuum alike.
SELECT_SNAPSHOT = """
    SELECT
        (SELECT count(*) FROM workers WHERE lease_expires_at > now()) AS workers_alive,
        (SELECT coalesce(sum(concurrency), 0) FROM workers WHERE lease_expires_at > now()) AS worker_places,
        (SELECT coalesce(sum(in_flight), 0) FROM workers WHERE lease_expires_at > now()) AS worker_places_busy,
        (
            SELECT count(*)
            FROM workers
            WHERE lease_expires_at <= now() AND stopped_at IS NULL
        ) AS leases_expired,
        (
            SELECT count(*)
            FROM domains AS d
            LEFT JOIN workers AS w ON w.id = d.worker_id
            WHERE d.status = 'processing' AND (w.id IS NULL OR w.lease_expires_at <= now())
        ) AS domains_stuck,
        (
            SELECT coalesce(sum(spent), 0)
            FROM fetch_credits
            WHERE day = (now() AT TIME ZONE 'UTC')::date
        ) AS credits_today,
        (SELECT count(*) FROM webhook_deliveries WHERE state = 'due') AS callbacks_due,
        (
            SELECT coalesce(max(age(backend_xmin)), 0)
            FROM pg_stat_activity
            WHERE pid <> pg_backend_pid()
        ) AS oldest_xmin_transactions,
        (
            SELECT coalesce(extract(epoch FROM max(now() - xact_start)), 0)::float
            FROM pg_stat_activity
            WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND datname = current_database()
        ) AS oldest_transaction_seconds,
        (
            SELECT coalesce(sum(n_dead_tup), 0)
            FROM pg_stat_user_tables
            WHERE relid = to_regclass('domains')
        ) AS dead_rows
"""

GAUGES = {
    "workers_alive": ("scrapersky_workers_alive", "Workers whose lease runs."),
    "worker_places": ("scrapersky_worker_places", "Domains that the living workers may have in flight together."),
    "worker_places_busy": ("scrapersky_worker_places_busy", "Places in use, as of the workers' last renewals."),
    "leases_expired": ("scrapersky_leases_expired", "Workers of the last day that ended without a word."),
    "domains_stuck": ("scrapersky_queue_stuck_domains", "In processing, and the worker's lease is out."),
    "credits_today": ("scrapersky_fetch_credits_today", "Credits of the paid fetching service spent since 00:00 UTC."),
    "callbacks_due": ("scrapersky_callbacks_due", "Callbacks that are to be sent now."),
    "oldest_xmin_transactions": (
        "scrapersky_database_oldest_xmin_transactions",
        "Age, in transactions, of the oldest snapshot; vacuum cannot clean up behind it.",
    ),
    "oldest_transaction_seconds": (
        "scrapersky_database_oldest_transaction_seconds",
        "Age of the oldest open transaction of this database.",
    ),
    "dead_rows": ("scrapersky_database_dead_rows", "Dead rows in the table domains, as of the last statistics."),
}
POOL = ("pool_size", "pool_available", "requests_waiting")


class QueueGauges:
    """Depth, age, workers and upkeep, for all tenants together."""

    def __init__(self, registry: CollectorRegistry, *, cache_seconds: float = CACHE_SECONDS) -> None:
        self._cache_seconds = cache_seconds
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()
        self._up = Gauge("scrapersky_database_up", "1 while the database answers.", registry=registry)
        self._depth = Gauge("scrapersky_queue_domains", "Domains by status.", ["status"], registry=registry)
        self._rows = Gauge("scrapersky_domains_estimate", "The planner's estimate of all rows.", registry=registry)
        self._age = Gauge(
            "scrapersky_queue_oldest_pending_seconds", "Age of the oldest due domain, 0 if none.", registry=registry
        )
        self._pool = Gauge(
            "scrapersky_pool_connections", "This process's connection pool, by kind.", ["kind"], registry=registry
        )
        self._gauges = {key: Gauge(name, text, registry=registry) for key, (name, text) in GAUGES.items()}

    async def refresh(self, database: Database) -> None:
        """Read anew what is older than five seconds; while the database is away, values stay and ``up`` is 0."""
        async with self._lock:
            stats = database.pool.get_stats()
            for kind in POOL:
                self._pool.labels(kind).set(stats.get(kind, 0))
            if time.monotonic() - self._read_at < self._cache_seconds:
                return
            try:
                await self._read(database)
            except (PostgresError, PoolTimeout, OSError):
                self._up.set(0)
            else:
                self._up.set(1)
                self._read_at = time.monotonic()

    async def _read(self, database: Database) -> None:
        async with database.connection(timeout=CONNECT_SECONDS) as conn, conn.transaction():
            milliseconds = str(int(STATEMENT_SECONDS * 1000))
            await conn.execute("SELECT set_config('statement_timeout', %s, true)", (milliseconds,))
            [(estimate,)] = await (await conn.execute(SELECT_ESTIMATE)).fetchall()
            depths = await _depths(conn, estimate)
            oldest = await oldest_pending(conn)
            async with conn.cursor(row_factory=dict_row) as cur:
                [snapshot] = await (await cur.execute(SELECT_SNAPSHOT)).fetchall()
        self._rows.set(estimate)
        for status, count in depths.items():
            self._depth.labels(status).set(count)
        self._age.set(0 if oldest is None else oldest.age_seconds)
        for key, gauge in self._gauges.items():
            gauge.set(float(snapshot[key]))


async def _depths(conn: Connection, estimate: int) -> dict[str, int]:
    if estimate <= MOST_ROWS_COUNTED:
        return {status.value: count for status, count in (await queue_depths(conn)).items()}
    [(pending, processing)] = await (await conn.execute(COUNT_QUEUED)).fetchall()
    return {DomainStatus.PENDING.value: pending, DomainStatus.PROCESSING.value: processing}


_registries: WeakKeyDictionary[Any, tuple[CollectorRegistry, QueueGauges]] = WeakKeyDictionary()


async def render(database: Database) -> bytes:
    """The gauges of ``database`` as Prometheus reads them."""
    if database not in _registries:
        registry = CollectorRegistry()
        _registries[database] = (registry, QueueGauges(registry))
    registry, gauges = _registries[database]
    await gauges.refresh(database)
    return generate_latest(registry)
