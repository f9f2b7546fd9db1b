"""Callbacks: owed from the submit on, sent when the work has ended, through the gate that every fetch passes.

Signed so that the receiver can tell who sent it. The key is the SHA-256 of the token that submitted, which the
receiver can make from the token it has:

    X-ScraperSky-Signature: t=UNIX_SECONDS,v1=HEX
    HEX = HMAC-SHA256(key=SHA256(token), message=f"{t}." + body)

An answer of 2xx ends it; anything else is tried again, later each time, up to MAX_ATTEMPTS. Any number of web
processes may send: a delivery is claimed with SKIP LOCKED, and every write of a claim matches on its token.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import structlog
from fastapi.encoders import jsonable_encoder
from psycopg import AsyncConnection, InterfaceError, OperationalError
from psycopg.errors import ReadOnlySqlTransaction
from psycopg.rows import class_row
from psycopg_pool import PoolClosed, PoolTimeout

from app.access.tokens import Identity, hash_token
from app.api.batches import read_batch_document
from app.api.errors import ApiError
from app.api.idempotency import delete_old_keys
from app.api.jobs import find_job, job_document
from app.database import Database
from app.settings import DEVELOPMENT_TOKEN, Settings
from extractor.address import canonical_host
from extractor.errors import AddressError
from extractor.network import AddressPolicy, GatedResolver, HostsFile, SystemLookup

log = structlog.get_logger("app.api")

SIGNATURE_HEADER = "X-ScraperSky-Signature"
MAX_ATTEMPTS = 10
FIRST_DELAY_SECONDS = 5
MAX_DELAY_SECONDS = 3600
#: A claim that is older is taken for lost with its process; longer than any delivery can take.
CLAIM_SECONDS = 60
REQUEST_SECONDS = 15
CLAIM_LIMIT = 20
POLL_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A call that somebody asks for: of one domain or of one batch."""

    identity: Identity
    url: str
    domain_id: UUID | None = None
    batch_id: UUID | None = None


def check_callback_url(url: str | None) -> str | None:
    """Return the URL if it may be called one day; its addresses are judged at every connection.

    Raises:
        ApiError: 422 with the reason.
    """
    if url is None or not url.strip():
        return None
    url = url.strip()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("it cannot be read as an address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii() or not url.isprintable():
        raise _refused("write it as https://host/path")
    if parts.username is not None or port not in (None, 80, 443):
        raise _refused("leave out user name and port")
    try:
        canonical_host(parts.hostname)
    except AddressError as error:
        raise _refused(error.message) from error
    return url


def _refused(reason: str) -> ApiError:
    return ApiError(422, "callback_refused", f"The callback_url is refused: {reason}")


INSERT_DELIVERY = """
    INSERT INTO webhook_deliveries (tenant_id, token_id, url, domain_id, batch_id)
    VALUES (%(tenant_id)s, %(token_id)s, %(url)s, %(domain_id)s, %(batch_id)s)
"""


async def owe_callback(conn: AsyncConnection[Any], callback: Callback) -> None:
    """Note the call in the submit's own transaction, so that neither exists without the other."""
    params = {
        "tenant_id": callback.identity.tenant_id,
        "token_id": callback.identity.token_id,
        "url": callback.url,
        "domain_id": callback.domain_id,
        "batch_id": callback.batch_id,
    }
    await conn.execute(INSERT_DELIVERY, params)


MARK_DUE = """
    -- Waiting calls whose domain, or whole batch, has ended.
    WITH ended AS (
        SELECT w.id
        FROM webhook_deliveries AS w
        WHERE w.state = 'waiting'
          AND NOT EXISTS (
              SELECT FROM domains AS d
              WHERE d.id = w.domain_id AND d.status IN ('pending', 'processing')
          )
          AND NOT EXISTS (
              SELECT FROM batch_items AS i
              JOIN domains AS d ON d.id = i.domain_id
              WHERE i.batch_id = w.batch_id AND d.status IN ('pending', 'processing')
          )
        ORDER BY w.id
        LIMIT 1000
        FOR UPDATE OF w SKIP LOCKED
    )
    UPDATE webhook_deliveries AS w
    SET state        = 'due',
        available_at = now()
    FROM ended
    WHERE w.id = ended.id
"""

CLAIM = """
    WITH next AS (
        SELECT id
        FROM webhook_deliveries
        WHERE state = 'due' AND available_at <= now()
        ORDER BY available_at
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE webhook_deliveries AS w
        SET attempt      = w.attempt + 1,
            claim_token  = w.claim_token + 1,
            available_at = now() + make_interval(secs => %(claim_seconds)s)
        FROM next
        WHERE w.id = next.id
        RETURNING w.id, w.tenant_id, w.token_id, w.url, w.domain_id, w.batch_id, w.attempt, w.claim_token
    )
    SELECT claimed.*, t.token_sha256, t.revoked_at IS NOT NULL AS is_revoked
    FROM claimed
    LEFT JOIN api_tokens AS t ON t.id = claimed.token_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A call that this process may make until its claim is taken for lost."""

    id: int
    tenant_id: UUID
    token_id: UUID | None
    url: str
    domain_id: UUID | None
    batch_id: UUID | None
    attempt: int  #: 1 on the first try
    claim_token: int  #: the fencing token
    token_sha256: bytes | None
    is_revoked: bool | None


async def claim_deliveries(conn: AsyncConnection[Any], *, limit: int = CLAIM_LIMIT) -> list[Delivery]:
    """Mark what has become due, then claim some of it."""
    await conn.execute(MARK_DUE)
    async with conn.cursor(row_factory=class_row(Delivery)) as cur:
        await cur.execute(CLAIM, {"limit": limit, "claim_seconds": CLAIM_SECONDS})
        return await cur.fetchall()


FINISH = """
    UPDATE webhook_deliveries
    SET state        = %(state)s,
        last_error   = %(error)s,
        available_at = now() + make_interval(secs => %(delay_seconds)s),
        finished_at  = CASE WHEN %(state)s = 'due' THEN NULL ELSE now() END
    WHERE id = %(id)s AND claim_token = %(claim_token)s AND state = 'due'
"""


async def record_outcome(conn: AsyncConnection[Any], delivery: Delivery, error: str | None) -> bool:
    """Write what became of a call; False where the claim was lost, and nothing was written."""
    state = "delivered" if error is None else "failed" if delivery.attempt >= MAX_ATTEMPTS else "due"
    delay = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** (delivery.attempt - 1))
    params = {
        "id": delivery.id,
        "claim_token": delivery.claim_token,
        "state": state,
        "error": error,
        "delay_seconds": delay,
    }
    return (await conn.execute(FINISH, params)).rowcount == 1


def sign(key: bytes, body: bytes, at: int) -> str:
    """The value of the signature header."""
    signed = hmac.new(key, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


class WebhookSender:
    """Sends what is due, for as long as ``run()`` runs. An async context manager."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._woken = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        hosts = HostsFile(self._settings.fetch_hosts_file) if self._settings.fetch_hosts_file else None
        policy = AddressPolicy(self._settings.fetch_allow_networks, hosts.ports if hosts else frozenset())
        self._resolver = GatedResolver(policy, SystemLookup(hosts))
        connector = aiohttp.TCPConnector(
            resolver=self._resolver, socket_factory=policy.open_socket, use_dns_cache=False, force_close=True
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
            headers={"User-Agent": "scrapersky-webhook/1"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
        await self._resolver.close()

    def wake(self) -> None:
        """Something has ended somewhere."""
        self._woken.set()

    async def run(self) -> None:
        """Send until cancelled; a database that is away is tried again."""
        swept_at = 0.0
        is_left_to_others = False
        while True:
            try:
                while await self._send_some():
                    pass
                if time.monotonic() - swept_at > 600:
                    async with self._database.system() as conn:
                        await delete_old_keys(conn)
                    swept_at = time.monotonic()
            except (OperationalError, InterfaceError, PoolTimeout, PoolClosed, OSError) as error:
                log.warning("webhooks_paused", error_type=type(error).__name__)
            except ReadOnlySqlTransaction:
                # A replica, or a primary that takes no writes for now: whoever can write sends them.
                if not is_left_to_others:
                    log.info("webhooks_left_to_others", reason="the database is read-only")
                is_left_to_others = True
            else:
                is_left_to_others = False
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()
        await asyncio.sleep(0.5)  # a batch ends domain by domain: look once for many of them

    async def _send_some(self) -> bool:
        async with self._database.system() as conn:
            deliveries = await claim_deliveries(conn)
        await asyncio.gather(*(self._deliver(delivery) for delivery in deliveries))
        return bool(deliveries)

    async def _deliver(self, delivery: Delivery) -> None:
        error = await self._call(delivery)
        async with self._database.system() as conn:
            is_written = await record_outcome(conn, delivery, error)
        outcome = "webhook_delivered" if error is None else "webhook_failed"
        log.info(
            outcome if is_written else "webhook_claim_lost",
            delivery_id=delivery.id,
            tenant_id=str(delivery.tenant_id),
            job_id=None if delivery.domain_id is None else str(delivery.domain_id),
            batch_id=None if delivery.batch_id is None else str(delivery.batch_id),
            attempt=delivery.attempt,
            error_code=error,
        )

    async def _call(self, delivery: Delivery) -> str | None:
        """None where the receiver took it, else why not, in one word."""
        if delivery.is_revoked:
            return "token_revoked"
        body = await self._body(delivery)
        if body is None:
            return "nothing_to_tell"
        key = delivery.token_sha256 if delivery.token_sha256 is not None else hash_token(DEVELOPMENT_TOKEN)
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: sign(bytes(key), body, int(time.time())),
            "X-ScraperSky-Delivery": str(delivery.id),
        }
        return await self._post(delivery.url, body, headers)

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> str | None:
        if self._session is None:
            raise RuntimeError("the sender is used outside its context")
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                response.close()
                return None if 200 <= response.status < 300 else f"status_{response.status}"
        except TimeoutError:
            return "timed_out"
        except (aiohttp.ClientError, OSError, ValueError):
            # One word for all: an answer that tells refused from closed would map the network behind the gate.
            return "unreachable"

    async def _body(self, delivery: Delivery) -> bytes | None:
        async with self._database.tenant(delivery.tenant_id) as conn:
            if delivery.domain_id is not None:
                row = await find_job(conn, delivery.domain_id)
                if row is None:
                    return None
                document: dict[str, Any] = {"event": "domain.finished", "job": job_document(row)}
            elif delivery.batch_id is not None:
                batch = await read_batch_document(conn, delivery.batch_id, limit=0)
                if batch is None:
                    return None
                document = {"event": "batch.finished", "batch": batch}
            else:
                return None
        return json.dumps(jsonable_encoder(document), ensure_ascii=False).encode()
