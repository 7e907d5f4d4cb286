"""The database that a command works with: the one that is set, else one of this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cli.extras import needs_extra
from cli.options import DEFAULT_FOLDER
from servers.postgres.local import local_postgres

if TYPE_CHECKING:
    from flows.boundary.settings import Settings


@contextlib.contextmanager
def database_url(settings: Settings, server_dir: Path = DEFAULT_FOLDER) -> Iterator[str]:
    """The URL of a database that answers and has the schema of this program.

    Without `TRADING_DATABASE_URL` it is a server of this machine, which other commands share, and
    which ends with the last of them.

    Args:
        settings: The settings in force.
        server_dir: Where servers of this machine keep their data; this one in `postgres` below it.

    Raises:
        CommandError: What a database needs is not installed, or the local server does not start.
        ParameterError: The URL cannot be used.
        DatabaseError: The database cannot be reached, or its schema is not one of ours.
    """
    with needs_extra("lake"):
        from database.schema import upgrade_schema  # noqa: PLC0415 - an extra brings what it needs
    with local_or_named(settings, server_dir) as url:
        upgrade_schema(url)
        yield url


@contextlib.contextmanager
def local_or_named(settings: Settings, server_dir: Path) -> Iterator[str]:
    """The URL of the database as it is: its schema, if it has one, is not looked at."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with local_postgres(server_dir / "postgres") as server:
        yield server.url
