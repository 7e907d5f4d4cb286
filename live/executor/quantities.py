"""What events say, in the units that orders and the gate count in."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from database.orders.targets import StoredTarget
from live.executor.policy import Policy
from trading.events import BarClosed
from trading.execution.target_order import Wanted
from trading.orders.book import Bar
from trading.units import price_units, to_units


def bar_units(bar: BarClosed) -> Bar:
    """The bar with its prices in units, as a backtest reads them.

    Raises:
        DataError: A price is none.
    """
    prices = np.array([bar.open, bar.high, bar.low, bar.close])
    opened, high, low, close = price_units(prices, bar.symbol).tolist()
    return Bar(opened, high, low, close, bar.volume)


def wanted_by(target: StoredTarget, policy: Policy) -> Wanted:
    """What a target asks for under a policy.

    Raises:
        DataError: Its close is no price.
    """
    step = policy.increments.get(target.symbol, Decimal(1))
    return Wanted(
        strategy=target.strategy,
        fingerprint=target.fingerprint,
        symbol=target.symbol,
        bar=target.bar,
        target=target.target,
        price=int(price_units(np.array([float(target.close)]), target.symbol)[0]),
        allocation=policy.share,
        increment=to_units(step, "increment"),
        time_in_force=policy.time_in_force,
    )
