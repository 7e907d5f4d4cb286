"""A database for Prefect in the local Postgres server, in place of its SQLite file."""

from __future__ import annotations

import os
import subprocess
from urllib.parse import quote

from servers.errors import CommandError
from servers.postgres.cluster import DATABASE, ROLE
from servers.postgres.local import PostgresServer
from servers.postgres.programs import program
from servers.shared.server import environment

VARIABLE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
"""What tells a Prefect server where its database is."""

_NAME = "prefect"
_CREATE = r"""
SELECT 'CREATE DATABASE prefect' WHERE NOT EXISTS
    (SELECT FROM pg_database WHERE datname = 'prefect') \gexec
"""


def prefect_database_url(server: PostgresServer) -> str:
    """The address of Prefect's database as Prefect wants it; the database is made when missing.

    Raises:
        CommandError: The server did not make it.
    """
    host = str(server.socket_folder)
    psql = [str(program("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", host, "-U", ROLE]
    done = subprocess.run(  # noqa: S603 - a program of the wheel, no shell
        [*psql, "-d", DATABASE], input=_CREATE, text=True, capture_output=True, check=False,
        env=environment(os.environ),
    )  # fmt: skip
    # Of two commands that come at once one makes it, and the other is told that it is there.
    if done.returncode and "already exists" not in done.stderr:
        raise CommandError(
            f"The local Postgres server did not make a database for Prefect "
            f"({' '.join(done.stderr.split())}); the end of its log is in {server.log}."
        )
    return f"postgresql+asyncpg://{ROLE}:@/{_NAME}?host={quote(host, safe='')}"
