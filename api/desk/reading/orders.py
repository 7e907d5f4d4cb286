"""Orders, their last step, fills and denials."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from api.desk.reading.rows import rows_of
from database.connection import Database
from database.orders.events import ENDED

_ORDERS = f"""
SELECT intent.client_order_id, symbol, side, quantity, type, price, leg, strategy, created_at,
    coalesce(step.state, 'INITIALIZED') AS state, coalesce(step.code, '') AS code,
    coalesce(step.reason, '') AS reason, coalesce(step.filled_quantity, 0) AS filled_quantity,
    coalesce(step.at, created_at) AS at
FROM intent LEFT JOIN LATERAL (
    SELECT state, code, reason, filled_quantity, at FROM order_event
    WHERE order_event.client_order_id = intent.client_order_id ORDER BY id DESC LIMIT 1
) AS step ON true
WHERE account_id = %(account)s
    AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s)
    AND (NOT %(open)s OR coalesce(step.state, '') NOT IN {ENDED})
    AND (NOT %(denied)s OR step.state IN ('DENIED', 'REJECTED'))
ORDER BY created_at DESC, client_order_id LIMIT %(limit)s
"""  # noqa: S608 - our own names

_VERSION = """
SELECT coalesce((SELECT max(id) FROM order_event WHERE account_id = %(account)s), 0),
    (SELECT count(*) FROM intent WHERE account_id = %(account)s)
"""

_FILLS = """
SELECT execution_id, client_order_id, symbol, quantity, price,
    fee, is_synthetic, is_late, at
FROM execution
WHERE account_id = %s AND (%s::text IS NULL OR symbol = %s) ORDER BY at DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """An order and the last step of its life; fields as in the tables `intent` and `order_event`.

    Attributes:
        client_order_id: Its name.
        symbol: The instrument's symbol.
        side: 1 to buy, -1 to sell.
        quantity: Shares asked for.
        type: `market`, `limit` or `stop`.
        price: Limit or stop price in dollars.
        leg: Its part in what the signal asks for.
        strategy: Whose signal it comes from.
        created_at: When it was meant.
        state: Where it stands.
        code: Why it was denied.
        reason: The same in words.
        filled_quantity: Shares filled.
        at: When its last step was.
    """

    client_order_id: str
    symbol: str
    side: int
    quantity: Decimal
    type: str
    price: Decimal | None
    leg: str
    strategy: str
    created_at: datetime
    state: str
    code: str
    reason: str
    filled_quantity: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRow:
    """An execution; fields as in the table `execution`.

    Attributes:
        execution_id: The broker's name of it.
        client_order_id: The order.
        symbol: The instrument's symbol.
        quantity: Shares, below 0 sold.
        price: Dollars a share.
        fee: Dollars.
        is_synthetic: Whether it closes a difference to what the broker says is filled.
        is_late: Whether it came after the order's end.
        at: When.
    """

    execution_id: str
    client_order_id: str
    symbol: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    is_synthetic: bool
    is_late: bool
    at: datetime


def orders(
    database: Database,
    account: str,
    *,
    symbol: str | None = None,
    only_open: bool = False,
    only_denied: bool = False,
    limit: int = 200,
) -> list[OrderRow]:
    """The last orders of an account, the newest first.

    Args:
        database: The database.
        account: The account.
        symbol: Of this symbol alone.
        only_open: Those of which more is expected.
        only_denied: Those that the gate or the broker refused.
        limit: At most so many.
    """
    wanted = {
        "account": account,
        "symbol": symbol,
        "open": only_open,
        "denied": only_denied,
        "limit": limit,
    }
    return rows_of(database, OrderRow, _ORDERS, wanted)


def orders_version(database: Database, account: str) -> tuple[int, int]:
    """What changes with every step of every order of the account."""
    with database.transaction() as connection:
        row = connection.execute(_VERSION, {"account": account}).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def fills(
    database: Database, account: str, symbol: str | None = None, limit: int = 200
) -> list[FillRow]:
    """The last fills of an account, the newest first; of one symbol when it is named."""
    return rows_of(database, FillRow, _FILLS, [account, symbol, symbol, limit])
