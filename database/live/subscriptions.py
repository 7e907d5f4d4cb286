"""The symbols that live streams are asked for; they look here now and then."""

from __future__ import annotations

from collections.abc import Collection

from database.connection import Database


def subscribe(database: Database, symbols: Collection[str]) -> None:
    """Ask for these symbols as well.

    Raises:
        DatabaseError: The database did not take them; none was added.
    """
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO subscription (symbol) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING",
            [list(symbols)],
        )


def unsubscribe(database: Database, symbols: Collection[str]) -> None:
    """Unsubscribe from symbols.

    Raises:
        DatabaseError: The database did not take it.
    """
    with database.transaction() as connection:
        connection.execute("DELETE FROM subscription WHERE symbol = ANY(%s)", [list(symbols)])


def subscriptions(database: Database) -> frozenset[str]:
    """The symbols that are asked for."""
    with database.transaction() as connection:
        rows = connection.execute("SELECT symbol FROM subscription").fetchall()
    return frozenset(str(row[0]) for row in rows)
