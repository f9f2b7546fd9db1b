"""The containers of compose.yaml behind PgBouncer in transaction mode: a thousand domains, few connections."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api import batch_finished, submit_batch
from tests.support.compose import CHECKOUT, Stack, address_of, running_stack, why_not

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("compose"),
    pytest.mark.skipif(why_not() is not None, reason=f"the containers cannot be started: {why_not()}"),
]

DOMAINS = 1_000
WORKERS = 3


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    override = CHECKOUT / "deploy" / "compose.pgbouncer.yaml"
    with running_stack("pooler", tmp_path_factory.mktemp("pooler"), override, workers=WORKERS) as stack:
        yield stack


def test_a_thousand_domains_are_each_completed_once_through_a_transaction_pooler(stack: Stack) -> None:
    domains = [f"site-{number}-fixture.com" for number in range(DOMAINS)]

    with stack.client() as client:
        document = batch_finished(client, submit_batch(client, domains), seconds=300)

    assert document["status"] == "completed", document["counts"]
    # The fencing token rises on every claim and on every end of one: 2 is one claim and one end.
    assert stack.sql("SELECT status, attempt, claim_token, count(*) FROM domains GROUP BY 1, 2, 3") == [
        ["completed", "1", "2", str(DOMAINS)]
    ]
    assert stack.requests().keys() >= set(domains)


def test_only_listeners_pass_the_pooler_by_and_they_are_woken(stack: Stack) -> None:
    pooler = address_of(stack.containers("pgbouncer")[0])

    connections = stack.sql(f"""
        SELECT client_addr = '{pooler}', application_name, count(*) FROM pg_stat_activity
        WHERE client_addr NOT IN ('127.0.0.1', '::1') GROUP BY 1, 2
    """)

    direct = {name: int(count) for through_pooler, name, count in connections if through_pooler == "f"}
    pooled = sum(int(count) for through_pooler, _, count in connections if through_pooler == "t")
    assert direct == {"listen": WORKERS + 1}, connections
    assert 0 < pooled <= 25, connections
    assert stack.sql("SELECT wake_mode, count(*) FROM workers GROUP BY 1") == [["listen", str(WORKERS)]]
