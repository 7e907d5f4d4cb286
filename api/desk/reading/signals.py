"""What strategies said."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from api.desk.reading.rows import rows_of
from database.connection import Database

_OF_SYMBOL = """
SELECT strategy, fingerprint, symbol, interval, ts, signal, target, close, values, available_at
FROM signal WHERE symbol = %(symbol)s AND ts >= %(since)s
    AND (%(interval)s::text IS NULL OR interval = %(interval)s)
ORDER BY ts DESC LIMIT %(limit)s
"""

_LATEST = """
SELECT DISTINCT ON (strategy, symbol, interval)
    strategy, fingerprint, symbol, interval, ts, signal, target, close, values, available_at
FROM signal WHERE ts >= %(since)s AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s)
ORDER BY strategy, symbol, interval, ts DESC, available_at DESC
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRow:
    """What a strategy said at a bar's close; fields as in the table `signal`.

    Attributes:
        strategy: Its name.
        fingerprint: Of its version and parameters.
        symbol: The instrument's symbol.
        interval: Of the bar.
        ts: The bar's start.
        signal: `buy`, `hold` or `sell`.
        target: The position wanted, from -1 to 1.
        close: The bar's close in dollars.
        available_at: When it could first be acted on.
        values: Indicators by name.
    """

    strategy: str
    fingerprint: str
    symbol: str
    interval: str
    ts: datetime
    signal: str
    target: float | None
    close: float
    available_at: datetime
    values: dict[str, float | None] = field(default_factory=dict)


def signals_of(
    database: Database,
    symbol: str,
    since: datetime,
    interval: str | None = None,
    limit: int = 2_000,
) -> list[SignalRow]:
    """The signals of a symbol since a moment, the newest first."""
    wanted = {"symbol": symbol, "since": since, "interval": interval, "limit": limit}
    return rows_of(database, SignalRow, _OF_SYMBOL, wanted)


def latest_signals(
    database: Database, since: datetime, symbol: str | None = None
) -> list[SignalRow]:
    """The last signal of each strategy, symbol and interval since a moment; of one symbol alone."""
    return rows_of(database, SignalRow, _LATEST, {"since": since, "symbol": symbol})
