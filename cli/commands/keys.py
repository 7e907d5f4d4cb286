"""`trading keys`: make, list and end the keys of the API."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.database import database_url
from cli.pipeline.query import as_json
from cli.settings import installation

if TYPE_CHECKING:
    from database.api.keys import ApiKey
    from database.connection import Database


def run_create(name: str, role: str, server_dir: Path, *, as_object: bool) -> None:
    """Make a key and print it.

    Raises:
        ParameterError: The name cannot be used, or is taken.
        DatabaseError: The database did not take it.
    """
    with _database(server_dir) as database:
        from database.api.keys import create_key  # noqa: PLC0415 - an extra brings what it needs

        key = create_key(database, name, role, _who())
    if as_object:
        typer.echo(as_json({"status": "completed", "name": name, "role": role, "key": key}))
        return
    typer.echo(key)
    typer.echo("Keep it: it is not shown again. Send it as Authorization: Bearer KEY.", err=True)


def run_list(server_dir: Path, *, as_object: bool) -> None:
    """Print the keys.

    Raises:
        DatabaseError: The database does not answer.
    """
    with _database(server_dir) as database:
        from database.api.keys import list_keys  # noqa: PLC0415 - an extra brings what it needs

        found = list_keys(database)
    if as_object:
        typer.echo(as_json({"status": "completed", "keys": [_object(key) for key in found]}))
        return
    if not found:
        typer.echo("There are no keys yet; trading keys create NAME makes one.")
    for key in found:
        used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
        state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "in force"
        typer.echo(f"{key.id}  {key.name:<24} {key.role:<7} last used {used:<17} {state}")


def run_revoke(key: str, server_dir: Path, *, as_object: bool) -> None:
    """End a key.

    Raises:
        ParameterError: There is none of that name or id.
        DatabaseError: The database did not do it.
    """
    with _database(server_dir) as database:
        from database.api.keys import revoke_key  # noqa: PLC0415 - an extra brings what it needs

        key_id = revoke_key(database, key, _who())
    if as_object:
        typer.echo(as_json({"status": "completed", "id": key_id}))
    else:
        typer.echo(f"Key {key_id} is revoked.")


@contextlib.contextmanager
def _database(server_dir: Path) -> Iterator[Database]:
    with database_url(installation(), server_dir) as url:
        from database.connection import open_database  # noqa: PLC0415 - an extra brings it

        with open_database(url) as database:
            yield database


def _object(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role,
        "created_at": key.created_at.isoformat(),
        "created_by": key.created_by,
        "last_used_at": key.last_used_at and key.last_used_at.isoformat(),
        "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
    }


def _who() -> str:
    """This user, for the audit."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "command"
