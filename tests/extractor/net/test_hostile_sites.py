"""Hostile sites, all at once, with healthy ones alongside: each ends as it should, and the others do not feel it."""

from __future__ import annotations

import asyncio
import time
from itertools import zip_longest
from pathlib import Path

import psutil
import pytest

from extractor.errors import ExtractError
from extractor.models import SiteReport
from extractor.site import Scanner
from tests.extractor.net.conftest import settings_for
from tests.support.sites.hostile import HOSTILE, Hostile, start_everything

#: One worker runs them all, so that the module's fixture is made once.
pytestmark = pytest.mark.xdist_group("hostile")
HEALTHY = [f"plain-{number}-fixture.com" for number in range(20)]
TIMEOUT_SECONDS = 6.0
#: Scans at once besides those that only wait: two cores serve the sites, their bombs and the children.
AT_ONCE = 12
MAX_BYTES = 512 * 1024


class Run:
    """What came of every scan."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}
        self.messages: dict[str, str] = {}
        self.reports: dict[str, SiteReport] = {}
        self.seconds: dict[str, float] = {}
        self.longest_stall = 0.0
        self.peak_bytes = 0
        self.asked: set[str] = set()


async def _scan(scanner: Scanner, domain: str, run: Run) -> None:
    started = time.monotonic()
    try:
        run.reports[domain] = (await scanner.scan(domain, max_pages=2)).report
        run.outcomes[domain] = "report"
    except ExtractError as error:
        run.outcomes[domain], run.messages[domain] = error.code, error.message
    run.seconds[domain] = time.monotonic() - started


async def _watch(run: Run) -> None:
    process = psutil.Process()
    while True:
        before = time.monotonic()
        await asyncio.sleep(0.05)
        run.longest_stall = max(run.longest_stall, time.monotonic() - before - 0.05)
        run.peak_bytes = max(run.peak_bytes, process.memory_info().rss)


async def _run(folder: Path) -> Run:
    run = Run()
    server = await start_everything()
    settings = settings_for(
        server, folder, timeout_seconds=TIMEOUT_SECONDS, scan_seconds=40.0, max_bytes=MAX_BYTES, sandbox_processes=2
    )
    async with Scanner(settings) as scanner:
        watcher = asyncio.create_task(_watch(run))
        waiting = [hostile.domain for hostile in HOSTILE if hostile.outcomes == {"timed_out"}]
        busy = [hostile.domain for hostile in HOSTILE if hostile.domain not in waiting]
        # Healthy ones in between, so that each has hostile neighbours.
        domains = iter([name for pair in zip_longest(busy, HEALTHY) for name in pair if name])

        async def keep_scanning() -> None:
            for domain in domains:
                await _scan(scanner, domain, run)

        scans = [_scan(scanner, domain, run) for domain in waiting]
        await asyncio.gather(*scans, *(keep_scanning() for _ in range(AT_ONCE)))
        watcher.cancel()
    run.asked = set(server.requests)
    await server.__aexit__()
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return asyncio.run(_run(tmp_path_factory.mktemp("hosts")))


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_a_hostile_site_ends_as_a_clean_result_or_a_clean_error(hostile: Hostile, run: Run) -> None:
    assert run.outcomes.get(hostile.domain) in hostile.outcomes


def test_healthy_sites_complete_alongside(run: Run) -> None:
    assert {domain: run.outcomes[domain] for domain in HEALTHY} == dict.fromkeys(HEALTHY, "report")
    assert all(len(run.reports[domain].pages) == 2 for domain in HEALTHY)


def test_every_report_can_be_stored_and_read_again(run: Run) -> None:
    for report in run.reports.values():
        text = report.model_dump_json()

        assert SiteReport.model_validate_json(text) == report
        assert "\\u0000" not in text
        assert "\\ud8" not in text.lower()
        text.encode("utf-8")


def test_no_error_says_what_the_site_said(run: Run) -> None:
    for message in run.messages.values():
        assert "hostile" not in message
        assert "127." not in message
        assert message.isprintable()


def test_the_event_loop_stays_free(run: Run) -> None:
    # Two cores serve 90 sites, their bombs and the children: what counts is that nothing stops the loop for long.
    assert run.longest_stall < TIMEOUT_SECONDS


def test_refused_redirects_were_never_followed(run: Run) -> None:
    assert not run.asked & {"127.0.0.1", "localhost", "169.254.169.254", "inner-hostile.com", "2130706433", "[::1]"}
