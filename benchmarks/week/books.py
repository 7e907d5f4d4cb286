"""Whether the orders follow the signals, each once, and the books balance to the last digit."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from benchmarks.week.plan import Plan
from benchmarks.week.prices import Checked
from database.connection import Database

ACCOUNT = "paper-replay"

_ORDERS = """
SELECT i.client_order_id AS name, i.strategy, i.interval, i.symbol, i.bar, i.leg, i.side,
    i.quantity, i.created_at, s.signal, s.available_at, last.state, last.code,
    last.filled_quantity, coalesce(done.quantity, 0) AS executed, done.first_at
FROM intent i
LEFT JOIN signal s ON (s.strategy, s.fingerprint, s.symbol, s.interval, s.ts)
    = (i.strategy, i.fingerprint, i.symbol, i.interval, i.bar)
LEFT JOIN LATERAL (
    SELECT state, code, filled_quantity FROM order_event e
    WHERE (e.account_id, e.client_order_id) = (i.account_id, i.client_order_id)
    ORDER BY id DESC LIMIT 1
) last ON true
LEFT JOIN LATERAL (
    SELECT sum(abs(quantity)) AS quantity, min(at) AS first_at FROM execution x
    WHERE (x.account_id, x.client_order_id) = (i.account_id, i.client_order_id)
) done ON true
WHERE i.account_id = %s ORDER BY i.bar, i.symbol
"""

_OUTSIDE = """
SELECT x.execution_id, x.price, b.low, b.high FROM execution x
JOIN intent i USING (account_id, client_order_id)
LEFT JOIN live_bar b ON (b.symbol, b.interval, b.ts) = (x.symbol, i.interval, x.at)
WHERE x.account_id = %s
    AND (b.ts IS NULL OR x.price NOT BETWEEN b.low::numeric * 0.999 AND b.high::numeric * 1.001)
"""


def check_orders(database: Database) -> Checked:
    """Each order once, of one signal, filled by no more than it asked for and never before."""
    orders = _rows(database, _ORDERS, [ACCOUNT])
    wrong = []
    decisions = Counter((o["strategy"], o["symbol"], o["bar"], o["leg"]) for o in orders)
    wrong += [f"{count} orders of one decision: {key}" for key, count in decisions.items()
              if count > 1]  # fmt: skip
    for order in orders:
        wrong += [f"order {order['name']} of {order['symbol']} {text}" for text in _odd(order)]
    wrong += [f"{row['execution_id']} filled at {row['price']}, outside of its bar"
              for row in _rows(database, _OUTSIDE, [ACCOUNT])]  # fmt: skip
    undecided = _rows(database, "SELECT symbol FROM target WHERE NOT is_decided", [])
    wrong += [f"what the signal on {row['symbol']} wants was never decided" for row in undecided]
    states = Counter(order["code"] or order["state"] for order in orders)
    if not any(order["executed"] for order in orders):
        wrong.append("nothing was filled")
    told = ", ".join(f"{count} {state}" for state, count in states.most_common())
    return Checked("orders", len(orders), wrong, told)


def _odd(order: dict[str, Any]) -> list[str]:
    found = []
    if order["signal"] not in ("buy", "sell", "hold"):
        found.append("has no signal")
    if order["side"] == 1 and order["signal"] == "sell":
        found.append("buys on a sell signal")
    if order["executed"] != order["filled_quantity"]:
        found.append(f"has {order['executed']} executed and {order['filled_quantity']} filled")
    if order["executed"] > order["quantity"]:
        found.append(f"filled {order['executed']} of {order['quantity']}")
    if order["first_at"] is not None and order["first_at"] < order["available_at"]:
        found.append(f"filled at {order['first_at']}, its signal is of {order['available_at']}")
    if order["available_at"] is not None and order["created_at"] < order["available_at"]:
        found.append(f"was made at {order['created_at']}, before {order['available_at']}")
    if order["state"] in ("SUBMITTED", "PENDING_CANCEL", "INITIALIZED", None):
        found.append(f"was left as {order['state']}")
    return found


def check_cash(database: Database, positions: list[dict[str, Any]], cash: str | None) -> Checked:
    """The fold over executions against what the executor, the API and the chart say.

    Args:
        database: The database.
        positions: What the API says is held.
        cash: What it says is there to spend; None when it does not say.
    """
    executions = _rows(database, "SELECT * FROM execution WHERE account_id = %s", [ACCOUNT])
    others = _rows(database, "SELECT * FROM ledger_event WHERE account_id = %s", [ACCOUNT])
    wrong = []
    kinds = Counter(event["kind"] for event in others)
    if kinds != {"deposit": 1}:
        wrong.append(f"beside fills the ledger has {dict(kinds)}, not one deposit")
    held: dict[str, Decimal] = defaultdict(Decimal)
    money = sum((event["quantity"] * event["price"] for event in others), Decimal(0))
    for one in executions:
        held[one["symbol"]] += one["quantity"]
        money -= one["quantity"] * one["price"] + one["fee"]
    ours = {symbol: quantity for symbol, quantity in held.items() if quantity}
    theirs = {p["symbol"]: Decimal(str(p["quantity"])) for p in positions}
    if ours != theirs:
        wrong.append(f"the API holds {theirs}, the executions come to {ours}")
    if cash is not None and Decimal(cash) != money:
        wrong.append(f"the API has {cash} of cash, the ledger comes to {money}")
    wrong += _equity(database, held, money)
    rounds = _rows(database, "SELECT * FROM reconciliation WHERE account_id = %s", [ACCOUNT])
    wrong += [
        f"reconciliation {one['id']} ({one['cause']}) found {one['differences']}"
        for one in rounds
        if one["differences"] or one["agreed"] is False
    ]
    return Checked("executions", len(executions), wrong, f"cash {money:,.2f}, {len(ours)} held")


def _equity(database: Database, held: dict[str, Decimal], money: Decimal) -> list[str]:
    """The last point of the chart against positions at the last closes."""
    point = _rows(
        database, "SELECT * FROM equity WHERE account_id = %s ORDER BY at DESC LIMIT 1", [ACCOUNT]
    )
    if not point:
        return ["the account was never valued"]
    (last,) = point
    found = []
    if last["cash"] != money:
        found.append(f"the chart ends with {last['cash']} of cash, the ledger with {money}")
    worth = money
    for symbol, quantity in held.items():
        (bar,) = _rows(
            database,
            "SELECT close::numeric AS close FROM live_bar b JOIN (SELECT DISTINCT symbol, interval "
            "FROM intent) i USING (symbol, interval) WHERE symbol = %s ORDER BY ts DESC LIMIT 1",
            [symbol],
        )
        worth += quantity * bar["close"]
    if last["equity"] != worth:
        found.append(f"the chart ends with {last['equity']} of equity, not {worth}")
    if last["equity"] - last["deposits"] != last["realized"] + last["unrealized"] - last["fees"]:
        found.append(f"equity less deposits is not what was earned: {last}")
    return found


def check_decisions(plan: Plan, database: Database) -> Checked:
    """Whether each signal that asked for a position that was not there became an order."""
    signals = _rows(
        database,
        "SELECT symbol, ts, signal, available_at FROM signal WHERE strategy = %s AND interval = %s "
        "ORDER BY symbol, ts",
        [plan.strategy, plan.intervals[0]],
    )
    intents = {
        (row["symbol"], row["bar"])
        for row in _rows(
            database, "SELECT symbol, bar FROM intent WHERE account_id = %s", [ACCOUNT]
        )
    }
    fills = _rows(
        database, "SELECT symbol, at, quantity FROM execution WHERE account_id = %s", [ACCOUNT]
    )
    wrong, wanted, target = [], 0, dict.fromkeys(plan.symbols, 0)
    for signal in signals:
        symbol, bar = signal["symbol"], signal["ts"]
        goal = {"buy": 1, "sell": 0}.get(signal["signal"], target[symbol])
        changed, target[symbol] = goal != target[symbol], goal
        position = sum(
            fill["quantity"] for fill in fills
            if fill["symbol"] == symbol and fill["at"] < signal["available_at"]
        )  # fmt: skip
        if not changed or bool(goal) == bool(position):
            continue
        wanted += 1
        if (symbol, bar) not in intents:
            wrong.append(f"the {signal['signal']} of {symbol} at {bar} became no order")
    return Checked("decisions", wanted, wrong)


def _rows(database: Database, text: str, values: list[object]) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row  # noqa: PLC0415 - one place

    with database.transaction() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(text.encode(), values).fetchall()
