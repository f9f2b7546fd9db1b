"""Tenants: each sees only its own domains, batches and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from app.access.errors import NameTaken

Connection = AsyncConnection[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One customer."""

    id: UUID
    name: str
    created_at: datetime


INSERT_TENANT = """
    INSERT INTO tenants (name)
    VALUES (%(name)s)
    RETURNING id, name, created_at
"""


async def create_tenant(conn: Connection, name: str) -> Tenant:
    """Add a tenant.

    Raises:
        NameTaken: the name is in use; nothing was written, an open transaction is aborted.
    """
    async with conn.cursor(row_factory=class_row(Tenant)) as cur:
        try:
            await cur.execute(INSERT_TENANT, {"name": name})
        except UniqueViolation as error:
            raise NameTaken(f"a tenant named {name!r} exists already") from error
        [tenant] = await cur.fetchall()
        return tenant


SELECT_TENANTS = """
    SELECT id, name, created_at
    FROM tenants
    ORDER BY created_at, id
    LIMIT %(limit)s
"""


async def list_tenants(conn: Connection, *, limit: int = 1000) -> list[Tenant]:
    """The tenants, oldest first."""
    async with conn.cursor(row_factory=class_row(Tenant)) as cur:
        await cur.execute(SELECT_TENANTS, {"limit": limit})
        return await cur.fetchall()
