"""One symbol's bars of one interval: the lake's, and after them what live bars said since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from database.connection import Database
from database.live.bars import live_bars, nanoseconds
from lake.gold.actions import read_actions
from lake.gold.history import Beginnings, History, read_minutes
from storage.directory import Directory
from trading.bars.adjustment import actions_in_force
from trading.bars.intervals import Interval
from trading.bars.model import VALUES, Bars, joined
from trading.events import BarClosed
from trading.instruments.actions import CorporateAction
from trading.instruments.clock import NEW_YORK, local_times

_UNKNOWN = Beginnings((), ())
"""Live histories make no partition, so nobody asks for their hash."""

LONGEST_UNSETTLED = timedelta(days=14)
"""How far back live bars may be that the lake has not yet; older ones it never will have."""


@dataclass(slots=True)
class LiveHistory:
    """Bars of the lake and live ones after them, for one session.

    Attributes:
        day: The New York date of the session that it is loaded for.
        stored: The lake's bars.
        actions: The corporate actions in force on that day.
        live: Live bars by their start.
    """

    day: date
    stored: History
    actions: tuple[CorporateAction, ...]
    live: dict[int, BarClosed]

    def put(self, bar: BarClosed) -> None:
        """Take in a bar or a later revision of one; what is older than the one known is left."""
        known = self.live.get(bar.ts)
        if known is None or known.revision <= bar.revision:
            self.live[bar.ts] = bar

    def until(self, ts: int) -> History:
        """All bars that start at or before a moment."""
        live = [self.live[start] for start in sorted(self.live) if start <= ts]
        if not live:
            return self.stored
        bars = joined([self.stored.bars, bars_of(live)], self.stored.bars.symbol)
        ends = np.array([bar.available_at for bar in live], "datetime64[ns]")
        return History(
            bars=bars,
            available_at=np.concatenate([self.stored.available_at, ends]),
            dates=local_times(bars.timestamps).astype("datetime64[D]"),
            beginnings=_UNKNOWN,
        )


class LiveHistories:
    """Histories of all series that somebody asks for.

    Args:
        lake: Where what is older than the live bars is.
        database: Where live bars are.
    """

    def __init__(self, lake: Directory, database: Database) -> None:
        self._lake = lake
        self._database = database
        self._loaded: dict[tuple[str, Interval], LiveHistory] = {}

    def load(self, interval: Interval, symbols: Iterable[str], ts: int) -> None:
        """Load the series of many symbols together: one question to the database for all.

        Args:
            interval: Their interval.
            symbols: The symbols.
            ts: A moment of the session that they are wanted for.

        Raises:
            ContentError, DataError: The lake's files are damaged, or its actions contradict.
            StorageError, DatabaseError: The lake or the database cannot be read.
        """
        unknown = self.lacking(interval, symbols, ts)
        if not unknown:
            return
        day = _day_of(ts)
        actions = read_actions(self._lake)
        begin = datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)
        stored = {symbol: self._stored(symbol, interval, day) for symbol in unknown}
        first = {symbol: _first_unsettled(held, begin) for symbol, held in stored.items()}
        end = begin + timedelta(days=1)
        live: dict[str, dict[int, BarClosed]] = {symbol: {} for symbol in unknown}
        for bar in live_bars(
            self._database, interval.value, min(first.values()), end, sorted(unknown)
        ):
            if bar.ts >= nanoseconds(first[bar.symbol]):
                live[bar.symbol][bar.ts] = bar
        for symbol in unknown:
            self._loaded[symbol, interval] = LiveHistory(
                day, stored[symbol], actions_in_force(actions, symbol, day), live[symbol]
            )

    def take(self, bar: BarClosed) -> LiveHistory:
        """The history of a bar's series, with the bar in it."""
        history = self.of(bar.symbol, Interval(bar.interval), bar.ts)
        history.put(bar)
        return history

    def of(self, symbol: str, interval: Interval, ts: int) -> LiveHistory:
        """The history of a series for the session that a moment is in.

        Raises:
            ContentError, DataError, StorageError, DatabaseError: As for `load`.
        """
        self.load(interval, [symbol], ts)
        return self._loaded[symbol, interval]

    def lacking(self, interval: Interval, symbols: Iterable[str], ts: int) -> list[str]:
        """Those whose series is not loaded for the session that a moment is in."""
        day = _day_of(ts)
        loaded = self._loaded
        return [s for s in symbols if (s, interval) not in loaded or loaded[s, interval].day != day]

    def _stored(self, symbol: str, interval: Interval, day: date) -> History:
        """The lake's bars of sessions before a day."""
        stored = read_minutes(self._lake, symbol, interval, None)
        before = stored.dates < np.datetime64(day)
        return History(
            stored.bars[before], stored.available_at[before], stored.dates[before], _UNKNOWN
        )


def _day_of(ts: int) -> date:
    return datetime.fromtimestamp(ts // 10**9, UTC).astimezone(NEW_YORK).date()


def _first_unsettled(stored: History, begin: datetime) -> datetime:
    """From when on live bars count: after the last session that the lake has."""
    first = begin - LONGEST_UNSETTLED
    if not len(stored.dates):
        return first
    last: date = stored.dates[-1].item()
    after = datetime(last.year, last.month, last.day, tzinfo=NEW_YORK) + timedelta(days=1)
    return max(first, after)


def bars_of(live: list[BarClosed]) -> Bars:
    """Live bars of one symbol, in order of time, as arrays."""
    columns: Mapping[str, list[float | None]] = {
        name: [getattr(bar, name) for bar in live] for name in VALUES
    }
    return Bars(
        symbol=live[0].symbol,
        timestamps=np.array([bar.ts for bar in live], "datetime64[ns]"),
        # None becomes NaN.
        **{name: np.array(values, np.float64) for name, values in columns.items()},
    )
