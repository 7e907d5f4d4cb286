"""Who waits for whom: loads of one symbol take turns, and no month is dropped under a load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from trading.bars.intervals import Interval

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor


def hold_symbol(cursor: Cursor, interval: Interval, symbol: str) -> None:
    """Be the only one that loads the symbol, until the transaction ends."""
    key = f"load {interval} {symbol}"
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", (key,))


def hold_against_retention(cursor: Cursor, interval: Interval) -> None:
    """Have all months stay, until the transaction ends."""
    key = _retention(interval)
    cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))", (key,))


def hold_for_retention(connection: psycopg.Connection[object], interval: Interval) -> None:
    """Have nobody load and nobody else drop months, until the transaction ends."""
    key = _retention(interval)
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])


def _retention(interval: Interval) -> str:
    return f"retention {interval}"
