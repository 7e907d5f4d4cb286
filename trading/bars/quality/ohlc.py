"""Checks of raw bars: prices, volumes, and what sessions say of each other.

FAIL is what no market can have done: nothing of such a delivery is stored. WARN is what is odd and
can be true. Nothing is repaired: a VWAP is never clipped, a split never invented.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats, Timestamps
from trading.bars.model import PRICES, Bars
from trading.bars.quality.findings import (
    MAX_FINDINGS,
    CheckResult,
    Finding,
    Found,
    Status,
    conclude,
    text,
)
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.calendar import Dates

JUMP = 0.4
"""Change from one session to the next, as a fraction, from which on a split is suspected."""

VOLUME_TOLERANCE = 0.1
"""How far, as a fraction of the day's, the volumes of the minutes may be from the daily bar's,
which also holds the auctions and what was reported late."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SessionPrices:
    """What sessions with bars came to, in order, arrays of shape (s,).

    Attributes:
        dates: New York dates, `datetime64[D]`.
        open: First price in dollars.
        close: Last price.
        volume: Shares.
    """

    dates: Dates
    open: Floats
    close: Floats
    volume: Floats


def check_bars(bars: Bars) -> tuple[CheckResult, ...]:
    """All checks of bars by themselves, in the order of the report."""
    return prices_positive(bars), price_bounds(bars), volumes(bars), vwap_bounds(bars)


def prices_positive(bars: Bars) -> CheckResult:
    """FAIL when a price is missing, infinite, zero or negative."""
    parts = [
        _rows(bars, ~((values > 0) & np.isfinite(values)), _valued(name, values))
        for name in PRICES
        for values in [getattr(bars, name)]
    ]
    return conclude("prices_positive", parts, Status.FAIL, "all prices are positive and finite")


def price_bounds(bars: Bars) -> CheckResult:
    """FAIL when the low is above the open or close, or the high below one of them."""
    low = bars.low > np.minimum(bars.open, bars.close)
    high = bars.high < np.maximum(bars.open, bars.close)
    parts = [
        _rows(bars, low, lambda row: f"low {bars.low[row]:g} is above the open or the close"),
        _rows(bars, high, lambda row: f"high {bars.high[row]:g} is below the open or the close"),
    ]
    return conclude("price_bounds", parts, Status.FAIL, "low and high enclose open and close")


def volumes(bars: Bars) -> CheckResult:
    """FAIL when a volume is negative, missing or infinite; a fractional one is fine."""
    wrong = ~((bars.volume >= 0) & np.isfinite(bars.volume))
    part = _rows(bars, wrong, _valued("volume", bars.volume))
    return conclude("volumes", [part], Status.FAIL, "no volume is negative or missing")


def vwap_bounds(bars: Bars) -> CheckResult:
    """WARN when a VWAP lies outside of low and high; where there is none, nothing is checked."""
    outside = (bars.vwap < bars.low) | (bars.vwap > bars.high)
    part = _rows(bars, outside, lambda row: f"vwap {bars.vwap[row]:g} is outside of low and high")
    return conclude("vwap_bounds", [part], Status.WARN, "every VWAP lies between low and high")


def repeated_rows(symbol: str, count: int) -> CheckResult:
    """WARN when rows had the timestamp of a later one of the delivery, which counts."""
    finding = Finding(symbol, f"{count} rows had the timestamp of a later row, which counts")
    parts = [Found(count, (finding,))] if count else []
    return conclude("repeated_rows", parts, Status.WARN, "no timestamp was delivered twice")


def withdrawn_rows(stored: Bars, delivered: Bars, first: np.datetime64) -> CheckResult:
    """WARN when bars that are stored are not delivered any more; they are kept.

    Args:
        stored: What was there.
        delivered: What the source says now.
        first: From when on the source has bars at all.
    """
    gone = ~np.isin(stored.timestamps, delivered.timestamps) & (stored.timestamps >= first)
    part = _rows(stored, gone, "the source no longer has this bar; it is kept")
    return conclude(
        "withdrawn_rows", [part], Status.WARN, "the source still has all that is stored"
    )


def stray_rows(stray: Bars) -> CheckResult:
    """WARN when bars lie on days that are no session; they are kept apart and make none."""
    part = _rows(stray, np.ones(len(stray), np.bool_), "the exchange was closed on this day")
    return conclude("stray_rows", [part], Status.WARN, "all bars lie on sessions")


def off_grid(bars: Bars, grid: Timestamps, inside: Mask) -> CheckResult:
    """WARN when a bar within a session does not start where the calendar expects one.

    Args:
        bars: The bars.
        grid: Every start that is expected.
        inside: Which bars lie within a session.
    """
    odd = inside & ~np.isin(bars.timestamps, grid)
    part = _rows(bars, odd, "no bar of this length starts then")
    return conclude("off_grid", [part], Status.WARN, "bars start where the sessions have them")


def volume_sums(symbol: str, minutes: SessionPrices, days: SessionPrices) -> CheckResult:
    """WARN when a session's minutes do not sum to its daily bar's volume, but for a tolerance."""
    _, here, there = np.intersect1d(
        minutes.dates, days.dates, assume_unique=True, return_indices=True
    )
    summed, told = minutes.volume[here], days.volume[there]
    apart = np.abs(summed - told) > VOLUME_TOLERANCE * told
    dates = minutes.dates[here]

    def detail(row: int) -> str:
        return f"minutes sum to {summed[row]:.10g} shares and the daily bar has {told[row]:.10g}"

    part = _sessions(symbol, dates, apart, detail)
    good = f"minutes sum to the daily volume within {VOLUME_TOLERANCE:.0%}"
    return conclude("volume_sums", [part], Status.WARN, good)


def jumps(symbol: str, sessions: SessionPrices, actions: Sequence[CorporateAction]) -> CheckResult:
    """WARN when a price jumps from one session to the next and no action explains it.

    Compared are the last price of a session with the first and the last of the next one; the
    greater change counts. An action with its ex-date between the two is taken into account.

    Args:
        symbol: The symbol.
        sessions: Its sessions, raw prices.
        actions: Its splits and dividends.
    """
    before = sessions.close[:-1].copy()
    for action in actions:
        after = np.searchsorted(sessions.dates, np.datetime64(action.ex_date))
        if 0 < after < len(sessions.dates):
            before[after - 1] = _without(before[after - 1], action)
    with np.errstate(divide="ignore", invalid="ignore"):
        overnight = sessions.open[1:] / before - 1.0
        whole = sessions.close[1:] / before - 1.0
    change = np.where(np.abs(overnight) > np.abs(whole), overnight, whole)

    def detail(row: int) -> str:
        return f"it jumps by {change[row]:+.1%} without an action; is a split missing?"

    part = _sessions(symbol, sessions.dates[1:], np.abs(change) > JUMP, detail)
    return conclude("jumps", [part], Status.WARN, f"no jump beyond {JUMP:.0%} without an action")


def _without(price: float, action: CorporateAction) -> float:
    """A price of the day before, as it would be without what an action gives."""
    return price / action.value if action.kind is ActionKind.SPLIT else price - action.value


def worst(checks: Sequence[CheckResult]) -> Status:
    """The most severe outcome; PASS of none."""
    return max((c.status for c in checks), key=lambda status: status.severity, default=Status.PASS)


def _rows(bars: Bars, where: Mask, detail: str | Callable[[int], str]) -> Found:
    return _at(bars.symbol, bars.timestamps, where, detail)


def _sessions(symbol: str, dates: Dates, where: Mask, detail: Callable[[int], str]) -> Found:
    rows = np.flatnonzero(where)
    findings = tuple(
        Finding(symbol, detail(row), row, str(dates[row])) for row in rows[:MAX_FINDINGS].tolist()
    )
    return Found(len(rows), findings)


def _at(symbol: str, stamps: Timestamps, where: Mask, detail: str | Callable[[int], str]) -> Found:
    rows = np.flatnonzero(where)
    findings = tuple(
        Finding(symbol, detail if isinstance(detail, str) else detail(row), row, text(stamps[row]))
        for row in rows[:MAX_FINDINGS].tolist()
    )
    return Found(len(rows), findings)


def _valued(name: str, values: Floats) -> Callable[[int], str]:
    return lambda row: f"{name} is {values[row]:g}"
