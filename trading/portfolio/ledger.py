"""The ledger: everything that changed an account, one event after another.

Cash, positions and profit are folds over it (`trading.portfolio.account`) and stored nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from trading.units import CENT, UNIT, from_units, to_dollars, to_money, to_units

NUMBER = pa.decimal128(38, 9)
"""How files hold a quantity, price or fee: exactly."""

SCHEMA = pa.schema(
    [
        pa.field("timestamp", pa.timestamp("ns", "UTC"), nullable=False),
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("quantity", NUMBER, nullable=False),
        pa.field("price", NUMBER, nullable=False),
        pa.field("fee", NUMBER, nullable=False),
        pa.field("order_id", pa.string(), nullable=False),
    ]
)
"""One row an event."""


class EventKind(StrEnum):
    """What an event is, and so what its quantity and price are."""

    DEPOSIT = "deposit"
    """Dollars paid in (below 0: out) as quantity, at the price 1."""
    FILL = "fill"
    """Shares bought (below 0: sold) at a price, for a fee."""
    DIVIDEND = "dividend"
    """Shares held, and dollars per share."""
    SPLIT = "split"
    """Shares that come to those held (below 0: go), and new shares per old one as price."""
    CASH_IN_LIEU = "cash_in_lieu"
    """Dollars for the fraction of a share that a split would have left, at the price 1."""
    ADJUSTMENT = "adjustment"
    """Shares, or without a symbol dollars at the price 1, that the broker has beyond ours (below
    0: lacks). Nobody earned them: what they are worth at the price counts as paid in."""


class LedgerEvent(NamedTuple):
    """One event; see `EventKind` for what quantity and price are.

    Attributes:
        timestamp: Nanoseconds since 1970 in UTC; of a fill in a backtest the bar's start.
        symbol: The instrument's symbol, empty for a deposit.
        kind: What it is.
        quantity: Signed, in units.
        price: In units.
        fee: As money.
        order_id: The order of a fill, else empty.
    """

    timestamp: int
    symbol: str
    kind: EventKind
    quantity: int
    price: int
    fee: int = 0
    order_id: str = ""


def deposit(timestamp: int, dollars_in_units: int) -> LedgerEvent:
    """The event that pays in so many units of a dollar (below 0: pays out)."""
    return LedgerEvent(timestamp, "", EventKind.DEPOSIT, dollars_in_units, UNIT)


def cash_in_lieu(timestamp: int, symbol: str, money: int) -> LedgerEvent:
    """The event that pays for a fraction of a share, to the cent."""
    return LedgerEvent(
        timestamp, symbol, EventKind.CASH_IN_LIEU, money // CENT * (UNIT // 100), UNIT
    )


def adjustment(timestamp: int, symbol: str, quantity: int, price: int) -> LedgerEvent:
    """The event that brings a position, or without a symbol the cash, to what the broker has.

    Args:
        timestamp: Nanoseconds since 1970 in UTC.
        symbol: The instrument's symbol; empty for cash.
        quantity: Shares or dollars that are missing here, below 0: too many, in units.
        price: What a share is taken to be worth, in units; not looked at for cash.
    """
    return LedgerEvent(timestamp, symbol, EventKind.ADJUSTMENT, quantity, price if symbol else UNIT)


def to_table(ledger: Sequence[LedgerEvent]) -> pa.Table:
    """The ledger as a table of `SCHEMA`, one row an event, in the ledger's order."""
    stamps = np.array([event.timestamp for event in ledger], np.int64)
    columns = {
        "timestamp": pa.array(stamps.view("datetime64[ns]")).cast(SCHEMA.field("timestamp").type),
        "symbol": [event.symbol for event in ledger],
        "kind": [event.kind.value for event in ledger],
        "quantity": [from_units(event.quantity) for event in ledger],
        "price": [from_units(event.price) for event in ledger],
        "fee": [to_dollars(event.fee) for event in ledger],
        "order_id": [event.order_id for event in ledger],
    }
    arrays = [pa.array(columns[field.name], field.type) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def from_table(table: pa.Table) -> list[LedgerEvent]:
    """The events of a table of `SCHEMA`."""
    stamps = table.column("timestamp").cast(pa.int64()).to_pylist()
    rows = table.drop_columns("timestamp").to_pylist()
    return [
        LedgerEvent(
            stamp,
            row["symbol"],
            EventKind(row["kind"]),
            to_units(row["quantity"], "quantity"),
            to_units(row["price"], "price"),
            to_money(row["fee"], "fee"),
            row["order_id"],
        )
        for stamp, row in zip(stamps, rows, strict=True)
    ]
