"""How fast ticks become bars and signals: `uv run python benchmarks/live.py`.

Two tables. The first runs `trading live` with made-up ticks and prints what it sustained and how
long it took from the moment at which a bar's closing was told until its signal was on the bus. The
second is the fold alone: what a tick costs, and what closing a minute costs, by symbols.
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

from trading.bars.folding.fold import Fold
from trading.bars.folding.session import MINUTE
from trading.events import CLOCK, Tick
from trading.instruments.calendar import sessions

LOADS = ((50, 2_000), (500, 20_000))
"""Symbols, and ticks in a second."""

SYMBOLS = (10, 100, 1_000, 5_000)
DAY = date(2024, 7, 2)


def main(
    minutes: Annotated[float, typer.Option(help="Minutes for which each load runs.")] = 2.0,
    speed: Annotated[float, typer.Option(help="Simulated seconds in a second.")] = 6.0,
) -> None:
    """Print both tables."""
    print("| symbols | ticks/s asked | ticks/s | bars | signals | lag p50 ms | p99 ms | cores |")
    print("|---|---|---|---|---|---|---|---|")
    for symbols, rate in LOADS:
        told, seconds, cores = sustained(symbols, rate, minutes, speed)
        lag = told["lag_ms"]
        print(
            f"| {symbols} | {rate:,} | {told['ticks'] / seconds:,.0f} | {told['bars']:,} | "
            f"{told['signals']:,} | {lag['p50']} | {lag['p99']} | {cores:.2f} |"
        )
    print("\n| symbols | microseconds a tick | milliseconds a minute's closing | a symbol's |")
    print("|---|---|---|---|")
    for symbols in SYMBOLS:
        tick, closing = folding(symbols)
        print(
            f"| {symbols:,} | {tick * 1e6:.2f} | {closing * 1e3:.2f} | "
            f"{closing / symbols * 1e3:.4f} |"
        )


def sustained(
    symbols: int, rate: int, minutes: float, speed: float
) -> tuple[dict[str, Any], float, float]:
    """What `trading live` told, in how many seconds, and on how many cores."""
    with tempfile.TemporaryDirectory(prefix="trading-benchmark-") as folder:
        place = Path(folder)
        command = [
            sys.executable, "-m", "cli", "live", "--symbols", str(symbols), "--rate", str(rate),
            "--speed", str(speed), "--minutes", str(minutes), "--json",
            "--server-dir", str(place / "servers"), "--lake-dir", str(place / "lake"),
        ]  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout), minutes * 60, used / (minutes * 60)


def folding(symbols: int, minutes: int = 30, ticks: int = 20) -> tuple[float, float]:
    """Seconds that a tick takes, and that the closing of a minute takes."""
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
        first = time.perf_counter()
        list(fold.take(told))
        second = time.perf_counter()
        list(fold.take([Tick(CLOCK, start + MINUTE + 2 * 10**9, 0.0, 0.0, 0)]))
        telling += second - first
        closing += time.perf_counter() - second
    return telling / (minutes * ticks * symbols), closing / minutes


if __name__ == "__main__":
    typer.run(main)
