"""The command line: ``scrapersky`` and ``worker``. What a command needs is imported when it runs: help is fast."""

from __future__ import annotations


def main() -> None:
    """The console script ``scrapersky``."""
    from app.cli.program import program

    program()


def worker_main() -> None:
    """The console script ``worker``: ``worker run`` is ``scrapersky worker run``."""
    from app.cli.run import worker_commands

    worker_commands()
