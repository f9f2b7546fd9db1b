"""A submit that is sent twice under one Idempotency-Key happens once, and is answered twice alike."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Header
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from pydantic import BaseModel

from app.api.errors import ApiError

Document = TypeVar("Document", bound=BaseModel)

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Sent again within a day with the same body, the first answer is repeated and nothing runs twice.",
    ),
]

# A second transaction with the same key waits here until the first has ended, so that one of them does the work.
CLAIM_KEY = """
    INSERT INTO idempotency_keys (tenant_id, key, request_sha256)
    VALUES (%(tenant_id)s, %(key)s, %(request_sha256)s)
    ON CONFLICT (tenant_id, key) DO UPDATE
    SET request_sha256 = excluded.request_sha256,
        response       = NULL,
        created_at     = now()
    WHERE idempotency_keys.created_at < now() - interval '1 day'
    RETURNING key
"""

SELECT_ANSWER = """
    SELECT request_sha256, response
    FROM idempotency_keys
    WHERE tenant_id = %(tenant_id)s AND key = %(key)s
"""

KEEP_ANSWER = """
    UPDATE idempotency_keys
    SET response = %(response)s
    WHERE tenant_id = %(tenant_id)s AND key = %(key)s
"""


async def once(
    conn: AsyncConnection[Any],
    tenant_id: UUID,
    key: str | None,
    request: str,
    work: Callable[[], Awaitable[Document]],
    document: type[Document],
) -> tuple[Document, bool]:
    """Do the work, or repeat the answer that it had before; and whether it was done now.

    Key, work and answer are one transaction, the caller's: all of it is kept, or nothing.

    Raises:
        ApiError: 422, the key was used for another request.
    """
    if key is None:
        return await work(), True
    sha256 = hashlib.sha256(request.encode("utf-8", "surrogatepass")).digest()
    params = {"tenant_id": tenant_id, "key": key, "request_sha256": sha256}
    cur = await conn.execute(CLAIM_KEY, params)
    if cur.rowcount == 0:
        cur = await conn.execute(SELECT_ANSWER, params)
        [(known_sha256, response)] = await cur.fetchall()
        if bytes(known_sha256) != sha256:
            raise ApiError(422, "idempotency_key_reused", "This Idempotency-Key was used for another request.")
        return document.model_validate(response), False
    answer = await work()
    await conn.execute(KEEP_ANSWER, {**params, "response": Jsonb(answer.model_dump(mode="json"))})
    return answer, True


DELETE_OLD_KEYS = """
    DELETE FROM idempotency_keys
    WHERE (tenant_id, key) IN (
        SELECT tenant_id, key
        FROM idempotency_keys
        WHERE created_at < now() - interval '1 day'
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    )
"""


async def delete_old_keys(conn: AsyncConnection[Any]) -> int:
    """Forget keys older than a day, a bounded number at a time."""
    return (await conn.execute(DELETE_OLD_KEYS)).rowcount
