"""The chain: every check, in the order in which a scan depends on it."""

from __future__ import annotations

from app.doctor.configuration import check_dsn, check_ladder, check_settings, check_user_agent
from app.doctor.examination import Step
from app.doctor.outward import check_dns, check_extractor, check_outward
from app.doctor.queue import check_callbacks, check_oldest_pending, check_round_trip, check_stuck_rows, check_workers
from app.doctor.schema import check_migrations, check_roles, check_row_level_security, check_schema, check_tenant
from app.doctor.server import (
    check_clock,
    check_connect,
    check_pooler,
    check_prepared_statements,
    check_server_version,
)
from app.doctor.upkeep import check_connections, check_dead_rows, check_locks, check_vacuum_horizon
from app.doctor.wake import check_listen, check_notify_trigger

CONNECTED = ("settings", "dsn", "connect")
MIGRATED = (*CONNECTED, "server_version", "locks", "migrations", "schema")

CHAIN = (
    Step(name="settings", look=check_settings),
    Step(name="dsn", look=check_dsn, needs=("settings",)),
    Step(name="connect", look=check_connect, needs=("settings", "dsn")),
    Step(name="server_version", look=check_server_version, needs=CONNECTED),
    Step(name="clock", look=check_clock, needs=CONNECTED),
    Step(name="locks", look=check_locks, needs=CONNECTED),
    Step(name="pooler", look=check_pooler, needs=CONNECTED),
    Step(name="migrations", look=check_migrations, needs=CONNECTED),
    Step(name="schema", look=check_schema, needs=(*CONNECTED, "migrations")),
    Step(name="roles", look=check_roles, needs=CONNECTED),
    Step(name="row_level_security", look=check_row_level_security, needs=(*CONNECTED, "locks", "migrations", "roles")),
    Step(name="tenant", look=check_tenant, needs=MIGRATED),
    Step(name="prepared_statements", look=check_prepared_statements, needs=CONNECTED),
    Step(name="listen", look=check_listen, needs=CONNECTED),
    Step(name="notify_trigger", look=check_notify_trigger, needs=MIGRATED),
    Step(name="workers", look=check_workers, needs=MIGRATED),
    Step(name="oldest_pending", look=check_oldest_pending, needs=MIGRATED),
    Step(name="stuck_rows", look=check_stuck_rows, needs=MIGRATED),
    Step(name="callbacks", look=check_callbacks, needs=MIGRATED),
    Step(name="vacuum_horizon", look=check_vacuum_horizon, needs=CONNECTED),
    Step(name="dead_rows", look=check_dead_rows, needs=CONNECTED),
    Step(name="connections", look=check_connections, needs=CONNECTED),
    Step(name="user_agent", look=check_user_agent, needs=("settings",)),
    Step(name="dns", look=check_dns, seconds=3.0),
    Step(name="outward_fetch", look=check_outward, seconds=3.0),
    Step(name="extractor", look=check_extractor),
    Step(name="fetch_ladder", look=check_ladder, needs=("settings",)),
    Step(name="round_trip", look=check_round_trip, needs=(*MIGRATED, "workers"), seconds=10.0),
)
