"""What can go wrong when access is granted or taken away.

AccessError
├── NameTaken        a tenant of this name exists
├── UnknownTenant    no such tenant
└── UnknownToken     no such token, or it was revoked before
"""

from __future__ import annotations


class AccessError(Exception):
    """Base: the message is one line for the operator and carries no secret."""

    code = "access_error"


class NameTaken(AccessError):
    """A tenant of this name exists; nothing was written."""

    code = "name_taken"


class UnknownTenant(AccessError):
    """There is no such tenant; nothing was written."""

    code = "unknown_tenant"


class UnknownToken(AccessError):
    """There is no such token, or it was revoked before; nothing was written."""

    code = "unknown_token"
