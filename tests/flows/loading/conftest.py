"""A lake in a folder, and a database of a real Postgres."""

from __future__ import annotations

from tests.cli.conftest import run, start  # noqa: F401 - fixtures of this room
from tests.database.conftest import (  # noqa: F401 - fixtures of this room
    database,
    database_url,
    migrated_database,
    postgres,
)
from tests.lake.bronze.conftest import lake  # noqa: F401 - as above
