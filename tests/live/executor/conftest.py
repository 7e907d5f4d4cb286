"""A real Postgres, and executors over it."""

from __future__ import annotations

import pytest

from tests.database.conftest import database, database_url, migrated_database, postgres

__all__ = ["database", "database_url", "migrated_database", "postgres"]

pytest.register_assert_rewrite("tests.live.executor.agreement")
