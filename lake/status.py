"""The status of partitions in a stretch of time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta, tzinfo

import numpy as np

from lake.dataset import SymbolStatus
from lake.keys import BarIndex, Partition, zone_of
from trading.errors import ParameterError
from trading.instruments.clock import parse_timestamp, to_datetime64


def within(status: SymbolStatus[Partition], rows: tuple[int, int]) -> SymbolStatus[Partition]:
    """Of the partitions those that have any of the input's rows `first <= row < last`."""
    first, last = rows
    kept = [i for i, p in enumerate(status.keys) if p.last > first and p.first < last]
    return replace(
        status,
        keys=tuple(status.keys[i] for i in kept),
        states=tuple(status.states[i] for i in kept),
    )


def rows_between(index: BarIndex, first: str | None, last: str | None) -> tuple[int, int]:
    """The rows of the bars from one time to another: the first, and the one after the last.

    Args:
        index: Where the bars lie in time.
        first: A day, as the bars belong to days, or a timestamp with an offset; None for the start.
        last: The same, included; None for the end.

    Raises:
        ParameterError: One of the two is neither, or the last lies before the first.
    """
    if first is None and last is None:
        return 0, index.rows
    zone = zone_of(index)
    low, high = 0, index.rows
    if first is not None:
        low = index.lower_bound(_instant(first, "from", zone, after=False))
    if last is not None:
        high = index.lower_bound(_instant(last, "to", zone, after=True))
    if first is not None and last is not None and low > high:
        raise ParameterError("to", last, f"at or after from={first}", "exchange the two")
    return low, high


def _instant(text: str, parameter: str, zone: tzinfo, *, after: bool) -> np.datetime64:
    """The instant at which a day or timestamp begins, or from which on is after it."""
    try:
        midnight = datetime.combine(date.fromisoformat(text), time(), zone)
    except ValueError:
        stamp = to_datetime64(_moment(text, parameter))
        return stamp + np.timedelta64(1, "ns") if after else stamp
    parse_timestamp(midnight, parameter)  # is it in a year that there can be?
    # Of the zone's wall clock, by which some days have 23 or 25 hours.
    return to_datetime64(midnight + timedelta(days=1) if after else midnight)


def _moment(text: str, parameter: str) -> datetime:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        allowed = "a day or a timestamp with its UTC offset"
        hint = "write the day as YYYY-MM-DD, e.g. 2024-01-02"
        raise ParameterError(parameter, text, allowed, hint) from None
    return parse_timestamp(text, parameter)
