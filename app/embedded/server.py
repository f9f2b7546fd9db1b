"""Starting, sharing and stopping the embedded server.

Every process that uses the server holds a shared lock on one file for as long as it lives; the kernel drops the lock
however the process ends. Whoever leaves and can have the lock alone is the last one, and stops the server. After
kill -9 of everyone the server just goes on, and the next to come shares it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import platformdirs
import psycopg
from psycopg.conninfo import make_conninfo

from app.embedded.account import Account, NoUsableAccount, account_for
from app.embedded.binaries import postgres_bin

DATABASE = "scrapersky"
USER = "scrapersky"
#: A unix socket's path has room for 107 bytes; Postgres adds "/.s.PGSQL.5432" to the folder's.
MAX_SOCKET_FOLDER_BYTES = 85
START_TIMEOUT_SECONDS = 120
STOP_TIMEOUT_SECONDS = 60
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_completion_target": "0.9",
    "wal_compression": "on",
    "jit": "off",  # every statement here is short
    "log_min_messages": "warning",
    "log_timezone": "UTC",
    "timezone": "UTC",
}

#: What a server says that is starting, recovering or stopping: wait, and look again.
SIGNS_OF_CHANGE = ("starting up", "shutting down", "recovery mode", "not yet accepting connections")
#: What a running server says that has no room for one more.
SIGNS_OF_LIFE = ("too many clients", "connection slots are reserved")

TABLE_OF_DATABASES = "SELECT FROM pg_database WHERE datname = %s"


class EmbeddedPostgresError(Exception):
    """The embedded Postgres cannot be used; the message says what to do. No data was changed."""


def default_data_dir() -> Path:
    """Under the user's data directory; for root a folder that an unprivileged account can reach."""
    if os.geteuid() == 0:
        return Path("/var/lib/scrapersky")
    return Path(platformdirs.user_data_dir("scrapersky", appauthor=False))


class EmbeddedPostgres:
    """The server that lives in ``data_dir``. A context manager: inside, it runs; afterwards, only if others use it.

    ``was_running`` tells whether somebody else had started it. Rows committed are on disk (fsync is on): no way of
    ending a process, or all of them, loses one.

    Raises:
        EmbeddedPostgresError: on entering.
    """

    def __init__(self, data_dir: Path | None = None) -> None:
        self.folder = (data_dir or default_data_dir()).expanduser().absolute()
        self.data = self.folder / "data"
        self.log_file = self.folder / "postgres.log"
        self.was_running = False
        self._users_lock: IO[str] | None = None
        self._account = Account()
        self._bin = Path()

    @property
    def conninfo(self) -> str:
        """How to connect, as the owner of the database."""
        given = {"host": str(self._socket_folder()), "user": USER, "dbname": DATABASE}
        # Should the socket's folder lie in a shared place: nobody else's server is taken for ours.
        with suppress(OSError, KeyError):
            given["requirepeer"] = pwd.getpwuid(self.data.stat().st_uid).pw_name
        return make_conninfo("", **given)

    def __enter__(self) -> Self:
        self._prepare_folder()
        with self._starting():
            self._users_lock = _open_private(self.folder / "users.lock")
            fcntl.flock(self._users_lock, fcntl.LOCK_SH)
            try:
                self._ensure_running()
            except BaseException:
                self._users_lock.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._users_lock is not None, "entered before"  # noqa: S101 - an invariant, not a check of input
        with self._starting():
            try:
                fcntl.flock(self._users_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # somebody else still uses it
            else:
                self._pg_ctl("stop", "-m", "fast", "-t", str(STOP_TIMEOUT_SECONDS))
            finally:
                self._users_lock.close()

    def revive(self) -> bool:
        """Start the server again where its process is gone; whether it was. Inside the context of whoever uses it.

        Raises:
            EmbeddedPostgresError: it does not start; to be tried again, since what was killed takes a moment to go.
        """
        if self._has_process():
            return False
        self._prepare_folder()
        with self._starting():
            if self._answers():
                return False  # somebody else was quicker
            self._remove_stale_pid_file()
            self._start()
        return True

    def _has_process(self) -> bool:
        try:
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return False
        return _is_server_of(pid, self.data)

    def _prepare_folder(self) -> None:
        try:
            self._bin = postgres_bin()
        except FileNotFoundError as error:
            raise EmbeddedPostgresError(str(error)) from error
        try:
            # Root's is run by another account, which must be able to pass.
            self.folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
            self._account = account_for(self.folder, self._bin)
        except NoUsableAccount as error:
            raise EmbeddedPostgresError(str(error)) from error
        except OSError as error:
            raise EmbeddedPostgresError(
                f"the data folder {self.folder} cannot be used ({error.strerror}): name another by SCRAPERSKY_DATA_DIR"
            ) from error

    def _starting(self) -> _FileLock:
        """Held while the server is looked at, started or stopped, so that only one process does."""
        return _FileLock(self.folder / "start.lock")

    def _ensure_running(self) -> None:
        if self._answers():
            self.was_running = True
            self._create_database()
            return
        if not self.data.exists():
            self._initialise()
        self._remove_stale_pid_file()
        self._start()
        self._create_database()

    def _initialise(self) -> None:
        """Make the cluster under another name and move it when it is whole: a crash leaves nothing half made."""
        unfinished = self.folder / "data.unfinished"
        if unfinished.exists():
            self._account.run(["rm", "-r", unfinished])
        unfinished.mkdir(mode=0o700)
        self._account.own(unfinished)
        done = self._account.run(
            [self._bin / "initdb", "-D", unfinished, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        )
        if done.returncode != 0:
            raise EmbeddedPostgresError(f"initdb failed in {self.folder}: {done.stdout.strip()[-500:]}")
        unfinished.rename(self.data)

    def _start(self) -> None:
        socket_folder = self._own_socket_folder()
        self.log_file.touch(mode=0o600)
        self._account.own(self.log_file)
        options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
        done = self._pg_ctl(
            "start", "-l", str(self.log_file), "-t", str(START_TIMEOUT_SECONDS), "-o", f"-k '{socket_folder}' {options}"
        )
        if done is not None:
            tail = self.log_file.read_text(errors="replace").strip().splitlines()[-5:]
            raise EmbeddedPostgresError(f"Postgres did not start; {self.log_file} ends with: " + " | ".join(tail))

    def _pg_ctl(self, *arguments: str) -> str | None:
        """None when it succeeded, else what it said."""
        done = self._account.run([self._bin / "pg_ctl", "-D", self.data, "-w", *arguments])
        return None if done.returncode == 0 else done.stdout

    def _answers(self) -> bool:
        """Whether the server takes connections, waiting while it recovers from a crash or is on its way down."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                psycopg.connect(self.conninfo, dbname="postgres", connect_timeout=5).close()
            except psycopg.OperationalError as error:
                said = str(error)
                if any(sign in said for sign in SIGNS_OF_LIFE):
                    return True
                if not any(sign in said for sign in SIGNS_OF_CHANGE) or time.monotonic() > deadline:
                    return False
                time.sleep(0.1)
            else:
                return True

    def _remove_stale_pid_file(self) -> None:
        """Postgres trusts a pid file whose number belongs to any living process; after a reboot that may be anybody."""
        pid_file = self.data / "postmaster.pid"
        with suppress(OSError, ValueError, IndexError):
            pid = int(pid_file.read_text().splitlines()[0])
            if not _is_server_of(pid, self.data):
                pid_file.unlink()

    def _create_database(self) -> None:
        with psycopg.connect(self.conninfo, dbname="postgres", autocommit=True) as conn:
            if conn.execute(TABLE_OF_DATABASES, (DATABASE,)).fetchone() is None:
                conn.execute(f"CREATE DATABASE {DATABASE}".encode())

    def _own_socket_folder(self) -> Path:
        """The socket's folder, made if need be, and nobody else's.

        Raises:
            EmbeddedPostgresError: somebody else made it, in a place that is everybody's.
        """
        folder = self._socket_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = folder.lstat()
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid not in (os.geteuid(), self._account.uid):
            raise EmbeddedPostgresError(f"{folder} is somebody else's: name a shorter folder by SCRAPERSKY_DATA_DIR")
        folder.chmod(0o700)
        self._account.own(folder)
        return folder

    def _socket_folder(self) -> Path:
        inside = self.folder / "run"
        if len(os.fsencode(inside)) <= MAX_SOCKET_FOLDER_BYTES:
            return inside
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"scrapersky-{os.geteuid()}-{digest}"


class _FileLock:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._file = _open_private(self._path)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _open_private(path: Path) -> IO[str]:
    """A file that only its owner may open: whoever can open it could lock it."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "a")


def _is_server_of(pid: int, data: Path) -> bool:
    """Whether ``pid`` is a living Postgres that works in ``data``; where the system does not tell, assume so."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    with suppress(OSError):
        return Path(f"/proc/{pid}/cwd").samefile(data)
    with suppress(OSError):
        return "postgres" in Path(f"/proc/{pid}/comm").read_text()
    return True
