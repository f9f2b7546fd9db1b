"""The containers of compose.yaml: every domain is read once, by several workers, also when one of them is killed."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.support.api import SCAN, batch_finished, finished, submit, submit_batch
from tests.support.compose import Stack, host_name, kill_container, running_stack, why_not
from tests.support.processes import wait_for

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("compose"),
    pytest.mark.skipif(why_not() is not None, reason=f"the containers cannot be started: {why_not()}"),
]

DOMAINS = 200
WORKERS = 3


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack("test", tmp_path_factory.mktemp("compose"), workers=WORKERS) as stack:
        yield stack


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


def completed_by_worker(stack: Stack) -> dict[str, int]:
    rows = stack.sql("SELECT name, coalesce((stats->>'completed')::int, 0) FROM workers")
    return {name: int(count) for name, count in rows}


def test_two_hundred_domains_are_each_completed_once_by_three_workers(stack: Stack, client: httpx.Client) -> None:
    domains = [f"site-{number}-fixture.com" for number in range(DOMAINS)]

    document = batch_finished(client, submit_batch(client, domains))

    assert document["status"] == "completed", document["counts"]
    assert document["completed_domains"] == DOMAINS
    # The fencing token rises on every claim and on every end of one: 2 is one claim and one end.
    assert stack.sql("SELECT status, attempt, claim_token, count(*) FROM domains GROUP BY 1, 2, 3") == [
        ["completed", "1", "2", str(DOMAINS)]
    ]
    assert stack.requests().keys() >= set(domains)
    # Each worker writes its counts down with its lease: wait for the last of them.
    counts = wait_for(
        lambda: found if sum((found := completed_by_worker(stack)).values()) >= DOMAINS else None, what="the counts"
    )
    assert counts is not None
    assert sum(counts.values()) == DOMAINS
    assert len(counts) == WORKERS
    assert sum(count > 0 for count in counts.values()) > 1, counts
    assert stack.sql("SELECT sum((stats->>'late_writes')::int) FROM workers") == [["0"]]


def test_the_rows_of_a_killed_worker_are_finished_by_the_others(stack: Stack, client: httpx.Client) -> None:
    batch_id = submit_batch(client, [f"slow-{number}-fixture.com" for number in range(30)])
    workers = {host_name(container): container for container in stack.containers("worker")}
    select = """
        SELECT split_part(workers.name, ':', 1), count(*) FROM domains JOIN workers ON workers.id = domains.worker_id
        WHERE domains.status = 'processing' GROUP BY 1 ORDER BY 2 DESC
    """
    [busiest, _] = wait_for(lambda: stack.sql(select), what="a worker that holds rows")[0]

    kill_container(workers[busiest])
    document = batch_finished(client, batch_id)

    assert document["status"] == "completed", document["counts"]
    assert document["completed_domains"] == 30
    [[taken_over]] = stack.sql("SELECT count(*) FROM domains WHERE domain LIKE 'slow-%' AND attempt > 1")
    assert int(taken_over) > 0
    assert stack.sql("SELECT DISTINCT status FROM domains") == [["completed"]]


def test_a_command_in_the_web_container_reads_the_same_database(stack: Stack, client: httpx.Client) -> None:
    finished(client, submit(client, "listed-fixture.com"))

    listed = stack.run("exec", "-T", "scrapersky", "scrapersky", "domains", "list", "--json")

    assert "listed-fixture.com" in json.dumps(json.loads(listed))


def test_the_token_that_the_documents_name_is_taken_on_this_machine(client: httpx.Client) -> None:
    reply = client.post(
        SCAN,
        headers={"Authorization": "Bearer scraper_sky_2024"},
        json={"base_url": "token-fixture.com", "max_pages": 5},
    )

    assert reply.status_code == 202, reply.text
    assert client.get(reply.json()["status_url"]).status_code == 200


def test_the_containers_run_as_nobody_special_and_can_write_nowhere(stack: Stack) -> None:
    script = "id -u; cat /proc/1/status; touch /srv/x /opt/scrapersky/x"
    for service in ("scrapersky", "worker"):
        container = stack.containers(service)[-1]
        done = subprocess.run(["docker", "exec", container, "sh", "-c", script], capture_output=True, text=True)
        assert done.stdout.splitlines()[0] not in ("", "0")
        assert re.search(r"CapBnd:\s+0+$", done.stdout, re.MULTILINE)
        assert re.search(r"NoNewPrivs:\s+1$", done.stdout, re.MULTILINE)
        assert done.stderr.count("Read-only file system") == 2, done.stderr
