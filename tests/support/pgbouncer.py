"""Debian's PgBouncer in front of the test server: a real transaction pooler, with all that it takes away."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.processes import wait_for

#: Where Supavisor's transaction mode listens; the program knows a transaction pooler by it.
TRANSACTION_PORT = 6543
#: What the seed's connection string asks of asyncpg and SQLAlchemy.
SEED_OPTIONS = "raw_sql=true&no_prepare=true&statement_cache_size=0"

_address_numbers = itertools.count(1)


def pgbouncer_binary() -> str:
    """Where PgBouncer is installed; the test is skipped, and says why, where it is not."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    return found


def own_address() -> str:
    """A loopback address that no other pooler of this machine's test runs has, so that the port can be the real one."""
    pid, number = os.getpid(), next(_address_numbers)
    return f"127.{10 + pid // 65536 % 20 * 10 + number % 10}.{pid // 256 % 256}.{pid % 256 or 1}"


class Pooler:
    """A running PgBouncer. The database behind it is chosen by whoever connects, as with Supavisor."""

    def __init__(self, server: str, *, mode: str, port: int, pool_size: int) -> None:
        self._binary = pgbouncer_binary()
        self._server = conninfo_to_dict(server)
        self.address = own_address()
        self.port = port
        self._folder = Path(tempfile.mkdtemp(prefix="scrapersky-pgbouncer-"))
        self._user: int | None = None
        if os.geteuid() == 0:  # PgBouncer refuses to run as root
            account = pwd.getpwnam("nobody")
            self._user = account.pw_uid
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        (self._folder / "pgbouncer.ini").write_text(self._configuration(mode, pool_size))
        self._process: subprocess.Popen[bytes] | None = None

    def _configuration(self, mode: str, pool_size: int) -> str:
        server = " ".join(
            f"{name}={self._server[name]}" for name in ("host", "port", "user", "password") if self._server.get(name)
        )
        return (
            f"[databases]\n* = {server}\n[pgbouncer]\nlisten_addr = {self.address}\nlisten_port = {self.port}\n"
            f"unix_socket_dir =\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = {pool_size}\n"
            "max_client_conn = 1000\nserver_login_retry = 0.2\nlogfile = pgbouncer.log\n"
            "admin_users = postgres\nignore_startup_parameters = extra_float_digits,options\n"
        )

    def conninfo(self, database: str) -> str:
        """``database`` (a conninfo) through this pooler."""
        return make_conninfo(
            host=self.address, port=self.port, user="postgres", dbname=str(conninfo_to_dict(database)["dbname"])
        )

    def seed_dsn(self, database: str) -> str:
        """``database`` (a conninfo) through this pooler, written as the seed writes it."""
        name = quote(str(conninfo_to_dict(database)["dbname"]))
        return f"postgresql+asyncpg://postgres:ignored@{self.address}:{self.port}/{name}?{SEED_OPTIONS}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [self._binary, "pgbouncer.ini"],
            user=self._user,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._answers, what="PgBouncer to answer")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "pgbouncer.log").read_text()
        try:
            psycopg.connect(
                make_conninfo(host=self.address, port=self.port, user="postgres", dbname="pgbouncer"), autocommit=True
            ).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it; SIGTERM is an immediate shutdown, and every client's connection breaks."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=30)
            self._process = None

    def remove(self) -> None:
        """End it and take its folder away."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def running_pooler(
    server: str, *, mode: str = "transaction", port: int = TRANSACTION_PORT, pool_size: int = 20
) -> Iterator[Pooler]:
    """A PgBouncer in front of ``server`` (a conninfo) inside the block."""
    pooler = Pooler(server, mode=mode, port=port, pool_size=pool_size)
    try:
        pooler.start()
        yield pooler
    finally:
        pooler.remove()
