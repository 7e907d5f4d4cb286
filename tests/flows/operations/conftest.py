"""A database of a real Postgres for flows that keep it in order."""

from __future__ import annotations

from tests.cli.conftest import run, start  # noqa: F401 - fixtures of this room
from tests.database.conftest import (  # noqa: F401 - fixtures of this room
    database,
    database_url,
    empty_url,
    migrated_database,
    postgres,
)
