"""How a stored account stands, at the last prices that the database has."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from database.connection import Database
from database.orders.ledger import read_ledger
from database.orders.marks import last_prices
from trading.portfolio.ledger import EventKind
from trading.portfolio.standing import Standing, standing
from trading.units import price_units


def read_standing(database: Database, account: str, until: datetime | None = None) -> Standing:
    """How an account stands.

    Args:
        database: The database.
        account: The account's name.
        until: As of then; its prices are today's all the same.
    """
    ledger = read_ledger(database, account, until)
    symbols = {event.symbol for event in ledger if event.kind is not EventKind.DEPOSIT}
    found = last_prices(database, sorted(symbols - {""}))
    prices = {
        symbol: int(price_units(np.array([last.close]), symbol)[0])
        for symbol, last in found.items()
    }
    return standing(ledger, prices)
