"""What is stored of bronze: for readers, for checks across partitions, for the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from lake.bronze.keys import BronzeKey, stored_stretches, symbol_folder
from lake.bronze.records import GapRecord, open_stretches, read_gaps
from lake.bronze.rows import read_bars, read_sessions
from lake.listing import files_in
from lake.reference.tables import read_actions
from storage.directory import Directory, open_directory
from trading.bars.intervals import Interval
from trading.bars.model import Bars, joined
from trading.bars.quality.findings import CheckResult
from trading.bars.quality.ohlc import SessionPrices, jumps, volume_sums
from trading.instruments.clock import local_times


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """One symbol's bars of one interval and source.

    Attributes:
        source: The source.
        interval: Length of a bar.
        symbol: The symbol.
    """

    source: str
    interval: Interval
    symbol: str

    @property
    def folder(self) -> str:
        """Its folder, relative to the lake."""
        return symbol_folder(self.source, self.interval, self.symbol)


def stored_series(lake_dir: str) -> list[Series]:
    """All series that have a folder, sorted.

    Raises:
        StorageError: The lake cannot be listed.
    """
    bronze = open_directory(f"{lake_dir}/bronze", "lake_dir")
    return sorted(
        Series(source, Interval(interval), symbol)
        for source in bronze.list_folders()
        for interval in _folders(bronze, source)
        if interval in set(Interval)
        for symbol in _folders(bronze, f"{source}/{interval}")
    )


def keys_between(directory: Directory, series: Series, first: date, last: date) -> list[BronzeKey]:
    """The stored partitions of a series with dates from `first` to `last`, in the order of time.

    Raises:
        StorageError: The lake cannot be listed.
    """
    stretches = stored_stretches(files_in(directory, series.folder))
    return [
        BronzeKey(series.symbol, stretch, series.interval, series.source)
        for stretch in sorted(stretches)
        if stretch.first <= last and stretch.last >= first
    ]


def read_range(directory: Directory, series: Series, first: date, last: date) -> Bars:
    """The stored bars of a series on New York dates from `first` to `last`, both included.

    Pre- and post-market minutes are among them.

    Raises:
        ContentError: A file is damaged.
        StorageError: The lake cannot be read.
    """
    keys = keys_between(directory, series, first, last)
    parts = [stored.bars for key in keys if (stored := read_bars(directory, key)) is not None]
    bars = joined(parts, series.symbol)
    dates = local_times(bars.timestamps).astype("datetime64[D]")
    return bars[(dates >= np.datetime64(first)) & (dates <= np.datetime64(last))]


def read_session_prices(
    directory: Directory, series: Series, first: date, last: date
) -> SessionPrices:
    """What the stored sessions of a series came to, from the footers alone.

    Raises:
        StorageError: The lake cannot be read.
    """
    keys = {key.relative_path: key for key in keys_between(directory, series, first, last)}
    found = directory.map(lambda name: read_sessions(directory, keys[name]), list(keys))
    parts = [part for part in found if part is not None]
    nothing = np.empty(0)
    return SessionPrices(
        dates=np.concatenate([nothing.astype("datetime64[D]"), *(p.dates for p in parts)]),
        open=np.concatenate([nothing, *(p.open for p in parts)]),
        close=np.concatenate([nothing, *(p.close for p in parts)]),
        volume=np.concatenate([nothing, *(p.volume for p in parts)]),
    )


def check_sessions(
    directory: Directory, series: Series, first: date, last: date
) -> tuple[CheckResult, ...]:
    """What the stored sessions say of each other: jumps, and minutes against daily bars.

    Only the checks that found something.

    Raises:
        ContentError: The table of actions is damaged.
        StorageError: The lake cannot be read.
    """
    prices = read_session_prices(directory, series, first, last)
    checks = [jumps(series.symbol, prices, read_actions(directory, series.symbol))]
    if series.interval in {Interval.MINUTE, Interval.DAY}:
        other = Interval.DAY if series.interval is Interval.MINUTE else Interval.MINUTE
        beside = Series(series.source, other, series.symbol)
        there = read_session_prices(directory, beside, first, last)
        pair = (prices, there) if series.interval is Interval.MINUTE else (there, prices)
        checks.append(volume_sums(series.symbol, *pair))
    return tuple(check for check in checks if check.status.severity)


def gap_records(
    directory: Directory, every: Sequence[Series], first: date, last: date
) -> Iterator[GapRecord]:
    """The open gaps of series on dates from `first` to `last`, by series and in the order of time.

    Raises:
        ContentError: A record is damaged.
        StorageError: The lake cannot be read.
    """
    for series in every:
        for stretch in sorted(open_stretches(directory, series.folder)):
            if stretch.first > last or stretch.last < first:
                continue
            key = BronzeKey(series.symbol, stretch, series.interval, series.source)
            record = read_gaps(directory, key)
            if record is None:
                continue
            gaps = tuple(gap for gap in record.gaps if first <= gap.session <= last)
            if gaps:
                yield GapRecord(key, gaps, record.detail)


def _folders(directory: Directory, folder: str) -> list[str]:
    return open_directory(f"{directory.url}/{folder}", directory.parameter).list_folders()
