"""The newest order that came of a signal on a live bar: proof that all parts work together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from database.connection import Database

_NEWEST = """
SELECT i.symbol, i.interval, i.bar, i.strategy, i.side, i.quantity::float8 AS quantity, e.state,
    extract(epoch FROM clock_timestamp() - e.recorded_at)::float8 AS age_seconds
FROM intent i
JOIN signal s USING (strategy, fingerprint, symbol, interval)
JOIN live_bar b ON (b.symbol, b.interval, b.ts) = (s.symbol, s.interval, s.ts)
CROSS JOIN LATERAL (
    SELECT state, recorded_at FROM order_event
    WHERE (account_id, client_order_id) = (i.account_id, i.client_order_id)
    ORDER BY id DESC LIMIT 1
) e
WHERE s.ts = i.bar AND e.state NOT IN ('DENIED', 'REJECTED')
    AND (%(account)s::text IS NULL OR i.account_id = %(account)s)
    AND (SELECT min(recorded_at) FROM order_event
        WHERE (account_id, client_order_id) = (i.account_id, i.client_order_id)) >= %(since)s
ORDER BY e.recorded_at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenOrder:
    """An order, the signal that it followed, and the bar on which that was.

    Attributes:
        symbol: The instrument's symbol.
        interval: Of the bar.
        bar: The bar's start.
        strategy: Whose signal it was.
        side: 1 for a purchase, -1 for a sale.
        quantity: Shares asked for.
        state: What became of it.
        age_seconds: How long ago that was by the database's clock.
    """

    symbol: str
    interval: str
    bar: datetime
    strategy: str
    side: int
    quantity: float
    state: str
    age_seconds: float


def newest_proven_order(
    database: Database, since: datetime, account: str | None = None
) -> ProvenOrder | None:
    """The newest order of a live signal that was not refused; None without any.

    Args:
        database: The database.
        since: Orders that were made before do not count; aware.
        account: Whose orders; None for those of any account.

    Raises:
        DatabaseError: The database does not answer.
    """
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(ProvenOrder)) as cursor,
    ):
        return cursor.execute(_NEWEST, {"account": account, "since": since}).fetchone()
