"""How a stored account stands, at the last prices that the database has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from psycopg.rows import class_row

from database.connection import Database
from database.orders.ledger import read_ledger
from trading.portfolio.account import Account
from trading.portfolio.ledger import EventKind, LedgerEvent
from trading.portfolio.standing import Standing, standing
from trading.units import price_units

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
