"""Each link of the chain is broken in turn on a real Postgres, and doctor names it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from app.database import Database
from app.doctor import Report, readiness
from app.doctor.chain import CHAIN
from app.settings import DEFAULT_TENANT_ID, Settings
from domain_queue import Job, Submission, submit
from migrations import migrate
from tests.support.doctor import assert_broken, run_doctor, settings_for
from tests.support.pgbouncer import Pooler, running_pooler
from tests.support.postgres import Server
from tests.support.queue_workers import working

Connection = psycopg.AsyncConnection[Any]

STEP_NAMES = {step.name for step in CHAIN}


async def test_a_healthy_chain_has_no_broken_link_and_leaves_nothing_behind(database: str, conn: Connection) -> None:
    async with working(database):
        checks = await run_doctor(settings_for(database))
    assert [name for name, check in checks.items() if not check.ok] == []
    assert list(checks) == [step.name for step in CHAIN]
    assert "ended and removed" in checks["round_trip"].seen
    left = await (
        await conn.execute("SELECT (SELECT count(*) FROM domains), (SELECT count(*) FROM tenants)")
    ).fetchone()
    assert left == (0, 1)


async def test_the_probe_disturbs_no_work_that_waits(database: str, conn: Connection) -> None:
    async with working(database, concurrency=1):
        pass
    [job] = await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=[Submission(domain="a.example")])
    await run_doctor(settings_for(database))
    row = await (await conn.execute("SELECT id, status::text, attempt, claim_token FROM domains")).fetchall()
    assert row == [(job.id, "pending", 0, 0)]


async def test_a_misspelled_variable_is_named_with_the_right_one() -> None:
    checks = await run_doctor(Settings(_env_file=None), environ={"DATABSE_URL": "postgresql://x"}, only=["settings"])
    assert_broken(checks, "settings", "DATABSE_URL", "DATABASE_URL")
    others = {"NIX_SSL_CERT_FILE": "/etc/ssl/ca.pem", "SSL_CERT_DIR": "/etc/ssl"}
    check = (await run_doctor(Settings(_env_file=None), environ=others, only=["settings"]))["settings"]
    assert (check.ok, check.advice) == (True, None), "names of other programs are no misspelled ones"


async def test_an_unknown_variable_of_ours_beside_good_ones_is_a_warning() -> None:
    environ = {"SCRAPER_API_REGION": "eu", "PATH": "/bin"}
    check = (await run_doctor(Settings(_env_file=None), environ=environ, only=["settings"]))["settings"]
    assert check.ok
    assert "SCRAPER_API_REGION" in check.seen
    assert check.advice


async def test_development_on_all_interfaces_is_a_contradiction(database: str) -> None:
    checks = await run_doctor(settings_for(database, environment="development", host="0.0.0.0"), only=["dsn"])
    assert_broken(checks, "settings", "0.0.0.0", "ENVIRONMENT")
    assert checks["dsn"].seen == "skipped: needs settings"


async def test_a_paid_key_without_a_tier_or_a_budget_is_named_and_the_key_never_shown(database: str) -> None:
    settings = settings_for(database, scraper_api_key=SecretStr("sesame-key"))
    checks = await run_doctor(settings, only=["fetch_ladder"])
    assert_broken(checks, "fetch_ladder", "SCRAPER_API_MAX_TIER")
    assert "sesame-key" not in json.dumps([check.model_dump() for check in checks.values()])


async def test_a_connection_string_that_nobody_can_read_is_named_without_being_shown() -> None:
    checks = await run_doctor(settings_for("mysql://me:sesame@host/db"))
    assert_broken(checks, "dsn", "postgresql://")
    assert "sesame" not in json.dumps([check.model_dump() for check in checks.values()])
    assert checks["connect"].seen == "skipped: needs dsn"


async def test_a_drivers_dsn_is_understood_and_said(database: str) -> None:
    given = {key: str(value) for key, value in conninfo_to_dict(database).items()}
    url = f"postgresql+asyncpg://{given['user']}@/{given['dbname']}?host={given['host']}&raw_sql=true&no_prepare=true"
    if "password" in given:
        url = url.replace("@/", f":{given['password']}@/") + f"&port={given['port']}"
    checks = await run_doctor(settings_for(url), only=["prepared_statements"])
    assert checks["dsn"].ok
    assert "+asyncpg" in checks["dsn"].seen
    assert "raw_sql is ignored" in checks["dsn"].seen
    assert checks["prepared_statements"].seen.startswith("off")


async def test_a_server_that_does_not_run_is_named_and_what_needs_it_is_skipped() -> None:
    checks = await run_doctor(settings_for("postgresql://me@127.0.0.1:1/db"))
    assert_broken(checks, "connect", "start Postgres")
    assert checks["round_trip"].seen == "skipped: needs connect"
    assert checks["migrations"].seen == "skipped: needs connect"
    assert checks["extractor"].ok


async def test_a_reader_without_a_contact_is_told_to_give_one() -> None:
    check = (await run_doctor(settings_for("postgresql://me@127.0.0.1:1/db"), only=["user_agent"]))["user_agent"]
    assert check.ok
    assert "FETCH_CONTACT" in str(check.advice)
    settings = settings_for("postgresql://me@127.0.0.1:1/db", fetch_contact="https://example.com/reader")
    check = (await run_doctor(settings, only=["user_agent"]))["user_agent"]
    assert "+https://example.com/reader" in check.seen
    assert check.advice is None


async def test_readers_that_cannot_be_started_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # no interpreter starts with it

    checks = await run_doctor(settings_for("postgresql://me@127.0.0.1:1/db"), only=["extractor"])
    assert_broken(checks, "extractor", "limits of memory")


async def test_a_database_that_does_not_exist_is_named(database: str) -> None:
    checks = await run_doctor(settings_for(make_conninfo(database, dbname="no_such_database")), only=["connect"])
    assert_broken(checks, "connect", "no_such_database", "create")


async def test_migrations_that_were_not_applied_are_named(empty_database: str) -> None:
    checks = await run_doctor(settings_for(empty_database))
    assert_broken(checks, "migrations", "0001_domain_queue", "scrapersky migrate")
    assert checks["workers"].seen == "skipped: needs migrations"


async def test_a_migration_that_was_edited_afterwards_is_named(database: str, conn: Connection) -> None:
    await conn.execute("UPDATE schema_migrations SET sha256 = 'another' WHERE number = 2")
    assert_broken(await run_doctor(settings_for(database), only=["migrations"]), "migrations", "0002_access", "edited")


async def test_a_database_newer_than_the_program_is_named(database: str, conn: Connection) -> None:
    await conn.execute("INSERT INTO schema_migrations (number, name, sha256) VALUES (999, 'future', '')")
    assert_broken(await run_doctor(settings_for(database), only=["migrations"]), "migrations", "0999_future", "newer")


async def test_a_newer_migration_that_this_program_fits_to_is_a_warning(database: str, conn: Connection) -> None:
    await conn.execute(
        "INSERT INTO schema_migrations (number, name, sha256, compatible_with) VALUES (999, 'future', '', 1)"
    )
    check = (await run_doctor(settings_for(database), only=["migrations"]))["migrations"]
    async with Database(settings_for(database), name="test") as pool:
        ready = {check.name: check.ok for check in await readiness(pool)}
    assert check.ok
    assert "1 newer" in check.seen
    assert ready["migrations"]


async def test_a_status_word_that_was_renamed_is_named(database: str, conn: Connection) -> None:
    await conn.execute("ALTER TYPE domain_status RENAME VALUE 'error' TO 'failed'")
    checks = await run_doctor(settings_for(database))
    assert_broken(checks, "schema", "failed", "error")
    assert checks["round_trip"].seen == "skipped: needs schema"


async def test_a_column_of_another_type_is_named(database: str, conn: Connection) -> None:
    await conn.execute("ALTER TABLE domains ALTER COLUMN error_code TYPE varchar(50)")
    assert_broken(await run_doctor(settings_for(database), only=["schema"]), "schema", "error_code", "should be text")


async def test_a_missing_claim_index_is_named(database: str, conn: Connection) -> None:
    await conn.execute("DROP INDEX domains_claim_idx")
    assert_broken(await run_doctor(settings_for(database), only=["schema"]), "schema", "domains_claim_idx")


async def test_row_level_security_that_was_switched_off_is_named(database: str, conn: Connection) -> None:
    await conn.execute("ALTER TABLE domains DISABLE ROW LEVEL SECURITY")
    checks = await run_doctor(settings_for(database), only=["row_level_security"])
    assert_broken(checks, "row_level_security", "domains", "ENABLE ROW LEVEL SECURITY")


async def test_a_default_tenant_that_is_not_there_is_named(database: str) -> None:
    settings = settings_for(database, default_tenant_id=UUID(int=7))
    assert_broken(await run_doctor(settings, only=["tenant"]), "tenant", "DEFAULT_TENANT_ID", "tenant create")


async def test_a_policy_that_shows_every_row_is_found_by_trying(database: str, conn: Connection) -> None:
    await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=[Submission(domain="a.example")])
    await conn.execute("CREATE POLICY everybody ON domains FOR SELECT TO scrapersky_tenant USING (true)")
    checks = await run_doctor(settings_for(database), only=["row_level_security"])
    assert_broken(checks, "row_level_security", "sees rows of others")


async def test_an_account_that_may_not_become_the_tenants_role_is_named(database: str, conn: Connection) -> None:
    name = f"stranger_{uuid4().hex[:8]}"
    await conn.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'stranger'").format(sql.Identifier(name)))
    try:
        stranger = make_conninfo(database, user=name, password="stranger")
        assert_broken(await run_doctor(settings_for(stranger), only=["roles"]), "roles", name, "GRANT")
    finally:
        await conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


async def test_a_database_that_was_made_read_only_is_named(database: str, conn: Connection) -> None:
    name = sql.Identifier(str(conninfo_to_dict(database)["dbname"]))
    await conn.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
    checks = await run_doctor(settings_for(database))
    assert_broken(checks, "server_version", "read-only", "disk")


async def test_a_disabled_trigger_is_named(database: str, conn: Connection) -> None:
    await conn.execute("ALTER TABLE domains DISABLE TRIGGER domains_pending_insert")
    checks = await run_doctor(settings_for(database), only=["notify_trigger", "listen"])
    assert_broken(checks, "notify_trigger", "domains_pending_insert", "ENABLE TRIGGER")


async def test_a_trigger_that_no_longer_notifies_is_found_by_trying(database: str, conn: Connection) -> None:
    await conn.execute(
        "CREATE OR REPLACE FUNCTION notify_domains_pending() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RETURN NULL; END $$"
    )
    checks = await run_doctor(settings_for(database), only=["notify_trigger", "listen"])
    assert_broken(checks, "notify_trigger", "sent no notification")


async def test_no_worker_is_named_as_the_reason_why_a_row_waits(database: str, conn: Connection) -> None:
    await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=[Submission(domain="a.example")])
    checks = await run_doctor(settings_for(database))
    assert_broken(checks, "workers", "none alive", "worker run")
    assert_broken(checks, "oldest_pending", "a.example", "no worker")
    assert checks["round_trip"].seen == "skipped: needs workers"


async def test_a_row_that_waits_for_its_retry_is_no_fault_and_says_when(database: str, conn: Connection) -> None:
    await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=[Submission(domain="a.example")])
    await conn.execute("UPDATE domains SET available_at = now() + interval '90 seconds'")
    check = (await run_doctor(settings_for(database), only=["oldest_pending"]))["oldest_pending"]
    assert check.ok
    assert "wait for their time, the next in 8" in check.seen or "the next in 90" in check.seen


async def test_workers_whose_every_place_is_taken_are_named_as_the_reason(database: str, conn: Connection) -> None:
    may_end = asyncio.Event()

    async def hold(job: Job) -> None:
        await may_end.wait()

    domains = [Submission(domain=f"{letter}.example") for letter in "abc"]
    async with working(database, hold, concurrency=1):
        await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=domains)
        while not await _value(conn, "SELECT coalesce(max(in_flight), 0) FROM workers"):
            await asyncio.sleep(0.05)
        checks = await run_doctor(settings_for(database), only=["oldest_pending", "round_trip"], probe_seconds=0.5)
        may_end.set()
    assert "every place of every worker is busy" in checks["oldest_pending"].seen
    assert "every place of every worker is busy" in checks["round_trip"].seen
    assert await _value(conn, "SELECT count(*) FROM tenants WHERE name = 'doctor-probe'") == 0


async def test_rows_whose_worker_is_gone_are_named_when_nobody_takes_them_back(database: str, conn: Connection) -> None:
    await submit(conn, tenant_id=DEFAULT_TENANT_ID, submissions=[Submission(domain="a.example")])
    await conn.execute(
        "UPDATE domains SET status = 'processing', worker_id = gen_random_uuid(), "
        "claimed_at = now() - interval '1 hour', claim_token = claim_token + 1"
    )
    assert_broken(await run_doctor(settings_for(database), only=["stuck_rows"]), "stuck_rows", "a.example", "60 min")


async def test_whoever_holds_back_vacuum_is_named(database: str) -> None:
    holder = make_conninfo(database, application_name="somebody's report")
    async with await psycopg.AsyncConnection.connect(holder) as other:
        await other.execute("SELECT count(*) FROM domains")
        check = (await run_doctor(settings_for(database), only=["vacuum_horizon"]))["vacuum_horizon"]
    assert "somebody's report" in check.seen
    assert "idle in transaction" in check.seen


async def test_whoever_locks_the_whole_table_is_named_and_nothing_waits_for_it(database: str) -> None:
    holder = make_conninfo(database, application_name="night job")
    async with await psycopg.AsyncConnection.connect(holder) as other:
        await other.execute("LOCK TABLE domains IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(20):
            while (checks := await run_doctor(settings_for(database), only=["locks"]))["locks"].ok:
                await asyncio.sleep(0.05)
        checks = await run_doctor(settings_for(database))
    assert_broken(checks, "locks", "night job", "AccessExclusiveLock on domains", "pg_terminate_backend")
    assert checks["oldest_pending"].seen == "skipped: needs locks"
    assert sum(check.ms for check in checks.values()) < 20_000


async def test_a_server_that_accepts_and_says_nothing_ends_no_later_than_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # the kernel accepts, nobody reads
        port = server.getsockname()[1]
        checks = await run_doctor(settings_for(f"postgresql://me@127.0.0.1:{port}/db"))
    assert_broken(checks, "connect", "127.0.0.1")
    assert checks["round_trip"].was_skipped


async def test_an_owner_that_is_no_superuser_may_act_as_a_tenant_as_on_a_hosted_database(
    postgres: Server, empty_database: str, conn: Connection
) -> None:
    owner, name = f"owner_{uuid4().hex[:8]}", str(conninfo_to_dict(empty_database)["dbname"])
    hosted = make_conninfo(empty_database, user=owner, password="owner")
    await conn.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD 'owner'").format(sql.Identifier(owner)))
    await conn.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name), sql.Identifier(owner)))
    # What a creator of the role would have by itself, in a server where another test's role is there already.
    await conn.execute(
        sql.SQL("GRANT scrapersky_tenant TO {} WITH ADMIN TRUE, SET FALSE, INHERIT FALSE").format(sql.Identifier(owner))
    )
    with psycopg.connect(hosted, autocommit=True) as connection:
        migrate(connection)
    checks = await run_doctor(settings_for(hosted), only=["roles", "row_level_security"])
    assert [name for name, check in checks.items() if not check.ok] == []


async def test_no_way_out_is_a_warning_that_says_so(database: str) -> None:
    checks = await run_doctor(settings_for(database), only=["dns", "outward_fetch"])
    for name in ("dns", "outward_fetch"):
        assert checks[name].ok
        assert checks[name].seen.startswith("offline")
        assert checks[name].advice


async def test_the_fast_part_tells_the_same_for_probes_and_pages(database: str, conn: Connection) -> None:
    async with Database(settings_for(database), name="test") as pool:
        before = await readiness(pool)
        async with working(database):
            during = await readiness(pool)
        await conn.execute("ALTER TABLE workers RENAME TO labourers")
        without_a_table = await readiness(pool)
    assert [(check.name, check.ok) for check in before] == [
        ("database", True),
        ("migrations", True),
        ("worker", False),
        ("oldest_pending", True),
    ]
    assert all(check.ok for check in during)
    assert [check.name for check in without_a_table] == [check.name for check in before]
    assert without_a_table[-1].was_skipped


async def _value(conn: Connection, query: str) -> Any:
    row = await (await conn.execute(query)).fetchone()
    assert row is not None
    return row[0]


async def test_the_seeds_dsn_through_a_transaction_pooler_is_understood_and_works_by_polling(
    database: str, pooler: Pooler
) -> None:
    async with working(database):
        checks = await run_doctor(settings_for(pooler.seed_dsn(database)))
    assert [name for name, check in checks.items() if not check.ok] == []
    assert "a transaction pooler: one transaction, one server process" in checks["pooler"].seen
    assert "workers poll" in checks["listen"].seen
    assert "LISTEN_DATABASE_URL" in str(checks["listen"].advice)
    assert "ended and removed" in checks["round_trip"].seen


async def test_a_pooler_whose_port_does_not_tell_is_found_out(database: str, postgres: Server) -> None:
    with running_pooler(postgres.conninfo, port=5431) as pooler:
        checks = await run_doctor(settings_for(pooler.conninfo(database)), only=["pooler", "prepared_statements"])
    assert "a transaction pooler listens on port 5431" in checks["pooler"].seen
    assert_broken(checks, "prepared_statements", "prepared statement", "no_prepare")


async def test_a_listen_dsn_that_cannot_listen_is_broken(database: str, pooler: Pooler) -> None:
    settings = settings_for(database, listen_database_url=SecretStr(pooler.seed_dsn(database)))
    assert_broken(await run_doctor(settings, only=["listen"]), "listen", "LISTEN_DATABASE_URL", "session-mode")


def test_the_page_about_doctor_names_every_check() -> None:
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text()
    table = page.split("## The checks")[1].split("## A healthy chain")[0]
    assert [step.name for step in CHAIN] == [name for name in re.findall(r"`(\w+)`", table) if name in STEP_NAMES]


def doctor_process(**variables: str) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("SCRAPERSKY_")}
    command = [sys.executable, "-m", "app.cli", "doctor", "--json"]
    return subprocess.run(command, env=environ | variables, capture_output=True, text=True, timeout=60)


def test_the_command_prints_the_document_and_exits_by_the_verdict(database: str) -> None:
    done = doctor_process(DATABASE_URL=database)
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert set(document) == {"checks"}
    assert set(document["checks"][0]) == {"name", "ok", "seen", "advice", "ms"}
    assert [check.name for check in Report.model_validate(document).checks] == [step.name for step in CHAIN]
    assert [check["name"] for check in document["checks"] if not check["ok"]] == ["workers", "round_trip"]


@pytest.mark.parametrize("variables", [{"WORKER_CONCURRENCY": "many"}, {"DB_MIN_POOL_SIZE": "50"}])
def test_a_value_that_a_variable_cannot_have_is_named_and_nothing_breaks(variables: dict[str, str]) -> None:
    done = doctor_process(DATABASE_URL="postgresql://me@127.0.0.1:1/db", **variables)
    [settings, *others] = json.loads(done.stdout)["checks"]
    assert done.returncode == 1
    assert next(iter(variables)) in settings["seen"]
    assert "Traceback" not in done.stderr
    assert all(check["seen"] == "skipped: needs settings" for check in others if check["name"] in ("dsn", "connect"))
