from domain_queue import DomainStatus
from tests.queue.helpers import Conn


async def test_the_enum_and_the_database_have_the_same_words_in_the_same_order(conn: Conn) -> None:
    cur = await conn.execute("SELECT unnest(enum_range(NULL::domain_status))::text")

    assert [word for (word,) in await cur.fetchall()] == [status.value for status in DomainStatus]


def test_only_ends_are_final() -> None:
    assert {status for status in DomainStatus if status.is_final} == {"completed", "error", "cancelled"}
