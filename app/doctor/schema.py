"""Checks of what the migrations made: applied, the enum and the columns, the tenants' role and its policies."""

from __future__ import annotations

from typing import NamedTuple
from uuid import uuid4

import psycopg

from app.doctor.models import Check, broken, sound, warning
from app.doctor.patient import Patient
from domain_queue import DomainStatus
from migrations import load_migrations

TABLE_EXISTS = "SELECT to_regclass('schema_migrations') IS NOT NULL"

# By way of the row as a document, because older databases have no compatible_with.
SELECT_APPLIED = """
    SELECT number, name, sha256, (to_jsonb(schema_migrations) ->> 'compatible_with')::integer
    FROM schema_migrations
    ORDER BY number
"""


async def check_migrations(patient: Patient) -> Check:
    """The database has this program's migrations: all of them, unedited, and no other."""
    [(exists,)] = await patient.rows(TABLE_EXISTS)
    applied = await patient.rows(SELECT_APPLIED) if exists else []
    return judge_migrations([Applied(*row) for row in applied])


class Applied(NamedTuple):
    """One row of schema_migrations."""

    number: int
    name: str
    sha256: str
    compatible_with: int | None  #: programs that know the migrations up to this one run on


def judge_migrations(applied: list[Applied]) -> Check:
    """What the applied migrations say beside the files of this program."""
    known = {migration.number: migration for migration in load_migrations()}
    newer = 0
    for number, name, sha256, compatible_with in applied:
        if number not in known:
            if compatible_with is not None and compatible_with <= max(known):
                newer += 1
                continue
            return broken(
                f"the database has {number:04}_{name}, this program knows only up to {max(known):04}",
                "the database is newer than this program: start a newer version of it",
            )
        if known[number].sha256 != sha256:
            return broken(
                f"{number:04}_{name} was edited after it had been applied",
                "restore the file, and put the change into a new migration",
            )
    done = {row.number for row in applied}
    pending = [f"{number:04}_{known[number].name}" for number in known if number not in done]
    if pending:
        return broken(f"not applied yet: {', '.join(pending)}", "run: scrapersky migrate")
    if newer:
        return warning(
            f"all {len(known)} applied, and {newer} newer that this program fits to",
            "an upgrade is under way: replace this process too",
        )
    return sound(f"all {len(known)} applied")


SELECT_LABELS = """
    SELECT enumlabel
    FROM pg_enum
    WHERE enumtypid = to_regtype('domain_status')
    ORDER BY enumsortorder
"""

SELECT_COLUMNS = """
    SELECT attrelid::regclass::text || '.' || attname, format_type(atttypid, NULL)
    FROM pg_attribute
    WHERE attrelid = ANY(ARRAY[to_regclass('domains'), to_regclass('workers')]) AND attnum > 0 AND NOT attisdropped
"""

SELECT_INDEXES = """
    SELECT c.relname, i.indisvalid
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indrelid = to_regclass('domains')
"""

#: What a claim, a renewal and a result cannot do without, and what people most often change by hand.
EXPECTED_COLUMNS = {
    "domains.id": "uuid",
    "domains.tenant_id": "uuid",
    "domains.domain": "text",
    "domains.status": "domain_status",
    "domains.priority": "smallint",
    "domains.available_at": "timestamp with time zone",
    "domains.max_pages": "integer",
    "domains.attempt": "integer",
    "domains.max_attempts": "integer",
    "domains.crash_count": "integer",
    "domains.claim_token": "bigint",
    "domains.worker_id": "uuid",
    "domains.claimed_at": "timestamp with time zone",
    "domains.progress": "real",
    "domains.step": "text",
    "domains.last_error": "text",
    "domains.error_code": "text",
    "domains.errors": "jsonb",
    "domains.domain_metadata": "jsonb",
    "domains.email_addresses": "text[]",
    "domains.phone_numbers": "text[]",
    "domains.updated_at": "timestamp with time zone",
    "domains.completed_at": "timestamp with time zone",
    "workers.lease_expires_at": "timestamp with time zone",
    "workers.wake_mode": "text",
    "workers.stats": "jsonb",
}
EXPECTED_INDEXES = frozenset({"domains_claim_idx", "domains_processing_idx", "domains_tenant_domain_key"})


async def check_schema(patient: Patient) -> Check:
    """The words of the status, the columns and the indexes are those that the code uses."""
    labels = [label for (label,) in await patient.rows(SELECT_LABELS)]
    expected = [status.value for status in DomainStatus]
    if sorted(labels) != sorted(expected):
        return broken(
            f"the enum domain_status has {', '.join(labels) or 'no words'}; the code knows {', '.join(expected)}",
            "the schema was changed outside the migrations: put the words back with ALTER TYPE domain_status",
        )
    columns = dict(await patient.rows(SELECT_COLUMNS))
    if wrong := [
        f"{name} is {columns.get(name, 'missing')} and should be {kind}"
        for name, kind in EXPECTED_COLUMNS.items()
        if columns.get(name) != kind
    ]:
        return broken("; ".join(wrong[:3]), "the schema was changed outside the migrations: change it back")
    indexes = dict(await patient.rows(SELECT_INDEXES))
    if missing := sorted(name for name in EXPECTED_INDEXES if not indexes.get(name)):
        return broken(
            f"without the index {', '.join(missing)} every claim reads the whole table",
            "create it again as its migration does, with CONCURRENTLY",
        )
    return sound(
        f"{len(labels)} statuses, {len(columns)} columns and {len(EXPECTED_INDEXES)} indexes as the code expects"
    )


SELECT_ROLE = """
    SELECT rolsuper, rolbypassrls, pg_has_role(current_user, oid, 'SET'), current_user
    FROM pg_roles
    WHERE rolname = 'scrapersky_tenant'
"""
# Before Postgres 16 the right to SET ROLE is membership itself.
SELECT_ROLE_15 = """
    SELECT rolsuper, rolbypassrls, pg_has_role(current_user, oid, 'MEMBER'), current_user
    FROM pg_roles
    WHERE rolname = 'scrapersky_tenant'
"""


async def check_roles(patient: Patient) -> Check:
    """The role that every request runs as exists, may be taken on, and cannot see past row-level security."""
    [(version,)] = await patient.rows("SELECT current_setting('server_version_num')::int")
    found = await patient.rows(SELECT_ROLE if version >= 160_000 else SELECT_ROLE_15)
    if not found:
        return broken(
            "the role scrapersky_tenant does not exist in this server",
            "roles are not in a dump: CREATE ROLE scrapersky_tenant NOLOGIN, then grant as 0002_access.sql does",
        )
    is_super, bypasses, may_set, user = found[0]
    if is_super or bypasses:
        return broken(
            "scrapersky_tenant is a superuser or may bypass row-level security: every tenant sees every row",
            "ALTER ROLE scrapersky_tenant NOSUPERUSER NOBYPASSRLS",
        )
    if not may_set:
        return broken(f"{user} may not SET ROLE scrapersky_tenant", f'GRANT scrapersky_tenant TO "{user}"')
    return sound(f"{user} may become scrapersky_tenant, which cannot bypass row-level security")


SELECT_TENANT = "SELECT name FROM tenants WHERE id = %(id)s"


async def check_tenant(patient: Patient) -> Check:
    """The tenant of the command line, and in development of every request, is there."""
    tenant_id = patient.known_settings.default_tenant_id
    found = await patient.rows(SELECT_TENANT, {"id": tenant_id})
    if not found:
        return broken(
            f"DEFAULT_TENANT_ID names no tenant: {tenant_id}",
            "correct DEFAULT_TENANT_ID, or make a tenant with: scrapersky tenant create NAME",
        )
    return sound(f"the default tenant is {found[0][0]}")


TENANT_TABLES = ("domains", "batches", "batch_items", "domain_changes", "tenants", "api_tokens")

SELECT_UNPROTECTED = """
    SELECT relname
    FROM pg_class
    WHERE oid = ANY(SELECT to_regclass(name) FROM unnest(%(tables)s::text[]) AS t (name)) AND NOT relrowsecurity
    ORDER BY relname
"""
BECOME_NOBODY = """
    SELECT set_config('role', 'scrapersky_tenant', true), set_config('app.tenant_id', %(tenant_id)s, true)
"""


async def check_row_level_security(patient: Patient) -> Check:
    """Row-level security is on, and a tenant that owns nothing, tried for real, sees nothing."""
    unprotected = [name for (name,) in await patient.rows(SELECT_UNPROTECTED, {"tables": list(TENANT_TABLES)})]
    if unprotected:
        return broken(
            f"row-level security is off on {', '.join(unprotected)}: every tenant sees every row there",
            f"ALTER TABLE {unprotected[0]} ENABLE ROW LEVEL SECURITY",
        )
    try:
        async with patient.transaction() as conn:
            await conn.execute(BECOME_NOBODY, {"tenant_id": str(uuid4())})
            cur = await conn.execute("SELECT EXISTS (SELECT FROM domains), EXISTS (SELECT FROM domain_changes)")
            [(sees_domains, sees_changes)] = await cur.fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        return broken(f"scrapersky_tenant may not read: {error.diag.message_primary}", "grant as 0002_access.sql does")
    if sees_domains or sees_changes:
        return broken(
            "a tenant that owns nothing sees rows of others",
            "a policy was added or changed: compare with 0002_access.sql",
        )
    return sound(f"on for {len(TENANT_TABLES)} tables; a tenant without rows sees none")
