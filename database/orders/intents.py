"""Intents: every order that was ever meant, written before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from database.connection import Database
from trading.execution.intent import Intent
from trading.instruments.clock import moment_of, nanoseconds_of
from trading.orders.model import Leg, Order, OrderType, Side, TimeInForce
from trading.portfolio.attribution import Decision
from trading.units import to_units

COLUMNS = (
    "client_order_id, account_id, strategy, fingerprint, symbol, interval, bar, leg, side, "
    "quantity, type, price, time_in_force, stop_loss, take_profit, reduce_only, decision_price, "
    "created_at"
)

_INSERT = f"INSERT INTO intent ({COLUMNS}) VALUES ({', '.join(['%s'] * 18)})"  # noqa: S608 - ours


def insert_intent(connection: psycopg.Connection[TupleRow], intent: Intent) -> None:
    """Add an intent within a transaction.

    Raises:
        psycopg.errors.UniqueViolation: There is one of that name.
    """
    order = intent.order
    connection.execute(
        _INSERT.encode(),
        [
            order.client_order_id, intent.account, order.strategy, intent.fingerprint,
            order.symbol, intent.interval, moment_of(intent.bar), order.leg.value,
            int(order.side), order.quantity, order.type.value, order.price,
            order.time_in_force.value, order.stop_loss, order.take_profit, order.reduce_only,
            order.decision_price, intent.created_at,
        ],
    )  # fmt: skip


def intent_names(database: Database, account: str) -> set[str]:
    """The names of all orders of an account."""
    with database.transaction() as connection:
        found = connection.execute(
            "SELECT client_order_id FROM intent WHERE account_id = %s", [account]
        ).fetchall()
    return {str(name) for (name,) in found}


def created_since(database: Database, account: str, since: datetime) -> list[datetime]:
    """When the orders were made that were sent since a moment, in order of time."""
    with database.transaction() as connection:
        found = connection.execute(
            "SELECT created_at FROM intent i WHERE account_id = %s AND created_at > %s "
            "AND NOT EXISTS (SELECT FROM order_event e WHERE e.account_id = i.account_id AND "
            "e.client_order_id = i.client_order_id AND e.kind = 'denied') ORDER BY created_at",
            [account, since],
        ).fetchall()
    return [moment for (moment,) in found]


def intent_of(row: Mapping[str, Any]) -> Intent:
    """The intent of a row with `COLUMNS`."""
    order = Order(
        client_order_id=row["client_order_id"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        quantity=Decimal(row["quantity"]),
        type=OrderType(row["type"]),
        price=row["price"],
        time_in_force=TimeInForce(row["time_in_force"]),
        stop_loss=row["stop_loss"],
        take_profit=row["take_profit"],
        reduce_only=row["reduce_only"],
        leg=Leg(row["leg"]),
        strategy=row["strategy"],
        decision_price=row["decision_price"],
    )
    return Intent(
        account=row["account_id"],
        order=order,
        fingerprint=row["fingerprint"],
        interval=row["interval"],
        bar=nanoseconds_of(row["bar"]),
        created_at=row["created_at"],
    )


def read_decisions(database: Database, account: str) -> dict[str, Decision]:
    """The strategy and the price decided at, by order."""
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT client_order_id, strategy, decision_price FROM intent WHERE account_id = %s",
            [account],
        ).fetchall()
    return {
        name: Decision(strategy, None if price is None else to_units(price, "decision_price"))
        for name, strategy, price in rows
    }
