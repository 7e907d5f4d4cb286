"""Corporate actions: splits and cash dividends."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from database.connection import Database
from database.row_sets import replace_rows
from trading.instruments.actions import ActionKind, CorporateAction

_COLUMNS = ("symbol", "kind", "ex_date", "value", "currency", "known_at")

_READ = f"""
SELECT {", ".join(_COLUMNS)} FROM corporate_action
WHERE symbol = ANY(%s) AND ex_date <= %s ORDER BY ex_date, kind, symbol
"""  # noqa: S608 - our own names


def replace_actions(database: Database, actions: Collection[CorporateAction]) -> int:
    """Make the database hold these actions and no others; how many rows that changes.

    Raises:
        DatabaseError: Two of them are of one symbol, day and kind; nothing was changed.
    """
    rows = [(a.symbol, a.kind.value, a.ex_date, a.value, a.currency, a.known_at) for a in actions]
    with database.transaction() as connection:
        return replace_rows(connection, "corporate_action", _COLUMNS, rows)


def actions_until(
    database: Database, symbols: Collection[str], last: date
) -> list[CorporateAction]:
    """The symbols' actions with an `ex_date` at or before `last`, in order of time."""
    with database.transaction() as connection:
        found = connection.execute(_READ, [list(symbols), last]).fetchall()
    return [
        CorporateAction(
            symbol=name, kind=ActionKind(kind), ex_date=day, value=value, currency=currency,
            known_at=known,
        )
        for name, kind, day, value, currency, known in found
    ]  # fmt: skip
