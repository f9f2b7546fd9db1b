"""Why a site could not be read, sorted by what the caller does about it.

ExtractError
├── AddressError       the input names no public domain (also permanent)
├── Transient          another try may succeed
└── Permanent          another try cannot succeed without a change elsewhere
"""

from __future__ import annotations


class ExtractError(Exception):
    """Base: ``code`` is stable and for machines, ``message`` is one line for the person who submitted the domain.

    Neither ever carries text of a site, an address inside a network, or a secret.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.credits_spent = 0  #: what the paid service charged before the scan failed


class AddressError(ExtractError):
    """The input is no public domain name; ``message`` says what to enter instead."""


class Transient(ExtractError):
    """Another try may succeed, not before ``retry_after_seconds`` where the site said so."""

    def __init__(self, code: str, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(code, message)
        self.retry_after_seconds = retry_after_seconds


class Permanent(ExtractError):
    """Another try cannot succeed without a change elsewhere."""
