"""What must hold between the executor's books and the broker's, whatever has happened."""

from __future__ import annotations

from decimal import Decimal

from database.connection import Database
from database.orders.events import order_named
from database.orders.intents import intent_names
from database.orders.ledger import read_ledger
from database.orders.risk import read_risk
from tests.adapters.alpaca_trading import ENDS, Json, TradingBooks
from trading.portfolio.account import Account
from trading.portfolio.ledger import EventKind
from trading.risk.limits import TradingState
from trading.units import MONEY, to_money

BROKER_STATES = {
    "new": {"ACCEPTED", "PENDING_CANCEL"},
    "partially_filled": {"PARTIALLY_FILLED", "PENDING_CANCEL"},
    "pending_cancel": {"PENDING_CANCEL", "ACCEPTED", "PARTIALLY_FILLED"},
    "filled": {"FILLED"},
    "canceled": {"CANCELED"},
    "expired": {"EXPIRED"},
    "rejected": {"REJECTED"},
}


def exceeded_by(theirs: TradingBooks, body: Json, limit: Decimal) -> Decimal | None:
    """The largest position that an order could make, in shares; None within the limit.

    Args:
        theirs: What is held and open, without the order.
        body: The order, as it arrives.
        limit: Shares, long or short.
    """
    symbol = body["symbol"]
    held = theirs.positions.get(symbol, Decimal(0))
    mine = [o for o in theirs.open() if o["symbol"] == symbol]
    left = {
        side: sum(
            (Decimal(o["qty"]) - Decimal(o["filled_qty"]) for o in mine if o["side"] == side),
            Decimal(0),
        )
        for side in ("buy", "sell")
    }
    left[body["side"]] += Decimal(body["qty"])
    worst = max(abs(held + left["buy"]), abs(held - left["sell"]))
    return worst if worst > limit and worst > abs(held) else None


def assert_agree(database: Database, account: str, theirs: TradingBooks) -> None:
    """Fail unless orders, positions and cash are the same here and there.

    Args:
        database: Has the executor's books.
        account: Its account.
        theirs: The broker's books; nothing is on its way any more.
    """
    orders = list(theirs.orders.values())
    assert_orders_agree(database, account, orders)
    # Positions and cash.
    ledger = read_ledger(database, account)
    own = Account.of(ledger)
    for symbol, quantity in theirs.positions.items():
        assert own.quantity(symbol) == int(quantity * 10**9)
    assert abs(own.cash - to_money(round(theirs.cash, 9))) <= MONEY // 100_000
    profit = own.realized + own.unrealized - own.fees
    assert own.equity - own.deposits == profit
    # No position of ours had to be made up: every difference was explained by orders. What a
    # stranger traded while nobody looked, or before the account was opened here, has none.
    adjusted = {event.symbol for event in ledger if event.kind is EventKind.ADJUSTMENT}
    strangers = [order for order in orders if order["symbol"] == "KO"]
    assert adjusted <= ({"", "KO"} if strangers else set())
    # A halt that says that it is done is done.
    risk = read_risk(database, account)
    if risk.state is TradingState.HALTED and not risk.is_closing:
        assert not [order for order in orders if order["status"] not in ENDS]


def assert_orders_agree(database: Database, account: str, orders: list[Json]) -> None:
    """Every order there is one of ours; of ours, those that are not there never were."""
    names = intent_names(database, account)
    ours = {name: order_named(database, account, name) for name in names}
    for order in orders:
        own = ours.get(order["client_order_id"])
        if own is None and order["symbol"] == "KO":
            continue  # a stranger's that had ended before anybody looked: adjusted below
        assert own is not None
        assert own.status.filled == Decimal(order["filled_qty"])
        assert own.status.state.value in BROKER_STATES[order["status"]]
        assert sum((f.quantity for f in own.status.fills), Decimal(0)) == own.status.filled
    there = {order["client_order_id"] for order in orders}
    for name, own in ours.items():
        assert own is not None
        if name not in there:
            assert own.status.state.value in {"DENIED", "REJECTED"}
