"""A series that grows by a bar at a time without being copied for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lake.gold.history import Beginnings, History
from trading.bars.model import VALUES, Bars
from trading.events import BarClosed
from trading.instruments.clock import exchange_date

UNKNOWN = Beginnings((), ())
"""Live histories make no partition, so nobody asks for their hash."""

_ROOM = 512
"""Rows that are made ready at a time: a session has 390 minutes."""


class GrowingHistory:
    """Bars of the lake, and live ones that come one by one, each maybe revised.

    Args:
        stored: The lake's bars, which are copied once.
        live: Live bars, in any order.
    """

    def __init__(self, stored: History, live: Iterable[BarClosed] = ()) -> None:
        self._symbol = stored.bars.symbol
        self._count = len(stored.bars)
        self._columns: dict[str, npt.NDArray[Any]] = {
            "timestamps": stored.bars.timestamps.astype("datetime64[ns]").view(np.int64),
            "available_at": stored.available_at.astype("datetime64[ns]").view(np.int64),
            "dates": stored.dates.astype("datetime64[D]"),
            # A bar of the lake is replaced by whatever is told of it live.
            "revision": np.full(self._count, -1),
            **{name: getattr(stored.bars, name) for name in VALUES},
        }
        self._make_room()
        for bar in live:
            self.put(bar)

    def put(self, bar: BarClosed) -> None:
        """Take in a bar or a later revision of one; what is older than the one known is left."""
        starts = self._columns["timestamps"][: self._count]
        at = int(np.searchsorted(starts, bar.ts))
        if at == self._count or starts[at] != bar.ts:
            self._open_row(at)
        elif self._columns["revision"][at] > bar.revision:
            return
        for name, value in _row(bar).items():
            self._columns[name][at] = value

    def until(self, ts: int) -> History:
        """All bars that start at or before a moment; good until the next `put`.

        Args:
            ts: Nanoseconds since 1970 in UTC.
        """
        starts = self._columns["timestamps"][: self._count]
        seen = {
            name: values[: np.searchsorted(starts, ts, side="right")]
            for name, values in self._columns.items()
        }
        return History(
            bars=Bars(
                symbol=self._symbol,
                timestamps=seen["timestamps"].view("datetime64[ns]"),
                **{name: seen[name] for name in VALUES},
            ),
            available_at=seen["available_at"].view("datetime64[ns]"),
            dates=seen["dates"],
            beginnings=UNKNOWN,
        )

    def _open_row(self, at: int) -> None:
        if self._count == len(self._columns["timestamps"]):
            self._make_room()
        for values in self._columns.values():
            values[at + 1 : self._count + 1] = values[at : self._count]
        self._count += 1

    def _make_room(self) -> None:
        for name, values in self._columns.items():
            longer = np.empty(self._count + _ROOM, values.dtype)
            longer[: self._count] = values[: self._count]
            self._columns[name] = longer


def _row(bar: BarClosed) -> Mapping[str, Any]:
    """A bar's value in each column."""
    values = {name: getattr(bar, name) for name in VALUES}
    return {
        "timestamps": bar.ts,
        "available_at": bar.available_at,
        "dates": np.datetime64(exchange_date(bar.ts)),
        "revision": bar.revision,
        **{name: np.nan if value is None else value for name, value in values.items()},
    }
