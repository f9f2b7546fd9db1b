"""The one vocabulary of states, held to the database's enum by a test."""

from enum import StrEnum


class DomainStatus(StrEnum):
    """Where a domain is on its way; the same words as the SQL type ``domain_status``.

    active → pending → processing → completed | error | cancelled, and from any of those back to pending.
    processing → pending happens on retry, release and a lost lease.
    """

    ACTIVE = "active"
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Nothing more will happen to the row unless somebody asks for it."""
        return self in (DomainStatus.COMPLETED, DomainStatus.ERROR, DomainStatus.CANCELLED)
