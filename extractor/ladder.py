"""The paid way in for protected sites: a ScraperAPI-compatible service, tier by tier, never beyond the budgets.

Source: the service's public documentation (api_key, url, render, premium, ultra_premium, max_cost; the charge in the
reply's ``sa-credit-cost``; 200 and 404 are charged; 401 and 403 refuse the account or the cost; 429 is concurrency).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

from yarl import URL

from extractor.errors import ExtractError, Permanent, Transient
from extractor.fetch import Fetcher, Pace, Reply
from extractor.fetch.settings import LadderSettings
from extractor.fetch.urls import checked_url

PaidTier = Literal["standard", "render", "premium", "ultra_premium"]

#: In the order they are climbed: what is asked for, and what it usually costs. Some sites cost more.
TIERS: Mapping[PaidTier, tuple[Mapping[str, str], int]] = {
    "standard": ({}, 1),
    "render": ({"render": "true"}, 10),
    "premium": ({"premium": "true"}, 10),
    "ultra_premium": ({"ultra_premium": "true"}, 30),
}
#: How long nothing is asked of the service after it said that the account is refused or has no credits left.
PAUSE_SECONDS = 600.0
MAX_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reservation:
    """Credits taken from one day's budget for one request; what it is charged counts for that day."""

    amount: int
    day: date


class CreditBudget(Protocol):
    """Credits spent per day, counted for all processes together."""

    async def reserve(self, amount: int, *, limit: int) -> Reservation | None:
        """Take ``amount`` credits from today's ``limit``; None, and nothing taken, where they are not left."""
        ...

    async def settle(self, reservation: Reservation, *, spent: int) -> None:
        """Replace a reservation by what was charged, on the day that it was made, whatever day it is now."""
        ...


@dataclass(slots=True)
class Spending:
    """What one scan spent, and at which tier it got through."""

    credits: int = 0
    tier: PaidTier | None = None
    is_over: bool = False  #: nothing more is asked of the service for this scan


class Ladder:
    """The service, shared by all scans of a process. Works as "off" where key, tier, budgets or counter are missing.

    Raises:
        ValueError: the service's address is not https; the key would travel in clear.
    """

    def __init__(self, settings: LadderSettings, fetcher: Fetcher, budget: CreditBudget | None) -> None:
        if settings.is_on and not settings.url.startswith("https://"):
            raise ValueError("SCRAPER_API_URL must start with https://, because the key is sent to it")
        self._settings = settings
        self._fetcher = fetcher
        self._budget = budget
        self._paused_until = 0.0

    @property
    def is_on(self) -> bool:
        """Whether a request could be made at all now."""
        return self._settings.is_on and self._budget is not None and time.monotonic() >= self._paused_until

    async def climb(self, url: URL, spending: Spending, *, max_bytes: int) -> Reply | None:
        """Fetch one page by the cheapest tier not yet known to fail here; the next tier on each call for the same scan.

        None where no tier is left, or no credits.

        Raises:
            Permanent: ``not_found``, the service reached the site and the page is not there (charged).
            Transient: ``service_busy``, the service takes no more requests at once now.
        """
        for tier in self._tiers_from(spending):
            reply = await self._ask(url, tier, spending, max_bytes=max_bytes)
            if reply is not None:
                spending.tier = tier
                return reply
            if spending.is_over or not self.is_on:
                break
        return None

    async def fetch_again(self, url: URL, spending: Spending, *, max_bytes: int) -> Reply | None:
        """Fetch a further page of the same site by the tier that got through; None where the credits are used up."""
        if spending.tier is None or spending.is_over or not self.is_on:
            return None
        return await self._ask(url, spending.tier, spending, max_bytes=max_bytes)

    def _tiers_from(self, spending: Spending) -> Iterator[PaidTier]:
        """The tiers above the one that was tried last, up to the one the operator allows."""
        names = list(TIERS)
        first = names.index(spending.tier) + 1 if spending.tier else 0
        last = names.index(self._settings.max_tier) if self._settings.max_tier != "none" else -1
        yield from names[first : last + 1]

    async def _ask(self, url: URL, tier: PaidTier, spending: Spending, *, max_bytes: int) -> Reply | None:
        reservation = await self._reserve(tier, spending)
        if reservation is None or self._budget is None:
            spending.is_over = True
            return None
        spent = 0
        try:
            reply = await self._request(url, tier, reservation.amount, max_bytes)
            spent = _charge(reply, tier)
        except ExtractError:
            # No answer in time: whether it was charged is unknown, so it counts.
            spent = TIERS[tier][1]
            return None
        finally:
            spending.credits += spent
            await self._budget.settle(reservation, spent=spent)
        return self._judge(reply, spending)

    async def _reserve(self, tier: PaidTier, spending: Spending) -> Reservation | None:
        """The most this request may cost, taken from the day's budget; None where scan or day cannot pay for it."""
        usual = TIERS[tier][1]
        left = self._settings.max_credits_per_scan - spending.credits
        if left < usual or self._budget is None:
            return None
        for amount in dict.fromkeys((left, usual)):
            reservation = await self._budget.reserve(amount, limit=self._settings.max_credits_per_day)
            if reservation is not None:
                return reservation
        return None

    async def _request(self, url: URL, tier: PaidTier, max_cost: int, max_bytes: int) -> Reply:
        query = {"api_key": self._settings.key or "", "url": str(url), "max_cost": str(max_cost), **TIERS[tier][0]}
        pace = Pace(self._settings.timeout_seconds)
        try:
            return await self._fetcher.get(
                URL(self._settings.url).update_query(query),
                pace=pace,
                body_rule=lambda status, _: max_bytes if status == 200 else MAX_ANSWER_BYTES,
                timeout_seconds=self._settings.timeout_seconds,
            )
        except ExtractError as error:
            # Without its cause: an HTTP library's error has the address in it, and so the key.
            raise Transient("service_failed", error.message) from None

    def _judge(self, reply: Reply, spending: Spending) -> Reply | None:
        """The page, with the site's address in place of the service's; None where a higher tier may do better."""
        if reply.status == 200:
            return reply
        if reply.status == 404:
            raise Permanent("not_found", "The site has no such page (HTTP status 404).")
        if reply.status == 429:
            raise Transient("service_busy", "The fetching service takes no more requests now.", retry_after_seconds=60)
        if reply.status in (401, 402, 403):
            spending.is_over = True
            if b"max_cost" not in reply.body.lower().replace(b" ", b"_"):
                self._paused_until = time.monotonic() + PAUSE_SECONDS
        return None


def _charge(reply: Reply, tier: PaidTier) -> int:
    """What the service charged: as it says, else the usual price of a request that it charges for."""
    stated = reply.headers.get("sa-credit-cost", "").strip()
    if stated.isascii() and stated.isdigit() and len(stated) <= 6:
        return int(stated)
    return TIERS[tier][1] if reply.status in (200, 404) else 0


def as_page_of(reply: Reply, url: URL) -> Reply:
    """The service's reply as the page it fetched: under the page's address, without the service's TLS and headers."""
    try:
        final = checked_url(reply.headers["sa-final-url"])
    except (KeyError, Permanent):
        final = url
    headers = {"content-type": reply.headers.get("content-type", "text/html")}
    return Reply(final, reply.status, headers, reply.body, reply.is_cut, reply.ms, reply.protocol)
