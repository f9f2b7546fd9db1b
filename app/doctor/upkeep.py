"""Checks of what makes a queue in Postgres slow in time: held-back vacuum, dead rows, used-up connections."""

from __future__ import annotations

from app.doctor.models import Check, broken, sound, warning
from app.doctor.patient import Patient

HORIZON_WARNING_SECONDS = 300.0
DEAD_SHARE_WARNING = 0.5
DEAD_ROWS_WARNING = 50_000
CONNECTIONS_SHARE_WARNING = 0.8

# Whoever holds the oldest snapshot or transaction: a session, a prepared transaction, or a replication slot.
SELECT_HORIZON = """
    SELECT kind, who, seconds
    FROM (
        SELECT
            'transaction' AS kind,
            format(
                'process %s of %s (%s), %s', pid, usename, coalesce(nullif(application_name, ''), 'no name'), state
            ) AS who,
            extract(epoch FROM now() - xact_start)::float AS seconds
        FROM pg_stat_activity
        WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'
          AND datname = current_database()
        UNION ALL
        SELECT 'prepared transaction', gid, extract(epoch FROM now() - prepared)::float
        FROM pg_prepared_xacts
        WHERE database = current_database()
    ) AS holder
    ORDER BY seconds DESC
    LIMIT 1
"""


async def check_vacuum_horizon(patient: Patient) -> Check:
    """No transaction is so old that vacuum cannot remove what the queue left behind since."""
    found = await patient.rows(SELECT_HORIZON)
    if not found:
        return sound("no other transaction is open")
    kind, who, seconds = found[0]
    seen = f"the oldest {kind} is {seconds:.1f} s old: {who}"
    if seconds > HORIZON_WARNING_SECONDS:
        return warning(
            f"{seen}; dead rows pile up behind it",
            "end it, and set idle_in_transaction_session_timeout: SELECT pg_terminate_backend(PROCESS)"
            if kind == "transaction"
            else f"ROLLBACK PREPARED '{who}', or commit it",
        )
    return sound(seen)


# The modes in which a table lock stops a claim, held for long enough to be no passing moment.
SELECT_LOCKS = """
    SELECT
        l.relation::regclass::text, l.mode, a.pid, coalesce(a.usename::text, '?'),
        coalesce(nullif(a.application_name, ''), 'no name'), a.state,
        extract(epoch FROM now() - a.xact_start)::float AS seconds
    FROM pg_locks AS l
    JOIN pg_stat_activity AS a ON a.pid = l.pid
    WHERE l.granted AND l.locktype = 'relation' AND a.pid <> pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND l.relation = ANY(ARRAY[to_regclass('domains'), to_regclass('workers')])
      AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      AND a.xact_start < now() - interval '0.5 seconds'
    ORDER BY seconds DESC
    LIMIT 1
"""


async def check_locks(patient: Patient) -> Check:
    """Nobody holds a lock on a whole table that claims and results have to wait for."""
    found = await patient.rows(SELECT_LOCKS)
    if not found:
        return sound("no lock on a whole table stops the queue")
    table, mode, pid, user, application, state, seconds = found[0]
    return broken(
        f"process {pid} of {user} ({application}), {state}, holds {mode} on {table} since {seconds:.1f} s: "
        "claims and results wait for it",
        f"let it end, or: SELECT pg_terminate_backend({pid})",
    )


SELECT_DEAD = """
    SELECT
        t.n_live_tup, t.n_dead_tup, greatest(t.last_autovacuum, t.last_vacuum), current_setting('autovacuum')::bool,
        coalesce(
            (
                SELECT option_value::bool
                FROM pg_options_to_table(c.reloptions)
                WHERE option_name = 'autovacuum_enabled'
            ),
            true
        )
    FROM pg_stat_user_tables AS t
    JOIN pg_class AS c ON c.oid = t.relid
    WHERE t.relid = to_regclass('domains')
"""


async def check_dead_rows(patient: Patient) -> Check:
    """Vacuum keeps up with the rows that claims and results leave behind."""
    found = await patient.rows(SELECT_DEAD)
    live, dead, vacuumed, is_on, is_on_here = found[0] if found else (0, 0, None, True, True)
    last = "never" if vacuumed is None else f"{vacuumed:%Y-%m-%d %H:%M}"
    seen = f"{dead:,} dead beside {live:,} live rows in domains, last vacuum {last}"
    if not is_on:
        return warning(
            f"{seen}; autovacuum is off on the server", "turn autovacuum on, or claims slow down with every row"
        )
    if not is_on_here:
        return warning(f"{seen}; autovacuum is off for domains", "ALTER TABLE domains RESET (autovacuum_enabled)")
    if dead > DEAD_ROWS_WARNING and dead > DEAD_SHARE_WARNING * max(live, 1):
        return warning(seen, "see the check vacuum_horizon; else VACUUM domains, and give autovacuum more to spend")
    return sound(seen)


SELECT_CONNECTIONS = """
    SELECT
        count(*),
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    FROM pg_stat_activity
    WHERE backend_type = 'client backend'
"""


async def check_connections(patient: Patient) -> Check:
    """The server has connections left for workers and web processes that start."""
    [(used, most)] = await patient.rows(SELECT_CONNECTIONS)
    seen = f"{used} of {most} connections used"
    if used > CONNECTIONS_SHARE_WARNING * most:
        return warning(seen, "lower DB_MAX_POOL_SIZE, raise max_connections, or put a pooler before the server")
    return sound(seen)
