"""Bronze for tests: synthetic minutes and days written as bronze's files are."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lake.files import FileLineage, write_file
from lake.grain import Grain
from lake.stretch import Stretch
from storage.directory import open_directory
from storage.parquet.arrays import float_column, timestamp_column
from trading.bars.model import VALUES, Bars
from trading.bars.synthetic_minutes import synthetic_days, synthetic_minutes
from trading.instruments.clock import local_times


def write_bronze(
    lake: Path | str, bars: Bars, interval: str, grain: Grain, source: str = "synthetic"
) -> list[str]:
    """Write bars to a file per session, month or year; returns the names."""
    days = local_times(bars.timestamps).astype("datetime64[D]").tolist()
    stretches = [Stretch.around(day, grain) for day in days]
    names = []
    for stretch in dict.fromkeys(stretches):
        rows = bars[np.array([other == stretch for other in stretches], bool)]
        name = f"bronze/{source}/{interval}/{bars.symbol}/{stretch.stem}.parquet"
        write_rows(lake, name, rows)
        names.append(name)
    return names


def write_rows(lake: Path | str, name: str, bars: Bars) -> None:
    """Write one file of bronze, its fingerprint the hash of its rows."""
    columns = {"timestamp": timestamp_column(bars.timestamps, "UTC")}
    columns |= {field: float_column(getattr(bars, field)) for field in VALUES}
    table = pa.table(columns)
    hashed = hashlib.blake2b(digest_size=16)
    for column in table.columns:
        hashed.update(repr(column.to_pylist()).encode())
    lineage = FileLineage("bronze", bars.symbol, hashed.hexdigest(), "")
    write_file(open_directory(str(lake), "lake_dir"), name, table, lineage)


def write_minutes(
    lake: Path | str, symbol: str, first: date, last: date, grain: Grain = Grain.SESSION
) -> Bars:
    """Write a symbol's synthetic minutes, and return them."""
    bars = synthetic_minutes(symbol, first, last)
    write_bronze(lake, bars, "1m", grain)
    return bars


def write_days(lake: Path | str, symbol: str, first: date, last: date) -> Bars:
    """Write a symbol's synthetic daily bars by year, and return them."""
    bars = synthetic_days(symbol, first, last)
    write_bronze(lake, bars, "1d", Grain.YEAR)
    return bars


def with_value(bars: Bars, row: int, **values: float) -> Bars:
    """The bars but for some values of one row."""
    changed: dict[str, Any] = {name: getattr(bars, name).copy() for name in values}
    for name, value in values.items():
        changed[name][row] = value
    return replace(bars, **changed)
