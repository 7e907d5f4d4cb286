"""Last prices, and the bars of a symbol for its chart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from api.desk.reading.rows import rows_of
from database.connection import Database
from trading.arrays import Floats, Timestamps
from trading.bars.intervals import Interval
from trading.instruments.clock import to_datetime

_LOOK_BACK = timedelta(days=5)
_CORRECTED_WITHIN = timedelta(minutes=30)

_LATEST = """
SELECT DISTINCT ON (symbol, interval) symbol, interval, ts, close, available_at FROM live_bar
WHERE ts >= %s ORDER BY symbol, interval, ts DESC
"""

_PREVIOUS = """
SELECT DISTINCT ON (symbol) symbol, close FROM bar_1d
WHERE ts < %s AND ts >= %s ORDER BY symbol, ts DESC
"""

_PREVIOUS_LIVE = """
SELECT DISTINCT ON (symbol) symbol, close FROM live_bar
WHERE ts < %s AND ts >= %s ORDER BY symbol, ts DESC, interval
"""

_BARS = """
SELECT ts, open, high, low, close, volume FROM live_bar
WHERE symbol = %s AND interval = %s AND ts >= %s ORDER BY ts DESC LIMIT %s
"""

_DAYS = """
SELECT ts, open, high, low, close, coalesce(volume, 0) AS volume FROM bar_1d
WHERE symbol = %s AND ts >= %s ORDER BY ts DESC LIMIT %s
"""

_CLOSES = """
SELECT available_at, close FROM live_bar
WHERE symbol = %(symbol)s AND ts >= %(since)s AND interval = (
    SELECT interval FROM live_bar WHERE symbol = %(symbol)s AND ts >= %(since)s
    GROUP BY interval ORDER BY count(*) DESC LIMIT 1
)
UNION ALL
-- A day's close is known when the day is over, however its bar is stamped.
SELECT (((ts AT TIME ZONE 'America/New_York')::date + time '16:00')
    AT TIME ZONE 'America/New_York'), close
FROM bar_1d WHERE symbol = %(symbol)s AND ts >= %(since)s
"""

_SYMBOLS = """
SELECT DISTINCT symbol FROM live_bar WHERE ts >= %s
UNION SELECT DISTINCT symbol FROM bar_1d WHERE ts >= %s
UNION SELECT DISTINCT symbol FROM execution
ORDER BY symbol
"""


@dataclass(frozen=True, slots=True)
class LastPrice:
    """The last price known of a symbol.

    Attributes:
        price: In dollars, the close of the bar that ended last.
        ends: When that bar ended.
        known_at: When it was known.
    """

    price: float
    ends: datetime
    known_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BarRow:
    """A bar of a chart.

    Attributes:
        ts: Its start.
        open: First price in dollars.
        high: Highest price.
        low: Lowest price.
        close: Last price.
        volume: Shares.
    """

    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


def last_prices(
    database: Database, now: datetime, known: dict[str, LastPrice]
) -> dict[str, LastPrice]:
    """The last price of every symbol with live bars, those known already taken into account."""
    newest = max((price.ends for price in known.values()), default=now - _LOOK_BACK)
    with database.transaction() as connection:
        found = connection.execute(_LATEST, [newest - _CORRECTED_WITHIN]).fetchall()
    return _newest(known, found)


def _newest(known: dict[str, LastPrice], found: Iterable[tuple[Any, ...]]) -> dict[str, LastPrice]:
    prices = dict(known)
    for symbol, interval, ts, close, available_at in found:
        length = Interval(interval)
        ends = ts + timedelta(minutes=length.minutes) if length.is_intraday else available_at
        before = prices.get(symbol)
        # One that ends with the known one may be its correction.
        if (
            before is None
            or ends > before.ends
            or (ends == before.ends and available_at >= before.known_at)
        ):
            prices[symbol] = LastPrice(close, ends, available_at)
    return prices


def previous_closes(database: Database, midnight: datetime) -> dict[str, float]:
    """The last close of each symbol before a day began: of its daily bars, else of live ones."""
    since = midnight - timedelta(days=10)
    with database.transaction() as connection:
        live = connection.execute(_PREVIOUS_LIVE, [midnight, since]).fetchall()
        daily = connection.execute(_PREVIOUS, [midnight, since]).fetchall()
    return dict(live) | dict(daily)


def bars(
    database: Database, symbol: str, interval: Interval, since: datetime, limit: int = 2_000
) -> list[BarRow]:
    """The last bars of a symbol, in the order of time: live ones, or the days of the table."""
    if interval is Interval.DAY:
        found = rows_of(database, BarRow, _DAYS, [symbol, since, limit])
        if found:
            return found[::-1]
    found = rows_of(database, BarRow, _BARS, [symbol, interval.value, since, limit])
    return found[::-1]


def known_symbols(database: Database, since: datetime) -> list[str]:
    """The symbols with bars since a moment or with a fill, sorted."""
    with database.transaction() as connection:
        return [str(name) for (name,) in connection.execute(_SYMBOLS, [since, since]).fetchall()]


def closes_until(
    database: Database, symbol: str, first: np.datetime64, now: datetime
) -> tuple[Timestamps, Floats]:
    """The closes of a symbol with the moments from which on they were known, in their order.

    Days come from the table of days, today's and the last sessions' from live bars.

    Args:
        database: The database.
        symbol: The symbol.
        first: A moment; the last close known at it is the first one.
        now: The moment after which nothing is known.
    """
    since = to_datetime(first, UTC) - timedelta(days=10)
    with database.transaction() as connection:
        found = connection.execute(_CLOSES, {"symbol": symbol, "since": since}).fetchall()
    known = sorted((at, close) for at, close in found if at <= now)
    stamps: Timestamps = np.array(
        [at.astimezone(UTC).replace(tzinfo=None) for at, _ in known], "datetime64[ns]"
    )
    return stamps, np.array([close for _, close in known], np.float64)
