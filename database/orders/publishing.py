"""Order events that have not been published on the bus yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from psycopg.rows import class_row

from database.connection import Database

_READ = """
SELECT e.id, e.client_order_id, i.symbol, i.side, i.quantity, e.state, e.filled_quantity, e.at,
    e.identity, e.code, CASE WHEN e.kind = 'fill' THEN e.price END AS price
FROM order_event e JOIN intent i USING (account_id, client_order_id)
WHERE NOT e.is_published AND e.account_id = %s ORDER BY e.id LIMIT %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpublishedEvent:
    """One row of an order's history.

    Attributes:
        id: Its number; grows with time.
        client_order_id: The order's name.
        symbol: The instrument's symbol.
        side: 1 to buy, -1 to sell.
        quantity: Shares asked for.
        state: The order's state from then on.
        filled_quantity: Shares filled by then.
        at: When.
        identity: What makes a repeated message the same, within the order.
        code: Of a denial.
        price: Of a fill.
    """

    id: int
    client_order_id: str
    symbol: str
    side: int
    quantity: Decimal
    state: str
    filled_quantity: Decimal
    at: datetime
    identity: str
    code: str | None
    price: Decimal | None


def unpublished_events(
    database: Database, account: str, most: int = 1_000
) -> list[UnpublishedEvent]:
    """The oldest unpublished events."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(UnpublishedEvent)) as cursor,
    ):
        return cursor.execute(_READ, [account, most]).fetchall()


def mark_published(database: Database, numbers: Sequence[int]) -> None:
    """Write down that the bus has these."""
    with database.transaction() as connection:
        connection.execute(
            "UPDATE order_event SET is_published = true WHERE id = ANY(%s)", [list(numbers)]
        )
