"""The values that cross the border of the queue."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from domain_queue.status import DomainStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A domain to be scanned. The queue takes ``domain`` as it is: whoever submits has normalised it."""

    domain: str
    max_pages: int = 5  #: 1 to 100
    priority: int = 50  #: 0 (first) to 100 (last), among the rows of one tenant
    max_attempts: int = 5  #: at least 1
    force: bool = False  #: do not use what is remembered of earlier fetches; if waiting for a retry, be due now
    rescan_every: timedelta | None = None  #: at least a minute; None leaves the row's interval as it is
    submitted_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What a submission came to: a new or re-queued row, or the one that was in the queue already."""

    id: UUID
    domain: str
    status: DomainStatus
    created_at: datetime
    submitted_at: datetime  #: with ``id``, what tells this submit from every other
    queued: bool  #: False: the row was pending or processing already, and nothing runs twice


class Claim(NamedTuple):
    """A row this worker may write to until its lease expires or the row is cancelled.

    A named tuple because one is made for every job, in the order of the columns that the claim returns.
    """

    id: UUID
    tenant_id: UUID
    domain: str
    max_pages: int
    priority: int
    attempt: int  #: 1 on the first try; raised by the claim, so a crash counts
    max_attempts: int
    crash_count: int  #: how many holders of this row vanished since it was submitted
    claim_token: int  #: the fencing token; every later write of this claim matches on it
    force: bool
    has_result: bool  #: an earlier scan succeeded, so the next success is compared with it
    submitted_at: datetime
    available_at: datetime
    claimed_at: datetime
    seq: int
    http_validators: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a handler found by a scan that succeeded; it replaces what the row held before.

    ``metadata`` is the whole document for ``domains.domain_metadata``; its text is free of NUL and lone surrogates.
    """

    title: str | None = None
    description: str | None = None
    language: str | None = None
    is_wordpress: bool | None = None
    wordpress_version: str | None = None
    email_addresses: list[str] = field(default_factory=list)
    phone_numbers: list[str] = field(default_factory=list)
    favicon_url: str | None = None
    logo_url: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    http_validators: dict[str, Any] | None = None
