"""Remove a symbol's bars, so that they are loaded anew from other files."""

from __future__ import annotations

from database.bars.columns import BAR_TABLES
from database.bars.locks import hold_against_retention, hold_symbol
from database.connection import Database
from trading.bars.intervals import Interval


def remove_bars(database: Database, symbol: str, interval: Interval) -> None:
    """Remove the bars of a symbol and have none of its loads count any more; all or nothing.

    What was corrected, and what was loaded when, stays on record.

    Raises:
        DatabaseError: The database did not do it; nothing was changed.
    """
    with database.tables() as cursor:
        hold_against_retention(cursor, interval)
        hold_symbol(cursor, interval, symbol)
        cursor.execute(
            f"DELETE FROM {BAR_TABLES[interval]} WHERE symbol = $1",  # noqa: S608 - our own names
            (symbol,),
        )
        cursor.execute(
            "UPDATE load_run SET status = 'replaced' "
            "WHERE symbol = $1 AND interval = $2 AND status = 'loaded'",
            (symbol, interval.value),
        )
