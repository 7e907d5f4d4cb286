"""Whether the lake holds twenty-five million bars: written, read again and counted.

    uv run --extra lake python -m benchmarks.lake_size
    uv run --extra lake python -m benchmarks.lake_size --small

Five years of minutes of fifty symbols, a bronze file for each symbol and month. Every file is
written as a partition writes it, with fingerprint, lineage and sync; then read whole, and its rows
compared with its fingerprint; then counted by SQL. Making the bars up is not counted.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np

import lake as lakes
from benchmarks.resampling import minutes_of
from lake.bronze.keys import BronzeKey, Stretch
from lake.bronze.rows import read_bars, write_bars
from lake.grain import Grain
from storage.directory import open_directory
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.bars.quality.ohlc import SessionPrices
from trading.instruments.calendar import sessions

FIRST, LAST = date(2020, 1, 2), date(2025, 3, 31)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a short run, to see that it works")
    small = parser.parse_args().small
    symbols, last = (2, date(2020, 2, 28)) if small else (50, LAST)
    within = sessions(FIRST, last)
    taken = _Taken()
    with tempfile.TemporaryDirectory() as name:
        lake = open_directory(name, "lake_dir")
        keys = []
        rows = 0
        for number in range(symbols):
            bars = minutes_of(number, within)
            rows += len(bars)
            months = _months(bars)
            with taken.by("write"):
                for key, part in months:
                    write_bars(lake, key, part, sessions=_none(), revision=0, flow_run_id="")
            keys += [key for key, _ in months]
        with taken.by("read"):
            read = sum(len(stored.bars) for key in keys if (stored := read_bars(lake, key)))
        with taken.by("count by SQL"), lakes.connect(name) as sql:
            (counted,) = sql.arrow("SELECT count(*) AS n FROM bronze")["n"].to_pylist()
        size = sum(file.stat().st_size for file in Path(name).rglob("*.parquet"))
    if not rows == read == counted:
        raise RuntimeError(f"{rows:,} bars were written, {read:,} read and {counted:,} counted")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"| {rows:,} bars, {len(keys):,} files, {size / 2**20:,.0f} MiB | CPU s | s | bars/CPU s |"
    )
    print("|---|---:|---:|---:|")
    for what, (cpu, wall) in taken.seconds.items():
        print(f"| {what} | {cpu:.1f} | {wall:.1f} | {rows / cpu:,.0f} |")
    print(f"\npeak memory {peak:,.0f} MiB")


class _Taken:
    """The CPU and wall seconds of each step, added up."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[float, float]] = {}

    @contextmanager
    def by(self, what: str) -> Iterator[None]:
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        before = self.seconds.get(what, (0.0, 0.0))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        self.seconds[what] = (before[0] + cpu, before[1] + wall)


def _months(bars: Bars) -> list[tuple[BronzeKey, Bars]]:
    months = bars.timestamps.astype("datetime64[M]")
    edges = [0, *(np.flatnonzero(np.diff(months.view(np.int64))) + 1).tolist(), len(bars)]
    return [
        (
            BronzeKey(
                bars.symbol,
                Stretch(months[low].astype("datetime64[D]").item(), Grain.MONTH),
                Interval.MINUTE,
                "synthetic",
            ),
            bars[low:high],
        )
        for low, high in pairwise(edges)
    ]


def _none() -> SessionPrices:
    """Nothing of the sessions' own prices."""
    none = np.empty(0)
    return SessionPrices(dates=none.astype("datetime64[D]"), open=none, close=none, volume=none)


if __name__ == "__main__":
    main()
