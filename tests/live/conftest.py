"""A database with the schema, on a server that the tests of this room share."""

from __future__ import annotations

from tests.database.conftest import (  # noqa: F401 - fixtures of this room
    database,
    database_url,
    migrated,
    postgres,
)
