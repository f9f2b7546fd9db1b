"""Pages that would take the program down take a child down instead."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from extractor.sandbox import PageLost, PagePool, SandboxLimits, SandboxUnavailable

READER = "tests.support.sites.readers:read_page"
LIMITS = SandboxLimits(memory_bytes=128 * 1024 * 1024, cpu_seconds=1, wall_seconds=3.0)
URL = "https://example.com/"


@pytest.fixture
async def pool() -> AsyncIterator[PagePool]:
    async with PagePool(1, LIMITS, reader=READER) as pool:
        yield pool


async def read(pool: PagePool, body: bytes) -> str:
    """The process that read it."""
    return (await pool.read_page(body, url=URL, status=200)).site_names[0].value


async def test_a_page_is_read_in_another_process(pool: PagePool) -> None:
    facts = await pool.read_page(b"x" * 3_000_000, url=URL, status=404, headers={"language": "de"})

    assert (facts.url, facts.status, facts.titles[0].value, facts.languages[0].value) == (URL, 404, "3000000", "de")
    assert facts.site_names[0].value != str(os.getpid())


@pytest.mark.parametrize("harm", [b"burn", b"sleep", b"hoard", b"crash", b"exit", b"raise"])
async def test_a_page_over_the_limits_is_given_up_and_the_next_one_read(pool: PagePool, harm: bytes) -> None:
    before = await read(pool, b"fine")
    with pytest.raises(PageLost):
        await read(pool, harm)

    assert await read(pool, b"fine") != before
    assert pool.lost_pages == 1


async def test_what_every_page_needs_is_loaded_once_before_the_children_are_made(pool: PagePool) -> None:
    assert (await pool.read_page(b"fine", url=URL, status=200)).noindex


async def test_a_child_cannot_write_files(pool: PagePool, tmp_path: Path) -> None:
    with pytest.raises(PageLost):
        await read(pool, b"write " + bytes(tmp_path / "file"))

    assert not (tmp_path / "file").exists() or (tmp_path / "file").stat().st_size == 0


async def test_text_that_is_no_text_never_crosses(pool: PagePool) -> None:
    with pytest.raises(PageLost):
        await pool.read_page(b"surrogate", url=URL)


async def test_a_child_is_replaced_after_so_many_pages() -> None:
    async with PagePool(1, SandboxLimits(pages_per_child=2), reader=READER) as pool:
        readers = [await read(pool, b"fine") for _ in range(5)]

    assert len(set(readers)) == 3
    assert pool.lost_pages == 0


async def test_the_event_loop_is_free_meanwhile(pool: PagePool) -> None:
    await read(pool, b"fine")
    reading = asyncio.create_task(read(pool, b"burn"))
    ticks = 0
    while not reading.done():
        await asyncio.sleep(0.01)
        ticks += 1
    with pytest.raises(PageLost):
        await reading

    assert ticks > 20


async def test_a_cancelled_page_frees_its_child(pool: PagePool) -> None:
    await read(pool, b"fine")
    reading = asyncio.create_task(read(pool, b"sleep"))
    await asyncio.sleep(0.1)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    async with asyncio.timeout(2.5):
        assert await read(pool, b"fine")


async def test_several_children_read_at_once() -> None:
    async with PagePool(2, LIMITS, reader=READER) as pool:
        await asyncio.gather(*(read(pool, b"fine") for _ in range(8)))
        slow = asyncio.create_task(read(pool, b"sleep"))
        await asyncio.sleep(0.05)

        assert await read(pool, b"fine")
        assert not slow.done()
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)


async def test_the_nursery_is_started_again_when_it_died() -> None:
    async with PagePool(1, LIMITS, reader=READER) as pool:
        facts = await pool.read_page(b"parent", url=URL)
        os.kill(int(facts.site_names[0].value), signal.SIGKILL)
        await asyncio.sleep(0.1)
        with suppress(PageLost):
            await read(pool, b"fine")  # by the child that was there

        assert await read(pool, b"fine")


async def test_no_process_is_left_when_the_pool_is_closed() -> None:
    others = set(psutil.Process().children(recursive=True))
    async with PagePool(2, LIMITS, reader=READER) as pool:
        await asyncio.gather(*(read(pool, b"fine") for _ in range(4)))
        ours = set(psutil.Process().children(recursive=True)) - others

    assert ours
    assert _wait_until_gone(list(ours))


async def test_a_reader_that_cannot_be_started_is_no_empty_page() -> None:
    async with PagePool(1, LIMITS, reader="tests.support.sites.readers:missing") as pool:
        with pytest.raises(SandboxUnavailable):
            await read(pool, b"fine")


async def test_children_that_die_over_every_page_are_the_machines_trouble_not_the_pages() -> None:
    async with PagePool(1, LIMITS, reader="tests.support.sites.readers:die") as pool:
        for _ in range(2):
            with pytest.raises(PageLost):
                await read(pool, b"fine")
        with pytest.raises(SandboxUnavailable):
            await read(pool, b"fine")


async def test_many_costly_pages_in_a_row_stay_the_pages_trouble(pool: PagePool) -> None:
    for _ in range(5):
        with pytest.raises(PageLost):
            await read(pool, b"crash")


async def test_no_descriptors_for_a_child_is_the_machines_trouble(pool: PagePool) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_open_files(), limits[1]))
    try:
        with pytest.raises(SandboxUnavailable):
            await read(pool, b"fine")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def _open_files() -> int:
    """The lowest limit of this process: a descriptor above it could not be opened."""
    return next(number for number in range(3, 100_000) if not Path(f"/proc/self/fd/{number}").exists())


async def test_a_child_knows_no_secrets(pool: PagePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/db")
    facts = await pool.read_page(b"environment", url=URL)

    assert "PATH" in facts.feed_urls
    assert "DATABASE_URL" not in facts.feed_urls


OWNER = f"""
import asyncio
from extractor.sandbox import PagePool
async def main():
    async with PagePool(2, reader={READER!r}) as pool:
        await asyncio.gather(*(pool.read_page(b"fine", url="https://example.com/") for _ in range(4)))
        asyncio.create_task(pool.read_page(b"burn", url="https://example.com/"))
        await asyncio.sleep(0.2)
        print("ready", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


def test_no_process_is_left_when_the_owner_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        family = psutil.Process(owner.pid).children(recursive=True)
        owner.kill()

    assert len(family) == 3
    assert _wait_until_gone(family)


def _wait_until_gone(processes: list[psutil.Process]) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if all(not process.is_running() or process.status() == psutil.STATUS_ZOMBIE for process in processes):
            return True
        time.sleep(0.02)
    return False
