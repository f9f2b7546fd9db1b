"""The paid way in: only for protected sites, only within the budgets, the key and the target's address untouched."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from extractor.errors import Permanent, Transient
from extractor.fetch.settings import LadderSettings
from extractor.ladder import Reservation
from extractor.site import Scan, Scanner
from tests.extractor.net.conftest import HereReader, settings_for
from tests.support.sites.catalogue import start_catalogue
from tests.support.sites.scraper_service import KEY, ScraperService
from tests.support.sites.server import Answer, Fixture, SiteServer

SERVICE = "https://api-service-fixture.com/"
PROTECTED = "blocked-fixture.com"


class Purse:
    """A day's credits, counted in memory."""

    def __init__(self) -> None:
        self.spent = 0
        self.peak = 0

    async def reserve(self, amount: int, *, limit: int) -> Reservation | None:
        if self.spent + amount > limit:
            return None
        self.spent += amount
        self.peak = max(self.peak, self.spent)
        return Reservation(amount, date(2026, 1, 1))

    async def settle(self, reservation: Reservation, *, spent: int) -> None:
        self.spent += spent - reservation.amount


class World:
    """The fixture sites, the service and the purse of one test."""

    def __init__(self, sites: SiteServer, folder: Path) -> None:
        self.sites = sites
        self.service = ScraperService()
        self.purse = Purse()
        self.folder = folder
        sites.fixtures.insert(0, Fixture(("api-service-fixture.com",), self.service.site, https=True, http=False))
        self.ladder = LadderSettings(
            key=KEY, url=SERVICE, max_tier="ultra_premium", max_credits_per_scan=100, max_credits_per_day=1_000
        )

    async def scan(self, domain: str = PROTECTED, *, max_pages: int = 1, **changes: Any) -> Scan:
        ladder = replace(self.ladder, **changes)
        settings = settings_for(self.sites, self.folder, ladder=ladder)
        async with Scanner(settings, credit_budget=self.purse, reader=HereReader()) as scanner:
            return await scanner.scan(domain, max_pages=max_pages)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    sites = await start_catalogue()
    yield World(sites, tmp_path)
    await sites.__aexit__()


async def test_a_protected_site_is_climbed_tier_by_tier_until_it_opens(world: World) -> None:
    scan = await world.scan()

    assert world.service.tiers() == ["standard", "render", "premium"]
    assert scan.report.fetch_tier == "premium"
    assert scan.report.title == "Behind the wall /"
    assert scan.report.blocked is None
    assert scan.report.fetch_credits == world.purse.spent == world.service.charged == 10


async def test_further_pages_come_by_the_tier_that_got_through(world: World) -> None:
    world.service.opens_at = "standard"
    scan = await world.scan(max_pages=3)

    assert world.service.tiers() == ["standard"] * 3
    assert [page.url for page in scan.report.pages] == [
        f"http://{PROTECTED}/{path}" for path in ("", "contact", "about")
    ]
    assert scan.report.fetch_credits == world.purse.spent == 3


async def test_an_open_site_never_costs_a_credit(world: World) -> None:
    scan = await world.scan("plain-1-fixture.com")

    assert world.service.asked == []
    assert scan.report.fetch_tier == "direct"
    assert scan.report.fetch_credits == 0


@pytest.mark.parametrize(
    "domain", ["notfound-fixture.com", "pdf-fixture.com", "missing-fixture.com", "soft404-fixture.com"]
)
async def test_what_is_missing_is_never_paid_for(world: World, domain: str) -> None:
    with suppress(Permanent):
        await world.scan(domain)

    assert world.service.asked == []


@pytest.mark.parametrize(
    "changes", [{"key": None}, {"max_tier": "none"}, {"max_credits_per_scan": 0}, {"max_credits_per_day": 0}], ids=str
)
async def test_it_is_off_unless_key_tier_and_both_budgets_are_set(world: World, changes: dict[str, Any]) -> None:
    scan = await world.scan(**changes)

    assert world.service.asked == []
    assert scan.report.blocked == "cloudflare"


async def test_it_climbs_no_higher_than_allowed(world: World) -> None:
    scan = await world.scan(max_tier="render")

    assert world.service.tiers() == ["standard", "render"]
    assert scan.report.blocked == "cloudflare"
    assert scan.report.fetch_tier == "direct"
    assert scan.report.fetch_credits == 0, "failed requests are not charged"


async def test_the_scans_budget_is_never_exceeded(world: World) -> None:
    scan = await world.scan(max_credits_per_scan=9)

    assert world.service.tiers() == ["standard"], "render costs 10"
    assert scan.report.fetch_credits == 0
    assert all(int(query["max_cost"]) <= 9 for query in world.service.asked)


async def test_the_days_budget_is_never_exceeded(world: World) -> None:
    world.purse.spent = 995
    await world.scan()

    assert world.service.tiers() == ["standard"], "five credits are left of the day"
    assert world.purse.peak <= 1_000
    assert world.purse.spent == 995


async def test_max_cost_is_what_is_left_of_the_scan(world: World) -> None:
    world.service.opens_at = "standard"
    await world.scan(max_pages=2, max_credits_per_scan=50)

    assert [query["max_cost"] for query in world.service.asked] == ["50", "49"]


async def test_the_charge_is_the_one_the_service_states(world: World) -> None:
    world.service.opens_at, world.service.price_factor = "standard", 5
    scan = await world.scan()

    assert scan.report.fetch_credits == world.purse.spent == 5


async def test_an_unstated_charge_counts_at_the_usual_price(world: World) -> None:
    world.service.opens_at, world.service.says_cost = "standard", False

    assert (await world.scan()).report.fetch_credits == 1


async def test_a_page_that_costs_too_much_ends_the_climb(world: World) -> None:
    world.service.opens_at, world.service.price_factor = "standard", 200
    scan = await world.scan()

    assert world.service.tiers() == ["standard"], "a higher tier cannot be cheaper"
    assert scan.report.blocked == "cloudflare"


async def test_nothing_more_is_asked_when_the_credits_are_used_up(world: World) -> None:
    world.service.credits_left = 0
    settings = settings_for(world.sites, world.folder, ladder=world.ladder)
    async with Scanner(settings, credit_budget=world.purse, reader=HereReader()) as scanner:
        for _ in range(3):
            assert (await scanner.scan(PROTECTED, max_pages=1)).report.blocked == "cloudflare"

    assert len(world.service.asked) == 1
    assert world.purse.spent == 0


async def test_a_refused_key_is_not_tried_again(world: World) -> None:
    await world.scan(key="wrong")

    assert len(world.service.asked) == 1


async def test_a_missing_page_behind_the_wall_is_charged_and_final(world: World) -> None:
    world.service.opens_at = "standard"
    world.service.missing.add(f"http://{PROTECTED}/")

    with pytest.raises(Permanent) as failure:
        await world.scan()

    assert failure.value.code == "not_found"
    assert world.service.tiers() == ["standard"]
    assert world.purse.spent == failure.value.credits_spent == 1


async def test_a_busy_service_is_tried_again_later(world: World) -> None:
    world.service.answer = Answer("Too many concurrent requests", 429)

    with pytest.raises(Transient) as failure:
        await world.scan()

    assert failure.value.code == "service_busy"
    assert len(world.service.asked) == 1
    assert world.purse.spent == 0


async def test_a_silent_service_counts_as_charged(world: World) -> None:
    world.service.hangs = True
    scan = await world.scan(max_tier="standard", timeout_seconds=0.3)

    assert scan.report.blocked == "cloudflare"
    assert world.purse.spent == 1


async def test_the_address_of_the_page_is_passed_on_unchanged(world: World) -> None:
    world.service.opens_at = "standard"
    await world.scan(max_pages=2)

    assert [query["url"] for query in world.service.asked] == [f"http://{PROTECTED}/", f"http://{PROTECTED}/contact"]


async def test_the_key_is_neither_logged_nor_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world.service.answer = Answer(KEY, 500, {"X-Key": "a\r\nbad"})
    scan = await world.scan()

    assert KEY not in caplog.text
    assert KEY not in scan.report.model_dump_json()
    assert KEY not in repr(world.ladder)


async def test_errors_of_the_service_do_not_carry_the_key(world: World) -> None:
    world.service.answer = Answer("", 429)

    with pytest.raises(Transient) as failure:
        await world.scan()

    seen: BaseException | None = failure.value
    while seen is not None:
        assert KEY not in repr(seen) + str(seen)
        seen = seen.__cause__ or seen.__context__


async def test_the_key_is_not_sent_in_clear(world: World) -> None:
    with pytest.raises(ValueError, match="https"):
        await world.scan(url="http://api-service-fixture.com/")
