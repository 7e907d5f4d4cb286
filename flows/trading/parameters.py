"""What the flows about accounts share: which ones, and their database."""

import contextlib
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from database.connection import Database, open_database
from database.orders.accounts import StoredAccount, account_named, accounts
from flows.operations.watched import named_database

AccountName = Annotated[
    str | None,
    Field(description="The account's name. Empty: every account.", examples=["paper"]),
]
Days = Annotated[
    int, Field(ge=1, le=3_660, description="How many days to look back.", examples=[30])
]


@contextlib.contextmanager
def account_database(name: str | None) -> Iterator[tuple[Database, list[StoredAccount]]]:
    """The database of the settings, and the account of that name or all.

    Raises:
        ParameterError: No database is set, or it has no such account.
        DatabaseError: It does not answer.
    """
    with open_database(named_database()) as database:
        yield database, [account_named(database, name)] if name else accounts(database)
