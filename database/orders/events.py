"""What happened to orders, and the executions that follow from it, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, LiteralString

import psycopg
from psycopg.rows import TupleRow, dict_row

from database.connection import Database
from database.orders.intents import COLUMNS, insert_intent, intent_of
from trading.execution.desk import TrackedOrder
from trading.execution.intent import Intent
from trading.orders.history import LATE_FILL, OrderEvent, OrderEventKind
from trading.orders.states import TransitionError
from trading.units import DIGITS, plain_text

CUMULATIVE = ":cumulative"
"""How the id of a fill ends that nobody reported."""

_STEP = Decimal(1).scaleb(-DIGITS)

_ADD = """
INSERT INTO order_event (account_id, client_order_id, identity, kind, execution_id, quantity, price,
    fee, reason, broker_order_id, at, state, code, filled_quantity)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (account_id, client_order_id, identity) DO NOTHING
"""

_FILL = """
INSERT INTO execution AS stored (account_id, execution_id, client_order_id, symbol, quantity, price,
    fee, is_synthetic, is_late, at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (account_id, execution_id) DO UPDATE SET
    quantity = excluded.quantity, price = excluded.price, at = excluded.at,
    place = nextval('ledger_place')
WHERE (stored.quantity, stored.price) IS DISTINCT FROM (excluded.quantity, excluded.price)
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording some events came to.

    Attributes:
        order: The order with all that is known of it.
        is_new: Whether anything was not known before.
        rewrites: Whether a fill that was in the ledger has changed or gone, so that the ledger
            is to be read again.
        contradicted: Kinds of events that cannot have happened; they are kept as unknown states.
    """

    order: TrackedOrder
    is_new: bool
    rewrites: bool = False
    contradicted: tuple[str, ...] = ()


def event_identity(event: OrderEvent) -> str:
    """What makes a repeated message the same message: what it says, and not when it says it.

    Each cancel that we ask for is one of its own.
    """
    match event.kind:
        case OrderEventKind.FILL:
            return f"fill:{event.execution_id}"
        case OrderEventKind.CUMULATIVE:
            return f"cumulative:{plain_text(event.quantity)}:{plain_text(event.price)}"
        case OrderEventKind.CANCEL_REQUESTED | OrderEventKind.CANCEL_REFUSED:
            return f"{event.kind.value}:{event.at.isoformat()}"
        case OrderEventKind.UNKNOWN:
            return f"unknown:{event.reason}"
        case _:
            return event.kind.value


def record_intent(
    connection: psycopg.Connection[TupleRow], intent: Intent, events: Sequence[OrderEvent]
) -> TrackedOrder:
    """Write an intent and its first events within a transaction, before anything is sent."""
    insert_intent(connection, intent)
    return record_events(connection, TrackedOrder.of(intent, ()), events).order


def record_events(
    connection: psycopg.Connection[TupleRow],
    known: TrackedOrder,
    events: Iterable[OrderEvent],
    broker_order_id: str = "",
) -> Recorded:
    """Write what happened to an order, within a transaction; what is known already changes nothing.

    Args:
        connection: In a transaction.
        known: The order as it was, with all events that the database has.
        events: What happened.
        broker_order_id: The broker's name of the order, where it said it.
    """
    named = broker_order_id or known.broker_order_id
    order = replace(known, broker_order_id=named)
    seen = {event_identity(event) for event in known.events}
    contradicted: list[str] = []
    is_new = False
    for told in events:
        event, after = _folded(order, told)
        if event is not told:
            contradicted.append(told.kind.value)
        identity = event_identity(event)
        if identity in seen:
            continue
        seen.add(identity)
        if _add(connection, after, event, identity):
            is_new = True
            order = after
    rewrites = _write_fills(connection, known, order) if is_new else False
    return Recorded(order, is_new, rewrites, tuple(contradicted))


def _folded(order: TrackedOrder, event: OrderEvent) -> tuple[OrderEvent, TrackedOrder]:
    """The order with one more event; one that cannot have happened becomes an unknown state."""
    intent = order.intent
    try:
        after = TrackedOrder.of(intent, (*order.events, event), order.broker_order_id)
    except TransitionError:
        words = f"{event.kind.value} in {order.status.state.value}"
        event = OrderEvent(kind=OrderEventKind.UNKNOWN, at=event.at, reason=words)
        after = TrackedOrder.of(intent, (*order.events, event), order.broker_order_id)
    return event, after


def _add(
    connection: psycopg.Connection[TupleRow], after: TrackedOrder, event: OrderEvent, identity: str
) -> bool:
    status = after.status
    code = status.reason if event.kind is OrderEventKind.DENIED else None
    done = connection.execute(
        _ADD,
        [
            after.intent.account, after.name, identity, event.kind.value, event.execution_id,
            event.quantity, event.price, event.fee, event.reason, after.broker_order_id, event.at,
            status.state.value, code, status.filled,
        ],
    )  # fmt: skip
    return bool(done.rowcount)


def _write_fills(
    connection: psycopg.Connection[TupleRow], before: TrackedOrder, after: TrackedOrder
) -> bool:
    """Make the executions of an order those of the fold; whether one was changed or has gone."""
    old = {fill.execution_id: fill for fill in before.status.fills}
    new = {fill.execution_id: fill for fill in after.status.fills}
    gone = old.keys() - new.keys()
    for name in gone:
        connection.execute(
            "DELETE FROM execution WHERE account_id = %s AND execution_id = %s",
            [after.intent.account, name],
        )
    changed = [fill for name, fill in new.items() if old.get(name) != fill]
    order = after.intent.order
    for fill in changed:
        connection.execute(
            _FILL,
            [
                after.intent.account, fill.execution_id, after.name, order.symbol,
                int(order.side) * fill.quantity, rounded(fill.price), rounded(fill.fee),
                fill.execution_id.endswith(CUMULATIVE), LATE_FILL in after.status.flags, fill.at,
            ],
        )  # fmt: skip
    return bool(gone) or any(fill.execution_id in old for fill in changed)


def rounded(value: Decimal) -> Decimal:
    """A price or fee as the ledger counts it, in billionths, rounded half to even."""
    return value.quantize(_STEP, ROUND_HALF_EVEN)


ENDED = "('DENIED', 'REJECTED', 'FILLED', 'CANCELED', 'EXPIRED')"
"""The states out of which there is no way, as a list of SQL."""

_WORKING = f"""
SELECT client_order_id FROM (
    SELECT DISTINCT ON (client_order_id) client_order_id, state FROM order_event
    WHERE account_id = %s ORDER BY client_order_id, id DESC
) last WHERE state NOT IN {ENDED}
"""  # noqa: S608 - our own names

_RECENT = """
SELECT client_order_id FROM intent WHERE account_id = %s
ORDER BY created_at DESC, client_order_id DESC LIMIT %s
"""


def working_orders(database: Database, account: str) -> list[TrackedOrder]:
    """The orders of an account that have not ended, in the order in which they were made."""
    return _tracked(database, account, _names(database, _WORKING, [account]))


def order_named(database: Database, account: str, name: str) -> TrackedOrder | None:
    """The order of that name, None when the account has none."""
    found = _tracked(database, account, [name])
    return found[0] if found else None


def recent_orders(database: Database, account: str, most: int) -> list[TrackedOrder]:
    """The latest orders of an account, newest last."""
    return _tracked(database, account, _names(database, _RECENT, [account, most]))


def _names(database: Database, query: LiteralString, values: Sequence[object]) -> list[str]:
    """The names that a query gives.

    It is asked by itself: within another one Postgres may run it anew for each order, which takes
    half a minute for 10,000 of them where the tables' statistics are old.
    """
    with database.transaction() as connection:
        return [str(name) for (name,) in connection.execute(query, values).fetchall()]


def _tracked(database: Database, account: str, names: Sequence[str]) -> list[TrackedOrder]:
    """The orders of these names, in the order in which they were made, with all their events."""
    wanted = list(names)
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        intents = cursor.execute(
            f"SELECT {COLUMNS} FROM intent WHERE account_id = %s AND "  # noqa: S608 - ours
            "client_order_id = ANY(%s) ORDER BY created_at, client_order_id".encode(),
            [account, wanted],
        ).fetchall()
        rows = cursor.execute(
            "SELECT client_order_id, kind, at, execution_id, quantity, price, reason, fee, "
            "broker_order_id FROM order_event WHERE account_id = %s AND client_order_id = ANY(%s) "
            "ORDER BY id",
            [account, wanted],
        ).fetchall()
    events: dict[str, list[OrderEvent]] = {}
    theirs: dict[str, str] = {}
    for row in rows:
        own = row["client_order_id"]
        theirs[own] = row["broker_order_id"] or theirs.get(own, "")
        events.setdefault(own, []).append(_event_of(row))
    found = [(row["client_order_id"], intent_of(row)) for row in intents]
    return [
        TrackedOrder.of(intent, events.get(own, ()), theirs.get(own, "")) for own, intent in found
    ]


def _event_of(row: Mapping[str, Any]) -> OrderEvent:
    return OrderEvent(
        kind=OrderEventKind(row["kind"]),
        at=row["at"],
        execution_id=row["execution_id"],
        quantity=row["quantity"],
        price=row["price"],
        reason=row["reason"],
        fee=row["fee"],
    )
