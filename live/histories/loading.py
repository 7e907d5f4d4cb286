"""The histories of all series that strategies ask for, each loaded once for a session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from database.connection import Database
from database.live.bars import live_bars
from lake.gold.actions import ACTIONS, read_actions
from lake.gold.history import History, read_minutes
from live.histories.growing import UNKNOWN, GrowingHistory
from storage.backends import FileIdentity
from storage.directory import Directory
from trading.bars.adjustment import actions_in_force
from trading.bars.intervals import Interval
from trading.events import BarClosed
from trading.instruments.actions import CorporateAction
from trading.instruments.clock import exchange_date, midnight, nanoseconds_of

LONGEST_UNSETTLED = timedelta(days=14)
"""How far back live bars may be that the lake has not yet; older ones it never will have."""

Series = tuple[str, Interval]


@dataclass(frozen=True, slots=True)
class LiveHistory:
    """A series as it is in one session.

    Attributes:
        day: The New York date of the session.
        actions: The corporate actions in force on that day.
        bars: The lake's bars of sessions before it, and live ones of those that the lake lacks.
    """

    day: date
    actions: tuple[CorporateAction, ...]
    bars: GrowingHistory


class LiveHistories:
    """Histories of all series that somebody asks for.

    Args:
        lake: Where what is older than the live bars is.
        database: Where live bars are.
    """

    def __init__(self, lake: Directory, database: Database) -> None:
        self._lake = lake
        self._database = database
        self._loaded: dict[Series, LiveHistory] = {}
        self._actions: dict[str, list[CorporateAction]] = {}
        self._actions_read: FileIdentity | None = None

    def take(self, bar: BarClosed) -> LiveHistory:
        """The history of a bar's series, with the bar in it."""
        history = self.of(bar.symbol, Interval(bar.interval), bar.ts)
        history.bars.put(bar)
        return history

    def of(self, symbol: str, interval: Interval, ts: int) -> LiveHistory:
        """The history of a series for the session that a moment is in.

        Raises:
            ContentError, DataError: The lake's files are damaged, or its actions contradict.
            StorageError, DatabaseError: The lake or the database cannot be read.
        """
        day = exchange_date(ts)
        series = (symbol, interval)
        self.load([series], day)
        return self._loaded[series]

    def missing(self, series: Collection[Series], day: date) -> list[Series]:
        """Those of the series that are not loaded for a day, in the order given."""
        return [one for one in series if one not in self._loaded or self._loaded[one].day != day]

    def load(self, series: Collection[Series], day: date) -> None:
        """Load those that are not: together they cost less than one by one.

        Raises:
            ContentError, DataError: The lake's files are damaged, or its actions contradict.
            StorageError, DatabaseError: The lake or the database cannot be read.
        """
        missing = self.missing(series, day)
        if not missing:
            return
        stored = {one: self._stored(one, day) for one in missing}
        live = self._live(stored, day)
        known = self._known_actions()
        for one in missing:
            actions = actions_in_force(known.get(one[0], ()), one[0], day)
            self._loaded[one] = LiveHistory(day, actions, GrowingHistory(stored[one], live[one]))

    def _stored(self, series: Series, day: date) -> History:
        """The lake's bars of sessions before the day."""
        found = read_minutes(self._lake, *series, None)
        before = found.dates < np.datetime64(day)
        return History(found.bars[before], found.available_at[before], found.dates[before], UNKNOWN)

    def _live(self, stored: dict[Series, History], day: date) -> dict[Series, list[BarClosed]]:
        """Live bars of the sessions that the lake lacks, up to the day."""
        by_interval: dict[Interval, dict[str, date]] = defaultdict(dict)
        for (symbol, interval), history in stored.items():
            by_interval[interval][symbol] = _first_unsettled(history, day)
        found: dict[Series, list[BarClosed]] = defaultdict(list)
        end = midnight(day + timedelta(days=1))
        for interval, firsts in by_interval.items():
            begin = midnight(min(firsts.values()))
            for bar in live_bars(self._database, interval.value, begin, end, list(firsts)):
                if bar.ts >= nanoseconds_of(midnight(firsts[bar.symbol])):
                    found[bar.symbol, interval].append(bar)
        return found

    def _known_actions(self) -> dict[str, list[CorporateAction]]:
        """All actions by symbol, read again when their table has changed."""
        identity = self._lake.identity(ACTIONS)
        if identity != self._actions_read:
            self._actions = defaultdict(list)
            for action in read_actions(self._lake):
                self._actions[action.symbol].append(action)
            self._actions_read = identity
        return self._actions


def _first_unsettled(stored: History, day: date) -> date:
    first = day - LONGEST_UNSETTLED
    if not len(stored.dates):
        return first
    last: date = stored.dates[-1].item()
    return max(first, last + timedelta(days=1))
