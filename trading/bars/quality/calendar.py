"""Checks of the bars against the sessions of the New York Stock Exchange."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trading.arrays import Timestamps
from trading.bars.context import VIX
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
from trading.instruments.clock import bar_dates
from trading.instruments.pace import FITS, coarser_than_daily

_COARSE = "each bar is of several sessions"
_LOOK_AHEAD = (
    "it has the VIX of the whole day, which is stamped at its start but known at its close: stamp "
    "it with the close"
)
_HOUR = 3_600_000_000_000
"""In nanoseconds."""


def missing_sessions(data: Dataset) -> CheckResult:
    """WARN when the exchange traded on a day, between the first and the last bar, without any.

    Bars of several sessions each, weekly ones for instance, are not expected on every day.
    """
    stamps = _usable_stamps(data)
    if stamps is None:
        return not_checked("missing_sessions")
    dates = bar_dates(stamps)
    within = _sessions_of(dates)
    if _is_daily(stamps, dates) and coarser_than_daily(np.unique(dates), within):
        return conclude("missing_sessions", [], Status.WARN, _COARSE)
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
    dates = bar_dates(stamps)
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

    FAIL when all do: such data are not of this exchange, or their time zone is wrong. Bars of
    several sessions each may be stamped on any day.
    """
    stamps = _usable_stamps(data)
    if data.prices is None or stamps is None:
        return not_checked("off_session_bars")
    dates = bar_dates(stamps)
    within = _sessions_of(dates)
    if _is_daily(stamps, dates) and coarser_than_daily(np.unique(dates), within):
        return conclude("off_session_bars", [], Status.WARN, _COARSE)
    off = _off_session(stamps, dates, within)
    found = [rows_found(data.prices, data.prices.url, off, "the exchange does not trade then")]
    status = Status.FAIL if off.all() else Status.WARN
    return conclude("off_session_bars", found, status, "all bars lie in sessions")


def vix_look_ahead(data: Dataset) -> CheckResult:
    """WARN when bars within a day get the VIX that the day closed with.

    That is so where a daily VIX is stamped at the start of its day, while prices are not daily: of
    daily ones close meets close, as the signal of a day is one of its close.
    """
    bars = _usable_stamps(data)
    if bars is None or data.prices is None or data.vix is None:
        return not_checked("vix_look_ahead")
    known_at = data.vix.unchecked_timestamps()
    if disordered(known_at).any():
        return not_checked("vix_look_ahead")
    good = "no bar has a VIX that was known after it"
    known_at = known_at[~np.isnan(data.vix.values(VIX, 0, data.vix.rows))]
    days = bar_dates(known_at)
    if len(days) < 2 or not _is_daily(known_at, days) or _is_daily(bars, bar_dates(bars)):  # noqa: PLR2004 - one value has no pace
        return conclude("vix_look_ahead", [], Status.WARN, good)
    within = _sessions_of(days)
    closes = np.full(len(days), np.datetime64("NaT"), "datetime64[ns]")
    at = np.searchsorted(within.dates, days).clip(max=len(within) - 1)
    there = within.dates[at] == days
    closes[there] = within.closes[at[there]]
    latest = np.searchsorted(known_at, bars, side="right") - 1
    early = (latest >= 0) & (bars < closes[latest])
    found = [rows_found(data.prices, VIX, early, _LOOK_AHEAD)]
    return conclude("vix_look_ahead", found, Status.WARN, good)


def _usable_stamps(data: Dataset) -> Timestamps | None:
    if data.prices is None:
        return None
    stamps = data.prices.unchecked_timestamps()
    return None if disordered(stamps).any() else stamps


def _is_daily(stamps: Timestamps, dates: npt.NDArray[np.datetime64]) -> bool:
    """Whether there is one bar a date, but for strays such as the running bar of a download."""
    return len(np.unique(dates)) >= FITS * len(np.unique(stamps))


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
    """Whether bars stand for their day: at one time of it, but for daylight saving and strays."""
    times = (stamps - dates).astype(np.int64)
    return bool((np.abs(times - np.median(times)) <= _HOUR).sum() >= FITS * len(times))


def _absent(stamps: Timestamps, detail: str) -> Found:
    shown = tuple(Finding(EXCHANGE, detail, None, text(s)) for s in stamps[:MAX_FINDINGS])
    return Found(len(stamps), shown)
