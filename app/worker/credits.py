"""The day's credits of the paid fetching service, counted in the database for all workers together."""

from __future__ import annotations

from app.database import Database
from extractor.ladder import Reservation

# The condition is checked on the locked row, so that two workers cannot both take the last credits.
RESERVE = """
    INSERT INTO fetch_credits AS credits (spent, requests)
    SELECT %(amount)s, 1
    WHERE %(amount)s <= %(limit)s
    ON CONFLICT (day) DO UPDATE
    SET spent    = credits.spent + excluded.spent,
        requests = credits.requests + 1
    WHERE credits.spent + excluded.spent <= %(limit)s
    RETURNING day
"""

SETTLE = """
    UPDATE fetch_credits
    SET spent = greatest(0, spent - %(reserved)s + %(spent)s)
    WHERE day = %(day)s
"""


class DailyCredits:
    """Implements the extractor's credit budget on the table ``fetch_credits``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, amount: int, *, limit: int) -> Reservation | None:
        """Take ``amount`` from today's ``limit``; None, and nothing taken, where they are not left."""
        async with self._database.system() as conn:
            cur = await conn.execute(RESERVE, {"amount": amount, "limit": limit})
            row = await cur.fetchone()
            return None if row is None else Reservation(amount, row[0])

    async def settle(self, reservation: Reservation, *, spent: int) -> None:
        """Replace a reservation by what was charged, on the day that it was made: midnight may have passed since."""
        async with self._database.system() as conn:
            await conn.execute(SETTLE, {"reserved": reservation.amount, "spent": spent, "day": reservation.day})
