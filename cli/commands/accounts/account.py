"""The database and the account that a command is about."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cli.database import database_url
from cli.settings import installation
from servers.errors import USAGE, CommandError

if TYPE_CHECKING:
    from database.connection import Database
    from database.orders.accounts import StoredAccount


@contextlib.contextmanager
def opened(server_dir: Path) -> Iterator[Database]:
    """The database of this installation.

    Raises:
        CommandError: What it needs is not installed, or it cannot be started.
        DatabaseError: It does not answer.
    """
    with database_url(installation(), server_dir) as url:
        from database.connection import open_database  # noqa: PLC0415 - an extra brings it

        with open_database(url) as database:
            yield database


def chosen(database: Database, name: str | None) -> StoredAccount:
    """The account of that name or, without one, the only one there is.

    Raises:
        CommandError: There is none, or several.
        ParameterError: There is none of that name.
    """
    from database.orders.accounts import account_named, accounts  # noqa: PLC0415 - see above

    if name is not None:
        return account_named(database, name)
    known = accounts(database)
    if not known:
        raise CommandError("There is no account yet; start one with trading live executor.", USAGE)
    if len(known) > 1:
        names = ", ".join(account.id for account in known)
        raise CommandError(f"There are several accounts ({names}); pass --account.", USAGE)
    return known[0]


def who() -> str:
    """Whoever runs the command, for the audit."""
    try:
        return getpass.getuser()
    except OSError:
        return "unknown"
