"""The web application served for real, inside the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from app.access import create_tenant, create_token
from app.api import create_app
from app.settings import DEFAULT_TENANT_ID, Settings
from domain_queue import Job, Result, Worker, WorkerConfig

SCANS = "/api/v3/modernized_page_scraper"
BATCHES = "/api/v3/batch_page_scraper"
DOMAINS = "/api/v3/domains"

#: A result as the extractor writes one, in short.
METADATA: dict[str, Any] = {
    "domain": "example.com",
    "final_url": "https://www.example.com/",
    "http_status": 200,
    "max_pages": 5,
    "pages": [{"url": "https://www.example.com/", "status": 200, "title": "Acme", "bytes": 2048, "ms": 41}],
    "title": "Acme <b>Tools</b>",
    "email_addresses": ["info@example.com"],
    "phone_numbers": ["+4930901820"],
    "physical_addresses": ["Musterstraße 1, 10115 Berlin"],
    "social_links": {"linkedin": "https://www.linkedin.com/company/acme"},
    "is_wordpress": True,
    "wordpress_version": "6.5.2",
    "technologies": [{"name": "nginx", "version": None, "categories": ["Web servers"]}],
    "evidence": {
        "title": {"url": "https://www.example.com/", "how": "title element"},
        "email_addresses:info@example.com": {"url": "https://www.example.com/contact", "how": "mailto link"},
    },
}


@dataclass(frozen=True)
class WebServer:
    """A running server and a client that speaks to it."""

    app: FastAPI
    client: httpx.AsyncClient
    url: str
    server: uvicorn.Server


def web_settings(conninfo: str, **changes: Any) -> Settings:
    """Settings of a development server on a database, with ``changes``."""
    values: dict[str, Any] = {
        "database_url": conninfo,
        "environment": "development",
        "db_min_pool_size": 1,
        "db_max_pool_size": 4,
        "_env_file": None,
    }
    return Settings(**(values | changes))


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[WebServer]:
    """The application behind uvicorn on a free port, until the block is left."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = create_app(settings)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        await until(lambda: server.started or task.done(), what="the web server")
        assert not task.done(), task.exception()
        async with httpx.AsyncClient(base_url=url, timeout=40, trust_env=False) as client:
            yield WebServer(app, client, url, server)
    finally:
        server.should_exit = True
        await task
        listener.close()


async def until(look: Callable[[], Any], *, what: str, seconds: float = 20) -> Any:
    """What ``look`` (plain or async) returns, once that is true."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        await asyncio.sleep(0.01)


async def new_token(conn: Any, name: str = "tester") -> tuple[str, Any]:
    """The secret of a token of a tenant that is made for it, and the tenant's id."""
    tenant = await create_tenant(conn, f"tenant of {name}")
    token = await create_token(conn, tenant_id=tenant.id, name=name)
    return token.secret, tenant.id


async def default_token(conn: Any) -> str:
    """The secret of a token of the default tenant."""
    return (await create_token(conn, tenant_id=DEFAULT_TENANT_ID, name="default")).secret


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def succeed(job: Job) -> Result:
    """A handler that finds the same on every site."""
    metadata = METADATA | {"domain": job.claim.domain, "max_pages": job.claim.max_pages}
    return Result(
        title=metadata["title"],
        email_addresses=metadata["email_addresses"],
        phone_numbers=metadata["phone_numbers"],
        is_wordpress=True,
        wordpress_version="6.5.2",
        metadata=metadata,
    )


@asynccontextmanager
async def working(conninfo: str, handler: Any = succeed, **changes: Any) -> AsyncIterator[Worker]:
    """A real worker of the queue with a handler of the test's."""
    config = WorkerConfig(conninfo=conninfo, name="test", poll_seconds=30, **changes)
    worker = Worker(config, handler)
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await task


async def drain(conninfo: str, handler: Any = succeed, **changes: Any) -> None:
    """Work until nothing is claimable."""
    await Worker(WorkerConfig(conninfo=conninfo, name="drain", drain=True, **changes), handler).run(asyncio.Event())
