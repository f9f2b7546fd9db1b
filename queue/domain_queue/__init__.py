"""A queue in one Postgres table: claims, leases, fencing, retries, wake-up. It takes any async handler."""

from domain_queue.backoff import retry_delay
from domain_queue.config import WorkerConfig
from domain_queue.errors import ClaimCancelled, Fail, HandlerError, LeaseLost, QueueError, Retry
from domain_queue.inspection import (
    OldestPending,
    WorkerAlive,
    oldest_pending,
    pending_position,
    queue_depths,
    workers_alive,
)
from domain_queue.jobs import Handler, Job
from domain_queue.models import Claim, Result, Submission, Submitted
from domain_queue.stats import Counters, WorkerStats
from domain_queue.status import DomainStatus
from domain_queue.submissions import cancel, retry, submit
from domain_queue.wake import CANCELLED_CHANNEL, FINISHED_CHANNEL, PENDING_CHANNEL, Listener, Notifier
from domain_queue.worker import Worker

__all__ = [
    "CANCELLED_CHANNEL",
    "FINISHED_CHANNEL",
    "PENDING_CHANNEL",
    "Claim",
    "ClaimCancelled",
    "Counters",
    "DomainStatus",
    "Fail",
    "Handler",
    "HandlerError",
    "Job",
    "LeaseLost",
    "Listener",
    "Notifier",
    "OldestPending",
    "QueueError",
    "Result",
    "Retry",
    "Submission",
    "Submitted",
    "Worker",
    "WorkerAlive",
    "WorkerConfig",
    "WorkerStats",
    "cancel",
    "oldest_pending",
    "pending_position",
    "queue_depths",
    "retry",
    "retry_delay",
    "submit",
    "workers_alive",
]
