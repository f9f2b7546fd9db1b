"""A queue in one Postgres table: claims, leases, fencing, retries, wake-up. It takes any async handler."""

from domain_queue.errors import ClaimCancelled, Fail, HandlerError, LeaseLost, QueueError, Retry
from domain_queue.models import Claim, Result, Submission, Submitted
from domain_queue.status import DomainStatus

__all__ = [
    "Claim",
    "ClaimCancelled",
    "DomainStatus",
    "Fail",
    "HandlerError",
    "LeaseLost",
    "QueueError",
    "Result",
    "Retry",
    "Submission",
    "Submitted",
]
