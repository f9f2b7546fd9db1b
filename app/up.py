"""Everything on one machine: the web process and the workers as children, restarted when they die, stopped together."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from app.embedded import EmbeddedPostgresError
from app.settings import Settings
from app.web import LISTEN_FD, address_of, check_development_host, is_loopback, open_listener

PR_SET_PDEATHSIG = 1
#: A child that lived shorter than this died of something that a restart will not mend at once.
STEADY_SECONDS = 5.0
FIRST_RESTART_SECONDS = 0.5
LONGEST_RESTART_SECONDS = 15.0
TICK_SECONDS = 0.1
DATABASE_PAUSE_SECONDS = 2.0
#: Beyond what the children allow themselves for draining.
STOP_MARGIN_SECONDS = 10.0


@dataclass(slots=True)
class Child:
    """One process that is kept running."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes]
    started_at: float = field(default_factory=time.monotonic)
    restart_at: float | None = None
    failures: int = 0


def development_on_loopback(settings: Settings) -> Settings:
    """The settings of ``up``: unless ENVIRONMENT is set, a loopback address means development."""
    if "environment" in settings.model_fields_set or not is_loopback(settings.host):
        return settings
    return settings.model_copy(update={"environment": "development"})


def run_everything(settings: Settings, *, workers: int, revive: Callable[[], bool] = lambda: False) -> int:
    """Run until SIGINT or SIGTERM; the exit code. ``settings`` name a database that runs and is migrated.

    ``revive`` starts a database of our own again that has died, and says whether it had to.

    Raises:
        CannotServe: the address cannot be served; nothing was started.
    """
    settings = development_on_loopback(settings)
    check_development_host(settings)
    with open_listener(settings) as listener:
        stopping = _Stopping()
        environment = _child_environment(settings)
        children = [_web_child(listener, environment), *(_worker_child(n, environment) for n in range(1, workers + 1))]
        _say_where(listener, settings, workers)
        while not stopping.requested:
            _keep_running(children)
            _keep_database(revive)
            time.sleep(TICK_SECONDS)
        _say("stopping: running scans may finish; press Ctrl-C again not to wait for them")
        return _stop(children, stopping, settings.worker_shutdown_seconds + STOP_MARGIN_SECONDS)


class _Stopping:
    """What SIGINT, SIGTERM and SIGHUP ask for: the first to stop in order, a second to wait for nobody."""

    def __init__(self) -> None:
        self.requested = False
        self.insisted = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: object) -> None:
        self.insisted = self.requested
        self.requested = True


def _child_environment(settings: Settings) -> dict[str, str]:
    assert settings.database_url is not None, "a database runs"  # noqa: S101 - an invariant, not input
    given = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "ENVIRONMENT": settings.environment,
        "HOST": settings.host,
        "PORT": str(settings.port),
    }
    return {**os.environ, **given}


def _web_child(listener: socket.socket, environment: dict[str, str]) -> Child:
    fd = listener.fileno()
    return _child("web", ["web"], {**environment, LISTEN_FD: str(fd)}, fds=(fd,))


def _worker_child(number: int, environment: dict[str, str]) -> Child:
    return _child(f"worker {number}", ["worker", "run"], environment)


def _child(name: str, arguments: list[str], environment: dict[str, str], fds: tuple[int, ...] = ()) -> Child:
    # -P: a folder named app in the current directory must not come before this program's.
    command = [sys.executable, "-P", "-m", "app.cli", *arguments]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - this program itself
            command,
            env=environment,
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C comes to the parent alone, which stops the children in order
            preexec_fn=partial(_die_with, os.getpid()),  # noqa: PLW1509 - no threads run here
        )

    return Child(name, start, start())


def _die_with(parent: int) -> None:
    """Ask the kernel to send SIGTERM when the parent is gone, however it went (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it went before it could be watched
            os._exit(1)


def _keep_running(children: list[Child]) -> None:
    now = time.monotonic()
    for child in children:
        if child.restart_at is not None:
            if now >= child.restart_at:
                child.process, child.started_at, child.restart_at = child.start(), now, None
        elif (code := child.process.poll()) is not None:
            child.failures = 1 if now - child.started_at > STEADY_SECONDS else child.failures + 1
            delay = min(LONGEST_RESTART_SECONDS, FIRST_RESTART_SECONDS * 2.0 ** (child.failures - 1))
            child.restart_at = now + delay
            _say(f"{child.name} {_ending(code)}; starting it again in {delay:g} s")


def _keep_database(revive: Callable[[], bool]) -> None:
    try:
        if revive():
            _say("Postgres had ended and was started again")
    except EmbeddedPostgresError as error:
        _say(f"Postgres ended and does not start; trying again in {DATABASE_PAUSE_SECONDS:g} s: {error}")
        time.sleep(DATABASE_PAUSE_SECONDS)


def _ending(code: int) -> str:
    """An exit code in words; what a signal ended has its number, below zero."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _stop(children: list[Child], stopping: _Stopping, seconds: float) -> int:
    """Ask every child to drain, wait, and kill what is left; rows of killed workers are taken over by their lease."""
    running = [child for child in children if child.process.poll() is None]
    for child in running:
        child.process.terminate()
    deadline = time.monotonic() + seconds
    while running and time.monotonic() < deadline and not stopping.insisted:
        time.sleep(TICK_SECONDS)
        running = [child for child in running if child.process.poll() is None]
    for child in running:
        _say(f"{child.name} is killed; what it had in work is taken over by the next worker")
        child.process.kill()
        child.process.wait()
    return 0


def _say_where(listener: socket.socket, settings: Settings, workers: int) -> None:
    url = address_of(listener)
    _say(f"ScraperSky runs on {url} with {workers} worker{'' if workers == 1 else 's'}; Ctrl-C stops it")
    if settings.environment == "development":
        _say(f"try: {_own_name()} scan example.com, or enter a domain on the page")
    else:
        _say(f"make a token with: {_own_name()} token create NAME")


def _own_name() -> str:
    """How a shell finds this program: after ``make run`` it is not on the path."""
    return "scrapersky" if shutil.which("scrapersky") else sys.argv[0]


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)  # noqa: T201 - for the person at the terminal, not for the log
