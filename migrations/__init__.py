"""Numbered SQL files, applied in order and never edited once released, and the runner that applies them."""

from migrations.runner import (
    AppliedMigration,
    ChecksumMismatch,
    Migration,
    MigrationError,
    MigrationStatus,
    SchemaTooNew,
    load_migrations,
    migrate,
    migration_status,
)

__all__ = [
    "AppliedMigration",
    "ChecksumMismatch",
    "Migration",
    "MigrationError",
    "MigrationStatus",
    "SchemaTooNew",
    "load_migrations",
    "migrate",
    "migration_status",
]
