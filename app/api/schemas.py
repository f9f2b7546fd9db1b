"""The JSON documents of the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from domain_queue import DomainStatus

MAX_BATCH_DOMAINS = 10_000
EXAMPLE_ID = "0199a2c4-7f1e-7c3a-9d55-2f6b8f1f4a10"
EXAMPLE_TIME = "2026-01-05T08:00:00Z"
SCANS = "/api/v3/modernized_page_scraper"
BATCHES = "/api/v3/batch_page_scraper"
DOMAINS = "/api/v3/domains"

MaxPages = Annotated[int, Field(ge=1, le=100, description="How many pages of the site to read at most.")]
Priority = Annotated[int, Field(ge=0, le=100, description="0 goes first, 100 last, among your own domains.")]


def _at_least_a_minute(value: timedelta | None) -> timedelta | None:
    if value is not None and not timedelta(minutes=1) <= value <= timedelta(days=3660):
        raise ValueError("has to be between one minute and ten years")
    return value


RescanEvery = Annotated[
    timedelta | None,
    AfterValidator(_at_least_a_minute),
    Field(
        description="Scan again by itself after this time: seconds, or ISO 8601 such as P7D; at least a minute.",
        examples=["P7D"],
    ),
]
CallbackUrl = Annotated[
    str | None,
    Field(
        max_length=2000,
        description="Called by POST when the work has ended, signed; /docs says how to check it.",
        examples=["https://hooks.acme-sales.com/scrapersky"],
    ),
]


class ScanRequest(BaseModel):
    """One domain to scan."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"base_url": "example.com", "max_pages": 5}]})

    base_url: str = Field(max_length=4096, description="The domain, as pasted: example.com, https://www.example.com/x.")
    max_pages: MaxPages = 5
    priority: Priority = 50
    force: bool = Field(default=False, description="Read everything anew, and cut short the wait before a retry.")
    rescan_every: RescanEvery = None
    callback_url: CallbackUrl = None


class ScanAccepted(BaseModel):
    """The domain is in the queue."""

    job_id: UUID = Field(description="The domain's id, the same everywhere.", examples=[EXAMPLE_ID])
    status_url: str = Field(description="Relative: valid behind any host.", examples=[f"{SCANS}/status/{EXAMPLE_ID}"])
    created_at: datetime = Field(description="When the domain was first submitted.", examples=[EXAMPLE_TIME])
    domain: str = Field(description="The canonical name.", examples=["example.com"])
    status: DomainStatus


class JobError(BaseModel):
    """Why the last attempt failed."""

    code: str = Field(description="Stable, for machines.", examples=["timed_out"])
    message: str = Field(description="One sentence.", examples=["The site did not answer in time."])


class QueuePlace(BaseModel):
    """Where a pending job stands."""

    position: int | None = Field(description="1 is next among your own jobs; null where it waits for a retry.")
    workers_alive: int = Field(description="Worker processes with a running lease; with 0 nothing moves.")


class JobStatus(BaseModel):
    """One job in full."""

    job_id: UUID = Field(examples=[EXAMPLE_ID])
    status: DomainStatus
    domain: str = Field(examples=["example.com"])
    progress: float = Field(ge=0, le=1, description="0 to 1.")
    step: str | None = Field(description="What is done now.", examples=["reading https://example.com/contact"])
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    attempt: int = Field(description="1 in the first try; 0 before it.")
    max_attempts: int
    error: JobError | None
    queue: QueuePlace | None = Field(description="While pending, else null.")
    metadata: dict[str, Any] = Field(
        description="Always domain and max_pages; the whole result document once there is one.",
        examples=[{"domain": "example.com", "max_pages": 5, "title": "Example Domain"}],
    )


class BatchRequest(BaseModel):
    """Many domains to scan."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"domains": ["example.com", "https://www.example.org/about"], "max_pages": 5}]}
    )

    domains: list[str] = Field(min_length=1, max_length=MAX_BATCH_DOMAINS, description="As pasted, one each.")
    max_pages: MaxPages = 5
    priority: Priority = 50
    rescan_every: RescanEvery = None
    callback_url: CallbackUrl = None


class Rejected(BaseModel):
    """A line that names no public domain."""

    line: int = Field(description="From 1.")
    input: str = Field(description="As given, cut to 200 characters.")
    code: str
    message: str


class BatchAccepted(BaseModel):
    """The batch is in the queue."""

    batch_id: UUID = Field(examples=[EXAMPLE_ID])
    status_url: str = Field(examples=[f"{BATCHES}/batch/{EXAMPLE_ID}/status"])
    job_count: int = Field(description="Distinct domains.")
    created_at: datetime
    duplicates: int = Field(description="Lines that named a domain again.")
    rejected: list[Rejected] = Field(description="Lines that were refused, with the reason.")


BatchState = Literal["pending", "processing", "completed", "partial", "error", "cancelled"]


class BatchDomain(BaseModel):
    """One domain of a batch, in short."""

    job_id: UUID
    status_url: str
    domain: str
    status: DomainStatus
    progress: float
    step: str | None
    title: str | None
    email_addresses: list[str]
    phone_numbers: list[str]
    error: JobError | None
    blocked: str | None = Field(description="Why the site turned the last scan away, null where it did not.")
    attempt: int
    updated_at: datetime
    completed_at: datetime | None


class BatchCounts(BaseModel):
    """How many domains of a batch are in each state."""

    pending: int = 0
    processing: int = 0
    completed: int = 0
    error: int = 0
    cancelled: int = 0
    active: int = 0


class BatchStatus(BaseModel):
    """A batch, and one page of its domains."""

    batch_id: UUID
    status: BatchState = Field(
        description="pending, processing; then completed (all), error (none), cancelled, or partial (some)."
    )
    total_domains: int
    completed_domains: int
    failed_domains: int
    progress: float = Field(ge=0, le=1, description="0 to 1: the share of domains that have ended, with steps counted.")
    created_at: datetime
    updated_at: datetime
    counts: BatchCounts
    domains: list[BatchDomain] = Field(description="In the order asked for, by default as submitted.")
    next_cursor: str | None = Field(description="For the next page; null on the last.")


class BatchChange(BaseModel):
    """What a change of a whole batch came to."""

    batch_id: UUID
    status_url: str
    changed: int = Field(description="Domains that were cancelled, or put back into the queue.")


class DomainRow(BaseModel):
    """One domain with the results of its last successful scan."""

    id: UUID = Field(examples=[EXAMPLE_ID])
    domain: str = Field(examples=["example.com"])
    status: DomainStatus
    priority: int
    max_pages: int
    batch_id: UUID | None
    progress: float
    step: str | None
    attempt: int
    max_attempts: int
    last_error: str | None
    error_code: str | None
    rescan_every: timedelta | None
    blocked: str | None = Field(description="Why the site turned the last scan away, null where it did not.")
    title: str | None
    description: str | None
    language: str | None
    is_wordpress: bool | None
    wordpress_version: str | None
    email_addresses: list[str]
    phone_numbers: list[str]
    favicon_url: str | None
    logo_url: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class DomainDetail(DomainRow):
    """One domain with everything."""

    errors: list[dict[str, Any]] = Field(description="The last attempts that failed.")
    domain_metadata: dict[str, Any] | None = Field(description="The whole result document.")


class DomainPage(BaseModel):
    """A page of domains."""

    domains: list[DomainRow]
    next_cursor: str | None = Field(description="For the next page; null on the last.")


class DomainPatch(BaseModel):
    """What may be changed of a stored domain."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rescan_every": "P7D"}]}, extra="forbid")

    rescan_every: RescanEvery = None


class DomainChange(BaseModel):
    """What differed between one successful scan and the next."""

    changed_at: datetime
    field: str
    old_value: Any
    new_value: Any


class DomainChanges(BaseModel):
    """Changes of a domain, newest first."""

    changes: list[DomainChange]
    next_cursor: str | None


class ImportAccepted(BatchAccepted):
    """The file was read and its domains are in the queue."""

    column: str | None = Field(description="The column that was read; null where the file has no header.")


class WorkerSeen(BaseModel):
    """A worker whose lease runs."""

    name: str
    version: str
    concurrency: int = Field(description="How many scans it runs at once at most.")
    in_flight: int = Field(description="How many it holds now.")
    wake_mode: Literal["starting", "listen", "poll"] = Field(description="How it learns of new work.")
    draining: bool = Field(description="It finishes what it holds and claims no more.")
    started_at: datetime
    renewed_at: datetime
    lease_expires_at: datetime = Field(description="If it is silent until then, others take over what it holds.")


class ErrorCount(BaseModel):
    """How often scans ended with one code."""

    code: str
    count: int
    example: str | None = Field(description="One of the messages.")


class MinuteCount(BaseModel):
    """What ended within one minute."""

    minute: datetime
    completed: int
    failed: int


class Overview(BaseModel):
    """The queue of this tenant, and the workers."""

    queue: dict[str, int] = Field(description="Domains by status.")
    oldest_pending_seconds: float | None
    workers_alive: int
    workers: list[WorkerSeen]
    errors: list[ErrorCount] = Field(description="By code, of the last hour.")
    finished: list[MinuteCount] = Field(description="By minute, of the last hour: completed and failed.")
