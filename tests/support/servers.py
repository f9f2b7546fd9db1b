"""A Postgres server that a test or a benchmark starts, stops and restarts as it likes, of any version that is here."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg.conninfo import make_conninfo

from tests.support.postgres import WHEEL_ROOT

#: The servers of this machine: the wheel's two, and the distribution's.
BIN_DIRS = {
    name: path
    for name, path in {
        "15": Path("/usr/lib/postgresql/15/bin"),
        "16": WHEEL_ROOT / "pginstall" / "bin",
        "18": WHEEL_ROOT / "pginstall18" / "bin",
    }.items()
    if (path / "initdb").exists()
}


def free_port() -> int:
    """A port that nothing listened on a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def unprivileged_user() -> int | None:
    """Postgres and pgbouncer refuse to run as root; None if we are not."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


class OwnServer:
    """A server in a temporary folder, on a unix socket and a TCP port of 127.0.0.1; a context manager."""

    def __init__(self, bin_dir: Path = BIN_DIRS["18"], settings: Sequence[str] = ()) -> None:
        self.bin_dir = bin_dir
        self.folder = Path(tempfile.mkdtemp(prefix="scrapersky-own-pg-"))
        self.port = free_port()
        self.pid: int | None = None
        self._settings = [argument for setting in settings for argument in ("-c", setting)]
        self._process: subprocess.Popen[bytes] | None = None
        self._user = unprivileged_user()
        if self._user is not None:
            os.chown(self.folder, self._user, -1)

    @property
    def conninfo(self) -> str:
        return make_conninfo(host=str(self.folder), port=self.port, user="postgres", dbname="postgres")

    def tcp_conninfo(self, port: int | None = None, dbname: str = "postgres") -> str:
        return make_conninfo(host="127.0.0.1", port=port or self.port, user="postgres", dbname=dbname)

    def create_database(self, name: str) -> str:
        with psycopg.connect(self.conninfo, autocommit=True) as conn:
            conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
            conn.execute(f"CREATE DATABASE {name}".encode())
        return make_conninfo(self.conninfo, dbname=name)

    def start(self) -> None:
        data = self.folder / "data"
        if not data.exists():
            command = [self.bin_dir / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"]
            subprocess.run(
                [*command, "--locale=C.UTF-8"], user=self._user, cwd=self.folder, check=True, capture_output=True
            )
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self.bin_dir / "postgres",
                    "-D",
                    data,
                    "-k",
                    self.folder,
                    "-p",
                    str(self.port),
                    "-c",
                    "listen_addresses=127.0.0.1",
                    *self._settings,
                ],
                user=self._user,
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self.pid = self._process.pid
        self._wait_until_up()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT is the fast shutdown, SIGQUIT the immediate one, which is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
            self._process = None

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.conninfo, connect_timeout=5).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class PgBouncer:
    """A pooler in transaction mode in front of ``server``; a context manager."""

    def __init__(self, server: OwnServer) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="scrapersky-pgbouncer-"))
        self._server = server
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program() -> str | None:
        return shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")

    def conninfo(self, dbname: str) -> str:
        return make_conninfo(host="127.0.0.1", port=self.port, user="postgres", dbname=dbname)

    def __enter__(self) -> Self:
        user = unprivileged_user()
        if user is not None:
            os.chown(self.folder, user, -1)
        (self.folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={self._server.folder} port={self._server.port} user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\nauth_type = any\n"
            "pool_mode = transaction\nmax_client_conn = 200\ndefault_pool_size = 20\n"
            "ignore_startup_parameters = extra_float_digits,options\n"
        )
        program = self.program()
        assert program is not None
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, self.folder / "pgbouncer.ini"],
                user=user,
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.02)
            else:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=20)
        shutil.rmtree(self.folder, ignore_errors=True)
