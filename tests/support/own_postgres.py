"""A Postgres of one test's own, to be killed, filled up and set back in time; and a link that goes silent."""

from __future__ import annotations

import os
import pwd
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from migrations import migrate
from tests.support.postgres import WHEEL_ROOT
from tests.support.processes import wait_for

BINARIES = WHEEL_ROOT / "pginstall18" / "bin"
#: As safe as a server in use: what it acknowledged survives its crash.
SETTINGS = ["-c", "max_connections=100", "-c", "shared_buffers=32MB", "-c", "listen_addresses="]


class OwnPostgres:
    """A server in a folder; a crash is a SIGKILL of all its processes."""

    def __init__(
        self, folder: Path, *, environment: dict[str, str] | None = None, settings: tuple[str, ...] = ()
    ) -> None:
        self.folder = folder
        self._environment = {**os.environ, **(environment or {})}
        self._settings = settings
        self._user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(folder, self._user, -1)
        self.conninfo = make_conninfo(host=str(folder), user="postgres", dbname="postgres")
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """A new cluster."""
        subprocess.run(
            [BINARIES / "initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust", "--locale=C.UTF-8"],
            user=self._user,
            cwd=self.folder,
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        """Start it, and wait until it answers: it may have to replay its log first."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [BINARIES / "postgres", "-D", self.folder / "data", "-k", self.folder, *SETTINGS, *self._settings],
                user=self._user,
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self.answers, what="Postgres to answer", seconds=60)

    @property
    def is_running(self) -> bool:
        """Whether its first process is there."""
        return self._process is not None and self._process.poll() is None

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            psycopg.connect(self.conninfo, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def crash(self) -> None:
        """As if the machine had lost power: no process of it says goodbye."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (self._process.pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=30)


@contextmanager
def own_postgres(
    *, folder: Path | None = None, environment: dict[str, str] | None = None, settings: tuple[str, ...] = ()
) -> Iterator[OwnPostgres]:
    """A migrated server inside the block."""
    made = folder or Path(tempfile.mkdtemp(prefix="scrapersky-own-pg-"))
    server = OwnPostgres(made, environment=environment, settings=settings)
    try:
        server.create()
        server.start()
        with psycopg.connect(server.conninfo, autocommit=True) as conn:
            migrate(conn)
        yield server
    finally:
        server.stop()
        if folder is None:
            shutil.rmtree(made, ignore_errors=True)


class SilentLink:
    """A TCP way to a server's unix socket that can fall silent: nothing arrives, and nobody is told.

    The kernel of this machine goes on acknowledging what is sent, so that only the program's own deadlines notice.
    """

    def __init__(self, socket_path: str) -> None:
        self._path = socket_path
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._silent: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def silence(self) -> int:
        """Every connection that is open now stays open and dies; new ones pass. Returns how many."""
        with self._lock:
            self._silent.update(self._peers)
            return len(self._silent) // 2

    def close(self) -> None:
        """End the link and all that passes."""
        self._closing = True
        self._thread.join(timeout=5)
        for peer in [self._listener, *self._peers]:
            peer.close()

    def _run(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(timeout=0.05):
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif isinstance(key.fileobj, socket.socket):
                        self._pass(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._path)
        self._peers[client], self._peers[server] = server, client
        for peer in (client, server):
            self._selector.register(peer, selectors.EVENT_READ)

    def _pass(self, source: socket.socket) -> None:
        if source not in self._peers:
            return
        try:
            data = source.recv(65536)
            if data and source not in self._silent:
                self._peers[source].sendall(data)
        except OSError:
            data = b""
        if not data:
            self._forget(source)

    def _forget(self, source: socket.socket) -> None:
        peer = self._peers.pop(source)
        self._peers.pop(peer, None)
        for end in (source, peer):
            with suppress(KeyError, ValueError):
                self._selector.unregister(end)
            self._silent.discard(end)
            end.close()
