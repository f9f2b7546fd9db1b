"""What a handler raises to say what shall become of its claim.

QueueError
├── HandlerError
│   ├── Retry          try again later, while attempts are left
│   └── Fail           trying again cannot succeed
├── LeaseLost          somebody else may hold the claim by now: nothing more may be written for it
└── ClaimCancelled     the submitter cancelled it
"""

from __future__ import annotations

from datetime import timedelta


class QueueError(Exception):
    """Base of everything this package raises on purpose."""


class HandlerError(QueueError):
    """A handler's own verdict on its claim.

    ``code`` is stable and for machines (1–64 of a–z, 0–9, _), ``message`` is one line for a person.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Retry(HandlerError):
    """The attempt failed and another may succeed.

    ``after`` is the least time to wait, for instance a site's Retry-After; None leaves it to the backoff.
    """

    def __init__(self, code: str, message: str, *, after: timedelta | None = None) -> None:
        super().__init__(code, message)
        self.after = after


class Fail(HandlerError):
    """Permanent: the row ends in ``error`` whatever attempts are left."""


class LeaseLost(QueueError):
    """The claim's fencing token is no longer current; nothing was written."""


class ClaimCancelled(QueueError):
    """The submitter cancelled the claim while it was processed."""
