"""What the fault tests share: workers to be killed, and the books that show whether a row was lost or done twice."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from tests.support.processes import Process, wait_for

ROOT = Path(__file__).parents[2]
#: Where a run of the fault tests leaves its figures, one line of a Markdown table for each; unset, nowhere.
TABLE = "SCRAPERSKY_TEST_FAULT_TABLE"
TENANT = "550e8400-e29b-41d4-a716-446655440000"

# A ledger that the program does not know: one line for every row that goes to completed, by whomever.
OPEN_BOOKS = """
    CREATE TABLE test_effects (
        domain_id uuid NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    CREATE FUNCTION test_note_effect() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO test_effects (domain_id) VALUES (NEW.id);
        RETURN NULL;
    END
    $$;
    CREATE TRIGGER test_effect AFTER UPDATE ON domains
        FOR EACH ROW WHEN (NEW.status = 'completed' AND OLD.status <> 'completed')
        EXECUTE FUNCTION test_note_effect();
    CREATE TABLE test_takeovers (domain_id uuid NOT NULL);
    CREATE FUNCTION test_note_takeover() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO test_takeovers (domain_id) VALUES (NEW.id);
        RETURN NULL;
    END
    $$;
    CREATE TRIGGER test_takeover AFTER UPDATE ON domains
        FOR EACH ROW WHEN (NEW.crash_count > OLD.crash_count)
        EXECUTE FUNCTION test_note_takeover();
"""

SUBMIT = """
    INSERT INTO domains (tenant_id, domain, status, max_attempts)
    SELECT %(tenant)s, %(prefix)s || i || '-fault.example', 'pending', 100
    FROM generate_series(1, %(rows)s) AS i
"""

VERDICT = """
    SELECT (SELECT count(*) FROM domains),
           (SELECT count(*) FROM domains WHERE status <> 'completed'),
           (SELECT count(*) - count(DISTINCT domain_id) FROM test_effects),
           (SELECT count(*) FROM test_takeovers)
"""

LONGEST_SILENCE = """
    SELECT coalesce(extract(epoch FROM max(silence)), 0)
    FROM (SELECT at, at - lag(at) OVER (ORDER BY at) AS silence FROM test_effects) AS effects
    WHERE at > %(since)s
"""

_prefixes = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the books say at the end."""

    rows: int
    lost: int  #: submitted, and not completed
    duplicates: int  #: went to completed once more without having been submitted again
    takeovers: int  #: claims whose holder vanished


class Books:
    """The database seen by the auditor: its own short connections, so that it survives what the workers suffer."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo

    def one(self, query: str, params: dict[str, object] | None = None) -> tuple[object, ...]:
        """The single row of ``query``."""
        with psycopg.connect(self.conninfo, autocommit=True, connect_timeout=5) as conn:
            row = conn.execute(query.encode(), params).fetchone()
        assert row is not None
        return row

    def run(self, query: str, params: dict[str, object] | None = None) -> None:
        """Execute, durably."""
        with psycopg.connect(self.conninfo, autocommit=True, connect_timeout=5) as conn:
            conn.execute(query.encode(), params)

    def open(self) -> None:
        """Begin to note every effect."""
        self.run(OPEN_BOOKS)

    def submit(self, rows: int) -> None:
        """Pending rows of names that were not there."""
        self.run(SUBMIT, {"tenant": TENANT, "prefix": f"b{next(_prefixes)}-", "rows": rows})

    def completed(self) -> int:
        """How many rows are done."""
        return int(str(self.one("SELECT count(*) FROM domains WHERE status = 'completed'")[0]))

    def wait_completed(self, rows: int, *, seconds: float = 120) -> None:
        """Return once so many are done."""

        def look() -> bool:
            with suppress(psycopg.OperationalError):
                return self.completed() >= rows
            return False

        try:
            wait_for(look, what=f"{rows} completed rows", seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.states()}") from error

    def states(self) -> tuple[object, ...]:
        """Depth by status, to be shown where a wait fails."""
        return self.one(
            "SELECT jsonb_object_agg(status, n) FROM (SELECT status, count(*) AS n FROM domains GROUP BY 1) s"
        )

    def held_by(self, name: str) -> int:
        """How many rows the workers of this name hold."""
        return int(
            str(
                self.one(
                    "SELECT count(*) FROM domains d JOIN workers w ON w.id = d.worker_id "
                    "WHERE d.status = 'processing' AND w.name = %(name)s",
                    {"name": name},
                )[0]
            )
        )

    def wait_progress(self, *, seconds: float = 100) -> None:
        """Return once a row has been completed from now on."""
        before = self.completed()

        def look() -> bool:
            with suppress(psycopg.OperationalError):
                return self.completed() > before
            return False

        try:
            wait_for(look, what="the next completed row", seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.states()}") from error

    def now(self) -> datetime:
        """The time by the database's clock."""
        now = self.one("SELECT clock_timestamp()")[0]
        assert isinstance(now, datetime)
        return now

    def longest_silence(self, since: datetime) -> float:
        """The longest time between one completed row and the next, of those that ended after ``since``, in seconds."""
        return float(str(self.one(LONGEST_SILENCE, {"since": since})[0]))

    def verdict(self) -> Verdict:
        """The end of the story."""
        return Verdict(*(int(str(value)) for value in self.one(VERDICT)))


class Crew:
    """Worker processes of the queue, each with a name."""

    def __init__(
        self, conninfo: str, *, lease: float = 3, concurrency: int = 20, work: float = 0.05, prepare: bool = True
    ) -> None:
        self._arguments = [str(lease), str(concurrency), str(work), str(int(prepare))]
        self._conninfo = conninfo
        self._numbers = itertools.count(1)
        self.members: dict[str, Process] = {}

    def hire(self, *, conninfo: str | None = None) -> str:
        """Start one more; its name."""
        name = f"crew-{next(self._numbers)}"
        self.members[name] = Process(
            [conninfo or self._conninfo, name, *self._arguments],
            {},
            program=(sys.executable, "-m", "tests.support.queue_worker"),
            folder=ROOT,
        )
        return name

    def wait_started(self) -> None:
        """Return once every member claims."""
        for member in self.members.values():
            member.wait_for_output("worker_started")

    def send(self, name: str, number: signal.Signals) -> None:
        """A signal to one."""
        self.members[name].send(number)
        if number == signal.SIGKILL:
            self.members[name].wait()

    def count(self, text: str) -> int:
        """How often ``text`` is in what they said."""
        return sum(member.output.count(text) for member in self.members.values())

    def dismiss(self) -> None:
        """End them all."""
        for member in self.members.values():
            member.send(signal.SIGCONT)
            member.send(signal.SIGTERM)
        for member in self.members.values():
            member.end()


@contextmanager
def crew(conninfo: str, size: int, **options: object) -> Iterator[Crew]:
    """``size`` workers inside the block."""
    workers = Crew(conninfo, **options)  # type: ignore[arg-type]
    try:
        for _ in range(size):
            workers.hire()
        workers.wait_started()
        yield workers
    finally:
        workers.dismiss()


def report(fault: str, verdict: Verdict, recovery: float, *, note: str) -> None:
    """Leave the figures of one fault where the run was asked to leave them."""
    if (path := os.environ.get(TABLE)) is not None:
        with Path(path).open("a") as file:
            file.write(
                f"| {fault} | {verdict.rows:,} | {verdict.lost} | {verdict.duplicates} | {recovery:.1f} s | {note} |\n"
            )
