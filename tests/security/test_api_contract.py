"""The API against its own OpenAPI document: whatever is sent, no answer is a 500 and none is late for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS, load_all_checks

from tests.support.api import BATCH, SCAN, answers, web_address
from tests.support.postgres import Server, create_database, drop_database
from tests.support.processes import running, wait_for

pytestmark = [pytest.mark.xdist_group("api contract"), pytest.mark.timeout(300)]

TOKEN = {"Authorization": "Bearer scraper_sky_2024"}
EXAMPLES = 15

load_all_checks()
not_a_server_error = CHECKS.get_one("not_a_server_error")
response_schema = CHECKS.get_one("response_schema_conformance")


@pytest.fixture(scope="module")
def address(postgres: Server) -> Iterator[str]:
    """A running web process of this module's own."""
    conninfo = create_database(postgres)
    environment = {
        "DATABASE_URL": conninfo,
        "ENVIRONMENT": "development",
        "PORT": "0",
        "API_MAX_BODY_BYTES": str(64 * 1024),
    }
    with running("web", environment=environment) as web:
        url = web_address(web)
        with httpx.Client(base_url=url) as client:
            wait_for(lambda: answers(client), what="the web process")
        yield url
        assert "Traceback" not in web.output
    drop_database(postgres, conninfo)


@pytest.mark.filterwarnings("default")  # of the fuzzer's own, none of them about this program
def test_no_request_makes_the_server_fail_and_every_reply_is_of_the_documented_status_and_shape(address: str) -> None:
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json", headers=TOKEN)
    # An event stream ends with its job and not before, so it is tried by tests of its own.
    operations = [found.ok() for found in schema.exclude(path_regex="/events$").get_all_operations()]
    for operation in operations:
        _try_operation(operation)

    tried = {(operation.method.upper(), operation.path) for operation in operations}
    assert {("POST", SCAN), ("POST", BATCH), ("GET", "/ready")} <= tried
    assert len(tried) >= 15


def _try_operation(operation: Any) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
    )
    def attempt(case: schemathesis.Case) -> None:
        if "wait" in (case.query or {}):
            case.query = {**case.query, "wait": 0}
        reply = case.call(headers=TOKEN, timeout=20)
        # Without a worker, 503 is what /ready has to say.
        checks = [response_schema] if case.path == "/ready" else [not_a_server_error, response_schema]
        case.validate_response(reply, checks=checks)
        if reply.status_code >= 400 and case.path != "/ready":
            assert set(reply.json()) == {"error"}, (case.method, case.path, reply.text)
        documented = operation.definition.raw["responses"]
        assert str(reply.status_code) in documented or reply.status_code == 405, (case.path, reply.status_code)

    attempt()
