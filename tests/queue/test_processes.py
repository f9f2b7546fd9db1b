"""Workers as real processes, killed and stopped as the world does it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.queue.helpers import Conn, add_domains, count, until

ROOT = Path(__file__).parents[2]


@contextmanager
def process(database: str, name: str, *, work: float, lease: float = 2) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.queue.worker_process", database, name, str(work), str(lease)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'queue'}"},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        started.send_signal(signal.SIGCONT)
        started.kill()
        started.wait(timeout=10)


async def reaches(conn: Conn, condition: str, number: int) -> None:
    async def is_so() -> bool:
        return await count(conn, condition) == number

    await until(is_so, seconds=40)


async def test_what_a_killed_worker_held_is_finished_by_another(database: str, conn: Conn) -> None:
    await add_domains(conn, 5)
    with process(database, "victim", work=3600) as victim:
        await reaches(conn, "status = 'processing'", 5)
        victim.kill()
        with process(database, "heir", work=0) as heir:
            await reaches(conn, "status = 'completed'", 5)

    assert await count(conn, f"attempt = 2 AND title = '{heir.pid}'") == 5


async def test_a_worker_stopped_past_its_lease_overwrites_nothing_when_it_continues_and_goes_on_as_another(
    database: str, conn: Conn
) -> None:
    await add_domains(conn, 5)
    with process(database, "sleeper", work=1) as sleeper:
        await reaches(conn, "status = 'processing'", 5)
        sleeper.send_signal(signal.SIGSTOP)
        with process(database, "heir", work=0) as heir:
            await reaches(conn, "status = 'completed'", 5)
            heir.terminate()
            await asyncio.to_thread(heir.wait, 20)
        cur = await conn.execute("SELECT id, claim_token, title FROM domains ORDER BY id")
        before = await cur.fetchall()

        sleeper.send_signal(signal.SIGCONT)
        await add_domains(conn, 3, prefix="later")
        await reaches(conn, f"domain LIKE 'later%' AND status = 'completed' AND title = '{sleeper.pid}'", 3)

    cur = await conn.execute("SELECT id, claim_token, title FROM domains WHERE domain LIKE 'd%' ORDER BY id")
    assert await cur.fetchall() == before
    assert {title for _, _, title in before} == {str(heir.pid)}
    cur = await conn.execute("SELECT count(*) FROM workers WHERE name = 'sleeper'")
    assert await cur.fetchall() == [(2,)]


async def test_a_worker_told_to_end_gives_back_what_it_holds_at_once(database: str, conn: Conn) -> None:
    await add_domains(conn, 5)
    with process(database, "leaver", work=3, lease=30) as leaver:
        await reaches(conn, "status = 'processing'", 5)
        leaver.terminate()
        assert await asyncio.to_thread(leaver.wait, 20) == 0

    assert await count(conn, "status = 'completed' AND attempt = 1") == 5
