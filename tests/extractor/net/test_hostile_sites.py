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
from tests.support.sites.hostile import HOSTILE, start_everything

HEALTHY = [f"plain-{number}-fixture.com" for number in range(20)]
TIMEOUT_SECONDS = 6.0
#: Where the harm is beyond the home page.
MAX_PAGES = {"many-links": 3, "sitemap-bomb": 2, "python-charsets": 5, "endless-body": 2}
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
        pages = MAX_PAGES.get(domain.removesuffix("-hostile.com"), 2 if domain in HEALTHY else 1)
        run.reports[domain] = (await scanner.scan(domain, max_pages=pages)).report
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


@pytest.mark.timeout(300)  # on a machine that does much else
async def test_hostile_sites_end_cleanly_and_healthy_ones_complete_alongside(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    run = await _run(tmp_path)

    for hostile in HOSTILE:
        with subtests.test(hostile.name):
            assert run.outcomes.get(hostile.domain) in hostile.outcomes
    with subtests.test("healthy sites complete alongside"):
        assert {domain: run.outcomes[domain] for domain in HEALTHY} == dict.fromkeys(HEALTHY, "report")
        assert all(len(run.reports[domain].pages) == 2 for domain in HEALTHY)
    for report in run.reports.values():
        with subtests.test("the report can be stored and read again", domain=report.domain):
            _assert_storable(report)
    with subtests.test("no error says what the site said"):
        assert all(message.isprintable() for message in run.messages.values())
        assert not any("hostile" in message or "127." in message for message in run.messages.values())
    with subtests.test("the event loop stays free"):
        # Two cores serve ninety sites, their bombs and the children: what counts is that nothing stops it for long.
        assert run.longest_stall < TIMEOUT_SECONDS
    with subtests.test("refused redirects were never followed"):
        assert not run.asked & {"127.0.0.1", "localhost", "169.254.169.254", "inner-hostile.com", "2130706433", "[::1]"}


def _assert_storable(report: SiteReport) -> None:
    text = report.model_dump_json()
    assert SiteReport.model_validate_json(text) == report
    assert "\\u0000" not in text
    assert "\\ud8" not in text.lower()
    text.encode("utf-8")
