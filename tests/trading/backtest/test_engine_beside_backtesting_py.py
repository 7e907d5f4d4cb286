"""The same orders through `backtesting.py`: whole shares, no slippage, fees by the share.

It charges a turned position's fee in two parts, knows no sessions and caps no volume; what both
can do comes out equal to the cent.
"""

from __future__ import annotations

import warnings
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.trading.backtest.markets import Row, clock_of, market_of
from trading.backtest.engine import run
from trading.backtest.source import CancelAll, Desk, Request
from trading.backtest.terms import Terms
from trading.orders.fills import Costs
from trading.orders.model import Order, OrderType, Side, TimeInForce
from trading.units import from_units

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import backtesting  # type: ignore[import-untyped]

COUNT = 400
CAPITAL = 10_000_000
PER_SHARE = Decimal("0.01")

Ask = dict[str, Any]


def random_rows(rng: np.random.Generator) -> list[Row | None]:
    close = (100 * np.exp(np.cumsum(rng.normal(0, 0.01, COUNT)))).round(2)
    opened = (np.append(100.0, close[:-1]) * (1 + rng.normal(0, 0.004, COUNT))).round(2)
    high = (np.maximum(opened, close) * (1 + abs(rng.normal(0, 0.006, COUNT)))).round(2)
    low = (np.minimum(opened, close) * (1 - abs(rng.normal(0, 0.006, COUNT)))).round(2)
    table = np.column_stack([opened, high, low, close, np.full(COUNT, 1e6)])
    return [tuple(row) for row in table.tolist()]


def random_asks(rng: np.random.Generator, rows: list[Row | None]) -> dict[int, Ask]:
    """Every fifth bar an entry where nothing is held, and otherwise the end of what is."""
    asks = {}
    for row in range(5, COUNT - 1, 5):
        close = (rows[row] or ())[3]
        side = int(rng.choice([1, -1]))
        kind = str(rng.choice(["market", "limit", "stop", "bracket"]))
        away = side * rng.uniform(0.0, 0.015) * close
        asks[row] = {
            "side": side, "kind": kind, "size": int(rng.integers(1, 300)),
            "price": round(close - away if kind == "limit" else close + away, 2),
            "stop_loss": round(close * (1 - side * 0.01), 2),
            "take_profit": round(close * (1 + side * 0.012), 2),
        }  # fmt: skip
    return asks


def theirs(rows: list[Row | None], asks: dict[int, Ask]) -> tuple[float, int]:
    class Script(backtesting.Strategy):  # type: ignore[misc]
        def init(self) -> None:
            pass

        def next(self) -> None:
            ask = asks.get(len(self.data) - 1)
            if ask is None:
                return
            if self.position:
                self.position.close()
                return
            for order in self.orders:
                order.cancel()
            bracket = ask["kind"] == "bracket"
            send = self.buy if ask["side"] > 0 else self.sell
            send(
                size=ask["size"],
                limit=ask["price"] if ask["kind"] == "limit" else None,
                stop=ask["price"] if ask["kind"] == "stop" else None,
                sl=ask["stop_loss"] if bracket else None,
                tp=ask["take_profit"] if bracket else None,
            )

    names = ["Open", "High", "Low", "Close", "Volume"]
    frame = pd.DataFrame(rows, columns=names, index=pd.date_range("2024", periods=COUNT, freq="h"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        test = backtesting.Backtest(
            frame,
            Script,
            cash=CAPITAL,
            commission=lambda size, price: abs(size) * 0.01,  # noqa: ARG005
        )
        stats = test.run()
    return float(stats["_equity_curve"]["Equity"].iloc[-1]), len(stats["_trades"])


class Script:
    """The same as a source of ours."""

    def __init__(self, asks: dict[int, Ask]) -> None:
        self._asks = asks

    def rows(self) -> set[int]:
        return set(self._asks)

    def requests(self, row: int, desk: Desk) -> list[Request]:
        held, ask = desk.position("AAPL"), self._asks[row]
        kind = {"limit": OrderType.LIMIT, "stop": OrderType.STOP}.get(ask["kind"], OrderType.MARKET)
        exits = ask["kind"] == "bracket" and not held
        order = Order(
            client_order_id=f"o{row}",
            symbol="AAPL",
            side=Side(ask["side"]) if not held else Side.SELL if held > 0 else Side.BUY,
            quantity=from_units(abs(held)) if held else Decimal(ask["size"]),
            type=OrderType.MARKET if held else kind,
            price=None if held or kind is OrderType.MARKET else Decimal(str(ask["price"])),
            time_in_force=TimeInForce.GTC,
            stop_loss=Decimal(str(ask["stop_loss"])) if exits else None,
            take_profit=Decimal(str(ask["take_profit"])) if exits else None,
        )
        return [CancelAll("AAPL"), order]


@pytest.mark.parametrize("seed", range(6))
def test_equity_is_that_of_backtesting_py_to_the_cent(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = random_rows(rng)
    asks = random_asks(rng, rows)
    market = market_of({"AAPL": rows}, clock_of(COUNT))
    costs = Costs.of(fee_per_share=PER_SHARE)
    result = run(market, Script(asks), Terms(capital=Decimal(CAPITAL), costs=costs))
    equity, trades = theirs(rows, asks)
    assert trades == len(result.account.trips)
    assert len(result.account.trips) > 20
    assert result.final_equity == pytest.approx(Decimal(equity), abs=Decimal("0.005"))
