"""A database with the schema, on a server that these tests share."""

from __future__ import annotations

from tests.database.conftest import (  # noqa: F401 - fixtures of this folder
    database,
    database_url,
    migrated_database,
    postgres,
)
