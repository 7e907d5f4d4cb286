"""The bars of bronze that count, for those who keep a copy of them or read them.

Where files of several sources have a day, those of the first source count, as they do for silver.
Where several files of it have a bar, the one written last does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import numpy.typing as npt

from lake.files import read_file, stored_metadata
from lake.silver.bronze_rows import BRONZE, Bronze, BronzeFile, bars_of, bronze_of
from storage.directory import Directory
from trading.arrays import Timestamps
from trading.bars.intervals import Interval
from trading.bars.merging import merged
from trading.bars.model import Bars
from trading.errors import ParameterError
from trading.instruments.calendar import Dates, sessions
from trading.instruments.clock import NEW_YORK, local_times, to_datetime64


@dataclass(frozen=True, slots=True, eq=False)
class CountedBronze:
    """A symbol's bronze of one interval.

    Attributes:
        bronze: Its files, those of the first source first.
        written: When each was written, by its name.
    """

    bronze: Bronze
    written: Mapping[str, datetime]

    @property
    def files(self) -> tuple[BronzeFile, ...]:
        """Its files, those of the first source first."""
        return self.bronze.files

    def counts(self, source: str, timestamps: Timestamps) -> npt.NDArray[np.bool_]:
        """Whether a source's bars of these starts count, shape (n,): it has the day's file first.

        Args:
            source: The source.
            timestamps: Bar starts, UTC, shape (n,).
        """
        days, rows = np.unique(local_times(timestamps).astype("datetime64[D]"), return_inverse=True)
        counted = np.zeros(len(days), np.bool_)
        for name in dict.fromkeys(file.source for file in self.files):
            covered = self._covered(name, days)
            if name == source:
                return (covered & ~counted)[rows]
            counted |= covered
        return np.zeros(len(timestamps), np.bool_)

    def has_sessions(self, file: BronzeFile) -> bool:
        """Whether a session's bars in a file count: other sources may have the days of all."""
        within = sessions(file.stretch.first, file.stretch.last)
        return bool(self.counts(file.source, within.opens).any())

    def rows(self, file: BronzeFile) -> Bars:
        """The bars of a file that count, in order of time.

        Raises:
            ContentError: The file is damaged, or no bronze of the symbol.
            StorageError: It cannot be read.
        """
        stored = read_file(self.bronze.directory, file.name, BRONZE, self.bronze.symbol)
        bars = bars_of(stored.table, self.bronze.symbol)
        return bars[self.counts(file.source, bars.timestamps)]

    def between(self, start: datetime, end: datetime) -> Bars:
        """The bars that count and start in [start, end), in order of time.

        Raises:
            ContentError: A file is damaged, or no bronze of the symbol.
            StorageError: One cannot be read.
        """
        first, last = (moment.astimezone(NEW_YORK).date() for moment in (start, end))
        found = [file for file in self.files if file.stretch.overlaps(first, last)]
        bars = Bars.empty(self.bronze.symbol)
        for file in sorted(found, key=lambda file: (self.written[file.name], file.name)):
            bars = merged(bars, self.rows(file))
        stamps = bars.timestamps
        return bars[(stamps >= to_datetime64(start)) & (stamps < to_datetime64(end))]

    def _covered(self, source: str, days: Dates) -> npt.NDArray[np.bool_]:
        covered = np.zeros(len(days), np.bool_)
        for file in self.files:
            if file.source == source:
                ends = (_day(file.stretch.first), _day(file.stretch.last, later=1))
                first, last = np.searchsorted(days, ends)
                covered[first:last] = True
        return covered


def ordered_sources(symbol: str, found: Sequence[str], preferred: Sequence[str]) -> list[str]:
    """The sources that the lake has of a symbol, the one that counts first at the front.

    Args:
        symbol: The symbol.
        found: The sources that the lake has of it, one or more.
        preferred: Sources in order; of several that are found it has to name each.

    Raises:
        ParameterError: It does not.
    """
    if len(found) == 1:
        return list(found)
    ordered = [source for source in preferred if source in found]
    if len(ordered) < len(found):
        listed = ",".join(sorted(found))
        raise ParameterError(
            "source",
            ",".join(preferred),
            f"an order for {symbol}, of which the lake has bars from {listed}",
            f"name them all, the one that counts first at the front, e.g. {listed}, as --source "
            "or in TRADING_SOURCES",
        )
    return ordered


def counted_bronze(
    directory: Directory,
    symbol: str,
    interval: Interval,
    sources: Sequence[str],
    *,
    first: date | None = None,
    last: date | None = None,
) -> CountedBronze:
    """The bronze of a symbol and interval.

    Args:
        directory: The lake.
        symbol: The symbol.
        interval: The interval.
        sources: Sources, the one that counts first at the front; none for the only one there is.
        first: New York date from which on files are looked at; None for all.
        last: New York date up to which they are, included; None for all.

    Raises:
        ParameterError: No source is named and the symbol has files of several.
        DataError: A file's name says no stretch of time.
        ContentError: A file is damaged, or no bronze of the symbol.
        StorageError: The lake cannot be read.
    """
    bronze = bronze_of(directory, symbol, interval, sources).between(first, last)
    names = [file.name for file in bronze.files]

    def written(name: str) -> datetime:
        metadata = stored_metadata(directory, name, BRONZE, symbol)
        if not metadata:  # reading says what is wrong with it
            metadata = dict(read_file(directory, name, BRONZE, symbol).metadata)
        return datetime.fromisoformat(metadata["written_at"])

    return CountedBronze(bronze, dict(zip(names, directory.map(written, names), strict=True)))


def _day(day: date, later: int = 0) -> np.datetime64:
    return np.datetime64(day, "D") + later
