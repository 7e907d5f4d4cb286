"""Checks of the bars against the sessions of the New York Stock Exchange."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trading.arrays import Timestamps
from trading.bars.quality.findings import (
    MAX_FINDINGS,
    CheckResult,
    Dataset,
    Finding,
    Found,
    Status,
    conclude,
    disordered,
    not_checked,
    rows_found,
    text,
)
from trading.instruments.calendar import EXCHANGE, Sessions, expected_bars, sessions, times_of_day
from trading.instruments.clock import local_times

_HOUR = 3_600_000_000_000
"""In nanoseconds."""


def missing_sessions(data: Dataset) -> CheckResult:
    """WARN when the exchange traded on a day, between the first and the last bar, without any."""
    stamps = _usable_stamps(data)
    if stamps is None:
        return not_checked("missing_sessions")
    dates = _dates(stamps)
    within = _sessions_of(dates)
    missing = within.opens[~np.isin(within.dates, dates)]
    found = [_absent(missing, "the exchange traded and there is no bar")]
    return conclude("missing_sessions", found, Status.WARN, "there are bars of every session")


def missing_bars(data: Dataset) -> CheckResult:
    """WARN when a session has bars, but not at every time of day at which the data have them.

    After an early close none are expected. Daily data have no times of day.
    """
    stamps = _usable_stamps(data)
    if stamps is None:
        return not_checked("missing_bars")
    dates = _dates(stamps)
    good = "every session has its bars"
    if _is_daily(stamps, dates):
        return conclude("missing_bars", [], Status.WARN, good)
    within = _sessions_of(dates)
    covered = np.isin(within.dates, dates)
    expected = expected_bars(
        times_of_day(stamps),
        Sessions(within.dates[covered], within.opens[covered], within.closes[covered]),
    )
    inside = (expected > stamps[0]) & (expected < stamps[-1])  # the data may begin at noon
    missing = np.setdiff1d(expected[inside], stamps)
    found = [_absent(missing, "other sessions have a bar at this time")]
    return conclude("missing_bars", found, Status.WARN, good)


def off_session_bars(data: Dataset) -> CheckResult:
    """WARN when a bar lies on no session, or before its open or after its close.

    FAIL when all do: such data are not of this exchange, or their time zone is wrong.
    """
    stamps = _usable_stamps(data)
    if data.prices is None or stamps is None:
        return not_checked("off_session_bars")
    dates = _dates(stamps)
    off = _off_session(stamps, dates, _sessions_of(dates))
    found = [rows_found(data.prices, data.prices.url, off, "the exchange does not trade then")]
    status = Status.FAIL if off.all() else Status.WARN
    return conclude("off_session_bars", found, status, "all bars lie in sessions")


def _usable_stamps(data: Dataset) -> Timestamps | None:
    if data.prices is None:
        return None
    stamps = data.prices.unchecked_timestamps()
    return None if disordered(stamps).any() else stamps


def _dates(stamps: Timestamps) -> npt.NDArray[np.datetime64]:
    """Each bar's date in New York; in UTC where all are midnights there, as plain dates are."""
    days = stamps.astype("datetime64[D]")
    if (stamps == days).all():
        return days
    return local_times(stamps).astype("datetime64[D]")


def _is_daily(stamps: Timestamps, dates: npt.NDArray[np.datetime64]) -> bool:
    return len(np.unique(dates)) == len(np.unique(stamps))


def _sessions_of(dates: npt.NDArray[np.datetime64]) -> Sessions:
    return sessions(dates[0].item(), dates[-1].item())


def _off_session(
    stamps: Timestamps, dates: npt.NDArray[np.datetime64], within: Sessions
) -> npt.NDArray[np.bool_]:
    if not len(within):
        return np.ones(len(stamps), np.bool_)
    at = np.clip(np.searchsorted(within.dates, dates, side="right") - 1, 0, None)
    no_session: npt.NDArray[np.bool_] = within.dates[at] != dates
    if _is_daily(stamps, dates) and _one_time_of_day(stamps, dates):
        return no_session
    outside: npt.NDArray[np.bool_] = (stamps < within.opens[at]) | (stamps > within.closes[at])
    return no_session | outside


def _one_time_of_day(stamps: Timestamps, dates: npt.NDArray[np.datetime64]) -> bool:
    """Whether all bars stand for their day: at one time of it, but for daylight saving."""
    return bool(np.ptp((stamps - dates).astype(np.int64)) <= _HOUR)


def _absent(stamps: Timestamps, detail: str) -> Found:
    shown = tuple(Finding(EXCHANGE, detail, None, text(s)) for s in stamps[:MAX_FINDINGS])
    return Found(len(stamps), shown)
