"""A Postgres of one's own, for a machine that has none: shared by every process here, stopped by the last to leave."""

from app.embedded.account import Account, NoUsableAccount, account_for
from app.embedded.server import EmbeddedPostgres, EmbeddedPostgresError

__all__ = ["Account", "EmbeddedPostgres", "EmbeddedPostgresError", "NoUsableAccount", "account_for"]
