"""The worker's own port for Prometheus: it has no web process to answer for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import CollectorRegistry, start_http_server

log = structlog.get_logger("app.worker")


@contextmanager
def served(registry: CollectorRegistry, *, host: str, port: int) -> Iterator[int | None]:
    """Serve ``registry`` inside the block, and tell the port; 0 serves nothing.

    A port that is taken is logged and given up: a worker without metrics still works.
    """
    if port == 0:
        yield None
        return
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        log.warning("metrics_not_served", host=host, port=port, error=str(error))
        yield None
        return
    log.info("metrics_served", host=host, port=port)
    try:
        yield port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
