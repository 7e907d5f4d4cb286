"""The lake as a source of closes: from bronze, adjusted for the splits of its table of actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from adapters.market_data.protocol import CloseInterval, ClosePrices, SourceError
from lake.bronze.contents import Series, gap_records
from lake.bronze.counted import CountedBronze, counted_bronze, ordered_sources
from lake.bronze.keys import symbol_folder
from lake.folders import folders_in
from lake.listing import files_in
from lake.reference.tables import read_actions
from lake.silver.bronze_rows import BRONZE
from storage.directory import Directory
from trading.bars.adjustment import actions_in_force, adjusted
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.errors import TradingError
from trading.instruments.actions import ActionKind
from trading.instruments.calendar import sessions
from trading.instruments.clock import NEW_YORK, local_times

_HOUR = np.timedelta64(3600, "s")

_KINDS = {
    CloseInterval.HOUR: (Interval.HOUR, Interval.MINUTE),
    CloseInterval.DAY: (Interval.DAY, Interval.MINUTE),
}
"""What bars are made from: the first of these intervals that the lake has of the symbol."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class LakeSource:
    """Closes of what the lake has, asked of nobody else.

    Where the lake has minutes alone, an hour's close is that of its last minute, and a day's that
    of the session's. A session of minutes with an open gap is left out until the gap is closed: its
    last minute may be another.

    Attributes:
        lake: The lake.
        sources: Which source counts first, where the lake has several of a symbol.
        clock: Tells the time; splits up to then are in the closes.
        series: What the lake has.
    """

    lake: Directory
    sources: Sequence[str]
    clock: Callable[[], datetime] = _now

    name = "lake"
    vix_symbol = "^VIX"
    spx_symbol = "^GSPC"
    max_parallel = 4

    def history(self, interval: CloseInterval) -> timedelta | None:  # noqa: ARG002 - the protocol's
        """Nothing limits it but what is stored."""
        return None

    def close_prices(
        self, symbol: str, start: datetime, end: datetime, interval: CloseInterval
    ) -> ClosePrices:
        """The closes of one symbol's bars that start in [start, end).

        Raises:
            SourceError: The lake has no bars to make them from, or it is not clear whose count.
            StorageError: It cannot be read.
        """
        try:
            kind, bronze = self._bronze(symbol, start, end, interval)
            bars = self._adjusted(bronze.between(start, end))
            if kind is Interval.MINUTE:
                bars = self._without_gaps(bars, bronze)
                return _of_minutes(bars, interval)
        except TradingError as error:
            if isinstance(error, SourceError):
                raise
            raise SourceError(symbol, str(error)) from error
        return ClosePrices(bars.timestamps, bars.close)

    def _bronze(
        self, symbol: str, start: datetime, end: datetime, interval: CloseInterval
    ) -> tuple[Interval, CountedBronze]:
        first, last = (moment.astimezone(NEW_YORK).date() for moment in (start, end))
        sources = folders_in(self.lake, BRONZE)
        for kind in _KINDS[interval]:
            found = [s for s in sources if files_in(self.lake, symbol_folder(s, kind, symbol))]
            if found:
                names = ordered_sources(symbol, found, self.sources)
                return kind, counted_bronze(self.lake, symbol, kind, names, first=first, last=last)
        kinds = " or ".join(_KINDS[interval])
        command = f"trading lake ingest --symbols '{symbol}' --interval {_KINDS[interval][0]}"
        raise SourceError(symbol, f"the lake has no {kinds} bars of it; run {command} first")

    def _adjusted(self, bars: Bars) -> Bars:
        today = self.clock().astimezone(NEW_YORK).date()
        actions = actions_in_force(read_actions(self.lake, bars.symbol), bars.symbol, today)
        return adjusted(bars, [action for action in actions if action.kind is ActionKind.SPLIT])

    def _without_gaps(self, bars: Bars, bronze: CountedBronze) -> Bars:
        if not len(bars):
            return bars
        dates = local_times(bars.timestamps).astype("datetime64[D]")
        names = dict.fromkeys(file.source for file in bronze.files)
        every = [Series(name, Interval.MINUTE, bars.symbol) for name in names]
        first, last = dates[0].item(), dates[-1].item()
        lacking: set[date] = {
            gap.session
            for record in gap_records(self.lake, every, first, last)
            for gap in record.gaps
            if any(f.source == record.key.source for f in bronze.bronze.covering(gap.session))
        }
        return bars[~np.isin(dates, np.array(sorted(lacking), "datetime64[D]"))]


def _of_minutes(bars: Bars, interval: CloseInterval) -> ClosePrices:
    """The closes of hours, from each session's open, or of sessions, of minutes in their hours."""
    if not len(bars):
        return ClosePrices.empty()
    dates = local_times(bars.timestamps).astype("datetime64[D]")
    within = sessions(dates[0].item(), dates[-1].item())
    at = np.searchsorted(within.opens, bars.timestamps, side="right") - 1
    inside = (at >= 0) & (bars.timestamps < within.closes[at.clip(0)])
    bars, at = bars[inside], at[inside]
    opens = within.opens[at]
    if interval is CloseInterval.DAY:
        starts = opens - (local_times(opens) - within.dates[at])
    else:
        starts = opens + (bars.timestamps - opens) // _HOUR * _HOUR
    last = np.append(starts[1:] != starts[:-1], True)[: len(bars)]
    return ClosePrices(starts[last], bars.close[last])
