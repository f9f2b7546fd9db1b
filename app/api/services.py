"""What the routes share for the lifetime of one process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.api.hub import Hub
from app.api.images import SiteImages
from app.api.limits import QueueAllowance, RateLimiter
from app.database import Database
from app.settings import Settings
from domain_queue.wake import Listener, Notifier


@dataclass(slots=True, kw_only=True)
class Services:
    """Built by the lifespan handler, found at ``app.state.services``."""

    settings: Settings
    database: Database
    hub: Hub
    notifier: Notifier
    listener: Listener
    rate_limiter: RateLimiter
    allowance: QueueAllowance
    images: SiteImages


def get_services(request: Request) -> Services:
    """The services of the application that this request came to."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]
