"""Whether statements are prepared, and what happens when the server forgets them.

Behind a transaction pooler that nobody declared, a statement prepared on one server process is unknown to the next,
or its name is another connection's there. The server then refuses it before anything is executed. It is told once,
loudly, and from then on this process prepares nothing for that server.
"""

from __future__ import annotations

import secrets
from typing import Any

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict

log = structlog.get_logger("domain_queue")

#: What the server says of a prepared statement that it does not know, or knows from another connection.
FORGOTTEN = (psycopg.errors.InvalidSqlStatementName, psycopg.errors.DuplicatePreparedStatement)
PREPARE_THRESHOLD = 5
ADVICE = "add ?no_prepare=true to DATABASE_URL, and set LISTEN_DATABASE_URL to a direct or session-mode connection"

#: Host and port of the servers that forgot one, as long as this process lives.
_forgetful: set[str] = set()


class Preparing:
    """Whether statements for the server of ``conninfo`` are prepared; ``wanted`` is what the settings say.

    All of a process's objects for one server change their mind together. Safe from any thread.
    """

    def __init__(self, conninfo: str, *, wanted: bool) -> None:
        given = conninfo_to_dict(conninfo)
        self._server = f"{given.get('host') or given.get('hostaddr') or ''}:{given.get('port') or 5432}"
        self._wanted = wanted

    @property
    def is_on(self) -> bool:
        """Whether to prepare now."""
        return self._wanted and self._server not in _forgetful

    @property
    def threshold(self) -> int | None:
        """What psycopg is told: after how many executions it prepares by itself; None for never."""
        return PREPARE_THRESHOLD if self.is_on else None

    def give_up(self, error: psycopg.Error) -> None:
        """The server forgot a statement: prepare none from here on."""
        if self.is_on:
            _forgetful.add(self._server)
            log.error(
                "prepared_statements_given_up",
                server=self._server,
                error=str(error.diag.message_primary or error),
                meaning="a transaction pooler stands before it",
                advice=ADVICE,
            )


def name_apart(conn: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> None:
    """Let the names of this connection's prepared statements be like no other's.

    psycopg counts from zero on every connection. Behind an undeclared transaction pooler the first statement of one
    connection could then be executed in the place of another's, without any error.
    """
    conn._prepared._prepared_idx = secrets.randbelow(2**48)  # psycopg has no public way to name them
