"""The program's own processes, started as a person would start them, and waited for without guessing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

DEADLINE_SECONDS = 30.0


def wait_for(look: Callable[[], T], *, what: str, seconds: float = DEADLINE_SECONDS) -> T:
    """What ``look`` returns, once that is true; an assertion with ``what`` when the deadline has passed."""
    deadline = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.02)


class Process:
    """A running ``scrapersky ...``; its output goes to a file that a failing test can show."""

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        *,
        program: Sequence[str] = (sys.executable, "-P", "-m", "app.cli"),
        folder: Path | None = None,
    ) -> None:
        self._log = tempfile.NamedTemporaryFile(prefix="scrapersky-process-", suffix=".log", delete=False)  # noqa: SIM115
        self.log_file = Path(self._log.name)
        self._popen = subprocess.Popen(
            [*program, *arguments],
            cwd=folder,
            env=clean_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def output(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    def wait_for_output(self, text: str, *, seconds: float = DEADLINE_SECONDS) -> str:
        """The whole output, once ``text`` is in it."""

        def look() -> str:
            assert self.is_running or text in self.output, f"it ended:\n{self.output}"
            return self.output if text in self.output else ""

        try:
            return wait_for(look, what=f"{text!r} in the output", seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said:\n{self.output}") from error

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def wait(self, seconds: float = DEADLINE_SECONDS) -> int:
        """The exit code."""
        return self._popen.wait(seconds)

    def end(self) -> None:
        """SIGTERM, and SIGKILL where that does not help."""
        if self.is_running:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
            try:
                self._popen.wait(15)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        self._log.close()
        self.log_file.unlink(missing_ok=True)


@contextlib.contextmanager
def running(*arguments: str, environment: dict[str, str]) -> Iterator[Process]:
    """``scrapersky ARGUMENTS`` inside the block."""
    process = Process(list(arguments), environment)
    try:
        yield process
    finally:
        process.end()


def clean_environment(given: dict[str, str]) -> dict[str, str]:
    """This process's environment without the program's own variables, and with ``given``."""
    own = ("DATABASE_URL", "LISTEN_DATABASE_URL", "SCRAPERSKY_", "ENVIRONMENT", "HOST", "PORT", "FETCH_", "SCRAPER_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(own)}
    return {**kept, **given}


def scrapersky(
    *arguments: str, environment: dict[str, str], stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", *arguments],
        env=clean_environment(environment),
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        timeout=120,
    )
