"""What the analysis costs: beside pandas, beside a plain copy, and per partition.

    uv run python -m benchmarks.analysis
    uv run python -m benchmarks.analysis --small

All figures of one line are taken in turn, several times, and their medians compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.market import market_of, write_market
from lake.market.inputs import MarketData
from servers.s3 import s3_server
from storage.directory import open_directory
from storage.s3 import s3_store
from trading.bars.synthetic import SyntheticMarket
from trading.strategies.market_model.parameters import StrategyParameters
from trading.strategies.market_model.signals import Analysis, analyze_panel

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
"""Beta, correlation and signal, a column per contract."""

Pandas = Callable[[SyntheticMarket, StrategyParameters], Frames]

WINDOW = 20
SHORT_HISTORY = 1_000
ONE_MISSING_IN = 1_000
"""Of the prices, where gaps are looked at."""

CHECKED_EVERY = 20
"""Contracts, of which one is compared with pandas' numbers."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a short run, to see that it works")
    small = parser.parse_args().small
    contracts, bars, repeats = (20, 2_000, 1) if small else (419, 28_000, 5)
    market = market_of(contracts, bars)
    strategy = StrategyParameters(beta_window=WINDOW)
    _panel(market, strategy, repeats)
    _gaps(market, strategy, repeats)
    with tempfile.TemporaryDirectory() as folder:
        _partition(market, "local files", f"{folder}/input", strategy, repeats)
        with s3_server(Path(folder) / "s3") as server:
            os.environ |= server.client_settings()
            s3_store().make_bucket("bench")
            _partition(market, "S3", "s3://bench/input", strategy, repeats)


def _panel(market: SyntheticMarket, strategy: StrategyParameters, repeats: int) -> None:
    """The whole history of all contracts."""
    prices = market.prices
    target = np.empty_like(prices)
    for theirs in (_pandas, _gapless_pandas):
        _check(market, strategy, theirs)
    seconds = _in_turn(
        {
            "ours": lambda: _ours(market, strategy),
            "pandas": lambda: _pandas(market, strategy),
            "gapless pandas": lambda: _gapless_pandas(market, strategy),
            "copy": prices.copy,
            "copy in place": lambda: np.copyto(target, prices),
        },
        repeats,
    )
    peak = _peak_bytes(lambda: _ours(market, strategy))
    shape = f"{prices.shape[1]} contracts x {prices.shape[0]:,} bars, window {WINDOW}"
    print(f"| whole history: {shape} | value |\n|---|---:|")
    print(f"| ours | {seconds['ours']:.3f} s |")
    print(f"| pandas / ours | {seconds['pandas'] / seconds['ours']:.1f} |")
    gapless = seconds["gapless pandas"] / seconds["ours"]
    print(f"| pandas, right only where no price is missing / ours | {gapless:.1f} |")
    print(f"| ours / NumPy copy of the prices | {seconds['ours'] / seconds['copy']:.1f} |")
    in_place = seconds["ours"] / seconds["copy in place"]
    print(f"| ours / the same into memory that exists | {in_place:.1f} |")
    print(f"| peak memory of ours beside the input / input | {peak / prices.nbytes:.2f} |")


def _gaps(market: SyntheticMarket, strategy: StrategyParameters, repeats: int) -> None:
    """The same where prices are missing."""
    broken = _with_gaps(market)
    _check(broken, strategy, _pandas)
    seconds = _in_turn(
        {
            "ours": lambda: _ours(broken, strategy),
            "pandas": lambda: _pandas(broken, strategy),
        },
        repeats,
    )
    print(f"\n| the same, one price in {ONE_MISSING_IN:,} missing | value |\n|---|---:|")
    print(f"| ours | {seconds['ours']:.3f} s |")
    print(f"| pandas / ours | {seconds['pandas'] / seconds['ours']:.1f} |")


def _check(market: SyntheticMarket, strategy: StrategyParameters, theirs: Pandas) -> None:
    """Whether some contracts get the same numbers from pandas as from us.

    Raises:
        AssertionError: They do not.
    """
    for number, ours in enumerate(_analyses(market, strategy)):
        if not number % CHECKED_EVERY:
            one = replace(market, prices=market.prices[:, [number]])
            beta, correlation, signal = (f.to_numpy()[:, 0] for f in theirs(one, strategy))
            np.testing.assert_allclose(ours.beta, beta, rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(ours.correlation, correlation, rtol=1e-6, atol=1e-9)
            np.testing.assert_array_equal(ours.signal, signal)


def _with_gaps(market: SyntheticMarket) -> SyntheticMarket:
    prices = market.prices.copy(order="K")
    prices[np.random.default_rng(0).random(prices.shape) < 1 / ONE_MISSING_IN] = np.nan
    return replace(market, prices=prices)


def _analyses(market: SyntheticMarket, strategy: StrategyParameters) -> Iterator[Analysis]:
    return analyze_panel(market.timestamps, market.prices, market.vix, market.spx, strategy)


def _ours(market: SyntheticMarket, strategy: StrategyParameters) -> None:
    for _ in _analyses(market, strategy):
        pass


def _pandas(market: SyntheticMarket, strategy: StrategyParameters) -> Frames:
    """Beta, correlation and signal as a competent user of pandas writes them.

    The variance of the S&P 500's changes is that over the rows where the contract has one too: a
    bar that a contract misses would otherwise count in the denominator of its beta alone.
    """
    window, least = strategy.beta_window, strategy.beta_min_periods
    change, spx_change = _changes(market)
    paired = change.where(change.isna(), spx_change, axis=0)
    rolling = change.rolling(window, min_periods=least)
    covariance = rolling.cov(spx_change)
    variance = paired.rolling(window, min_periods=least).var()
    beta = covariance / variance
    correlation = covariance / (np.sqrt(variance) * rolling.std())
    return beta, correlation, _signal(change, market, strategy)


def _gapless_pandas(market: SyntheticMarket, strategy: StrategyParameters) -> Frames:
    """The same for complete data: one variance of the S&P 500 for all contracts."""
    window, least = strategy.beta_window, strategy.beta_min_periods
    change, spx_change = _changes(market)
    rolling = change.rolling(window, min_periods=least)
    spx_rolling = spx_change.rolling(window, min_periods=least)
    covariance = rolling.cov(spx_change)
    beta = covariance.div(spx_rolling.var(), axis=0)
    correlation = covariance.div(spx_rolling.std(), axis=0) / rolling.std()
    return beta, correlation, _signal(change, market, strategy)


def _changes(market: SyntheticMarket) -> tuple[pd.DataFrame, pd.Series]:
    price, spx = pd.DataFrame(market.prices), pd.Series(market.spx)
    return 100 * price.pct_change(fill_method=None), 100 * spx.pct_change(fill_method=None)


def _signal(
    change: pd.DataFrame, market: SyntheticMarket, strategy: StrategyParameters
) -> pd.DataFrame:
    buy = strategy.base_threshold_pct * pd.Series(market.vix) / strategy.vix_baseline
    return change.gt(buy, axis=0).astype(np.int8) - change.lt(-buy, axis=0).astype(np.int8)


def _partition(
    market: SyntheticMarket, kind: str, place: str, strategy: StrategyParameters, repeats: int
) -> None:
    """One partition's read at the end of a short and of a long history, files freshly opened."""
    long = len(market.timestamps)
    histories = {bars: f"{place}/{bars}" for bars in (min(SHORT_HISTORY, long // 2), long)}
    for bars, home in histories.items():
        write_market(home, market, bars)
    rounds = 20 * repeats
    seconds = _in_turn(
        {str(bars): partial(_read_last, home, bars, strategy) for bars, home in histories.items()},
        rounds,
    )
    short, full = (seconds[str(bars)] for bars in histories)
    print(f"\n| one partition's read, {kind} | value |\n|---|---:|")
    for bars in histories:
        contracts = market.prices.shape[1]
        milliseconds = 1e3 * seconds[str(bars)]
        print(f"| {bars:,} bars of {contracts} contracts | {milliseconds:.2f} ms |")
    print(f"| ratio | {full / short:.2f} |")


def _read_last(input_dir: str, bars: int, strategy: StrategyParameters) -> None:
    """What a process of its own does: open, locate the bar, read its window."""
    data = MarketData(open_directory(input_dir, "input_dir"))
    contract = data.contracts[len(data.contracts) // 2]
    stamp = data.stamps(bars - 1, bars)[0]
    row = data.lower_bound(stamp)
    data.bars(contract, row - strategy.beta_window, row + 1, strategy)


def _in_turn(steps: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each step, the steps taken in turn after one round that is not counted."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for round_ in range(repeats + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if round_:
                found[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def _peak_bytes(step: Callable[[], object]) -> int:
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    main()
