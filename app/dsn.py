"""Connection strings as people have them, and what psycopg makes of them.

The seed of this program and most Supabase projects carry DSNs written for asyncpg and SQLAlchemy: another scheme, and
options that only those drivers know. They are understood here, once, so that every part connects alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

#: A password in a libpq conninfo may hold :// too, but not before the first blank or equals sign.
URL = re.compile(r"[A-Za-z][A-Za-z0-9+_.-]*://")
OPTION = re.compile(r"[a-z_]+=")
SCHEMES = frozenset({"postgresql", "postgres"})
DRIVERS = frozenset({"", "asyncpg", "psycopg", "psycopg2", "psycopg_async"})

#: Options of other drivers that ask for no prepared statements, with the values that mean yes.
NO_PREPARE = {
    "no_prepare": frozenset({"true", "1", "yes", "on"}),
    "statement_cache_size": frozenset({"0"}),
    "prepared_statement_cache_size": frozenset({"0"}),
    "prepare_threshold": frozenset({"0", "none", "null"}),
}
#: Options that other programs read and that have no meaning here.
MEANINGLESS = frozenset(
    {"raw_sql", "no_parameters", "prepared_statement_name_func", "server_settings", "pgbouncer", "pool_mode"}
)
#: asyncpg's ``ssl`` is libpq's ``sslmode``.
SSL_MODES = {"true": "require", "false": "disable"}
#: Where poolers listen that hand a connection to somebody else after each transaction.
TRANSACTION_POOLER_PORTS = frozenset({"6543", "6432"})
POOLER_HOST_SUFFIX = ".pooler.supabase.com"


class InvalidDsn(ValueError):
    """The connection string cannot be used; the message says why and never shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dsn:
    """A connection string understood. Its password is in ``conninfo`` alone, which no repr shows."""

    conninfo: str = field(repr=False)
    host: str
    port: str
    user: str
    dbname: str
    is_transaction_pooler: bool  #: LISTEN cannot pass, nor anything else that outlives a transaction
    prepared_statements: bool
    notes: tuple[str, ...]  #: what was understood or ignored, for a log line and for doctor

    def __str__(self) -> str:
        where = self.host or "local socket"
        return f"{self.user}@{where}:{self.port}/{self.dbname}"


def parse_dsn(text: str) -> Dsn:
    """Understand ``postgresql://`` or ``postgres://``, with ``+asyncpg`` or ``+psycopg`` or not, or a libpq conninfo.

    Raises:
        InvalidDsn: it is none of them, or libpq refuses it.
    """
    text = text.strip()
    notes: list[str] = []
    asks_no_prepare = False
    if URL.match(text):
        text, asks_no_prepare = _translate_url(text, notes)
    try:
        given = {key: str(value) for key, value in conninfo_to_dict(text).items() if value is not None}
    except psycopg.ProgrammingError:
        raise InvalidDsn(
            "the connection string cannot be read: write postgresql://user:password@host:port/database"
        ) from None
    host, port = given.get("host", ""), given.get("port", "5432")
    is_pooler = _is_transaction_pooler(host, port)
    if is_pooler:
        notes.append(f"port {port} is a transaction pooler: no prepared statements, and LISTEN cannot pass")
    elif asks_no_prepare:
        notes.append("prepared statements are off, as the options ask")
    return Dsn(
        conninfo=make_conninfo("", **given),
        host=host,
        port=port,
        user=given.get("user", ""),
        dbname=given.get("dbname", ""),
        is_transaction_pooler=is_pooler,
        prepared_statements=not (is_pooler or asks_no_prepare),
        notes=tuple(notes),
    )


def _translate_url(text: str, notes: list[str]) -> tuple[str, bool]:
    """The URL as libpq reads it, and whether its options ask for no prepared statements."""
    head, rest = text.split("://", 1)
    scheme, _, driver = head.partition("+")
    if scheme.lower() not in SCHEMES or driver.lower() not in DRIVERS:
        raise InvalidDsn("the connection string must begin with postgresql:// (or postgres://, postgresql+asyncpg://)")
    if driver:
        notes.append(f"the driver suffix +{driver.lower()} is dropped: this program uses psycopg")
    credentials, place, options = _split(rest)
    kept: list[tuple[str, str]] = []
    asks_no_prepare = False
    for key, value in parse_qsl(options, keep_blank_values=True):
        if key in NO_PREPARE:
            means_off = value.lower() in NO_PREPARE[key]
            asks_no_prepare = asks_no_prepare or means_off
            notes.append(
                f"the option {key} is understood"
                if means_off
                else f"the option {key} is ignored: it has no meaning here"
            )
        elif key in MEANINGLESS:
            notes.append(f"the option {key} is ignored: it has no meaning here")
        elif key == "ssl":
            kept.append(("sslmode", SSL_MODES.get(value.lower(), value)))
            notes.append("the option ssl is read as sslmode")
        else:
            kept.append((key, value))
    query = urlencode(kept, quote_via=quote)
    return f"postgresql://{_quoted(credentials)}{place}" + (f"?{query}" if query else ""), asks_no_prepare


def _split(rest: str) -> tuple[str, str, str]:
    """Credentials with their @, host and path, and options, of what follows the scheme.

    A password may have been pasted as it is, with any of @ : / ? # in it: it ends at the last @ before the options,
    or, where its own question mark hides that, at the last of all.
    """
    before, _, options = rest.partition("?")
    if "@" in before or "@" not in options or OPTION.match(options):
        credentials, at, place = before.rpartition("@")
        return credentials + at, place, options
    credentials, at, after = rest.rpartition("@")
    place, _, options = after.partition("?")
    return credentials + at, place, options


def _quoted(credentials: str) -> str:
    if not credentials:
        return ""
    user, colon, password = credentials[:-1].partition(":")
    return quote(unquote(user), safe="") + colon + quote(unquote(password), safe="") + "@"


def _is_transaction_pooler(host: str, port: str) -> bool:
    return port in TRANSACTION_POOLER_PORTS or (host.endswith(POOLER_HOST_SUFFIX) and port != "5432")
