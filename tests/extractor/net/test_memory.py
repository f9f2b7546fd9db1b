"""Large bodies wait for room instead of taking all the memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

from yarl import URL

from extractor.fetch import Fetcher, Pace, Reply
from extractor.fetch.memory import SMALL_BODY_BYTES, BodyMemory
from tests.extractor.net.conftest import settings_for
from tests.support.sites.catalogue import of_pages
from tests.support.sites.server import Fixture, SiteServer

LARGE = 3 * 1024 * 1024
HOME = URL("http://heavy-fixture.com/")


async def fetch(fetcher: Fetcher) -> Reply:
    return await fetcher.get(HOME, pace=Pace(30), body_rule=lambda *_: LARGE)


def serve(sites: SiteServer, size: int) -> None:
    sites.fixtures.insert(0, Fixture(("heavy-fixture.com",), of_pages({"/": "x" * size})))


async def test_room_is_kept_for_as_long_as_the_body_is(sites: SiteServer, tmp_path: Path) -> None:
    serve(sites, LARGE)
    async with Fetcher(settings_for(sites, tmp_path)) as fetcher:
        before = fetcher.memory.free
        reply = await fetch(fetcher)
        assert len(reply.body) == LARGE
        assert fetcher.memory.free == before - (LARGE - SMALL_BODY_BYTES)
        del reply

        assert fetcher.memory.free == before


async def test_a_large_body_waits_for_another_to_be_dropped(sites: SiteServer, tmp_path: Path) -> None:
    serve(sites, LARGE)
    async with Fetcher(settings_for(sites, tmp_path)) as fetcher:
        fetcher.memory = BodyMemory(LARGE)
        first = await fetch(fetcher)
        second = asyncio.create_task(fetch(fetcher))
        await asyncio.sleep(0.1)
        assert not second.done()
        del first

        assert len((await second).body) == LARGE


async def test_small_bodies_never_wait(sites: SiteServer, tmp_path: Path) -> None:
    serve(sites, SMALL_BODY_BYTES)
    async with Fetcher(settings_for(sites, tmp_path)) as fetcher:
        fetcher.memory = BodyMemory(0)

        assert len((await fetch(fetcher)).body) == SMALL_BODY_BYTES


async def test_a_body_that_is_given_up_gives_its_room_back(sites: SiteServer, tmp_path: Path) -> None:
    serve(sites, 2 * LARGE)
    async with Fetcher(settings_for(sites, tmp_path)) as fetcher:
        before = fetcher.memory.free
        for _ in range(3):
            assert (await fetch(fetcher)).is_cut

        assert fetcher.memory.free == before
