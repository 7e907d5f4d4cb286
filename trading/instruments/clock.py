"""Timestamps between what people write, exchange time in New York and UTC instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from trading.arrays import Timestamps
from trading.errors import ParameterError

EXCHANGE_ZONE = "America/New_York"
NEW_YORK = ZoneInfo(EXCHANGE_ZONE)

DECIDING = 250
"""Bars from the start of the data, a year of days, that decide by whose clock they are dated."""

PLAIN_DATES = 0.75
"""Share of those bars that start at 00:00 UTC from which on they are dates; others are strays."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_EXAMPLE = "2024-01-02T09:30:00-05:00"


def parse_timestamp(value: str | datetime, parameter: str = "timestamp") -> datetime:
    """The instant that `value` names, as an aware datetime in New York time.

    Args:
        value: ISO 8601 text with a UTC offset, or an aware datetime.
        parameter: What to call it in an error.

    Raises:
        ParameterError: It is not a timestamp, has no UTC offset or lies outside 1900 to 2200.
    """
    moment = value if isinstance(value, datetime) else _from_iso(value, parameter)
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ParameterError(
            parameter,
            value,
            f"in the years {_FIRST_YEAR} to {_LAST_YEAR}",
            f"pass a bar of the data, e.g. {_EXAMPLE}",
        )
    if moment.utcoffset() is None:
        raise ParameterError(
            parameter,
            value,
            "time-zone aware",
            f"write {moment.replace(tzinfo=NEW_YORK).isoformat()} for New York time",
        )
    return moment.astimezone(NEW_YORK)


def _from_iso(value: object, parameter: str) -> datetime:
    try:
        return datetime.fromisoformat(value)  # type: ignore[arg-type] # a TypeError is handled
    except (TypeError, ValueError) as error:
        raise ParameterError(
            parameter, value, "an ISO 8601 timestamp", f"write it like {_EXAMPLE}"
        ) from error


def to_datetime64(moment: datetime) -> np.datetime64:
    """An aware datetime as the UTC `datetime64[ns]` that arrays hold."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "ns")


def to_datetime(stamp: np.datetime64, zone: tzinfo = NEW_YORK) -> datetime:
    """A UTC `datetime64` as an aware datetime in New York time, or in that of `zone`."""
    moment: datetime = stamp.astype("datetime64[us]").item()
    return moment.replace(tzinfo=UTC).astimezone(zone)


def moment_of(nanoseconds: int) -> datetime:
    """Nanoseconds since 1970 as an aware datetime in UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1_000)


def nanoseconds_of(moment: datetime) -> int:
    """An aware datetime as nanoseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def exchange_date(moment: int) -> date:
    """The New York date of a moment, nanoseconds since 1970 in UTC."""
    return moment_of(moment).astimezone(NEW_YORK).date()


def midnight(day: date) -> datetime:
    """The moment at which a New York date begins, in New York time."""
    return datetime.combine(day, time(), NEW_YORK)


def local_times(timestamps: Timestamps) -> npt.NDArray[np.datetime64]:
    """UTC instants as New York wall-clock times, `datetime64[s]`, shape (n,).

    The zone's rules are asked once per year, not once per bar.
    """
    seconds = timestamps.astype("datetime64[s]")
    if not len(seconds):
        return seconds
    years = np.array([seconds.min(), seconds.max()]).astype("datetime64[Y]").astype(int) + 1970
    changes, offsets = zip(
        *(change for year in range(years[0], years[1] + 1) for change in _offsets(year)),
        strict=True,
    )
    position = np.searchsorted(np.array(changes, "datetime64[s]"), seconds, side="right") - 1
    local: npt.NDArray[np.datetime64] = seconds + np.array(offsets, "timedelta64[s]")[position]
    return local


def bar_zone(timestamps: Timestamps) -> tzinfo:
    """The zone by whose clock bars belong to a day: New York's, but UTC where bars are plain dates.

    Dates that became timestamps are midnights in UTC, which are the evening before in New York.
    Late trading has such a stamp once a day at most, and daily bars stamped at 20:00 in New York
    have it in summer alone, so they are dates when the first bar starts so and `PLAIN_DATES` of the
    first ones do: one partition need not read the whole history to know.

    Args:
        timestamps: All bar starts of the data, or the first `DECIDING` of them, UTC, shape (n,).
    """
    first = timestamps[:DECIDING]
    at_midnight = first == first.astype("datetime64[D]")
    dates = at_midnight[:1].any() and at_midnight.sum() >= PLAIN_DATES * len(first)
    return UTC if dates else NEW_YORK


def wall_times(timestamps: Timestamps) -> npt.NDArray[np.datetime64]:
    """UTC instants by the clock of their `bar_zone`, `datetime64[s]`, shape (n,)."""
    if bar_zone(timestamps) is UTC:
        return timestamps.astype("datetime64[s]")
    return local_times(timestamps)


def bar_dates(timestamps: Timestamps) -> npt.NDArray[np.datetime64]:
    """The day that each bar belongs to, everywhere in this project, `datetime64[D]`, shape (n,)."""
    return wall_times(timestamps).astype("datetime64[D]")


def midnights(dates: npt.NDArray[np.datetime64]) -> Timestamps:
    """The moments, UTC, at which New York dates (`datetime64[D]`) begin, shape (n,)."""
    # Five hours behind at most; offsets change at two in the morning, after midnight.
    guesses = (dates + np.timedelta64(0, "ns")) + np.timedelta64(5, "h")
    starts: Timestamps = guesses - (local_times(guesses) - dates)
    return starts


@lru_cache(maxsize=512)
def _offsets(year: int) -> list[tuple[datetime, timedelta]]:
    """From when on which UTC offset holds in New York within a UTC year, from its first second."""
    start = datetime(year, 1, 1, tzinfo=UTC)
    changes = [(start.replace(tzinfo=None), _offset(start))]
    for day in range(366):
        morning = start + timedelta(days=day)
        if _offset(morning + timedelta(days=1)) == changes[-1][1]:
            continue
        # Offsets of New York change on the hour.
        hour = next(
            morning + timedelta(hours=h)
            for h in range(1, 25)
            if _offset(morning + timedelta(hours=h)) != changes[-1][1]
        )
        changes.append((hour.replace(tzinfo=None), _offset(hour)))
    return changes


def _offset(moment: datetime) -> timedelta:
    return moment.astimezone(NEW_YORK).utcoffset() or timedelta(0)
