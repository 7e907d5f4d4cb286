"""An account's books: its ledger, folded, and what its orders were decided on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from database.connection import Database
from database.orders.ledger import read_ledger
from trading.portfolio.account import Account
from trading.portfolio.attribution import Decision
from trading.portfolio.ledger import LedgerEvent
from trading.units import to_units

_VERSION = """
SELECT count(*), coalesce(max(place), 0) FROM (
    SELECT place FROM execution WHERE account_id = %(account)s
    UNION ALL SELECT place FROM ledger_event WHERE account_id = %(account)s
) AS booked
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
        version: Equal means that nothing has changed.
        ledger: Its events in the order in which they were booked.
        account: The fold over them; its marks are those of the last fills until others are set.
    """

    version: tuple[int, int]
    ledger: tuple[LedgerEvent, ...]
    account: Account


def read_books(database: Database, account: str, known: Books | None = None) -> Books:
    """An account's ledger, folded anew only when it has changed.

    Raises:
        DatabaseError: The database does not answer.
        ValueError: The ledger contradicts itself.
    """
    with database.transaction() as connection:
        row = connection.execute(_VERSION, {"account": account}).fetchone()
    version = (int(row[0]), int(row[1])) if row else (0, 0)
    if known is not None and known.version == version:
        return known
    ledger = read_ledger(database, account)
    return Books(version, tuple(ledger), Account.of(ledger))


def decisions(database: Database, account: str) -> Mapping[str, Decision]:
    """What each order of the account was made of, and what events without an order count as."""
    with database.transaction() as connection:
        found = connection.execute(_DECISIONS, [account]).fetchall()
    known = {
        order: Decision(strategy, None if price is None else to_units(price))
        for order, strategy, price in found
    }
    return {"": UNASSIGNED} | known
