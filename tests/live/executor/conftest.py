"""A real Postgres, and executors over it."""

from __future__ import annotations

from tests.database.conftest import database, database_url, migrated, postgres

__all__ = ["database", "database_url", "migrated", "postgres"]
