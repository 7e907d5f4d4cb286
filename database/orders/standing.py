"""How a stored account stands, at the last prices that the database has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from psycopg.rows import class_row

from database.connection import Database
from database.orders.ledger import read_ledger
from trading.bars.intervals import Interval
from trading.portfolio.account import Account
from trading.portfolio.ledger import EventKind, LedgerEvent
from trading.portfolio.standing import Standing, standing
from trading.units import price_units

# For each symbol and interval the last bar alone is looked up, by the primary key: however many
# there are of them, that takes no longer.
_LIVE = """
SELECT DISTINCT ON (wanted.symbol) wanted.symbol, last.close, last.available_at AS known_at
FROM unnest(%(symbols)s::text[]) wanted (symbol),
    unnest(%(intervals)s::text[], %(minutes)s::integer[]) own (interval, minutes),
    LATERAL (
        SELECT close, ts, available_at FROM live_bar
        WHERE symbol = wanted.symbol AND interval = own.interval ORDER BY ts DESC LIMIT 1
    ) last
-- By its end: a correction makes an older bar known later, but no newer.
ORDER BY wanted.symbol,
    coalesce(last.ts + own.minutes * interval '1 minute', last.available_at) DESC,
    last.available_at DESC
"""

_DAILY = """
SELECT wanted.symbol, last.close, last.ts AS known_at FROM unnest(%s::text[]) wanted (symbol),
    LATERAL (
        SELECT close, ts FROM bar_1d WHERE symbol = wanted.symbol ORDER BY ts DESC LIMIT 1
    ) last
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
    """The last close of each symbol: of the live bar that ended last or, without one, of a day.

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
        intervals = [Interval(interval)] if interval else list(Interval)
        minutes = [every.minutes if every.is_intraday else None for every in intervals]
        values = {"symbols": wanted, "intervals": intervals, "minutes": minutes}
        live = cursor.execute(_LIVE, values).fetchall()
        found = {price.symbol: price for price in live}
        missing = [symbol for symbol in wanted if symbol not in found]
        if missing:
            daily = cursor.execute(_DAILY, [missing]).fetchall()
            found |= {price.symbol: price for price in daily}
    return found


def read_standing(database: Database, account: str, until: datetime | None = None) -> Standing:
    """How an account stands.

    Args:
        database: The database.
        account: The account's name.
        until: As of then; its prices are the last ones all the same.
    """
    return standing(mark_at_last_prices(database, read_ledger(database, account, until)))


def mark_at_last_prices(database: Database, ledger: Sequence[LedgerEvent]) -> Account:
    """The account of a ledger; a symbol without a price is worth what it last traded at there."""
    account = Account.of(ledger)
    symbols = {event.symbol for event in ledger if event.kind is not EventKind.DEPOSIT}
    for symbol, last in last_prices(database, sorted(symbols - {""})).items():
        account.mark(symbol, int(price_units(np.array([last.close]), symbol)[0]))
    return account
