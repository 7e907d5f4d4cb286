"""Files of bronze to load, and what the database then has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np

from database.bars.loading import LoadResult
from database.bars.reading import read_table
from database.connection import Database
from flows.loading.bars import load_symbol, plan_symbol
from lake.bronze.keys import BronzeKey, checked_stretch
from lake.bronze.rows import write_bars
from tests.lake.bronze.deliveries import Lake
from trading.bars.intervals import Interval
from trading.bars.model import VALUES, Bars
from trading.bars.quality.ohlc import SessionPrices
from trading.bars.synthetic_minutes import synthetic_minutes
from trading.instruments.calendar import sessions
from trading.instruments.clock import NEW_YORK

FIRST_KEPT = date(2019, 1, 1)
ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def days(first: date, last: date, seed: int = 0, symbol: str = "AAPL") -> Bars:
    """A daily bar of each session, at midnight in New York."""
    dates = sessions(first, last).dates.tolist()
    midnights = [datetime(d.year, d.month, d.day, tzinfo=NEW_YORK).astimezone(UTC) for d in dates]
    stamps = np.array([m.replace(tzinfo=None) for m in midnights], "datetime64[ns]")
    generator = np.random.default_rng(seed)
    low, price, high = np.sort(generator.uniform(50, 150, (3, len(stamps))), axis=0)
    return Bars(
        symbol=symbol, timestamps=stamps, open=price, high=high, low=low, close=price,
        volume=generator.uniform(0, 1e6, len(stamps)), vwap=np.full(len(stamps), np.nan),
        trades=np.full(len(stamps), np.nan),
    )  # fmt: skip


def minutes(day: date, symbol: str = "AAPL") -> Bars:
    """The minutes of a day, pre- and post-market included."""
    return synthetic_minutes(symbol, day, day)


def restated(bars: Bars, position: int) -> Bars:
    volume = bars.volume.copy()
    volume[position] += 1.0
    return replace(bars, volume=volume)


def put(
    lake: Lake, bars: Bars, stem: str, source: str = "polygon", interval: Interval = Interval.DAY
) -> None:
    """Write the bars as the file of a stretch."""
    nothing = np.empty(0)
    write_bars(
        lake.directory,
        BronzeKey(bars.symbol, checked_stretch(stem), interval, source),
        bars,
        sessions=SessionPrices(
            dates=nothing.astype("datetime64[D]"), open=nothing, close=nothing, volume=nothing
        ),
        revision=0,
        flow_run_id="run",
    )


def load(
    lake: Lake,
    database: Database,
    sources: Sequence[str] = ("polygon",),
    interval: Interval = Interval.DAY,
    first_kept: date = FIRST_KEPT,
) -> list[LoadResult]:
    """Load what is due of AAPL."""
    plan = plan_symbol(
        lake.directory, database, "AAPL", interval, sources=sources, first_kept=first_kept
    )
    return list(load_symbol(database, plan))


def columns(database: Database, interval: Interval = Interval.DAY) -> dict[str, list[object]]:
    """All bars of AAPL, without what tells one load from another."""
    table = read_table(database, "AAPL", interval, *ALWAYS)
    return {name: table[name].to_pylist() for name in ("timestamp", *VALUES, "source")}
