"""Fixtures of the program around the queue and the extractor."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
import structlog
from click.testing import Result
from typer.testing import CliRunner

from tests.support.processes import clean_environment


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """What a test does to the process's logging ends with it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def command(database: str, restored_logging: None) -> Callable[..., Result]:
    """Run one command of ``scrapersky`` in this process, on this test's database if nothing else is said."""
    from app.cli.program import program

    def run(*arguments: str, stdin: str | bytes | None = None, **environment: str) -> Result:
        given = clean_environment({"DATABASE_URL": database, **environment})
        absent: dict[str, str | None] = {"SCRAPERSKY_DATA_DIR": None, "ENVIRONMENT": None, "LOG_LEVEL": None}
        return CliRunner().invoke(program, list(arguments), input=stdin, env={**absent, **given})

    return run
