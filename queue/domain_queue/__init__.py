"""A queue in one Postgres table, for any async handler. The row of a domain is its job; there is no other.

    active ──submit──► pending ──claim──► processing ──complete──► completed ──rescan is due──► pending
                         ▲ ▲                 │ │ │
                         │ └─ retry, release ┘ │ └──fail, attempts used up──► error ─────┐
                         │    lease expired    └────cancel──► cancelled ◄─cancel─ pending│
                         └───────────────── submit or retry, from any end ───────────────┘

The story of one row, and where to read on:

1. ``submissions``  ``submit`` inserts it, or sets a row at rest to pending. A row in the queue stays as it is.
2. ``wake``         A NOTIFY after the commit, empty and coalesced, wakes whoever listens. It is a hint: a worker looks
                    by itself every few seconds, and knows when the next retry is due.
3. ``intake``       The claim loop. ``claims`` takes many due rows in one statement, tenants in turn, priorities in
                    order, passing over what others have locked, from the ``lanes``' watermarks on.
4. ``execution``    Handlers run concurrently, no connection held. ``jobs`` is what a handler is given; it may report
                    progress, and hold one of the ``slots`` of a key that all workers share.
5. ``recorder``     Gathers how handlers ended; ``outcomes`` writes many with one statement. ``backoff`` says when a
                    failed attempt comes back.

What makes it safe:

- **Fencing.** Every claim raises ``claim_token``, every way out of processing raises it too, and every write of a
  claim matches on (id, claim_token). So a matching token proves that the row is still in processing under this
  claim. A late write matches nothing; it is counted and logged.
- **Leases.** A lease belongs to a worker, not to a row: ``leases`` renews one row from a thread of its own. A worker
  that cannot renew has stopped its handlers (``supervision``) before its lease ends, and goes on under another id.
- **Sweeping.** Every worker takes back rows whose worker's lease is out (``sweep``), so many at a time. No leader.
- **Deadlines.** Every statement has one; a connection that says nothing is shut down and made anew (``links``).
- **Backpressure.** A row stays in ``in_flight`` until the database has taken or refused its outcome, and a worker
  that cannot write claims no more.

At least once is the promise: a handler may run again after its worker died, but only one of its runs is written.
``worker`` puts these together, ``config`` is what can be set, ``stats`` what a worker knows of itself, and
``inspection`` what anybody may ask the table. Two modules serve speed alone: ``arrays`` (keys sent as one value) and
``garbage`` (``garbage.settle()`` in a program that only runs a worker saves a quarter of its own work).
"""

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
from domain_queue.jobs import Handler, Job, OnEnded
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
    "OnEnded",
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
