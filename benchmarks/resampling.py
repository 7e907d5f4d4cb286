"""What resampling costs: minutes to eight intervals, beside Polars and DuckDB.

    uv run python -m benchmarks.resampling
    uv run python -m benchmarks.resampling --small

The three are taken in turn, several times, and their medians compared. Polars and DuckDB group one
table of all symbols, interval after interval, and are given each minute's symbol, session and
minute of the session as integers; ours finds the last two itself, symbol after symbol. All three
make the same columns.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from datetime import date

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from trading.bars.intervals import MINUTE_INTERVALS
from trading.bars.model import VALUES, Bars
from trading.bars.resampling.grid import MINUTE, session_grid
from trading.bars.resampling.minutes import resample_minutes
from trading.instruments.calendar import Sessions, sessions

FIRST, LAST = date(2023, 1, 3), date(2024, 12, 31)
KEPT = 0.99
"""Share of a session's minutes that the data have."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a short run, to see that it works")
    small = parser.parse_args().small
    symbols, repeats = (3, 1) if small else (50, 3)
    # Before anything is loaded here: a new process begins with the peak of the one it comes from.
    peak = _peak(symbols)
    within = sessions(FIRST, LAST)
    market = [minutes_of(number, within) for number in range(symbols)]
    frame = pl.concat(
        [_frame(number, bars, within) for number, bars in enumerate(market)], rechunk=True
    )
    _check(market[0], frame.filter(pl.col("symbol") == 0), within)
    seconds = _in_turn(
        {
            "ours": lambda: _ours(market, within),
            "Polars": lambda: _polars(frame),
            "DuckDB": lambda: _duckdb(frame),
        },
        repeats,
    )
    rows = sum(map(len, market))
    print(f"| {symbols} symbols x {len(within)} sessions, {rows:,} minutes | value |\n|---|---:|")
    print(f"| ours | {seconds['ours']:.2f} s |")
    for name in ("Polars", "DuckDB"):
        print(f"| {name} / ours | {seconds[name] / seconds['ours']:.1f} |")
    print(f"| peak memory of a process that makes them symbol by symbol | {peak} MiB |")


def minutes_of(number: int, within: Sessions) -> Bars:
    """Synthetic minutes of one symbol, one in a hundred of them missing."""
    random = np.random.default_rng(number)
    stamps = session_grid(within, 1).starts
    stamps = stamps[random.random(len(stamps)) < KEPT]
    close = 100 * np.exp(np.cumsum(random.normal(0, 4e-4, len(stamps))))
    open_ = close * np.exp(random.normal(0, 2e-4, len(stamps)))
    spread = 1 + np.abs(random.normal(0, 1e-4, len(stamps)))
    return Bars(
        symbol=f"S{number:03}",
        timestamps=stamps,
        open=open_,
        high=np.maximum(open_, close) * spread,
        low=np.minimum(open_, close) / spread,
        close=close,
        volume=np.floor(random.gamma(2.0, 500.0, len(stamps))),
        vwap=(open_ + close) / 2,
        trades=np.floor(random.gamma(2.0, 10.0, len(stamps))),
    )


def _frame(number: int, bars: Bars, within: Sessions) -> pl.DataFrame:
    session = np.searchsorted(within.opens, bars.timestamps, side="right") - 1
    minute = (bars.timestamps - within.opens[session]) // MINUTE
    return pl.DataFrame(
        {
            "symbol": np.full(len(bars), number, np.int32),
            "session": session.astype(np.int32),
            "minute": minute.astype(np.int32),
            "timestamp": bars.timestamps,
            **{name: getattr(bars, name) for name in VALUES},
        }
    )


def _ours(market: list[Bars], within: Sessions) -> None:
    for bars in market:
        resample_minutes(bars, within)


def _polars(frame: pl.DataFrame) -> None:
    for interval in MINUTE_INTERVALS:
        _polars_bars(frame, interval.minutes)


def _polars_bars(frame: pl.DataFrame, minutes: int) -> pl.DataFrame:
    """Bars by Polars; its `first` and `last` rely on the rows' order."""
    return frame.group_by("symbol", "session", pl.col("minute") // minutes).agg(
        pl.col("timestamp").first(),
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
        ((pl.col("vwap") * pl.col("volume")).sum() / pl.col("volume").sum()).alias("vwap"),
        pl.col("trades").sum(),
        pl.len().alias("present"),
    )


def _duckdb(frame: pl.DataFrame) -> None:
    with duckdb.connect() as connection:
        connection.register("minutes", frame.to_arrow())
        for interval in MINUTE_INTERVALS:
            _duckdb_bars(connection, interval.minutes)


def _duckdb_bars(connection: duckdb.DuckDBPyConnection, minutes: int) -> pa.Table:
    """Bars by DuckDB, as Arrow."""
    return connection.sql(
        "SELECT symbol, session, minute // $k AS number, min(timestamp) AS timestamp, "
        "arg_min(open, timestamp) AS open, max(high) AS high, min(low) AS low, "
        "arg_max(close, timestamp) AS close, sum(volume) AS volume, "
        "sum(vwap * volume) / sum(volume) AS vwap, sum(trades) AS trades, count(*) AS present "
        "FROM minutes GROUP BY symbol, session, number",
        params={"k": minutes},
    ).to_arrow_table()


def _check(bars: Bars, frame: pl.DataFrame, within: Sessions) -> None:
    """Whether all three make the same closes.

    Raises:
        AssertionError: They do not.
    """
    with duckdb.connect() as connection:
        connection.register("minutes", frame.to_arrow())
        for interval, made in resample_minutes(bars, within).items():
            closes = np.sort(made.bars.close)
            theirs = _polars_bars(frame, interval.minutes)["close"].to_numpy()
            np.testing.assert_array_equal(closes, np.sort(theirs))
            theirs = _duckdb_bars(connection, interval.minutes)["close"].to_numpy()
            np.testing.assert_array_equal(closes, np.sort(theirs))


def _in_turn(of: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """The median seconds of each, all taken in turn."""
    taken: dict[str, list[float]] = {name: [] for name in of}
    for _ in range(repeats):
        for name, run in of.items():
            started = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _peak(symbols: int) -> int:
    """Largest resident memory of a fresh process, MiB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_of_symbols, (symbols,))


def _peak_of_symbols(symbols: int) -> int:
    within = sessions(FIRST, LAST)
    for number in range(symbols):
        _ours([minutes_of(number, within)], within)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
