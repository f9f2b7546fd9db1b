"""Logs: one event, one line, no secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from app import log
from app.settings import Settings


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(log_format: Literal["text", "json"], **fields: object) -> str:
    stream = io.StringIO()
    log.configure(Settings(log_format=log_format), stream=stream)
    structlog.get_logger("test").info("page_read", **fields)
    return stream.getvalue()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_what_a_site_says_cannot_break_a_line_or_colour_a_terminal(log_format: Literal["text", "json"]) -> None:
    line = logged(log_format, title="a\nb\r\x1b[31mred\u202egnp.exe\u2028x")

    assert line.count("\n") == 1
    assert not set("\r\x1b\u202e\u2028") & set(line)


def test_json_lines_are_documents_with_the_bound_fields() -> None:
    document = json.loads(logged("json", job_id="1", attempt=2, duration_ms=3.5, claim_token=7))

    assert document["event"] == "page_read"
    assert (document["job_id"], document["attempt"], document["duration_ms"]) == ("1", 2, 3.5)
    assert document["claim_token"] == 7, "a fencing token is no secret"


@pytest.mark.parametrize("name", ["api_key", "password", "authorization", "token", "database_url", "conninfo"])
def test_fields_that_hold_secrets_are_not_written(name: str) -> None:
    assert "hunter2" not in logged("json", **{name: "hunter2"})


@pytest.mark.parametrize(
    "message",
    [
        "cannot connect to postgresql://ann:hunter2@db/shop",
        "conninfo: host=db password=hunter2 user=ann",
        "GET https://api.example.com/?api_key=hunter2&url=x",
    ],
)
def test_secrets_inside_messages_of_libraries_are_taken_out(message: str) -> None:
    stream = io.StringIO()
    log.configure(Settings(), stream=stream)

    logging.getLogger("some.library").warning(message)

    assert "some.library" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_a_traceback_stays_on_the_line_of_its_event() -> None:
    stream = io.StringIO()
    log.configure(Settings(log_format="json"), stream=stream)

    try:
        raise ValueError("first\nsecond")
    except ValueError:
        structlog.get_logger("test").exception("it_broke")

    [line] = stream.getvalue().splitlines()
    assert "ValueError: first" in json.loads(line)["exception"]


def test_a_long_value_is_cut() -> None:
    assert len(logged("text", title="x" * 100_000)) < 3_000
