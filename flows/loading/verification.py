"""Whether the lake has what the database is about to drop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from database.bars.batch import batch_of_bars, batch_of_table
from database.bars.months import next_month
from lake.bronze.contents import Series
from lake.bronze.counted import counted_bronze
from storage.directory import Directory
from storage.errors import ContentError
from trading.bars.intervals import Interval


@dataclass(frozen=True, slots=True)
class LakeVerification:
    """Compares a symbol's month in the database with the lake.

    Attributes:
        lake: The lake.
    """

    lake: Directory

    def __call__(self, interval: Interval, symbol: str, month: date, stored: pa.Table) -> bool:
        """Whether the lake has each of the rows, from the same source and with the same values.

        Args:
            interval: Of the bars.
            symbol: Of the bars.
            month: The first day of their month in UTC.
            stored: The rows, with the columns of `database.bars.reading.STORED`.

        Raises:
            StorageError: The lake cannot be read.
        """
        sources = pc.unique(stored["source"]).to_pylist()
        return all(
            self._has(
                Series(source, interval, symbol),
                month,
                stored.filter(pc.equal(stored["source"], source)),
            )
            for source in sources
        )

    def _has(self, series: Series, month: date, stored: pa.Table) -> bool:
        source, interval, symbol = series.source, series.interval, series.symbol
        start, end = (datetime.combine(day, time(), UTC) for day in (month, next_month(month)))
        first, last = start.date() - timedelta(days=1), end.date()
        try:
            bronze = counted_bronze(self.lake, symbol, interval, [source], first=first, last=last)
            bars = bronze.between(start, end)
        except ContentError:
            return False  # damaged, so it does not have them
        wanted = batch_of_table(stored, symbol, interval, source, end)
        there = bars[np.isin(bars.timestamps, wanted.timestamps, assume_unique=True)]
        # Equal digests are equal bars, to the bit.
        return batch_of_bars(there, interval, source, end).digest == wanted.digest
