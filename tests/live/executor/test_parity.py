"""One fixture through the backtest and through the executor: the same orders and fills."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest

from database.connection import Database
from database.orders.ledger import read_ledger
from tests.adapters.alpaca_trading import TradingBooks
from tests.live.executor.alpaca import Side
from tests.live.executor.world import (
    FINGERPRINT,
    STRATEGY,
    Clock,
    World,
    hours_of,
    policy_of,
    walk,
)
from tests.trading.backtest.markets import Row, clock_of, market_of
from trading.backtest.assumptions import Assumptions
from trading.backtest.engine import run
from trading.backtest.result import Result
from trading.backtest.targets import TargetOrders
from trading.backtest.terms import Terms
from trading.orders.fills import Costs
from trading.orders.model import Side as OrderSide
from trading.risk.limits import RiskLimits
from trading.strategies.protocol import BUY, HOLD, SELL, Signals

SYMBOLS = ("AAPL", "MSFT", "KO")
ROWS = 70
NAMES = {BUY: "buy", HOLD: "hold", SELL: "sell"}


def market(seed: int) -> dict[str, list[Row | None]]:
    """Prices that wander, small volumes, a bar missing here and there."""
    random = np.random.default_rng(seed)
    found: dict[str, list[Row | None]] = {}
    for symbol in SYMBOLS:
        closes = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.02, ROWS))), 2)
        opens = np.round(closes * (1 + random.normal(0, 0.005, ROWS)), 2)
        highs, lows = np.maximum(opens, closes) + 0.3, np.minimum(opens, closes) - 0.3
        volumes = random.integers(200, 6_000, ROWS)
        rows = zip(opens, np.round(highs, 2), np.round(lows, 2), closes, volumes, strict=True)
        found[symbol] = [
            tuple(float(value) for value in row) if random.random() > 0.05 else None for row in rows
        ]
    return found


def signals_of(seed: int) -> dict[str, list[int]]:
    random = np.random.default_rng(seed + 1)
    return {symbol: random.choice([BUY, HOLD, HOLD, SELL], ROWS).tolist() for symbol in SYMBOLS}


def backtest(
    rows: dict[str, list[Row | None]],
    signals: dict[str, list[int]],
    assumptions: Assumptions,
    limits: RiskLimits,
    count: int = ROWS,
) -> Result:
    made = market_of(rows, clock_of(count))
    own = [
        Signals(np.array([signals[s][row] for row in made.rows[column]], np.int8))
        for column, s in enumerate(made.symbols)
    ]
    source = TargetOrders(made, own, assumptions, strategy=STRATEGY, fingerprint=FINGERPRINT)
    terms = Terms(capital=assumptions.capital, costs=assumptions.costs(), limits=limits)
    return run(made, source, terms)


def by_row(signals: dict[str, list[int]]) -> dict[int, dict[str, str]]:
    return {
        row: {symbol: NAMES[codes[row]] for symbol, codes in signals.items()} for row in range(ROWS)
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("restarts", [False, True])
def test_a_replay_on_paper_trades_as_the_backtest_did(
    database: Database,
    seed: int,
    restarts: bool,  # noqa: FBT001
) -> None:
    rows, signals = market(seed), signals_of(seed)
    assumptions = Assumptions(
        capital=Decimal(50_000), allow_short=seed % 2 == 1, fee_per_share=Decimal("0.005")
    )
    limits = RiskLimits(max_drawdown=Decimal("0.12"), max_daily_loss=Decimal("0.05"))
    expected = backtest(rows, signals, assumptions, limits)
    policy = policy_of(
        "p", SYMBOLS, costs=assumptions.costs(), limits=limits, allow_short=assumptions.allow_short,
        capital=assumptions.capital,
    )  # fmt: skip
    world = World(database, policy, hours_of(40))
    starts = clock_of(ROWS).starts.tolist()
    if restarts:
        for first in range(0, ROWS, 5):
            stretch = slice(first, first + 5)
            part = {symbol: bars[stretch] for symbol, bars in rows.items()}
            made = {row - first: own for row, own in by_row(signals).items() if row >= first}
            walk(world, world.executor(), part, starts[stretch], made)
    else:
        walk(world, world.executor(), rows, starts, by_row(signals))
    # Within a bar the fills of different symbols have no order that would mean anything.
    found = [event[1:] for event in sorted(read_ledger(database, "p"))]
    opening, *fills = sorted(expected.ledger)
    assert found == [opening[1:], *(event[1:] for event in fills)]
    assert len(found) > 20
    assert orders(database) == sorted(
        (o.order.client_order_id, o.state.value, o.reason, o.order.quantity)
        for o in expected.orders
    )


def test_a_limit_of_orders_a_minute_refuses_the_same_entries_and_no_exit(
    database: Database,
) -> None:
    rows, signals = market(12), signals_of(12)
    costs, limits = Assumptions(capital=Decimal(50_000)), RiskLimits(max_orders_per_minute=1)
    expected = backtest(rows, signals, costs, limits)
    policy = policy_of("p", SYMBOLS, costs=costs.costs(), limits=limits, capital=costs.capital)
    world = World(database, policy, hours_of(40))
    walk(world, world.executor(), rows, clock_of(ROWS).starts.tolist(), by_row(signals))
    assert orders(database) == sorted(
        (o.order.client_order_id, o.state.value, o.reason, o.order.quantity)
        for o in expected.orders
    )
    refused = [o.order.side for o in expected.orders if o.reason == "RATE"]
    assert len(refused) > 3
    assert set(refused) == {OrderSide.BUY}


def test_an_order_of_a_symbol_without_bars_ends_with_its_session(database: Database) -> None:
    """What no longer works takes nothing from what others may buy."""
    flat = (100.0, 100.0, 100.0, 100.0, 1e6)
    rows: dict[str, list[Row | None]] = {"AAPL": [flat] * 6 + [None] * 4, "MSFT": [flat] * 10}
    signals = {"AAPL": [HOLD] * 5 + [BUY] + [HOLD] * 4, "MSFT": [HOLD] * 7 + [BUY, HOLD, HOLD]}
    limits = RiskLimits(max_gross=Decimal("0.6"))
    free = Assumptions(capital=Decimal(10_000), fees_bps=Decimal(0), slippage_bps=Decimal(0))
    made = {row: {s: NAMES[own[row]] for s, own in signals.items()} for row in range(10)}
    expected = backtest(rows, signals, free, limits, count=10)
    policy = policy_of("p", tuple(rows), costs=free.costs(), limits=limits)
    world = World(database, policy, hours_of(10))
    walk(world, world.executor(), rows, clock_of(10).starts.tolist(), made)
    assert orders(database) == sorted(
        (o.order.client_order_id, o.state.value, o.reason, o.order.quantity)
        for o in expected.orders
    )
    assert sorted(str(state) for _, state, *_ in orders(database)) == ["EXPIRED", "FILLED"]


def test_behind_alpacas_stand_in_it_trades_as_the_backtest_did(database: Database) -> None:
    """The third path: market orders fill at the next open there, and nothing costs anything."""
    rows: dict[str, list[Row | None]] = {
        symbol: [bar or (50.0, 50.0, 50.0, 50.0, 1e6) for bar in bars]
        for symbol, bars in market(7).items()
    }
    signals = signals_of(7)
    free = Assumptions(fees_bps=Decimal(0), slippage_bps=Decimal(0), participation=None)
    expected = backtest(rows, signals, free, RiskLimits(max_order=Decimal(40_000)))
    policy = policy_of(
        "a", SYMBOLS, costs=free.costs(), limits=RiskLimits(max_order=Decimal(40_000))
    )
    clock = Clock()
    side = Side(TradingBooks(clock, cash=free.capital))
    world = World(database, policy, hours_of(40), clock, side.broker)
    executor = world.executor()
    made = by_row(signals)
    for row, ts in enumerate(clock_of(ROWS).starts.tolist()):
        clock.at = ts
        for order in side.theirs.open():
            opened = rows[order["symbol"]][row] or ()
            side.theirs.fill(order, Decimal(order["qty"]), Decimal(str(opened[0])))
        executor.receive()
        part = {symbol: bars[row : row + 1] for symbol, bars in rows.items()}
        walk(world, executor, part, [ts], {0: made[row]})
    found = sorted((e[1:4], e.price, e.order_id) for e in read_ledger(database, "a"))
    assert found == sorted((e[1:4], e.price, e.order_id) for e in expected.ledger)
    assert len(found) > 10
    assert orders(database) == sorted(
        (o.order.client_order_id, o.state.value, o.reason, o.order.quantity)
        for o in expected.orders
    )


def orders(database: Database) -> list[tuple[object, ...]]:
    """Name, last state, code of a denial and quantity of each order."""
    rows: Sequence[tuple[object, ...]] = database.rows.execute(
        "SELECT DISTINCT ON (client_order_id) client_order_id, state, coalesce(code, ''), "
        "i.quantity FROM order_event JOIN intent i USING (account_id, client_order_id) "
        "ORDER BY client_order_id, id DESC"
    ).fetchall()
    return sorted(rows)


def test_the_costs_are_charged_once(database: Database) -> None:
    """Fees and slippage: one fill of 10 shares at 100, 10 bp and 1 bp."""
    costs = Costs.of(fees_bps=Decimal(1), slippage_bps=Decimal(10))
    policy = policy_of("p", ["AAPL"], costs=costs, allocation=Decimal("0.1"))
    world = World(database, policy, hours_of(5))
    rows = {"AAPL": [(100.0, 100.0, 100.0, 100.0, 1e6)] * 3}
    walk(world, world.executor(), rows, clock_of(3).starts.tolist(), {0: {"AAPL": "buy"}})
    fill = read_ledger(database, "p")[1]
    assert (fill.quantity, fill.price, fill.fee) == (10 * 10**9, 100_100_000_000, 10**17)
