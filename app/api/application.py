"""The application: routes, middleware, and what lives as long as the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry

from app.api import errors
from app.api.errors import COMMON_ERRORS
from app.api.examples import add_examples
from app.api.hub import Hub
from app.api.images import SiteImages
from app.api.limits import QueueAllowance, RateLimiter
from app.api.metrics import QueueGauges
from app.api.middleware import BodyLimit, Measures, RequestLog, SecurityHeaders
from app.api.routes import batches, domains, images, operations, scans
from app.api.schemas import BATCHES, DOMAINS, SCANS
from app.api.services import Services
from app.api.spans import RequestSpans, web_spans
from app.api.webhooks import WebhookSender
from app.database import Database
from app.metrics.spans import are_wanted as spans_are_wanted
from app.pages.installation import install as install_pages
from app.settings import Settings
from domain_queue import FINISHED_CHANNEL, PENDING_CHANNEL, Listener, Notifier

DESCRIPTION = """Submit a domain, get back what its site says about itself.

Every route below /api needs `Authorization: Bearer TOKEN`; a token belongs to one tenant, and sees that tenant's rows
alone. Every error has one shape: `{"error": {"code", "message", "details"}}`."""


def program_version() -> str:
    """The installed version; 0 in a checkout that is not installed."""
    try:
        return version("scrapersky")
    except PackageNotFoundError:
        return "0"


def create_app(settings: Settings) -> FastAPI:
    """The web application. It starts while the database is away, answers 503 until it is back, and needs no restart."""
    registry = CollectorRegistry()
    app = FastAPI(
        title="ScraperSky",
        description=DESCRIPTION,
        version=program_version(),
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        generate_unique_id_function=_operation_id,
        swagger_ui_oauth2_redirect_url=None,
    )
    generate = app.openapi
    # The framework makes the document once, when it is first asked for, and keeps it.
    app.openapi = lambda: app.openapi_schema or add_examples(generate())  # type: ignore[method-assign]
    app.state.settings = settings
    app.state.registry = registry
    app.state.metric_refreshers = [QueueGauges(registry).refresh]
    _add_routes(app)
    errors.install(app)
    # The last added is the first that a request meets.
    app.add_middleware(BodyLimit, max_bytes=settings.api_max_body_bytes)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog, measures=Measures(registry))
    if spans_are_wanted():
        app.add_middleware(RequestSpans)
    return app


def _add_routes(app: FastAPI) -> None:
    app.include_router(scans.router, prefix=SCANS, responses=COMMON_ERRORS)
    # The batch router takes /batch; the old system's second path to single scans is the same routes, undocumented.
    app.include_router(batches.router, prefix=BATCHES, responses=COMMON_ERRORS)
    app.include_router(scans.router, prefix=BATCHES, include_in_schema=False)
    app.include_router(domains.router, prefix=DOMAINS, responses=COMMON_ERRORS)
    app.include_router(images.router, prefix=DOMAINS, responses=COMMON_ERRORS)
    app.include_router(operations.router)
    install_pages(app)


def _operation_id(route: APIRoute) -> str:
    return f"{route.tags[0] if route.tags else 'page'}_{route.name}"


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    async with AsyncExitStack() as stack:
        app.state.tracer = stack.enter_context(web_spans())
        database = await stack.enter_async_context(Database(settings, name="scrapersky web"))
        hub = Hub(database)
        sender = await stack.enter_async_context(WebhookSender(settings, database))
        images = await stack.enter_async_context(SiteImages(settings))

        def wake() -> None:
            hub.wake()
            sender.wake()

        channels = [FINISHED_CHANNEL, PENDING_CHANNEL]
        listener = await stack.enter_async_context(Listener(database.listen_dsn.conninfo, channels, wake))
        notifier = await stack.enter_async_context(Notifier(database.dsn.conninfo, PENDING_CHANNEL))
        await _run_beside(stack, hub.run(), sender.run())
        stack.callback(hub.close)
        app.state.services = Services(
            settings=settings,
            database=database,
            hub=hub,
            notifier=notifier,
            listener=listener,
            rate_limiter=RateLimiter(settings.api_requests_per_minute),
            allowance=QueueAllowance(settings.api_max_queued_domains),
            images=images,
        )
        yield


async def _run_beside(stack: AsyncExitStack, *works: Any) -> None:
    """Run endless works until the stack is left."""
    tasks = [asyncio.create_task(work) for work in works]

    async def stop() -> None:
        waiting = set(tasks)
        while waiting:
            # Again and again: a cancellation that meets the end of a wait can be lost inside a library.
            for task in waiting:
                task.cancel()
            _, waiting = await asyncio.wait(waiting, timeout=0.5)

    stack.push_async_callback(stop)
