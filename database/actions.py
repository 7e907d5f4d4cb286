"""Corporate actions: splits and cash dividends."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import astuple, dataclass
from datetime import date, datetime
from typing import Literal

from psycopg.rows import class_row

from database.connection import Database
from database.row_sets import replace_rows

_COLUMNS = ("symbol", "ex_date", "kind", "value", "known_at", "source")

_READ = """
SELECT symbol, ex_date, kind, value, known_at, source FROM corporate_action
WHERE symbol = %s AND ex_date <= %s ORDER BY ex_date, kind
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAction:
    """A split or a cash dividend.

    Attributes:
        symbol: The symbol.
        ex_date: The first day that trades without it.
        kind: `split` or `dividend`.
        value: Shares after a split for each before; dollars a share.
        known_at: When it became known.
        source: Who said so.
    """

    symbol: str
    ex_date: date
    kind: Literal["split", "dividend"]
    value: float
    known_at: datetime
    source: str


def replace_actions(database: Database, actions: Collection[StoredAction]) -> int:
    """Make the database hold these actions and no others; how many rows that changes.

    Raises:
        DatabaseError: Two of them are of one symbol, day and kind, or a value is not positive;
            nothing was changed.
    """
    with database.transaction() as connection:
        return replace_rows(
            connection, "corporate_action", _COLUMNS, [astuple(action) for action in actions]
        )


def actions_until(database: Database, symbol: str, last: date) -> list[StoredAction]:
    """The symbol's actions with an `ex_date` at or before `last`, in order of time."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(StoredAction)) as cursor,
    ):
        return cursor.execute(_READ, [symbol, last]).fetchall()
