"""Plan guards: what each hot statement reads, on each Postgres that is here, with good and bad statistics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from domain_queue.claims import CLAIM, CLAIM_LANE, NIL
from domain_queue.leases import RENEW
from domain_queue.outcomes import COMPLETE, COMPLETE_EMPTY, FAIL_OR_RETRY, PROGRESS, RELEASE, RELEASE_UNKNOWN
from domain_queue.sweep import LOOK, SWEEP_LOST, SWEEP_RESCANS
from migrations import migrate
from tests.queue.helpers import TENANT
from tests.support.servers import BIN_DIRS, OwnServer

ROWS = 200  # in each statement
PER_ROW = 60  # pages for each row claimed or written, most of them its index entries; a wrong plan reads thousands
FIXED = 400  # pages whatever the number of rows

# A third is pending in five lanes of two tenants, some of it in backoff; the rest is done, with a few rescans to come.
FILL = """
    INSERT INTO domains (
        tenant_id, domain, status, priority, available_at, rescan_every, title, domain_metadata, claim_token, worker_id
    )
    SELECT
        CASE WHEN i %% 10 = 0 THEN %(other)s ELSE %(tenant)s END::uuid,
        'd' || i || '.example',
        CASE WHEN i %% 3 = 0 THEN 'pending' ELSE 'completed' END::domain_status,
        50 + i / 3 %% 3,
        CASE
            WHEN i %% 700 = 7 THEN now() + make_interval(days => 1, secs => i %% 5000) -- not due while the tests run
            ELSE now() + CASE WHEN i %% 7 = 0 THEN 1 ELSE -1 END * make_interval(secs => i %% 5000)
        END,
        CASE WHEN i %% 700 = 7 THEN interval '1 day' END,
        'A title of usual length',
        jsonb_build_object('domain', i, 'text', repeat('x', 200)),
        2,
        %(other)s
    FROM generate_series(1, %(rows)s) AS i
"""
OTHER = UUID(int=7)
WORKER = UUID(int=9)


def _tables() -> Iterator[Any]:
    """Each version with each size. The big tables are slow to fill: by default the newest version stands for all."""
    for version in BIN_DIRS:
        for rows in (1_000, 100_000, 1_000_000):
            is_slow = rows == 1_000_000 or (rows == 100_000 and version != max(BIN_DIRS))
            marks = [pytest.mark.slow, pytest.mark.timeout(600)] if is_slow else []
            yield pytest.param((version, rows), marks=marks, id=f"{version}, {rows} rows")


@pytest.fixture(scope="module", params=list(_tables()))
def filled(request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[Any]]:
    version, rows = request.param
    settings = ["fsync=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=256MB", "jit=off"]
    with OwnServer(BIN_DIRS[version], settings) as server:
        yield from _fill(server.create_database("plans"), rows)


def _fill(conninfo: str, rows: int) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(conninfo, autocommit=True) as conn:
        migrate(conn)
        conn.execute("ANALYZE")  # of empty tables: the worst statistics there are
        conn.execute("INSERT INTO tenants VALUES (%s, 'other')", (OTHER,))
        conn.execute(
            "INSERT INTO workers (id, name, version, concurrency, lease_expires_at, lease_seconds)"
            " VALUES (%s, 'w', '', 1, now() + interval '1 hour', 30)",
            (WORKER,),
        )
        conn.execute(FILL.encode(), {"rows": rows, "tenant": TENANT, "other": OTHER})
        conn.rows = rows  # type: ignore[attr-defined]
        yield conn


@pytest.fixture(params=["stale", "fresh"])
def table(request: pytest.FixtureRequest, filled: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    if request.param == "fresh":
        filled.execute("ANALYZE domains")
    return filled


class Explained:
    def __init__(self, document: dict[str, Any]) -> None:
        self.nodes = list(_nodes(document["Plan"]))
        self.pages = document["Plan"]["Shared Hit Blocks"] + document["Plan"]["Shared Read Blocks"]
        self.rows = document["Plan"]["Actual Rows"]

    def scans(self) -> set[str]:
        """Indexes that are read, and tables that are read from end to end."""
        indexes = {node["Index Name"] for node in self.nodes if "Index Name" in node and node["Actual Loops"]}
        return indexes | {
            f"all of {node['Relation Name']}"
            for node in self.nodes
            if node["Node Type"] == "Seq Scan" and node["Actual Loops"]
        }


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def explain(conn: psycopg.Connection[Any], query: str, params: dict[str, Any], *, generic: bool) -> Explained:
    """Execute and explain, with the plan for these values or with the one for any values."""
    types = ", ".join("unknown" for _ in params)
    with psycopg.ClientCursor(conn) as cur:
        cur.execute(f"SET LOCAL plan_cache_mode = force_{'generic' if generic else 'custom'}_plan".encode())
        names = list(params)
        numbered = query.replace("%%", "%")
        for number, name in enumerate(names, 1):
            numbered = numbered.replace(f"%({name})s", f"${number}")
        cur.execute(f"PREPARE hot {f'({types})' if types else ''} AS {numbered}".encode())
        marks = ", ".join("%s" for _ in names)
        cur.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE hot ({marks})".encode()
            if names
            else b"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE hot",
            [params[name] for name in names],
        )
        [(document,)] = cur.fetchall()
        cur.execute("DEALLOCATE hot")
    return Explained((json.loads(document) if isinstance(document, str) else document)[0])


def claim_params(conn: psycopg.Connection[Any], **watermarks: list[Any]) -> dict[str, Any]:
    return {
        "tenants": [],
        "priorities": [],
        "after_at": [],
        "after_seq": [],
        "limit": ROWS,
        "served_last": NIL,
        "worker_id": WORKER,
    } | watermarks


def claimed(conn: psycopg.Connection[Any], number: int = ROWS) -> dict[str, Any]:
    """Rows in flight, several times as many as one statement ends: what a wrong plan would read for each."""
    with conn.cursor() as cur:
        cur.execute(
            "UPDATE domains SET status = 'processing', worker_id = %s WHERE id IN"
            " (SELECT id FROM domains WHERE status = 'completed' LIMIT %s) RETURNING id, claim_token",
            (WORKER, 2 * number),
        )
        rows = cur.fetchall()[:number]
    return {"ids": [row[0] for row in rows], "tokens": [row[1] for row in rows]}


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
@pytest.mark.parametrize("bounded", [False, True], ids=["from the beginning", "from a watermark"])
def test_a_claim_reads_what_it_takes(table: psycopg.Connection[Any], generic: bool, bounded: bool) -> None:
    marks: dict[str, list[Any]] = {}
    if bounded:
        middle = table.execute(
            "SELECT available_at, seq FROM domains WHERE status = 'pending' AND tenant_id = %s AND priority = 51"
            " AND available_at <= now() ORDER BY 1, 2 LIMIT 1",
            (TENANT,),
        ).fetchone()
        assert middle is not None
        marks = {"tenants": [TENANT], "priorities": [51], "after_at": [middle[0]], "after_seq": [middle[1]]}
    with table.transaction(force_rollback=True):
        plan = explain(table, CLAIM, claim_params(table, **marks), generic=generic)

    assert 0 < plan.rows <= ROWS
    assert plan.pages < FIXED + PER_ROW * ROWS
    assert "domains_claim_idx" in plan.scans()
    if table.rows > 1_000:  # type: ignore[attr-defined]
        assert "all of domains" not in plan.scans()


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
def test_a_claim_from_one_lane_looks_for_others_once_and_reads_no_table(
    table: psycopg.Connection[Any], generic: bool
) -> None:
    params = {
        "tenant_id": TENANT,
        "priority": 51,
        "after_at": "-infinity",
        "after_seq": 0,
        "limit": ROWS,
        "worker_id": WORKER,
    }
    with table.transaction(force_rollback=True):
        plan = explain(table, CLAIM_LANE, params, generic=generic)

    assert plan.rows == 0  # there are others
    assert plan.pages < FIXED
    ways = {node.get("Index Name", node["Node Type"]) for node in plan.nodes if node.get("Relation Name") == "domains"}
    if table.rows > 1_000:  # type: ignore[attr-defined]
        assert ways - {"ModifyTable"} == {"domains_claim_idx", "Tid Scan"}


FENCED = {
    "COMPLETE": COMPLETE,
    "COMPLETE_EMPTY": COMPLETE_EMPTY,
    "FAIL_OR_RETRY": FAIL_OR_RETRY,
    "RELEASE": RELEASE,
    "PROGRESS": PROGRESS,
}


def fenced_params(name: str, keys: dict[str, Any]) -> dict[str, Any]:
    number = len(keys["ids"])
    match name:
        case "COMPLETE":
            texts = ["titles", "descriptions", "languages", "wordpress_versions", "favicon_urls", "logo_urls"]
            return (
                keys
                | {text: ["text"] * number for text in texts}
                | {
                    "had_result": [True] * number,
                    "is_wordpress": [False] * number,
                    "email_addresses": ["{}"] * number,
                    "phone_numbers": ["{}"] * number,
                    "metadata": ['{"a": 1}'] * number,
                    "http_validators": [None] * number,
                    "watched": ["domain"],
                }
            )
        case "FAIL_OR_RETRY":
            return keys | {
                "final": [False] * number,
                "delays": [1.0] * number,
                "codes": ["slow"] * number,
                "messages": ["slow"] * number,
            }
        case "PROGRESS":
            return keys | {"moved": [True] * number, "progress": [0.5] * number, "steps": ["x"] * number}
        case _:
            return keys


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
@pytest.mark.parametrize("name", FENCED)
def test_a_fenced_write_finds_each_row_by_its_key(table: psycopg.Connection[Any], name: str, generic: bool) -> None:
    with table.transaction(force_rollback=True):
        keys = claimed(table)
        plan = explain(table, FENCED[name], fenced_params(name, keys), generic=generic)

    extra = 5 if name == "COMPLETE" else 1  # what changed since the last result is written too
    assert plan.pages < FIXED + PER_ROW * ROWS * extra
    assert "domains_processing_idx" not in plan.scans()
    if table.rows > 1_000:  # type: ignore[attr-defined]
        assert "all of domains" not in plan.scans()


UPKEEP: dict[str, tuple[str, dict[str, Any]]] = {
    "SWEEP_LOST": (SWEEP_LOST, {"silent": [], "limit": ROWS, "cap": 1.0, "base": 1.0, "sweeper": NIL}),
    "SWEEP_RESCANS": (SWEEP_RESCANS, {"limit": ROWS}),
    "LOOK": (LOOK, {}),
    "RELEASE_UNKNOWN": (RELEASE_UNKNOWN, {"worker_id": WORKER, "known": [uuid4()], "limit": ROWS}),
    "RENEW": (
        RENEW,
        {"lease_seconds": 30.0, "in_flight": 1, "wake_mode": "poll", "draining": False, "stats": "{}", "id": WORKER},
    ),
}


@pytest.mark.parametrize("name", UPKEEP)
def test_upkeep_that_finds_nothing_to_do_costs_next_to_nothing(table: psycopg.Connection[Any], name: str) -> None:
    query, params = UPKEEP[name]
    table.execute("VACUUM domains")  # of what the other tests wrote and rolled back
    with table.transaction(force_rollback=True):
        plan = explain(table, query, params, generic=True)

    assert plan.pages < FIXED
    if table.rows > 1_000:  # type: ignore[attr-defined]
        assert "all of domains" not in plan.scans()


def test_a_sweep_of_lost_rows_reads_only_those(table: psycopg.Connection[Any]) -> None:
    with table.transaction(force_rollback=True):
        claimed(table)
        table.execute("UPDATE workers SET lease_expires_at = now()")
        plan = explain(table, *UPKEEP["SWEEP_LOST"], generic=True)

    assert plan.rows == ROWS
    assert plan.pages < FIXED + PER_ROW * ROWS
