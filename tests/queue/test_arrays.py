from __future__ import annotations

import subprocess
import sys
from uuid import UUID, uuid4

import pytest

from domain_queue.arrays import int8_array, uuid_array
from tests.queue.helpers import open_link


@pytest.mark.parametrize("length", [0, 1, 3, 1000])
async def test_the_server_reads_arrays_of_keys_as_they_were_meant(database: str, length: int) -> None:
    ids = [uuid4() for _ in range(length)]
    numbers = [(-1) ** index * (2**62 - index) for index in range(length)]
    params = {"ids": uuid_array(ids), "numbers": int8_array(numbers)}
    query = "SELECT id, number FROM unnest(%(ids)s::uuid[], %(numbers)s::bigint[]) AS u (id, number)"

    for prepare in (True, False):
        async with open_link(database, prepare=prepare) as link:
            assert await link.fetch(query, params) == list(zip(ids, numbers, strict=True))


async def test_an_array_of_the_nil_id_is_not_an_empty_one(database: str) -> None:
    async with open_link(database) as link:
        [row] = await link.fetch("SELECT %(ids)s::uuid[]", {"ids": uuid_array([UUID(int=0)])})

    assert row == ([UUID(int=0)],)


def test_a_program_that_only_serves_can_have_its_garbage_looked_for_less_often() -> None:
    script = (
        "import gc; from domain_queue import garbage; garbage.settle();"
        "print(gc.get_threshold(), gc.get_freeze_count() > 0)"
    )
    printed = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)

    assert printed.stdout.split("\n")[0] == "(20000, 20, 20) True"
