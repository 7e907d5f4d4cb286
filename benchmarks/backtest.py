"""What a backtest costs a bar, beside backtesting.py, and whether many leave memory behind.

    uv run python -m benchmarks.backtest
    uv run python -m benchmarks.backtest --small

Both trade the same crossings of two averages over the same bars, computed before for both alike.
CPU time, taken in turn several times; the medians are compared.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import psutil

from trading.arrays import Floats
from trading.backtest.assumptions import Assumptions
from trading.backtest.engine import run
from trading.backtest.market import Clock, Market
from trading.backtest.metrics import metrics
from trading.backtest.result import Result
from trading.backtest.targets import TargetOrders
from trading.backtest.terms import Terms
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.instruments.calendar import hourly_bars, sessions
from trading.risk.guards import CoolDown
from trading.risk.limits import RiskLimits
from trading.strategies.protocol import Signals

FIRST = date(2008, 1, 2)
FAST, SLOW = 20, 60
PLAIN = Assumptions(fees_bps=Decimal(0), slippage_bps=Decimal(0), participation=None)
LIMITS = RiskLimits(
    max_order=Decimal(10**9), max_position=Decimal(2), max_gross=Decimal(2),
    price_collar=Decimal("0.5"), max_orders_per_minute=100, max_drawdown=Decimal("0.99"),
    max_daily_loss=Decimal("0.5"),
)  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a short run, to see that it works")
    small = parser.parse_args().small
    count, repeats, many = (2_000, 1, 20) if small else (28_000, 5, 1_000)
    market, bars = _market(count)
    signals = Signals(_crossings(bars.close, FAST, SLOW))
    full = Terms(
        capital=Decimal(100_000), costs=Assumptions().costs(), limits=LIMITS,
        guards=(CoolDown(timedelta(minutes=1)),),
    )  # fmt: skip
    bare = Terms(capital=Decimal(100_000), costs=PLAIN.costs())
    seconds = _in_turn(
        {
            "all features": lambda: _ours(market, signals, Assumptions(), full),
            "no costs, no limits": lambda: _ours(market, signals, PLAIN, bare),
            "backtesting.py": lambda: _theirs(bars, signals),
        },
        repeats,
    )
    fills = len(_ours(market, signals, PLAIN, bare).fills)
    print(f"| {count:,} hourly bars, {fills} fills | microseconds a bar |\n|---|---:|")
    for name, spent in seconds.items():
        print(f"| {name} | {1e6 * spent / count:.2f} |")
    ratio = seconds["backtesting.py"] / seconds["all features"]
    print(f"| backtesting.py / all features | {ratio:.1f} |")
    _sweep(market, bars, many)


def _market(count: int) -> tuple[Market, Bars]:
    within = sessions(FIRST, date(2026, 12, 31))
    stamps = hourly_bars(within)[:count]
    rng = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.005, count)))
    opened = np.append(100.0, close[:-1])
    bars = Bars(
        symbol="AAPL",
        timestamps=stamps,
        open=opened.round(2),
        high=(np.maximum(opened, close) * 1.001).round(2),
        low=(np.minimum(opened, close) * 0.999).round(2),
        close=close.round(2),
        volume=np.full(count, 1e6),
        vwap=np.full(count, np.nan),
        trades=np.full(count, np.nan),
    )
    return Market.of([bars], Clock.of(stamps, Interval.HOUR, within)), bars


def _crossings(
    close: Floats, fast: int, slow: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    sums = np.concatenate(([0.0], np.cumsum(close)))
    difference = np.zeros(len(close))
    means = [(sums[w:] - sums[:-w]) / w for w in (fast, slow)]
    difference[slow - 1 :] = means[0][slow - fast :] - means[1]
    return np.sign(difference).astype(np.int8)


def _ours(market: Market, signals: Signals, assumptions: Assumptions, terms: Terms) -> Result:
    return run(market, TargetOrders(market, [signals], assumptions), terms)


def _theirs(bars: Bars, signals: Signals) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import backtesting  # type: ignore[import-untyped]  # noqa: PLC0415 - warns when imported

        class Crossings(backtesting.Strategy):  # type: ignore[misc]
            def init(self) -> None:
                self.signal = self.I(lambda: signals.signal, plot=False)

            def next(self) -> None:
                if self.signal[-1] > 0 and not self.position:
                    self.buy()
                elif self.signal[-1] < 0 and self.position:
                    self.position.close()

        frame = pd.DataFrame(
            {
                name.title(): getattr(bars, name)
                for name in ("open", "high", "low", "close", "volume")
            },
            index=pd.DatetimeIndex(bars.timestamps),
        )
        backtesting.Backtest(frame, Crossings, cash=100_000).run()


def _sweep(market: Market, bars: Bars, count: int) -> None:
    """Many parameter sets in one process, and what they leave in memory."""
    assumptions = Assumptions()
    terms = Terms(capital=Decimal(100_000), costs=assumptions.costs())
    levels = []
    started = time.process_time()
    best = -np.inf
    for number in range(count):
        signals = Signals(_crossings(bars.close, 5 + number % 40, 50 + number % 97))
        found = metrics(_ours(market, signals, assumptions, terms).course, 1_748.0)
        best = max(best, found.sharpe)
        if number in {count // 10, count - 1}:
            levels.append(_resident_mib())
    spent = time.process_time() - started
    print(f"\n| {count:,} parameter sets x {len(bars):,} bars, one process | value |\n|---|---:|")
    print(f"| sets per CPU second, metrics and all | {count / spent:.1f} |")
    print(f"| microseconds a bar | {1e6 * spent / count / len(bars):.2f} |")
    print(f"| resident memory after a tenth of them, MiB | {levels[0]:.1f} |")
    print(f"| and after all | {levels[1]:.1f} |")


def _resident_mib() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


def _in_turn(steps: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median CPU seconds of each step, taken in turn after one round that is not counted."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for round_ in range(repeats + 1):
        for name, step in steps.items():
            started = time.process_time()
            step()
            if round_:
                found[name].append(time.process_time() - started)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


if __name__ == "__main__":
    main()
