"""A program on a terminal of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios

from tests.support.processes import clean_environment


def drawn_until(word: bytes, *arguments: str, environment: dict[str, str]) -> tuple[bytes, int]:
    """What ``scrapersky`` with these arguments draws until ``word`` is there, and its exit code after Ctrl-C."""
    terminal, its_end = os.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 200, 0, 0))
    given = clean_environment({**environment, "TERM": "xterm", "NO_COLOR": "1"})
    command = [sys.executable, "-m", "app.cli", *arguments]
    with subprocess.Popen(command, env=given, stdin=its_end, stdout=its_end, stderr=its_end) as process:
        os.close(its_end)
        drawn = b""
        while word not in drawn:
            drawn += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # a terminal whose other end has gone
            while os.read(terminal, 4096):
                pass
        os.close(terminal)
    return drawn, process.returncode
