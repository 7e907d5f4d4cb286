"""Timestamps between what people write, exchange time in New York and UTC instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from trading.arrays import Timestamps
from trading.errors import ParameterError

EXCHANGE_ZONE = "America/New_York"
NEW_YORK = ZoneInfo(EXCHANGE_ZONE)

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


def to_datetime(stamp: np.datetime64) -> datetime:
    """A UTC `datetime64` as an aware datetime in New York time."""
    moment: datetime = stamp.astype("datetime64[us]").item()
    return moment.replace(tzinfo=UTC).astimezone(NEW_YORK)


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
