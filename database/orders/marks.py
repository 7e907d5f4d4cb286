"""The last prices that are known, for valuing positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from database.connection import Database

_LIVE = """
SELECT DISTINCT ON (symbol) symbol, close, available_at AS known_at FROM live_bar
WHERE symbol = ANY(%s) AND (%s::text IS NULL OR interval = %s)
ORDER BY symbol, available_at DESC, ts DESC
"""

_DAILY = """
SELECT DISTINCT ON (symbol) symbol, close, ts AS known_at FROM bar_1d
WHERE symbol = ANY(%s) ORDER BY symbol, ts DESC
"""


@dataclass(frozen=True, slots=True)
class LastPrice:
    """A symbol's last close: dollars, and when it was known."""

    symbol: str
    close: float
    known_at: datetime


def last_prices(
    database: Database, symbols: Sequence[str], interval: str | None = None
) -> dict[str, LastPrice]:
    """The last close of each symbol: of live bars or, where it has none, of daily ones.

    Args:
        database: The database.
        symbols: Whose.
        interval: Only live bars of it; None for the newest of any.
    """
    wanted = list(symbols)
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(LastPrice)) as cursor,
    ):
        live = cursor.execute(_LIVE, [wanted, interval, interval]).fetchall()
        found = {price.symbol: price for price in live}
        missing = [symbol for symbol in wanted if symbol not in found]
        if missing:
            daily = cursor.execute(_DAILY, [missing]).fetchall()
            found |= {price.symbol: price for price in daily}
    return found
