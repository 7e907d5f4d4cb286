"""A file's column of times as bar starts in UTC, or the reason why it cannot be.

What a time means is never guessed: one without a zone needs a named zone, times of which the day
cannot be told from the month are refused, and so are those that a change of the clock makes occur
twice or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.parquet.arrays import integers
from trading.arrays import Timestamps
from trading.bars.intervals import Interval
from trading.errors import DataError, ParameterError
from trading.instruments.clock import local_times, midnights

_DATE = r"^\d{4}-\d\d-\d\d$"
_NAIVE = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?$"
_ZONED = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$"
_WHOLE = r"^-?\d{1,19}$"

_UNITS = ((1e11, "s"), (1e14, "ms"), (1e17, "us"), (float("inf"), "ns"))
"""Unit of epoch times by the largest one: each unit's bound is the year 5138."""

_FIRST_WRITTEN, _LAST_WRITTEN = 19_000_101, 22_001_231
"""Dates written as numbers; as seconds they would be five weeks of 1970."""

_MANY = 10
"""Rows from which on a file's smallest step is taken for its interval."""


class _Kind(Enum):
    DATES = auto()
    LOCAL = auto()
    INSTANTS = auto()


@dataclass(frozen=True, slots=True, eq=False)
class _Times:
    """Times as `datetime64[ns]` of shape (n,), and what they are."""

    kind: _Kind
    values: Timestamps


def bar_starts(
    column: pa.ChunkedArray, interval: Interval, zone: ZoneInfo | None, file: str
) -> Timestamps:
    """Bar starts in UTC, in the file's order, shape (n,).

    Args:
        column: Of text, dates, timestamps or numbers (seconds, milliseconds, microseconds or
            nanoseconds since 1970).
        interval: What the file shall hold; a day begins at midnight in New York.
        zone: Of times that name none.
        file: What to call it in an error.

    Raises:
        DataError: The times cannot be understood, or are not those of such bars.
        ParameterError: They name no zone and `zone` is None.
    """
    if column.null_count:
        raise DataError(file, "a row has no time", "complete or remove it")
    times = _parsed(column, file)
    if interval is Interval.DAY:
        return _days(times, zone, file)
    if times.kind is _Kind.DATES:
        raise DataError(
            file,
            f"it has dates, no times, and {interval.value} bars were asked for",
            "ask for 1d bars, or name another file",
        )
    starts = _instants(times, zone, file)
    _check_steps(starts, interval, file)
    return starts


def _days(times: _Times, zone: ZoneInfo | None, file: str) -> Timestamps:
    midnight = times.values == times.values.astype("datetime64[D]")
    if times.kind is not _Kind.INSTANTS and midnight.all():
        return midnights(times.values.astype("datetime64[D]"))
    instants = _instants(times, zone, file)
    utc_midnight = instants == instants.astype("datetime64[D]")
    if utc_midnight.all():
        # A vendor's way to write a date; in New York it is the evening before.
        dates = instants.astype("datetime64[D]")
    elif utc_midnight.any():
        raise DataError(
            file,
            "some of its days begin at midnight UTC and some do not",
            "write dates like 2024-01-02",
        )
    else:
        dates = local_times(instants).astype("datetime64[D]")
    if len(np.unique(dates)) < len(np.unique(instants)):
        raise DataError(
            file,
            "it has several bars a day, and 1d bars were asked for",
            "ask for the interval that it holds",
        )
    return midnights(dates)


def _instants(times: _Times, zone: ZoneInfo | None, file: str) -> Timestamps:
    if times.kind is _Kind.INSTANTS:
        return times.values
    if zone is None:
        raise ParameterError(
            "timezone",
            None,
            f"a time zone, and the times in {file} name none",
            "pass the one in which they are, e.g. America/New_York",
        )
    return _localised(times.values, zone, file)


def _localised(values: Timestamps, zone: ZoneInfo, file: str) -> Timestamps:
    """Local times of a zone as UTC; its rules are asked once per hour that occurs."""
    hours, positions = np.unique(values.astype("datetime64[h]"), return_inverse=True)
    offsets = []
    for hour in hours:
        moment: datetime = hour.astype("datetime64[s]").item()
        first, second = (moment.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
        if first is None or first != second:
            problem = f"at {moment:%Y-%m-%d %H:%M} the clocks of {zone.key} change"
            raise DataError(file, problem, "write the times with their UTC offset")
        offsets.append(first)
    starts: Timestamps = values - np.array(offsets, "timedelta64[s]")[positions]
    return starts


def _check_steps(starts: Timestamps, interval: Interval, file: str) -> None:
    """Refuse times between full minutes, and steps that are not the interval's."""
    if not (starts == starts.astype("datetime64[m]")).all():
        raise DataError(
            file, "its times are not all on the full minute", "name a file of bars that begin on it"
        )
    steps = np.diff(np.unique(starts)) / np.timedelta64(60, "s")
    if not len(steps):
        return
    smallest = int(steps.min())
    if smallest < interval.minutes or (smallest > interval.minutes and len(steps) >= _MANY):
        raise DataError(
            file,
            f"its bars are {smallest} minutes apart, and {interval.value} bars were asked for",
            "ask for the interval that it holds",
        )


def _parsed(column: pa.ChunkedArray, file: str) -> _Times:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _from_text(column, file)
    if pa.types.is_date(kind):
        return _Times(_Kind.DATES, _arrow_times(column, pa.timestamp("ns"), file))
    if pa.types.is_timestamp(kind):
        zoned = kind.tz is not None
        target = pa.timestamp("ns", "UTC" if zoned else None)
        return _Times(_Kind.INSTANTS if zoned else _Kind.LOCAL, _arrow_times(column, target, file))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _from_numbers(column, file)
    raise DataError(file, f"its times are of type {kind}", "write them as text or timestamps")


def _from_text(column: pa.ChunkedArray, file: str) -> _Times:
    texts = pc.replace_substring_regex(
        pc.utf8_trim_whitespace(column), r"^(\d{4})/(\d\d)/", r"\1-\2-"
    )
    if _all(texts, _WHOLE):
        return _from_numbers(texts, file)
    for pattern, kind in ((_DATE, _Kind.DATES), (_NAIVE, _Kind.LOCAL), (_ZONED, _Kind.INSTANTS)):
        if _all(texts, pattern):
            zone = "UTC" if kind is _Kind.INSTANTS else None
            return _Times(kind, _arrow_times(texts, pa.timestamp("ns", zone), file))
    patterns = f"{_WHOLE}|{_DATE}|{_NAIVE}|{_ZONED}"
    odd = texts.filter(pc.invert(pc.match_substring_regex(texts, patterns)))
    if len(odd):
        problem = f"its time {odd[0].as_py()!r:.60} can be read in more than one way, or in none"
    else:
        problem = "its times are written in different ways"
    raise DataError(file, problem, "write all like 2024-01-02T09:30:00-05:00 or 2024-01-02")


def _from_numbers(column: pa.ChunkedArray, file: str) -> _Times:
    """Numbers as times since 1970, or as dates like 20240102."""
    try:
        numbers = integers(column.cast(pa.int64()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(file, "a time is no whole number", "write them as ISO 8601") from error
    if not len(numbers):
        return _Times(_Kind.INSTANTS, numbers.astype("datetime64[ns]"))
    if numbers.min() >= _FIRST_WRITTEN and numbers.max() <= _LAST_WRITTEN:
        return _Times(_Kind.DATES, _written_dates(numbers, file))
    largest = float(np.abs(numbers).max())
    unit = next(unit for bound, unit in _UNITS if largest < bound)
    # Seconds among milliseconds would be days of 1970, where a long history has its past as well.
    if unit != "s" and not (numbers < 0).any() and (np.abs(numbers) < largest / 100).any():
        raise DataError(file, "its times are of different units", "write all in milliseconds")
    return _Times(_Kind.INSTANTS, numbers.astype(f"datetime64[{unit}]").astype("datetime64[ns]"))


def _written_dates(numbers: npt.NDArray[np.int64], file: str) -> Timestamps:
    """Dates of numbers like 20240102."""
    texts = [f"{n // 10000:04}-{n // 100 % 100:02}-{n % 100:02}" for n in numbers.tolist()]
    try:
        return np.array(texts, "datetime64[D]").astype("datetime64[ns]")
    except ValueError as error:
        raise DataError(file, "a date like 20240102 does not exist", "correct it") from error


def _all(texts: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(texts, pattern), min_count=0).as_py())


def _arrow_times(column: pa.ChunkedArray, target: pa.DataType, file: str) -> Timestamps:
    try:
        return integers(column.cast(target)).view("datetime64[ns]")
    except pa.ArrowInvalid as error:
        problem = "a time does not exist, or lies outside of the years 1678 to 2261"
        raise DataError(file, problem, "correct it") from error
