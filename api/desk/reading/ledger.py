"""An account's ledger, and the positions and trades that it folds into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from database.connection import Database
from trading.portfolio.account import Account
from trading.portfolio.attribution import Decision
from trading.portfolio.ledger import EventKind, LedgerEvent
from trading.units import to_money, to_units

_VERSION = """
SELECT (SELECT count(*) FROM execution WHERE account_id = %(account)s),
    (SELECT count(*) FROM ledger_event WHERE account_id = %(account)s)
"""

_FILLS = """
SELECT at, symbol, quantity, price, fee, coalesce(client_order_id, '') FROM execution
WHERE account_id = %s ORDER BY at, execution_id
"""

_OTHERS = """
SELECT at, symbol, kind, quantity, price FROM ledger_event WHERE account_id = %s ORDER BY at, id
"""

_DECISIONS = """
SELECT client_order_id, strategy, decision_price FROM intent WHERE account_id = %s
"""

UNASSIGNED = Decision("not ours", None)
"""Of fills that no order of ours led to."""


@dataclass(frozen=True, slots=True)
class Books:
    """An account's ledger and its fold.

    Attributes:
        version: Grows with the ledger: equal means nothing has changed.
        ledger: Its events in the order of time.
        account: The fold over them; its marks are those of the last fills until others are set.
    """

    version: tuple[int, int]
    ledger: tuple[LedgerEvent, ...]
    account: Account


def read_books(database: Database, account: str, known: Books | None = None) -> Books:
    """An account's ledger, folded anew only when it has grown.

    Raises:
        DatabaseError: The database does not answer.
        ValueError: The ledger contradicts itself.
    """
    with database.transaction() as connection:
        row = connection.execute(_VERSION, {"account": account}).fetchone()
        version = (int(row[0]), int(row[1])) if row else (0, 0)
        if known is not None and known.version == version:
            return known
        fills = connection.execute(_FILLS, [account]).fetchall()
        others = connection.execute(_OTHERS, [account]).fetchall()
    # Of one moment what was paid in comes before what was bought of it.
    ledger = sorted(
        [_other(row) for row in others] + [_fill(row) for row in fills], key=lambda e: e.timestamp
    )
    return Books(version, tuple(ledger), Account.of(ledger))


def decisions(database: Database, account: str) -> Mapping[str, Decision]:
    """What each order of the account was made of, and what fills without an order count as."""
    with database.transaction() as connection:
        found = connection.execute(_DECISIONS, [account]).fetchall()
    known = {
        order: Decision(strategy, None if price is None else to_units(price))
        for order, strategy, price in found
    }
    return {"": UNASSIGNED} | known


def nanoseconds(moment: datetime) -> int:
    """Since 1970 in UTC."""
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1_000


def _fill(row: tuple[Any, ...]) -> LedgerEvent:
    at, symbol, quantity, price, fee, order = row
    return LedgerEvent(
        nanoseconds(at),
        symbol,
        EventKind.FILL,
        to_units(_short(quantity)),
        to_units(_short(price)),
        to_money(_short(fee)),
        order,
    )


def _other(row: tuple[Any, ...]) -> LedgerEvent:
    at, symbol, kind, quantity, price = row
    return LedgerEvent(
        nanoseconds(at),
        symbol,
        EventKind(kind),
        to_units(_short(quantity)),
        to_units(_short(price)),
    )


def _short(value: Decimal) -> Decimal:
    """Without trailing zeros, which the database keeps."""
    return value.normalize()
