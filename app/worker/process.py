"""The worker as a process: signals, start, drain."""

from __future__ import annotations

import asyncio
import os
import signal

import structlog

from app.database import Database
from app.fetching import fetch_settings
from app.metrics import WorkerMetrics, served
from app.metrics.spans import traced
from app.settings import Settings
from app.worker.configuration import worker_config
from app.worker.credits import DailyCredits
from app.worker.handler import scan_handler
from app.worker.open_files import make_room
from domain_queue import Worker, WorkerStats
from extractor.site import Scanner

log = structlog.get_logger("app.worker")


async def run_worker(
    settings: Settings,
    *,
    concurrency: int | None = None,
    drain: bool = False,
    stop: asyncio.Event | None = None,
) -> WorkerStats:
    """Scan domains until told to stop, by ``stop`` or by SIGTERM or SIGINT; with ``drain``, until none is left.

    A stop drains: nothing new is claimed, running scans may finish for WORKER_SHUTDOWN_SECONDS, the rest is given
    back with its attempt restored. A second signal ends the process at once; its rows are taken over when its lease
    is out.
    """
    stop = stop or _stop_on_signals()
    config = worker_config(settings, concurrency=concurrency, drain=drain)
    make_room(config.concurrency)
    database_settings = settings.model_copy(update={"db_min_pool_size": 0})
    async with (
        Database(database_settings, name=f"{config.name} results") as database,
        Scanner(fetch_settings(settings), credit_budget=DailyCredits(database)) as scanner,
    ):
        metrics = WorkerMetrics()
        handler = scan_handler(scanner, database, per_address=settings.fetch_scans_per_address)
        with (
            traced(metrics.measured(handler)) as observed,
            served(metrics.registry, host=settings.worker_metrics_host, port=settings.worker_metrics_port),
        ):
            worker = Worker(config, observed.handler, on_ended=observed.on_ended)
            metrics.watch(lambda: worker.stats)
            await worker.run(stop)
            return worker.stats


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _note_signal, stop, number)
    return stop


def _note_signal(stop: asyncio.Event, number: signal.Signals) -> None:
    if stop.is_set():
        log.warning("second_signal", signal=number.name)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    log.info("worker_stopping", signal=number.name)
    stop.set()
