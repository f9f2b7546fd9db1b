"""A local stand-in for the paid fetching service, behaving as its public documentation says.

200 and 404 are charged and carry ``sa-credit-cost``; 401 an unknown key; 403 out of credits, or a cost above
``max_cost``; 429 too many at once; 500 where it could not get the page after its own retries.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from tests.support.sites import pages
from tests.support.sites.server import Answer, Request

KEY = "k3y-f0r-the-l4dder"
PRICES = {"standard": 1, "render": 10, "premium": 10, "ultra_premium": 30}


@dataclass
class ScraperService:
    """What it was asked, what it charged, and how it shall behave."""

    opens_at: str = "premium"  #: the first tier that gets through; "never" for none
    credits_left: int = 1_000
    price_factor: int = 1  #: some sites cost more
    says_cost: bool = True
    answer: Answer | None = None  #: instead of everything below
    hangs: bool = False
    missing: set[str] = field(default_factory=set)  #: target URLs that are 404
    asked: list[dict[str, str]] = field(default_factory=list)
    charged: int = 0

    def tiers(self) -> list[str]:
        """The tier of each request so far."""
        return [_tier(query) for query in self.asked]

    async def site(self, request: Request, _: asyncio.StreamWriter) -> Answer | None:
        query = dict(parse_qsl(urlsplit(request.path).query, keep_blank_values=True))
        self.asked.append(query)
        if self.hangs:
            await asyncio.sleep(60)
        if self.answer is not None:
            return self.answer
        if query.get("api_key") != KEY:
            return Answer("Unauthorized request, please make sure your API key is valid.", 401)
        cost = PRICES[_tier(query)] * self.price_factor
        if cost > int(query.get("max_cost", "1000000")):
            return Answer("This request exceeds your max_cost.", 403)
        if cost > self.credits_left:
            return Answer("You have used up all your API credits.", 403)
        return self._fetch(query, cost)

    def _fetch(self, query: dict[str, str], cost: int) -> Answer:
        target = query["url"]
        tiers = list(PRICES)
        if self.opens_at == "never" or tiers.index(_tier(query)) < tiers.index(self.opens_at):
            return Answer("Request failed. You will not be charged for this request.", 500)
        self.credits_left -= cost
        self.charged += cost
        headers = {"sa-credit-cost": str(cost)} if self.says_cost else {}
        if target in self.missing:
            return Answer("<title>404</title>", 404, headers)
        path = urlsplit(target).path
        body = pages.page(f"Behind the wall {path}", '<a href="/contact">Contact</a> <a href="/about">About us</a>')
        return Answer(body, headers=headers)


def _tier(query: dict[str, str]) -> str:
    return next((name for name in ("ultra_premium", "premium", "render") if query.get(name) == "true"), "standard")
