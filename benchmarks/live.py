"""How fast ticks become bars and signals, and whether memory stays flat.

    uv run --extra live python -m benchmarks.live
    uv run --extra live python -m benchmarks.live --memory 60

The first runs `trading live` with made-up ticks and prints what it sustained and how long it took
from the moment at which a bar's closing was told until its signal was on the bus. Then it prints
what a tick, a minute's closing and a minute's signals cost in CPU time, by symbols, and what a
signal costs by the bars before it. The second replays a lake of made-up minutes at 60 times their
speed and prints each process's memory at the start, in the middle and at the end.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.live_memory import print_memory
from lake.gold.history import History
from lake.gold.signal_pass import signal_pass
from live.histories.growing import UNKNOWN, GrowingHistory
from live.signals import LiveStrategy
from live.warm_up import warm_up
from trading.bars.folding.fold import Fold
from trading.bars.folding.session import MINUTE
from trading.bars.model import Bars
from trading.events import CLOCK, BarClosed, Tick
from trading.instruments.calendar import sessions

LOADS = ((50, 2_000), (500, 20_000))
"""Symbols, and ticks in a second."""

SYMBOLS = (10, 100, 1_000, 5_000)
HISTORIES = (100, 1_000, 10_000, 100_000)
"""Bars; the last is a year of minutes."""

DAY = date(2024, 7, 2)


def main(
    minutes: Annotated[float, typer.Option(help="Minutes for which each load runs.")] = 2.0,
    speed: Annotated[float, typer.Option(help="Simulated seconds in a second.")] = 6.0,
    memory: Annotated[
        float | None,
        typer.Option(min=1, metavar="MINUTES", help="Replay for so long and print memory alone."),
    ] = None,
) -> None:
    """Print the tables."""
    if memory is not None:
        print_memory(memory)
        return
    _print_lag(minutes, speed)
    _print_costs()


def _print_lag(minutes: float, speed: float) -> None:
    print("| symbols | ticks/s asked | ticks/s | bars | signals | lag p50 ms | p99 ms | cores |")
    print("|---|---|---|---|---|---|---|---|")
    for symbols, rate in LOADS:
        told, seconds, cores = sustained(symbols, rate, minutes, speed)
        lag = told["lag_ms"]
        print(
            f"| {symbols} | {rate:,} | {told['ticks'] / seconds:,.0f} | {told['bars']:,} | "
            f"{told['signals']:,} | {lag['p50']} | {lag['p99']} | {cores:.2f} |",
            flush=True,
        )


def _print_costs() -> None:
    print("\n| symbols | CPU us a tick | ms a minute's closing | ms its signals | ms a symbol |")
    print("|---|---|---|---|---|")
    for symbols in SYMBOLS:
        tick, closing = folding(symbols)
        signals = signalling(symbols)
        print(
            f"| {symbols:,} | {tick * 1e6:.2f} | {closing * 1e3:.2f} | {signals * 1e3:.1f} | "
            f"{(closing + signals) / symbols * 1e3:.3f} |",
            flush=True,
        )
    print("\n| bars before | CPU ms a signal |\n|---|---|")
    for bars in HISTORIES:
        print(f"| {bars:,} | {signalling(1, bars, max(3, 100_000 // bars)) * 1e3:.2f} |")


def sustained(
    symbols: int, rate: int, minutes: float, speed: float
) -> tuple[dict[str, Any], float, float]:
    """What `trading live` told, in how many seconds, and on how many cores."""
    with tempfile.TemporaryDirectory(prefix="trading-benchmark-") as folder:
        place = Path(folder)
        command = [
            sys.executable, "-m", "cli", "live", "--symbols", str(symbols), "--rate", str(rate),
            "--speed", str(speed), "--minutes", str(minutes), "--json", "--port", "0",
            "--server-dir", str(place / "servers"), "--lake-dir", str(place / "lake"),
        ]  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout), minutes * 60, used / (minutes * 60)


def folding(symbols: int, minutes: int = 30, ticks: int = 20) -> tuple[float, float]:
    """CPU seconds that a tick takes, and that the closing of a minute takes."""
    begin = int(sessions(DAY, DAY).opens.astype(np.int64)[0])
    fold = Fold()
    list(fold.take([Tick(CLOCK, begin, 0.0, 0.0, 0)]))
    telling = closing = 0.0
    for minute in range(minutes):
        start = begin + minute * MINUTE
        told = [
            Tick(f"S{at}", start + number * 10**9, 100.0 + number, 50.0, minute * ticks + number)
            for number in range(ticks)
            for at in range(symbols)
        ]
        first = time.process_time()
        list(fold.take(told))
        second = time.process_time()
        list(fold.take([Tick(CLOCK, start + MINUTE + 2 * 10**9, 0.0, 0.0, 0)]))
        telling += second - first
        closing += time.process_time() - second
    return telling / (minutes * ticks * symbols), closing / minutes


def signalling(symbols: int, bars: int = 200, rounds: int = 1) -> float:
    """CPU seconds that the signals of one bar of all symbols take, with so many bars before it."""
    one = LiveStrategy.named("bollinger_reversion", "1m")
    warm_up([one])
    begin = int(sessions(DAY, DAY).opens.astype(np.int64)[0])
    grown = [GrowingHistory(_minutes(f"S{at}", begin, bars)) for at in range(symbols)]
    taken = 0.0
    for number in range(bars, bars + rounds):
        told = [_bar(f"S{at}", begin + number * MINUTE) for at in range(symbols)]
        first = time.process_time()
        for history, bar in zip(grown, told, strict=True):
            history.put(bar)
            signal_pass(
                history.until(bar.ts), one.interval, (),
                strategy=one.strategy, parameters=one.parameters, context={},
            )  # fmt: skip
        taken += time.process_time() - first
    return taken / rounds


def _minutes(symbol: str, begin: int, count: int) -> History:
    starts = (begin + np.arange(count) * MINUTE).view("datetime64[ns]")
    close = 100.0 + np.sin(np.arange(count) / 5.0)
    bars = Bars(
        symbol=symbol, timestamps=starts, open=close, high=close + 0.1, low=close - 0.1,
        close=close, volume=close, vwap=close, trades=close,
    )  # fmt: skip
    return History(bars, starts + MINUTE, starts.astype("datetime64[D]"), UNKNOWN)


def _bar(symbol: str, ts: int) -> BarClosed:
    return BarClosed(
        symbol=symbol, interval="1m", ts=ts, open=100.0, high=101.0, low=99.0, close=100.5,
        volume=50.0, available_at=ts + MINUTE,
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
