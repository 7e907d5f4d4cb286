"""What the seeds have in common: the moment, the account, the instruments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from trading.instruments.clock import NEW_YORK
from trading.risk.limits import RiskLimits

Connection = psycopg.Connection[TupleRow]

NOW = datetime(2026, 11, 25, 14, 32, 5, tzinfo=NEW_YORK).astimezone(UTC)
"""The market is open, and closes in an hour and a half."""

ACCOUNT = "paper-main"
LIMITS = RiskLimits(
    max_drawdown=Decimal("0.15"), max_gross=Decimal("1.5"), max_position=Decimal("0.25")
)

COMPANIES = {
    "AAPL": ("Apple Inc.", "Technology", 228.0),
    "AMZN": ("Amazon.com, Inc.", "Consumer Cyclical", 201.0),
    "GOOG": ("Alphabet Inc.", "Communication Services", 176.0),
    "JPM": ("JPMorgan Chase & Co.", "Financial Services", 243.0),
    "META": ("Meta Platforms, Inc.", "Communication Services", 561.0),
    "MSFT": ("Microsoft Corporation", "Technology", 417.0),
    "NVDA": ("NVIDIA Corporation", "Technology", 137.0),
    "XOM": ("Exxon Mobil Corporation", "Energy", 118.0),
}
INDEX = "^GSPC"
STRATEGY, FINGERPRINT = "vegas_channel", "4be1c07a9d52"
OTHER_STRATEGY, OTHER_FINGERPRINT = "rsi_reversion", "90af2231c8e4"
LIVE_SESSIONS, DAYS = 8, 250
BARS = 78
"""Of five minutes in a session."""

Price = tuple[datetime, float, float, float, float, float]


def insert(
    connection: Connection, table: str, columns: str, rows: Iterable[tuple[object, ...]]
) -> None:
    """Insert rows; columns are separated by commas."""
    names = [sql.Identifier(name.strip()) for name in columns.split(",")]
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(names),
        sql.SQL(", ").join(sql.Placeholder() for _ in names),
    )
    with connection.cursor() as cursor:
        cursor.executemany(statement, list(rows))
