"""How sites are fetched: every bound, its unit and default."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Literal

from extractor.network import NameLookup
from extractor.network.policy import Network

Tier = Literal["none", "standard", "render", "premium", "ultra_premium"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderSettings:
    """The paid service for protected sites; off unless a key, a tier and both budgets are set."""

    key: str | None = field(default=None, repr=False)
    url: str = "https://api.scraperapi.com/"
    max_tier: Tier = "none"
    max_credits_per_scan: int = 0
    max_credits_per_day: int = 0
    timeout_seconds: float = 70.0  #: the service retries by itself for up to a minute

    @property
    def is_on(self) -> bool:
        budgets = self.max_credits_per_scan > 0 and self.max_credits_per_day > 0
        return bool(self.key) and self.max_tier != "none" and budgets


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSettings:
    """Everything the extractor's network side needs to know."""

    user_agent: str = "Mozilla/5.0 (compatible; scrapersky/0.1)"
    timeout_seconds: float = 15.0  #: one request, from its start to the last byte
    connect_seconds: float = 8.0  #: one connection, TLS included; never above timeout_seconds
    scan_seconds: float = 120.0  #: one site; waiting for an address's turn is not counted
    max_bytes: int = 5 * 1024 * 1024  #: decoded size of one body; the rest is not read
    max_redirects: int = 5
    respect_robots: bool = True

    allow_networks: tuple[Network, ...] = ()  #: reachable although not public
    hosts_file: Path | None = None  #: names answered from it instead of DNS; its addresses pass the gate like any
    lookup: NameLookup | None = None  #: asked instead of DNS and hosts file, by tests inside one process
    extra_ports: Set[int] = frozenset()  #: besides 80 and 443, on allow_networks only; a hosts file adds its own
    ssl_context: SSLContext | None = None  #: unset: the system's roots
    authorities_file: Path | None = None  #: further roots, in PEM, where there is no ssl_context

    sandbox_processes: int | None = None  #: unset: one for each core
    ladder: LadderSettings = LadderSettings()
