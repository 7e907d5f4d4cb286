"""One bar of each run of consecutive rows, by NumPy's `reduceat`.

A bar's bits rest on its own rows alone, whatever stands before or after them: a session that is
resampled by itself gives the same as within ten years.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats, Timestamps
from trading.bars.model import PRICES, Bars
from trading.bars.resampling.model import Counts
from trading.errors import DataError

Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Bars to be joined, with what all intervals share of the work.

    Attributes:
        bars: Bars with a price, sorted by time.
        dollars: `vwap * volume` of each, 0 where nothing was traded.
    """

    bars: Bars
    dollars: Floats


def priced_rows(bars: Bars) -> Rows:
    """The rows that have all four prices, in order of time.

    Args:
        bars: Bars in any order; one without a price is missing.

    Raises:
        DataError: Two rows have the same timestamp.
    """
    if not (np.diff(bars.timestamps) > np.timedelta64(0)).all():
        bars = bars[np.argsort(bars.timestamps, kind="stable")]
        repeated = bars.timestamps[:-1][np.diff(bars.timestamps) == np.timedelta64(0)]
        if len(repeated):
            raise DataError(
                f"bars of {bars.symbol}",
                f"two begin at {repeated[0]} UTC",
                "keep the one that was known last",
            )
    # A sum is finite where all are: prices are far from the largest float.
    priced = np.isfinite(bars.open + bars.high + bars.low + bars.close)
    if not priced.all():
        bars = bars[priced]
    return Rows(bars, np.where(bars.volume == 0, 0.0, bars.vwap * bars.volume))


def joined_rows(rows: Rows, firsts: Positions, labels: Timestamps) -> tuple[Bars, Counts]:
    """Join runs of consecutive rows into a bar each.

    Args:
        rows: The rows, shape (n,).
        firsts: Position of the first row of each run, strictly increasing from 0, shape (b,);
            none when there are no rows.
        labels: What each bar is labelled with, shape (b,).

    Returns:
        The bars, and how many rows each has. `open` and `close` are those of the first and last
        row; `vwap` is `sum(vwap_i * v_i) / sum(v_i)`, null when the volume is 0; volume and trades
        are null when one of their rows lacks them.
    """
    bars = rows.bars
    ends = np.append(firsts[1:], len(bars))
    present = ends - firsts
    if not len(firsts):
        return Bars.empty(bars.symbol), present
    single = len(firsts) == len(bars)
    reduced = dict(zip(PRICES, _prices(bars, firsts, ends - 1), strict=True))
    if single:
        volume, trades, vwap = bars.volume, bars.trades, bars.vwap
    else:
        volume, trades, dollars = (
            np.add.reduceat(values, firsts) for values in (bars.volume, bars.trades, rows.dollars)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            # One row's own average, not what multiplying and dividing makes of it.
            vwap = np.where(present == 1, bars.vwap[firsts], dollars / volume)
    vwap = np.where(volume == 0, np.nan, vwap)
    return (
        Bars(
            symbol=bars.symbol,
            timestamps=labels,
            **reduced,
            volume=volume,
            vwap=vwap,
            trades=trades,
        ),
        present,
    )


def _prices(bars: Bars, firsts: Positions, lasts: Positions) -> tuple[Floats, ...]:
    if len(firsts) == len(bars):
        return bars.open, bars.high, bars.low, bars.close
    return (
        bars.open[firsts],
        np.maximum.reduceat(bars.high, firsts),
        np.minimum.reduceat(bars.low, firsts),
        bars.close[lasts],
    )
