"""API tokens: shown once when made, kept only as a SHA-256, revocable."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.errors import ForeignKeyViolation, InsufficientPrivilege
from psycopg.rows import class_row

from app.access.errors import UnknownTenant, UnknownToken

Connection = AsyncConnection[Any]

PREFIX = "sky_"
#: A random token needs no slow hash: 256 bits cannot be guessed, and every request has to look one up.
RANDOM_BYTES = 32
#: Longer input is no token of ours, and is not hashed.
MAX_TOKEN_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token after it was made."""

    id: UUID
    tenant_id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None  #: to the minute
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token at the one moment when its secret is known."""

    id: UUID
    tenant_id: UUID
    name: str
    secret: str

    def __repr__(self) -> str:
        return f"NewToken(id={self.id}, tenant_id={self.tenant_id}, name={self.name!r}, secret='...')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a request acts as."""

    tenant_id: UUID
    name: str
    token_id: UUID | None = None  #: None: the open default tenant of a development server


def hash_token(secret: str) -> bytes:
    """The form in which a token is stored and looked up; also the key that signs its webhooks."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


INSERT = """
    INSERT INTO api_tokens (tenant_id, name, token_sha256)
    VALUES (%(tenant_id)s, %(name)s, %(token_sha256)s)
    RETURNING id
"""


async def create_token(conn: Connection, *, tenant_id: UUID, name: str) -> NewToken:
    """Make a token of a tenant; its secret is in the answer and nowhere else.

    Raises:
        UnknownTenant: nothing was written, an open transaction is aborted.
    """
    secret = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    params = {"tenant_id": tenant_id, "name": name, "token_sha256": hash_token(secret)}
    try:
        cur = await conn.execute(INSERT, params)
    except ForeignKeyViolation as error:
        raise UnknownTenant(f"there is no tenant {tenant_id}") from error
    [(token_id,)] = await cur.fetchall()
    return NewToken(id=token_id, tenant_id=tenant_id, name=name, secret=secret)


SELECT_TOKENS = """
    SELECT id, tenant_id, name, created_at, last_used_at, revoked_at
    FROM api_tokens
    WHERE %(tenant_id)s::uuid IS NULL OR tenant_id = %(tenant_id)s
    ORDER BY created_at, id
    LIMIT %(limit)s
"""


async def list_tokens(conn: Connection, *, tenant_id: UUID | None = None, limit: int = 1000) -> list[Token]:
    """The tokens of one tenant or of all, revoked ones too, oldest first."""
    async with conn.cursor(row_factory=class_row(Token)) as cur:
        await cur.execute(SELECT_TOKENS, {"tenant_id": tenant_id, "limit": limit})
        return await cur.fetchall()


REVOKE = """
    UPDATE api_tokens
    SET revoked_at = now()
    WHERE id = %(token_id)s AND revoked_at IS NULL
"""


async def revoke_token(conn: Connection, token_id: UUID) -> None:
    """Refuse a token from the next request on; the row stays as a record.

    Raises:
        UnknownToken: it does not exist, or was revoked before.
    """
    cur = await conn.execute(REVOKE, {"token_id": token_id})
    if cur.rowcount == 0:
        raise UnknownToken(f"there is no live token {token_id}")


FIND_BY_SHA256 = """
    -- Whether to note that it is used: once a minute, and never where nothing can be written.
    SELECT
        id, tenant_id, name, token_sha256,
        (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
            AND NOT current_setting('transaction_read_only')::boolean AS is_due
    FROM api_tokens
    WHERE token_sha256 = %(token_sha256)s AND revoked_at IS NULL
"""

NOTE_USE = """
    -- Skipped where another request holds the row: it is about to write the same.
    UPDATE api_tokens
    SET last_used_at = now()
    WHERE id = (
        SELECT id
        FROM api_tokens
        WHERE id = %(token_id)s
        FOR NO KEY UPDATE SKIP LOCKED
    )
"""


async def find_identity(conn: Connection, secret: str) -> Identity | None:
    """Who a token stands for; None where it is unknown or revoked.

    That it was used is noted where that can be done at once: reading must not need a right to write.
    """
    if not secret or len(secret) > MAX_TOKEN_CHARACTERS:
        return None
    wanted = hash_token(secret)
    cur = await conn.execute(FIND_BY_SHA256, {"token_sha256": wanted})
    row = await cur.fetchone()
    # The index compared hashes already; this comparison takes the same time wherever they differ.
    if row is None or not hmac.compare_digest(bytes(row[3]), wanted):
        return None
    if row[4]:
        with suppress(InsufficientPrivilege):
            async with conn.transaction():
                await conn.execute(NOTE_USE, {"token_id": row[0]})
    return Identity(token_id=row[0], tenant_id=row[1], name=row[2])
