"""The HTTP API as a client uses it."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from tests.support.processes import Process, wait_for


@dataclass(frozen=True)
class Web:
    """A running web process and a client for it."""

    process: Process
    client: httpx.Client


def web_address(process: Process) -> str:
    """Where a web process says that it listens."""
    output = process.wait_for_output("http://127.0.0.1:")
    return "http://127.0.0.1:" + output.split("http://127.0.0.1:", 1)[1].split()[0].strip('"/,')


def answers(client: httpx.Client) -> bool:
    """Whether the web process takes requests."""
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


SCAN = "/api/v3/modernized_page_scraper/scan"
BATCH = "/api/v3/batch_page_scraper/batch"
STATUS = "/api/v3/modernized_page_scraper/status"


def submit(client: httpx.Client, domain: str, **fields: object) -> str:
    """Post a domain; the job id."""
    reply = client.post(SCAN, json={"base_url": domain, "max_pages": 3, **fields})
    assert reply.status_code == 202, reply.text
    return str(reply.json()["job_id"])


def status_of(client: httpx.Client, job_id: str) -> dict[str, object]:
    """The status document."""
    reply = client.get(f"{STATUS}/{job_id}")
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def finished(client: httpx.Client, job_id: str, *, seconds: float = 30) -> dict[str, object]:
    """The status document, once the job has ended."""

    def look() -> dict[str, object] | None:
        document = status_of(client, job_id)
        return document if document["status"] in ("completed", "error", "cancelled") else None

    found = wait_for(look, what=f"the end of {job_id}", seconds=seconds)
    assert found is not None
    return found


def submit_batch(client: httpx.Client, domains: list[str]) -> str:
    """Post many domains, one page each; the batch's id."""
    reply = client.post(BATCH, json={"domains": domains, "max_pages": 1})
    assert reply.status_code == 202, reply.text
    assert reply.json()["job_count"] == len(domains)
    return str(reply.json()["batch_id"])


def batch_finished(client: httpx.Client, batch_id: str, *, seconds: float = 120) -> dict[str, object]:
    """The batch's document, once nothing of it is pending or processing."""

    def look() -> dict[str, object] | None:
        document = client.get(f"{BATCH}/{batch_id}/status", params={"limit": 1}).json()
        return None if document["status"] in ("pending", "processing") else dict(document)

    found = wait_for(look, what="the batch", seconds=seconds)
    assert found is not None
    return found
