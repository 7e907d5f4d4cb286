"""The partition scheme: which bars one partition covers, what it is called, where it is kept.

| grain | covers | file below output_dir |
| --- | --- | --- |
| bar | one bar | `AAPL/20240102_093000.parquet` |
| session | the bars of one New York date | `AAPL/20240102.parquet` |
| month | of one month | `AAPL/2024-01.parquet` |
| year | of one year | `AAPL/2024.parquet` |
| all | the whole history | `AAPL/all.parquet` |

Names are New York wall-clock times; those of bars that are plain dates, stamped at 00:00 UTC, are
UTC's, so that a bar is in the session, month and year of its date (`exchange_time.bar_zone`). When
clocks are set back one hour exists twice; the later of the two bars carries its UTC offset,
`AAPL/20241103_013000-0500.parquet`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

import numpy as np

from lake.grain import Grain
from trading.arrays import Timestamps
from trading.errors import DataError, ParameterError
from trading.instruments.clock import (
    DECIDING,
    NEW_YORK,
    bar_zone,
    parse_timestamp,
    to_datetime,
    to_datetime64,
    wall_times,
)
from trading.instruments.symbols import checked_contract

_FILE_FORMATS = {
    Grain.BAR: "%Y%m%d_%H%M%S",
    Grain.SESSION: "%Y%m%d",
    Grain.MONTH: "%Y-%m",
    Grain.YEAR: "%Y",
    Grain.ALL: "all",
}
_LABEL_FORMATS = {**_FILE_FORMATS, Grain.BAR: "%Y-%m-%d %H:%M", Grain.SESSION: "%Y-%m-%d"}
_PERIODS = {Grain.SESSION: "D", Grain.MONTH: "M", Grain.YEAR: "Y"}


class BarIndex(Protocol):
    """Where bars lie in time, without their prices; `MarketData` is one."""

    @property
    def rows(self) -> int:
        """How many bars there are."""

    def first_stamp(self) -> np.datetime64:
        """The first timestamp, as far as the index itself tells it."""

    def lower_bound(self, stamp: np.datetime64) -> int:
        """The first row whose bar does not start before `stamp`; `rows` when there is none."""

    def stamps(self, first: int, last: int) -> Timestamps:
        """The timestamps of the rows first <= row < last."""


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One symbol's bars of one timestamp, session, month, year or history.

    Attributes:
        symbol: The symbol, which the main pipeline's parameters call contract.
        start: Timestamp of the first bar, in UTC: wall-clock times of one zone compare equal
            when the clock is set back.
        grain: What the partition covers.
        first: Row of the first bar in the input.
        last: Row after the last bar.
        zone: By whose clock it is named, `exchange_time.bar_zone` of the data.
    """

    symbol: str
    start: datetime
    grain: Grain
    first: int = field(compare=False)
    last: int = field(compare=False)
    zone: tzinfo = field(compare=False, default=NEW_YORK)

    @property
    def timestamp(self) -> str:
        """The first bar's timestamp as a parameter has it: ISO 8601 with its zone's offset."""
        return self._local.isoformat()

    @property
    def relative_path(self) -> str:
        """Its result file, relative to the output directory."""
        local = self._local
        repeated = local.strftime("%z") if self.grain is Grain.BAR and local.fold else ""
        stem = local.strftime(_FILE_FORMATS[self.grain])
        return f"{checked_contract(self.symbol)}/{stem}{repeated}.parquet"

    @property
    def label(self) -> str:
        """What people call it, e.g. `AAPL 2024-01-02 09:30`."""
        local = self._local
        seconds = ":%S" if self.grain is Grain.BAR and local.second else ""
        repeated = " %Z" if self.grain is Grain.BAR and local.fold else ""
        return f"{self.symbol} {local.strftime(_LABEL_FORMATS[self.grain] + seconds + repeated)}"

    @property
    def _local(self) -> datetime:
        return self.start.astimezone(self.zone)

    def __len__(self) -> int:
        """How many bars it covers."""
        return self.last - self.first


def partitions(timestamps: Timestamps, symbol: str, grain: Grain) -> list[Partition]:
    """All partitions of a symbol, in the order of time; together they cover every bar once.

    Args:
        timestamps: All bar starts, UTC, strictly increasing, shape (n,).
        symbol: The symbol.
        grain: What one partition covers.

    Raises:
        DataError: A timestamp is not a whole second, so that names could collide.
    """
    checked_contract(symbol)
    if not len(timestamps):
        return []
    _check_whole_seconds(timestamps)
    first, zone = _first_rows(timestamps, grain), bar_zone(timestamps)
    starts = timestamps[first].astype("datetime64[us]").tolist()
    rows = [*first.tolist(), len(timestamps)]
    return [
        Partition(symbol, start.replace(tzinfo=UTC), grain, low, high, zone)
        for start, low, high in zip(starts, rows, rows[1:], strict=False)
    ]


def _first_rows(timestamps: Timestamps, grain: Grain) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    if grain is Grain.BAR:
        return np.arange(len(timestamps))
    if grain is Grain.ALL:
        return np.zeros(1, np.intp)
    periods = wall_times(timestamps).astype(f"datetime64[{_PERIODS[grain]}]")
    return np.flatnonzero(np.concatenate(([True], periods[1:] != periods[:-1])))


def partition_at(
    index: BarIndex, symbol: str, timestamp: str | datetime, grain: Grain
) -> Partition:
    """The partition that holds the bar at `timestamp`; of a coarser grain, any of its bars.

    Reads the timestamps around the partition's ends only, and those that decide on the zone.

    Raises:
        ParameterError: `timestamp` is no aware timestamp, or not a bar of the data.
        DataError: The bar's timestamp is not a whole second.
    """
    checked_contract(symbol)
    zone = zone_of(index)
    moment = parse_timestamp(timestamp).astimezone(zone)
    row = _row_of(index, moment, zone)
    if grain is Grain.BAR:
        first, last = row, row + 1
    elif grain is Grain.ALL:
        first, last = 0, index.rows
    else:
        start, end = _period(moment, grain, zone)
        first, last = (index.lower_bound(to_datetime64(bound)) for bound in (start, end))
    stamps = index.stamps(first, first + 1)
    _check_whole_seconds(stamps)
    return Partition(symbol, to_datetime(stamps[0], UTC), grain, first, last, zone)


def zone_of(index: BarIndex) -> tzinfo:
    """By whose clock the bars belong to days, see `exchange_time.bar_zone`.

    Raises:
        DataError: The first timestamps are out of order.
    """
    if bar_zone(np.array([index.first_stamp()])) is not UTC:
        return NEW_YORK  # without reading what a window far from it does not need
    return bar_zone(index.stamps(0, min(index.rows, DECIDING)))


def _row_of(index: BarIndex, moment: datetime, zone: tzinfo) -> int:
    stamp = to_datetime64(moment)
    row = index.lower_bound(stamp)
    nearest = index.stamps(max(0, row - 1), min(index.rows, row + 1))
    if row == index.rows or nearest[-1] != stamp:
        bars = " and ".join(to_datetime(bar, zone).isoformat() for bar in nearest)
        raise ParameterError(
            "timestamp", moment.isoformat(), "a bar of the data", f"the nearest bars are {bars}"
        )
    return row


def _period(moment: datetime, grain: Grain, zone: tzinfo) -> tuple[datetime, datetime]:
    """First instants, in that zone, of the session, month or year of `moment` and of the next."""
    start = datetime(moment.year, moment.month, moment.day, tzinfo=zone)
    if grain is Grain.SESSION:
        return start, start + timedelta(days=1)  # wall-clock arithmetic: midnight to midnight
    start = start.replace(day=1)
    if grain is Grain.MONTH:
        return start, (start + timedelta(days=32)).replace(day=1)
    start = start.replace(month=1)
    return start, start.replace(year=start.year + 1)


def _check_whole_seconds(timestamps: Timestamps) -> None:
    odd = timestamps != timestamps.astype("datetime64[s]")
    if odd.any():
        raise DataError(
            "timestamp",
            f"{timestamps[int(np.argmax(odd))]}Z is not a whole second",
            "round the timestamps of the data to seconds",
        )


_GRAINS = (
    (Grain.BAR, r"\d{8}_\d{6}([+-]\d{4})?"),
    (Grain.SESSION, r"\d{8}"),
    (Grain.MONTH, r"\d{4}-\d{2}"),
    (Grain.YEAR, r"\d{4}"),
    (Grain.ALL, "all"),
)
"""How the files of each grain are named, without their ending."""


def grain_of(name: str) -> Grain | None:
    """The grain of a result whose file is called so; None when no result's is."""
    stem = name.removesuffix(".parquet")
    if stem == name:
        return None
    return next((grain for grain, form in _GRAINS if re.fullmatch(form, stem)), None)
