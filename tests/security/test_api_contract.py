"""The API against its own OpenAPI document: whatever is sent, no answer is a 500 and none is late for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS, load_all_checks

from tests.support.api import answers, web_address
from tests.support.postgres import Server, create_database, drop_database
from tests.support.processes import running, wait_for

pytestmark = [pytest.mark.xdist_group("api contract"), pytest.mark.timeout(300)]

TOKEN = {"Authorization": "Bearer scraper_sky_2024"}
EXAMPLES = 12

load_all_checks()
not_a_server_error = CHECKS.get_one("not_a_server_error")
response_schema = CHECKS.get_one("response_schema_conformance")


@pytest.fixture(scope="module")
def address(postgres: Server) -> Iterator[str]:
    """A running web process of this module's own."""
    conninfo = create_database(postgres)
    environment = {"DATABASE_URL": conninfo, "ENVIRONMENT": "development", "PORT": "0"}
    with running("web", environment=environment) as web:
        url = web_address(web)
        with httpx.Client(base_url=url) as client:
            wait_for(lambda: answers(client), what="the web process")
        yield url
        assert "Traceback" not in web.output
    drop_database(postgres, conninfo)


def test_no_request_makes_the_server_fail_and_every_reply_is_of_the_documented_shape(address: str) -> None:
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json", headers=TOKEN)
    # An event stream has no end to wait for, and 503 is what /ready has to say without a worker: both have other tests.
    operations = [found.ok() for found in schema.exclude(path_regex="/events$|^/ready$").get_all_operations()]
    for operation in operations:
        _try_operation(operation)

    assert len(operations) >= 10


def _try_operation(operation: Any) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
    )
    def attempt(case: schemathesis.Case) -> None:
        if "wait" in (case.query or {}):
            case.query = {**case.query, "wait": 0}
        reply = case.call(headers=TOKEN, timeout=20)
        case.validate_response(reply, checks=[not_a_server_error, response_schema])

    attempt()
